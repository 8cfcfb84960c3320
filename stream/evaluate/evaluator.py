"""The evaluator: one window's counts against the baseline, all series at once; pure.

By the rule `threshold` PSI alone is compared with its limits. By the rule `budget` a series needs evidence,
a p-value at most the level that the model's false-alarm budget gives to its test, or to be far beyond every
healthy window, and effect, a corrected PSI that reaches a limit.
Cost: O(bins) (`make bench`). The same function judges a live window and one of a file.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors import EstimatedPerformance, Threshold, Undefined, Verdict, divergences
from detectors.evidence import Evidence, judge
from detectors.season import Shares
from stream.alerts.rules import PSI, THRESHOLD
from stream.baselines.layout import Counts
from stream.baselines.season import Season
from stream.evaluate.error_evaluator import ErrorWindow, evaluate_errors
from stream.evaluate.latency_evaluator import LatencyWindow, evaluate_latency
from stream.evaluate.quality_evaluator import QualityWindow, evaluate_quality
from stream.evaluate.schema_evaluator import SchemaWindow
from stream.evaluate.score_estimate import estimate_window
from stream.evaluate.sight import Seen
from stream.evaluate.throughput_evaluator import ThroughputCheck, evaluate_throughput
from stream.evaluate.yardstick import PerSeries, Yardstick


class SeriesTest(NamedTuple):
    """What the rule `budget` says of one series in one window."""

    p_value: float  # of "healthy windows differ as much"
    level: float  # the p-value must be at most this
    psi_corrected: float  # PSI less what sampling and healthy wander explain, nats; the limits are for this one
    breaches: bool  # evidence beyond the level and beyond every healthy window, or far; and the least effect told
    detectable_psi: float  # what half of the windows of so many rows would alarm at, nats
    detectable_along_psi: float  # the same for a shift in the way in which healthy windows wander
    seen: Seen  # the same in the series' own terms
    times_farthest: float | None  # of a breach by being far alone: its corrected PSI over the farthest healthy window's


_PLAIN: Final[list[SeriesTest]] = []  # nothing is tested: the rule is `threshold`, or there are no rows

NO_SEGMENT_BASELINE: Final = "no baseline of the segment"  # all rows' is shown, and says nothing of what is normal here


class Check(msgspec.Struct, frozen=True, kw_only=True, gc=False, eq=False):
    """One statistic of one series in one window, with its verdict."""

    check: str  # "psi"
    subject: str  # a series' name
    value: float | Undefined  # PSI in nats
    kl_nats: float | Undefined  # KL(current || baseline)
    js_nats: float | Undefined
    n: int  # rows of the window
    threshold: Threshold
    verdict: Verdict
    reason: str | None  # why the verdict is undefined
    baseline: Counts  # in the bins that PSI compares
    current: Counts
    rule: str = THRESHOLD  # "budget" | "threshold"
    test: SeriesTest | None = None  # None: of the rule `threshold`, or without rows
    provisional: bool = False  # how much healthy windows differ was not known, or from too few of them
    live: Evidence | None = None  # what was learned of it from the model's own windows; None: the baseline knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Every check of one window [start_ms, end_ms)."""

    start_ms: int
    end_ms: int
    n: int  # rows
    complete: bool  # False: counting began inside the window
    checks: tuple[Check, ...]
    estimates: EstimatedPerformance | Undefined | None = None  # label-free; None: the baseline cannot tell
    latency: LatencyWindow | None = None  # None: not counted
    learning: tuple[int, int | None] | None = None  # live windows seen, and of how many is learned next; None: not done
    season: Season | None = None  # whose hours it was compared with; None: with the whole baseline
    quality: QualityWindow | None = None  # None: not checked
    throughput: ThroughputCheck | None = None  # None: not checked
    errors: ErrorWindow | None = None  # None: not counted
    schema: SchemaWindow | None = None  # None: not checked, or nobody looked at names

    @property
    def spent(self) -> float:
        """How many false alarms chance alone is expected to make of it, at most: the levels of its tests, summed."""
        of_series = sum(c.test.level for c in self.checks if c.test and c.reason is None and c.threshold.least)
        latency = self.latency.check.spent if self.latency and self.latency.check else 0.0
        quality = self.quality.spent if self.quality else 0.0
        errors = self.errors.check.spent if self.errors and self.errors.check else 0.0
        schema = self.schema.spent if self.schema else 0.0
        return of_series + latency + quality + schema + errors + (self.throughput.spent if self.throughput else 0.0)

    @property
    def breaches(self) -> list[Check]:
        """The checks beyond a limit."""
        return [c for c in self.checks if c.verdict.is_breach]


def evaluate_window(
    yardstick: Yardstick,
    counts: Counts,
    *,
    start_ms: int,
    end_ms: int,
    complete: bool,
    hours: Counts | None = None,
) -> Evaluation:
    """Judge one window.

    Args:
        yardstick: of the baseline that the counts were cut with.
        counts: the window's sum, shape (layout.width,).
        start_ms: of the window, event time.
        end_ms: of the window, not in it.
        complete: whether every pane of the window was counted; if not, no verdict is given.
        hours: of a season, the window's rows in each slot (`Yardstick.hours`).
    """
    layout = yardstick.layout
    n = int(counts[: layout.starts[1]].sum())  # each row has one entry in every series
    return Evaluation(
        start_ms=start_ms,
        end_ms=end_ms,
        n=n,
        complete=complete,
        checks=tuple(_series_checks(yardstick, counts, n, hours, complete=complete)),
        season=None if hours is None or yardstick.season is None else yardstick.season.season,
        estimates=estimate_window(layout, counts),
        latency=evaluate_latency(layout, counts, yardstick.latency, complete=complete, overdispersion=yardstick.alike),
        quality=evaluate_quality(yardstick.quality, counts, n, complete=complete),
        throughput=evaluate_throughput(yardstick.throughput, n, complete=complete),
        errors=evaluate_errors(layout, counts, yardstick.errors, complete=complete),
    )


def _series_checks(
    yardstick: Yardstick, counts: Counts, n: int, hours: Counts | None, *, complete: bool
) -> list[Check]:
    """PSI of each series of a window of n rows, judged by evidence and effect or by the plain limits."""
    layout, settings = yardstick.layout, yardstick.settings
    coarse = layout.coarsen(counts)
    normal = yardstick.normal(hours)
    statistics = divergences(normal, coarse, layout.series_coarse_starts, settings.smoothing)
    tested = _tested(yardstick, normal, coarse, statistics.psi, n) if yardstick.by_budget and n else _PLAIN
    # Plain floats and slices from here on: 500 series, so numpy's scalars and splits would cost most of the time.
    values, kls, jss = statistics.psi.tolist(), statistics.kl.tolist(), statistics.js.tolist()
    baseline = layout.baseline_coarse if hours is None else np.rint(normal).astype(np.int64)
    starts = [*layout.series_coarse_starts.tolist(), len(coarse)]
    live = yardstick.live
    checks = []
    for i, subject in enumerate(layout.names):
        bins = slice(starts[i], starts[i + 1])
        value, threshold = _defined(values[i]), yardstick.limits[i]
        reason = _reason(value, n, threshold, complete=complete) if layout.judges else NO_SEGMENT_BASELINE
        test = tested[i] if tested else None
        checks.append(
            Check(
                check=PSI,
                subject=subject,
                value=value,
                kl_nats=_defined(kls[i]),
                js_nats=_defined(jss[i]),
                n=n,
                threshold=threshold,
                verdict=Verdict.UNDEFINED if reason else _verdict(value, n, threshold, test),
                reason=reason,
                baseline=baseline[bins],
                current=coarse[bins],
                rule=settings.psi.rule,
                test=test,
                provisional=yardstick.by_budget and yardstick.provisional[i],
                live=live.evidence[i] if live else None,
            )
        )
    return checks


def _tested(yardstick: Yardstick, normal: Counts | Shares, coarse: Counts, psi: PerSeries, n: int) -> list[SeriesTest]:
    """Evidence and effect of each series in a window of n rows."""
    table = yardstick.table if yardstick.season is None else yardstick.table.against(normal)
    found, level = judge(table, coarse, psi), yardstick.level(n)
    beyond = found.breaches(level, yardstick.effects, table.guard)
    far_alone = beyond & ~found.evident(level, table.guard)
    times = [t if far else None for t, far in zip(found.times_farthest.tolist(), far_alone.tolist(), strict=True)]
    columns = (found.p_value, level, found.psi_corrected, beyond, *yardstick.detectable(n))
    rows = zip(*(column.tolist() for column in columns), yardstick.seen(n), times, strict=True)
    return [SeriesTest(*row) for row in rows]


def _verdict(value: float | Undefined, n: int, threshold: Threshold, test: SeriesTest | None) -> Verdict:
    if test is None:
        return threshold.judge(value, n)
    return threshold.size_of(test.psi_corrected) if test.breaches else Verdict.OK


def _defined(value: float) -> float | Undefined:
    return Undefined("empty") if math.isnan(value) else value


def _reason(value: float | Undefined, n: int, threshold: Threshold, *, complete: bool) -> str | None:
    if isinstance(value, Undefined):
        return value.reason
    if not complete:
        return "window filling"
    return "too few" if n < threshold.min_count else None
