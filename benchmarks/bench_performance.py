"""Online AUC from histograms against River's exact `RollingROCAUC`, in one run.

    python benchmarks/bench_performance.py

per label       microseconds a label of a sliding window: labels added, old ones taken out, AUC read once per
                1,000 labels, and once per label. Ours: labels come with their score's bin, as the join has it
                (2,048 bins); 1,000 become one pane by bincount, a window is the newest panes. Once per label,
                ours slides by label too: a ring of bins. River slides by label, in Rust, and buffers until read.
ratio           River's time / ours, for the same labels in the same window
+ bin           the same with the search for each score's bin, which the service does once for a prediction,
                where it is counted for drift, whether its label ever comes or not
flat            ours at the longest window / ours at the shortest
one evaluation  AUC with bounds and standard error from the window's two histograms; all metrics beside it
bounds          high - low of AUC for continuous scores in quantile bins of other rows, and where the exact one lies
"""

import platform
import time
from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from river.metrics import RollingROCAUC
from sklearn.metrics import roc_auc_score

from detectors import Auc, BinEdges, auc, binary_metrics, estimate_performance, quantile_edges

BINS, PANE = 2_048, 1_000
WINDOWS = (1_000, 10_000, 100_000)
# River reads in time that grows with the window: fewer labels where it is long, so that all ends in a minute.
LABELS_PER_PANE = {1_000: 100_000, 10_000: 50_000, 100_000: 20_000}
LABELS_ONE_BY_ONE = {1_000: 4_000, 10_000: 500, 100_000: 50}
OUR_LABELS = {PANE: 200_000, 1: 3_000}

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.int64]


def traffic(seed: int, n: int, base_rate: float = 0.2) -> tuple[Scores, Labels]:
    """Continuous scores of AUC 0.8, skewed to 0 as those of a rare event are."""
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < base_rate
    return 1 / (1 + np.exp(2 - rng.normal(np.where(labels, 1.19, 0.0)))), labels


class PaneWindow:
    """The newest panes of `PANE` labels, as two histograms that slide by a pane."""

    def __init__(self, bins: int, window: int) -> None:
        self._bins, self._panes = bins, window // PANE
        self._kept: deque[Cells] = deque()
        self.counts = np.zeros(2 * bins, np.int64)

    def add(self, cells: Cells) -> None:
        """One pane in, the oldest out; a label's cell is its bin, and `bins` more if it is positive."""
        pane = np.bincount(cells, minlength=2 * self._bins)
        self._kept.append(pane)
        self.counts += pane
        if len(self._kept) > self._panes:
            self.counts -= self._kept.popleft()

    def auc(self) -> Auc:
        """Of the window."""
        found = auc(self.counts[: self._bins], self.counts[self._bins :])
        assert isinstance(found, Auc)
        return found


def main() -> None:
    """Print the figures."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    edges = quantile_edges(traffic(1, 200_000)[0], BINS)
    binning_s = min(_binning_s(edges) for _ in range(5))
    ours = {}
    print(
        f"{'window':>8}  {'AUC every':>9}  {'ours µs/label':>13}  {'River µs/label':>14}  {'ratio':>6}  {'+ bin':>6}",
        flush=True,
    )
    for window in WINDOWS:
        for every, labels in ((PANE, LABELS_PER_PANE[window]), (1, LABELS_ONE_BY_ONE[window])):
            # In turn, so that a busy moment of the machine meets both.
            turns = [(_ours_s(edges, window, every), _river_s(window, every, labels)) for _ in range(5)]
            mine_s, river_s = min(ours_s for ours_s, _ in turns), min(theirs_s for _, theirs_s in turns)
            ours[window, every] = mine_s
            print(
                f"{window:>8,}  {every:>9,}  {mine_s * 1e6:>13.3f}  {river_s * 1e6:>14.3f}  "
                f"{river_s / mine_s:>6.1f}  {river_s / (mine_s + binning_s):>6.1f}",
                flush=True,
            )
    print(f"search for the bin of a score: {binning_s * 1e6:.3f} µs")
    for every in (PANE, 1):
        flat = ours[WINDOWS[-1], every] / ours[WINDOWS[0], every]
        print(f"flat, AUC every {every:,}: {WINDOWS[-1]:,} / {WINDOWS[0]:,} labels = {flat:.2f}")
    _print_evaluation(edges)
    _print_bounds(edges)


def _binning_s(edges: BinEdges) -> float:
    """Seconds a score to bin a thousand of them at a time, by class."""
    scores, truth = traffic(5, 100 * PANE)
    started_s = time.perf_counter()
    for start in range(0, len(scores), PANE):
        pane, positive = scores[start : start + PANE], truth[start : start + PANE]
        edges.histogram(pane[~positive])
        edges.histogram(pane[positive])
    return (time.perf_counter() - started_s) / len(scores)


def _ours_s(edges: BinEdges, window: int, every: int) -> float:
    """Seconds a label, the window full from the start."""
    labels = OUR_LABELS[every]
    scores, truth = traffic(2, window + labels)
    cells = edges.index(scores) + edges.bins * truth
    if every == 1:
        return _ours_one_by_one_s(cells, edges.bins, window)
    sliding = PaneWindow(edges.bins, window)
    for start in range(0, window, PANE):
        sliding.add(cells[start : start + PANE])
    started_s = time.perf_counter()
    for start in range(window, window + labels, PANE):
        sliding.add(cells[start : start + PANE])
        sliding.auc()
    return (time.perf_counter() - started_s) / labels


def _ours_one_by_one_s(ring: Cells, bins: int, window: int) -> float:
    counts = np.bincount(ring[:window], minlength=2 * bins)
    negatives, positives = counts[:bins], counts[bins:]
    started_s = time.perf_counter()
    for i in range(window, len(ring)):
        counts[ring[i]] += 1
        counts[ring[i - window]] -= 1
        auc(negatives, positives)
    return (time.perf_counter() - started_s) / (len(ring) - window)


def _river_s(window: int, every: int, labels: int) -> float:
    """The same of River: the window full from the start, plain Python numbers as its users have them."""
    scores, truth = traffic(2, window + labels)
    rows = list(zip(truth.tolist(), scores.tolist(), strict=True))
    metric = RollingROCAUC(window_size=window)
    for label, score in rows[:window]:
        metric.update(label, score)
    metric.get()
    started_s = time.perf_counter()
    for i, (label, score) in enumerate(rows[window:], start=1):
        metric.update(label, score)
        if i % every == 0:
            metric.get()
    return (time.perf_counter() - started_s) / labels


def _print_evaluation(edges: BinEdges) -> None:
    scores, truth = traffic(3, 100_000)
    negatives, positives = edges.histogram(scores[~truth]), edges.histogram(scores[truth])
    of_bin = (np.arange(edges.bins) + 0.5) / edges.bins
    all_rows = negatives + positives
    print(f"one evaluation of AUC, bounds and standard error at {edges.bins:,} bins: ", end="")
    print(f"{_micros(lambda: auc(negatives, positives)):.0f} µs (wanted <= 100)")
    metrics = _micros(lambda: binary_metrics(negatives, positives, of_bin, edges.bins // 2))
    estimate = _micros(lambda: estimate_performance(all_rows, of_bin, edges.bins // 2, of_bin))
    exact = _micros(lambda: roc_auc_score(truth, scores), rounds=5)
    print(f"all metrics of a binary model: {metrics:.0f} µs; the label-free estimate: {estimate:.0f} µs")
    print(f"scikit-learn's roc_auc_score over the same {len(truth):,} rows: {exact:,.0f} µs")


def _print_bounds(edges: BinEdges) -> None:
    for name, base_rate in (("one in five positive", 0.2), ("one in a hundred", 0.01), ("one in 10,000", 1e-4)):
        scores, truth = traffic(4, 200_000, base_rate)
        found = auc(edges.histogram(scores[~truth]), edges.histogram(scores[truth]))
        assert isinstance(found, Auc)
        exact = roc_auc_score(truth, scores)
        inside = "inside" if found.low <= exact <= found.high else "OUTSIDE"
        print(
            f"bounds, {name}: width {found.high - found.low:.6f} (wanted <= 0.001), "
            f"AUC {found.value:.6f}, exact {exact:.6f} {inside}, standard error {found.se:.4f}"
        )


def _micros(act: Callable[[], object], rounds: int = 300) -> float:
    took = []
    for _ in range(rounds):
        started_s = time.perf_counter()
        act()
        took.append(time.perf_counter() - started_s)
    return float(np.median(took)) * 1e6


if __name__ == "__main__":
    main()
