"""One evaluation of many features, and the memory of what is kept, in one process without a broker.

evaluation / numpy.histogram   500 features x 20 bins from a window's counts, by both rules: PSI, KL and JS, and by the
                               budget evidence, effect and what could be seen; against recomputing the window's
                               histograms from its rows, as a batch job would
memory                         bytes of one model x feature x pane: in memory, and in the changelog
"""

import itertools
import platform
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from detectors import Smoothing, Threshold
from detectors.evidence import MOST_DIRECTIONS, Evidence
from stream.alerts.rules import BUDGET, Rules
from stream.baselines.create import Binning, create_baseline
from stream.baselines.layout import Counts, Layout
from stream.count.panes import PaneRows, Panes
from stream.evaluate.evaluator import evaluate_window
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import Yardstick

FEATURES, BINS, WINDOW_ROWS, ROUNDS = 500, 20, 20_000, 30


def main() -> None:
    """Print the figures."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    rng = np.random.default_rng(3)
    table = {f"f{i:03}": rng.normal(size=5_000) for i in range(FEATURES)}
    layout = Layout(create_baseline(table, model="wide", version="1", binning=Binning(bins=BINS)))
    rows = rng.normal(size=(WINDOW_ROWS, FEATURES))
    flat = np.concatenate(
        [
            layout.starts[j] + 1 + np.searchsorted(np.array(series.inner_edges), rows[:, j], side="right")  # type: ignore[union-attr]
            for j, series in enumerate(layout.series)
        ]
    )
    counts = np.bincount(flat, minlength=layout.width)
    plain = Rules(default=Threshold(warning=0.1, critical=0.25, min_count=200))
    budget = Rules(default=Threshold(notice=0.02, warning=0.1, critical=0.25, min_count=200), rule=BUDGET)
    own = _evidence(layout, rng)
    took_s = {
        "rule threshold": _evaluation_s(layout, counts, plain, None),
        "rule budget, rows taken as independent": _evaluation_s(layout, counts, budget, None),
        f"rule budget, {MOST_DIRECTIONS} directions of healthy wander": _evaluation_s(layout, counts, budget, own),
    }
    edges = np.linspace(-4, 4, BINS + 1)
    recount_s = _median_s(lambda: [np.histogram(rows[:, j], edges) for j in range(FEATURES)], 3)
    print(f"one evaluation of {FEATURES} features x {BINS} bins, CPU time (wanted <= 20 ms),")
    print(f"and beside numpy.histogram over the window's {WINDOW_ROWS:,} rows:")
    for how, seconds in took_s.items():
        print(f"  {how:<50} {seconds * 1e3:6.2f} ms  {seconds / recount_s:.4f}")
    print(f"  {'what is seen, when traffic comes to another size':<50} {_sight_s(layout, budget, own) * 1e3:6.2f} ms")
    _print_memory(layout, flat.reshape(FEATURES, WINDOW_ROWS).T)


def _evaluation_s(layout: Layout, counts: Counts, rules: Rules, evidence: tuple[Evidence, ...] | None) -> float:
    """Of a window of another size than the one before, so that nothing is remembered."""
    settings = ModelSettings(window_ms=3_600_000, psi=rules, smoothing=Smoothing())
    yardstick = Yardstick(layout=layout, settings=settings, pane_ms=60_000, evidence=evidence)
    sizes = itertools.count(1)

    def evaluate() -> None:
        window = counts.copy()
        window[layout.starts[:-1] + 1] += next(sizes)
        evaluate_window(yardstick, window, start_ms=0, end_ms=3_600_000, complete=True)

    return _median_s(evaluate, ROUNDS)


def _sight_s(layout: Layout, rules: Rules, evidence: tuple[Evidence, ...]) -> float:
    settings = ModelSettings(window_ms=3_600_000, psi=rules, smoothing=Smoothing())
    yardstick = Yardstick(layout=layout, settings=settings, pane_ms=60_000, evidence=evidence)
    sizes = iter(10**power for power in range(1, 9))
    return _median_s(lambda: yardstick.seen(next(sizes)), 8)


def _evidence(layout: Layout, rng: np.random.Generator) -> tuple[Evidence, ...]:
    """As a week of hours gives it, with as many directions as there can be."""
    widths = np.diff(np.append(layout.series_coarse_starts, len(layout.coarse_starts)))
    return tuple(
        Evidence(
            overdispersion=0.001,
            spreads=(0.01, 0.005, 0.002),
            directions=tuple(map(tuple, np.linalg.qr(rng.normal(size=(width, MOST_DIRECTIONS)))[0].T.tolist())),
            blocks=168,
            block_rows=600.0,
            tail_start=2.3,
            tail_scale=1.2,
            guard=9.0,
        )
        for width in widths.tolist()
    )


def _print_memory(layout: Layout, flat_bins: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> None:
    panes = Panes()
    offsets, held = np.arange(WINDOW_ROWS), 20
    tracemalloc.start()
    starts = np.arange(WINDOW_ROWS) // (WINDOW_ROWS // held) * 60_000
    panes.count("definition", "", PaneRows(starts, flat_bins, offsets, newest_ms=starts), width=layout.width)
    in_memory, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    in_changelog = sum(len(register.value) + len(register.key) for register in panes.live())
    cells = held * FEATURES
    print(f"memory per model x feature x pane: {in_memory / cells:.0f} B in memory, ", end="")
    print(f"{in_changelog / cells:.0f} B in the changelog ({layout.width / FEATURES:.0f} counters a feature)")


def _median_s(act: Callable[[], object], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        started_s = time.process_time()
        act()
        took.append(time.process_time() - started_s)
    return float(np.median(took))


if __name__ == "__main__":
    main()
