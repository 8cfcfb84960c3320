"""Data quality of one window, series by series: what is missing, wrong, out of range, new, stuck or gone.

Effect and evidence, both. Effect: a share is above the baseline's by the warning limit. Evidence: the law of healthy
windows makes so many or more with a chance below the level. A window beyond the limit without the evidence neither
begins an alert nor ends one. `rule: threshold` asks for the effect alone.

It cannot see: a value that repeats but spreads over more than one bin; how many different categories lie beyond the
kept ones, or were never seen; a feature that the baseline has not (that is a change of schema).
Cost: below 4 ms for 500 series of 100 fine bins; a p-value is worked out only where the effect is there.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors import Undefined, Verdict
from detectors.healthy_rate import HealthyRates, detectable_rates, healthy_rates
from detectors.occupancy import absent_chance, few_occupied_p_value, independent_rows
from detectors.rates import rate_over_limit
from stream.alerts.quality_rules import CARDINALITY, INVALID, MISSING, OUT_OF_RANGE, STUCK, UNSEEN, Limits, QualityRule
from stream.alerts.rules import THRESHOLD
from stream.baselines.layout import Counts, Layout
from stream.baselines.quality_counters import HealthyQuality, QualityCounters
from stream.evaluate.prediction_side import STATISTICS, AnswerLaw, answer_law, move_p_value, score_histogram
from stream.evaluate.sight import roughly

NOISE: Final = "sampling noise"  # why a value beyond its limit is no breach
FEWEST_EXPECTED: Final = 4  # different values in a healthy window; with fewer there is nothing to miss


class QualityCheck(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One statistic of one series in one window, with its verdict."""

    check: str
    subject: str
    value: float | Undefined  # a share, 0..1
    healthy: float  # what it is in healthy windows
    count: int  # rows that it happened to; values in the fullest bin; different values
    n: int  # out of so many
    warning: float  # the limits, in the value's unit
    critical: float
    p_value: float | None  # None: not asked, for the effect is not there
    level: float
    detectable: float | None  # about the value that a window of so many rows must have to be seen
    verdict: Verdict
    reason: str | None  # why the verdict is undefined
    provisional: bool  # how much healthy windows differ was not learned
    at: int | None = None  # of what is stuck: which bin of the series
    now: float | None = None  # of an answer's mean, whose move is the value

    def limit_of(self, severity: Verdict) -> float | None:
        """The limit that a verdict says was crossed."""
        return {Verdict.WARNING: self.warning, Verdict.CRITICAL: self.critical}.get(severity)


class SeriesQuality(NamedTuple):
    """What one series of a window is made of."""

    subject: str
    missing: int
    invalid: int
    beyond: int  # out of range, or unseen
    different: int  # bins, or kept categories, that have a value
    fullest: int  # values in the fullest of them


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityWindow:
    """The data quality of one window."""

    n: int
    rule: QualityRule
    level: float  # how often one test may alarm by chance
    provisional: bool  # how much healthy windows differ was not learned
    series: tuple[SeriesQuality, ...]
    checks: tuple[QualityCheck, ...]

    @property
    def spent(self) -> float:
        """How often chance alone would have made one of the verdicts an alarm, at most."""
        made = sum(check.verdict is not Verdict.UNDEFINED or check.reason == NOISE for check in self.checks)
        return self.level * made if self.rule.rule != THRESHOLD else 0.0


class _Found(NamedTuple):
    """A statistic of one series, before it is judged."""

    hits: int
    n: int
    value: float  # of no use where n is 0
    healthy: float
    limits: Limits
    detectable: float | None = None
    at: int | None = None
    now: float | None = None
    reason: str | None = None  # why there can be no verdict


@dataclass(frozen=True, eq=False, kw_only=True)
class QualityYardstick:
    """What the data quality of a model's windows is judged with."""

    layout: Layout
    counters: QualityCounters
    rule: QualityRule
    level: float  # how often one test may alarm by chance
    healthy: HealthyQuality
    watched: Mapping[str, Sequence[int]]  # by check: the series that it is made of

    def detectable(self, check: str, law: HealthyRates, rows: int) -> list[float]:
        """About the rate that a window of roughly so many rows must have to be seen, of each series; rows >= 1."""
        asked = check, roughly(rows)
        if asked not in self._detectable:
            self._detectable[asked] = detectable_rates(law, asked[1], self.level).tolist()
        return self._detectable[asked]

    @cached_property
    def shares(self) -> dict[str, tuple[list[Limits], list[float], list[float]]]:
        """By check of a share: of each series the limits, the healthy rate, and its overdispersion."""
        beyond = self.healthy.beyond
        laws = {MISSING: self.healthy.missing, INVALID: self.healthy.invalid, OUT_OF_RANGE: beyond, UNSEEN: beyond}
        found = {}
        for check, law in laws.items():
            above, rates = self.rule.limits.get(check), law.rate.tolist()
            limits = [Limits(warning=r + above.warning, critical=r + above.critical) for r in rates] if above else []
            found[check] = limits, rates, law.overdispersion.tolist()
        return found

    @cached_property
    def answers(self) -> tuple[AnswerLaw, ...]:
        """What the answers of the baseline are like, of each statistic that is watched; none without a score grid."""
        grid = self.layout.baseline.grid
        if grid is None:
            return ()
        before = score_histogram(self.layout, self.layout.baseline_counts)
        return tuple(answer_law(check, grid, before) for check in STATISTICS if self.watched.get(check))

    @cached_property
    def _detectable(self) -> dict[tuple[str, int], list[float]]:
        return {}  # by size: a few for each power of ten, so that it stays small


def quality_yardstick(layout: Layout, rule: QualityRule, level: float, healthy: HealthyQuality) -> QualityYardstick:
    """Made once for a layout and a window's length."""
    watched: dict[str, list[int]] = {check: [] for check in rule.limits}
    for i, checks in enumerate(rule.by_series(layout.baseline)):
        for check in checks:
            watched[check].append(i)
    return QualityYardstick(
        layout=layout, counters=layout.quality, rule=rule, level=level, healthy=healthy, watched=watched
    )


class _Window(NamedTuple):
    """One window's counters, and by what they are judged."""

    by: QualityYardstick
    counts: Counts
    n: int
    reason: str | None  # why no verdict is given at all

    def judge(self, check: str, series: int, found: _Found, chance: Callable[[], float]) -> QualityCheck:
        """The verdict; `chance` is only asked where the effect is there."""
        few = "empty" if not found.n else "too few" if found.n < self.by.rule.min_count else None
        reason = self.reason or few or found.reason
        limits, verdict, p_value = found.limits, Verdict.UNDEFINED if reason else Verdict.OK, None
        if reason is None and found.value >= limits.warning:
            verdict = Verdict.CRITICAL if found.value >= limits.critical else Verdict.WARNING
            p_value = chance()
            if self.by.rule.rule != THRESHOLD and p_value >= self.by.level:
                verdict, reason = Verdict.UNDEFINED, NOISE
        return QualityCheck(
            check=check,
            subject=self.by.counters.names[series],
            value=found.value if found.n else Undefined("empty"),
            healthy=found.healthy,
            count=found.hits,
            n=found.n,
            warning=limits.warning,
            critical=limits.critical,
            p_value=p_value,
            level=self.by.level,
            detectable=found.detectable,
            verdict=verdict,
            reason=reason,
            provisional=self.by.healthy.provisional,
            at=found.at,
            now=found.now,
        )


def evaluate_quality(
    yardstick: QualityYardstick | None, counts: Counts, n: int, *, complete: bool
) -> QualityWindow | None:
    """Judge the data quality of one window.

    Args:
        yardstick: of the baseline that the counts were cut with; None: it is not checked.
        counts: the window's sum, shape (layout.width,).
        n: rows of the window.
        complete: whether every pane of the window was counted; if not, no verdict is given.
    """
    if yardstick is None:
        return None
    counters, rule = yardstick.counters, yardstick.rule
    window = _Window(yardstick, counts, n, "empty" if n == 0 else None if complete else "window filling")
    different, fullest = _shape_of(counters, counts)
    checks = [*_share_checks(window), *_stuck_checks(window, fullest)]
    stuck = {one.subject for one in checks if one.check == STUCK and one.verdict.is_breach}
    checks += [*_cardinality_checks(window, different, stuck), *_answer_checks(window)]
    made_of = (counts[counters.missing], counts[counters.invalid], counters.beyond(counts), different, fullest)
    told = zip(counters.names, *(counter.tolist() for counter in made_of), strict=True)
    return QualityWindow(
        n=n,
        rule=rule,
        level=yardstick.level,
        provisional=yardstick.healthy.provisional,
        series=tuple(SeriesQuality(*one) for one in told),
        checks=tuple(checks),
    )


def _shape_of(counters: QualityCounters, counts: Counts) -> tuple[Counts, Counts]:
    """Of each series how many bins are occupied, and the values in the fullest; shape (series,) each."""
    (first, behind), inside = counters.bins, np.stack(counters.bins, axis=1).ravel()
    # At every other place `reduceat` gives what lies between the bins of two series, which nobody asked for; of a
    # series without bins, one that the baseline has no value of, it gives what lies behind.
    different = np.add.reduceat((counts > 0).astype(np.int64), inside)[::2] * (behind > first)
    return different, np.maximum.reduceat(counts, inside)[::2] * (behind > first)


def _share_checks(window: _Window) -> Iterator[QualityCheck]:
    """Shares of the rows, against those of healthy windows."""
    counters, counts, healthy = window.by.counters, window.counts, window.by.healthy
    beyond = counters.beyond(counts)
    kinds = (
        (MISSING, counts[counters.missing], healthy.missing),
        (INVALID, counts[counters.invalid], healthy.invalid),
        (OUT_OF_RANGE, beyond, healthy.beyond),
        (UNSEEN, beyond, healthy.beyond),
    )
    for check, count, law in kinds:
        if window.by.watched.get(check):
            yield from _rises(window, check, count, law)


def _rises(window: _Window, check: str, count: Counts, law: HealthyRates) -> Iterator[QualityCheck]:
    n = window.n
    # Plain numbers: numpy's scalars would cost most of the time.
    seen = window.by.detectable(check, law, n) if n else [1.0] * len(law.rate)
    hits, (limits, rates, rhos) = count.tolist(), window.by.shares[check]
    for i in window.by.watched[check]:
        k, healthy = hits[i], rates[i]
        found = _Found(k, n, k / n if n else 0.0, healthy, limits[i], max(seen[i], limits[i].warning))
        yield window.judge(check, i, found, partial(_rise_p_value, k, n, healthy, rhos[i]))


def _stuck_checks(window: _Window, fullest: Counts) -> Iterator[QualityCheck]:
    """The share of the values that lie in one bin: a constant is in one."""
    limits, counters = window.by.rule.limits.get(STUCK), window.by.counters
    if limits is None:
        return
    usable, (first, behind) = counters.usable(window.counts), counters.bins
    at = [
        start + int(window.counts[start:end].argmax()) if end > start else start
        for start, end in zip(first.tolist(), behind.tolist(), strict=True)
    ]
    before, spread = counters.baseline_counts, np.minimum(window.by.healthy.spread, 1)
    law = healthy_rates(before[at], counters.usable(before), spread, 1)
    bins, starts = (behind - first).tolist(), first.tolist()  # the fullest was chosen among so many
    most, values, rates, rhos = (a.tolist() for a in (fullest, usable, law.rate, law.overdispersion))
    for i in window.by.watched[STUCK]:
        k, n, healthy, rho = most[i], values[i], rates[i], rhos[i]
        found = _Found(k, n, k / n if n else 0.0, healthy, limits, at=at[i] - starts[i])
        yield window.judge(STUCK, i, found, partial(_rise_p_value, k, n, healthy, rho, bins[i]))


def _rise_p_value(count: int, n: int, rate: float, overdispersion: float, tests: int = 1) -> float:
    """How often a healthy window has so many or more."""
    tested = rate_over_limit(count, n, rate, overdispersion)
    return 1.0 if isinstance(tested, Undefined) else min(1.0, tests * tested.p_value)


def _cardinality_checks(window: _Window, different: Counts, stuck: Collection[str]) -> Iterator[QualityCheck]:
    """The share of the different values, as a healthy window of so many rows has them, that is gone."""
    limits, counters = window.by.rule.limits.get(CARDINALITY), window.by.counters
    if limits is None:
        return
    usable = counters.usable(window.counts)
    first, behind = (place.tolist() for place in counters.bins)
    as_many = independent_rows(usable, window.by.healthy.spread)  # series by series, as bins are many more
    absent = absent_chance(counters.bin_shares, np.repeat(as_many, counters.widths))
    expected = np.add.reduceat(1 - absent, np.stack(counters.bins, axis=1).ravel())[::2].tolist()
    occupied, values = different.tolist(), usable.tolist()
    for i in window.by.watched[CARDINALITY]:
        seen, wanted = occupied[i], expected[i]
        wanted = wanted if behind[i] > first[i] else 0.0
        reason = "stuck" if counters.names[i] in stuck else "too few values" if wanted < FEWEST_EXPECTED else None
        gone = max(0.0, 1 - seen / wanted) if wanted > 0 else 0.0
        found = _Found(seen, values[i], gone, 0.0, limits, reason=reason)
        yield window.judge(CARDINALITY, i, found, partial(few_occupied_p_value, absent[first[i] : behind[i]], seen))


def _answer_checks(window: _Window) -> Iterator[QualityCheck]:
    """Means over the answers of a binary model, against the baseline's."""
    layout, healthy, laws = window.by.layout, window.by.healthy, window.by.answers
    if not laws:
        return
    now = score_histogram(layout, window.counts)
    n, last = int(now.sum()), len(layout.series) - 1
    spread = float(healthy.spread[last])
    for law in laws:
        mean = law.mean_of(now) if n else law.mean
        chance = partial(move_p_value, mean - law.mean, law.variance, (n, law.rows), spread, healthy.blocks)
        found = _Found(n, n, abs(mean - law.mean), law.mean, window.by.rule.limits[law.check], now=mean)
        yield window.judge(law.check, last, found, chance)
