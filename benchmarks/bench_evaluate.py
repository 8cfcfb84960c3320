"""One evaluation of many features, and the memory of what is kept, in one process without a broker.

evaluation / numpy.histogram   PSI, KL and JS of 500 features x 20 bins from a window's counts, against
                               recomputing the window's histograms from its rows, as a batch job would
memory                         bytes of one model x feature x pane: in memory, and in the changelog
"""

import platform
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from detectors import Smoothing, Threshold
from stream.alerts.rules import Rules
from stream.baselines.create import Binning, create_baseline
from stream.baselines.layout import Layout
from stream.count.panes import PaneRows, Panes
from stream.evaluate.evaluator import evaluate_window
from stream.evaluate.settings import ModelSettings

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
    settings = ModelSettings(
        window_ms=3_600_000,
        psi=Rules(default=Threshold(warning=0.1, critical=0.25, min_count=200)),
        smoothing=Smoothing(),
    )
    evaluation_s = _median_s(
        lambda: evaluate_window(layout, counts, settings, start_ms=0, end_ms=3_600_000, complete=True), ROUNDS
    )
    edges = np.linspace(-4, 4, BINS + 1)
    recount_s = _median_s(lambda: [np.histogram(rows[:, j], edges) for j in range(FEATURES)], 3)
    print(f"one evaluation of {FEATURES} features x {BINS} bins: {evaluation_s * 1e3:.2f} ms (wanted <= 5)")
    print(f"evaluation / numpy.histogram over the window's {WINDOW_ROWS:,} rows: {evaluation_s / recount_s:.4f}")
    _print_memory(layout, flat.reshape(FEATURES, WINDOW_ROWS).T)


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
        started_s = time.perf_counter()
        act()
        took.append(time.perf_counter() - started_s)
    return float(np.median(took))


if __name__ == "__main__":
    main()
