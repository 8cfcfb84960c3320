"""One evaluation of many features, and the memory of what is kept, in one process without a broker.

evaluation / numpy.histogram   500 features x 20 bins from a window's counts with all checks that are on by default,
                               drift, data quality and throughput, by both rules: of the budget evidence, effect and
                               what could be seen; against recomputing the window's histograms from its rows, as a
                               batch job would
report                         what is published of it, apart: as a record, and as bytes
another size                   the same evaluation when traffic comes to a size of windows that was not seen before
memory                         bytes of one model x feature x pane: in memory, and in the changelog
"""

import platform
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from detectors.evidence import MOST_DIRECTIONS, Evidence
from stream.alerts.rules import BUDGET, THRESHOLD
from stream.baselines.baseline import Baseline
from stream.baselines.create import Binning, create_baseline
from stream.baselines.definition import Definition
from stream.baselines.layout import Counts, Layout
from stream.config import Config
from stream.count.panes import PaneRows, Panes
from stream.evaluate.evaluator import Evaluation, evaluate_window
from stream.evaluate.report import Judged, encode, report_record
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import Yardstick
from stream.records.settings import CountingSettings
from stream.service.topology import settings_of

FEATURES, BINS, WINDOW_ROWS, ROUNDS = 500, 20, 20_000, 30
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
WANTED_MS = 20


def main() -> None:
    """Print the figures."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    rng = np.random.default_rng(3)
    baseline = _baseline(rng)
    counting = CountingSettings(pane_ms=MINUTE_MS, allowed_lateness_ms=0, max_clock_skew_ms=0)
    definition = Definition(baseline, counting)
    layout, rows = definition.layout, rng.normal(size=(WINDOW_ROWS, FEATURES))
    flat = np.concatenate(
        [
            layout.starts[j] + 1 + np.searchsorted(np.array(series.inner_edges), rows[:, j], side="right")  # type: ignore[union-attr]
            for j, series in enumerate(layout.series)
        ]
    )
    counts = np.bincount(flat, minlength=layout.width)
    budget, plain = _settings(BUDGET), _settings(THRESHOLD)
    own = _evidence(layout, rng)
    judged_by = {
        "rule threshold": _yardstick(layout, plain, None),
        "rule budget, rows taken as independent": _yardstick(layout, budget, None),
        f"rule budget, {MOST_DIRECTIONS} directions of healthy wander": _yardstick(layout, budget, own),
    }
    edges = np.linspace(-4, 4, BINS + 1)
    recount_s = _median_s(lambda: [np.histogram(rows[:, j], edges) for j in range(FEATURES)], 3)
    print(f"one evaluation of {FEATURES} features x {BINS} bins, CPU time (wanted <= {WANTED_MS} ms),")
    print(f"and beside numpy.histogram over the window's {WINDOW_ROWS:,} rows:")
    for how, yardstick in judged_by.items():
        seconds = _median_s(lambda by=yardstick: _evaluate(by, counts), ROUNDS)  # type: ignore[misc]
        print(f"  {how:<50} {seconds * 1e3:6.2f} ms  {seconds / recount_s:.4f}")
    yardstick = judged_by[f"rule budget, {MOST_DIRECTIONS} directions of healthy wander"]
    _print_parts(yardstick, counts)
    _print_report(Judged(_evaluate(yardstick, counts), definition, ""))
    _print_memory(layout, flat.reshape(FEATURES, WINDOW_ROWS).T)


def _baseline(rng: np.random.Generator) -> Baseline:
    table = {f"f{i:03}": rng.normal(size=5_000) for i in range(FEATURES)}
    return create_baseline(table, model="wide", version="1", binning=Binning(bins=BINS))


def _settings(rule: str) -> ModelSettings:
    """As the service has them where the configuration says no more."""
    return settings_of(Config.model_validate({"rule": rule}), "wide")


def _yardstick(layout: Layout, settings: ModelSettings, evidence: tuple[Evidence, ...] | None) -> Yardstick:
    return Yardstick(layout=layout, settings=settings, pane_ms=MINUTE_MS, evidence=evidence)


def _evaluate(yardstick: Yardstick, counts: Counts) -> Evaluation:
    return evaluate_window(yardstick, counts, start_ms=0, end_ms=HOUR_MS, complete=True)


def _print_parts(yardstick: Yardstick, counts: Counts) -> None:
    """Without data quality, and with windows of a size that was not seen before; a row more each time is no other."""
    drift = replace(yardstick, settings=replace(yardstick.settings, quality=None, throughput=None))
    _evaluate(drift, counts)
    print(f"  {'  of that, drift alone':<50} {_median_s(lambda: _evaluate(drift, counts), ROUNDS) * 1e3:6.2f} ms")
    sizes = iter([counts * times for times in (2, 3, 5, 10, 20, 30, 50, 100)])
    another_s = _median_s(lambda: _evaluate(yardstick, next(sizes)), 8)
    print(f"  {'when traffic comes to another size':<50} {another_s * 1e3:6.2f} ms, once for each size")


def _print_report(judged: Judged) -> None:
    nothing = {"alerts_firing": [], "alerts_silenced": {}}
    record = report_record(judged, revision=0, alerts=nothing)
    record_s = _median_s(lambda: report_record(judged, revision=0, alerts=nothing), ROUNDS)
    encode_s = _median_s(lambda: encode(record), ROUNDS)
    print(f"  {'its report, as a record':<50} {record_s * 1e3:6.2f} ms")
    print(f"  {'its report, as bytes':<50} {encode_s * 1e3:6.2f} ms  {len(encode(record)) / 1e3:.0f} KB")


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
