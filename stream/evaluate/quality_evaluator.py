"""Data quality of one window, series by series: what is missing, wrong, out of range, new, stuck or gone.

Effect and evidence, both. Effect: a share is above the baseline's by the warning limit. Evidence: the law of healthy
windows makes so many or more with a chance below the level. A window beyond the limit without the evidence neither
begins an alert nor ends one. `rule: threshold` asks for the effect alone.

It cannot see: a value that repeats but spreads over more than one bin; how many different categories lie beyond the
kept ones, or were never seen; a feature that the baseline has not (`schema_evaluator` looks at names).
Cost: below 2 ms for 500 series of 100 fine bins. All series are looked at together; what is beyond its limit is judged
one by one, with its p-value: mostly nothing is.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors import Undefined, Verdict
from detectors.healthy_rate import healthy_rates
from detectors.occupancy import absent_chance, few_occupied_p_value, independent_rows
from detectors.rates import rate_over_limit
from stream.alerts.episode import named
from stream.alerts.quality_rules import (
    CARDINALITY,
    CLASS_SHARE,
    INVALID,
    MISSING,
    OUT_OF_RANGE,
    STUCK,
    UNSEEN,
    Limits,
    QualityRule,
)
from stream.alerts.rules import THRESHOLD
from stream.baselines.layout import Counts
from stream.baselines.quality_counters import QualityCounts
from stream.evaluate.prediction_side import answer_means, move_p_value, score_histogram, share_move_p_value
from stream.evaluate.quality_yardstick import Flags, QualityYardstick, Values

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

    @property
    def is_beyond(self) -> bool:
        """Whether the limit is crossed, be it by chance."""
        return self.verdict.is_breach or self.reason == NOISE


class SeriesQuality(NamedTuple):
    """What one series of a window is made of."""

    subject: str
    missing: int
    invalid: int
    beyond: int  # out of range, or unseen
    different: int  # bins, or kept categories, that have a value
    fullest: int  # values in the fullest of them


@dataclass(frozen=True, eq=False, kw_only=True)
class QualityWindow:
    """The data quality of one window."""

    n: int
    rule: QualityRule
    level: float  # how often one test may alarm by chance
    provisional: bool  # how much healthy windows differ was not learned
    series: tuple[SeriesQuality, ...]
    seen_from: Sequence[Mapping[str, float]]  # of each series, by check: what would be seen, to 4 digits
    judged: int  # how many checks have a verdict
    beyond: tuple[QualityCheck, ...]  # those whose limit is crossed, be it by chance
    by: QualityYardstick
    judge: Callable[[Mapping[str, Sequence[int]]], Iterator[QualityCheck]]  # some series by check, and the answers
    tops: Mapping[str, int]  # of a multiclass model: how often each class was the answer
    answers: Mapping[str, float | Undefined]  # of a binary one: share of positives, confidence, entropy; watched or not

    @cached_property
    def checks(self) -> tuple[QualityCheck, ...]:
        """All of them."""
        return tuple(self.judge(self.by.watched))

    def told(self, alerts: Collection[str]) -> tuple[QualityCheck, ...]:
        """Those that can move alerts: whose limit is crossed, and that the alerts given by name are about."""
        beyond = {(check.check, check.subject) for check in self.beyond}
        held = {named(name) for name in alerts}
        held = {(check, subject) for check, subject in held if check in self.by.watched}
        return self.beyond if held <= beyond else tuple(self.judge(self.by.series_of(held | beyond)))

    @property
    def spent(self) -> float:
        """How often chance alone would have made one of the verdicts an alarm, at most."""
        made = self.judged + sum(check.reason == NOISE for check in self.beyond)
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


@dataclass(frozen=True, eq=False)
class _Window:
    """One window's counters, and by what they are judged."""

    by: QualityYardstick
    of: QualityCounts
    n: int
    reason: str | None  # why no verdict is given at all

    @cached_property
    def enough(self) -> Flags:
        """Whether each series has values enough to be judged by them."""
        return self.of.usable >= max(self.by.rule.min_count, 1)

    @cached_property
    def absent(self) -> Values:
        """Shape (counters of all series,): the chance that each has no row in a healthy window of so many values."""
        as_many = independent_rows(self.of.usable, self.by.healthy.spread)  # series by series, as bins are many more
        return absent_chance(self.by.counters.bin_shares, np.repeat(as_many, self.by.counters.widths))

    @cached_property
    def expected(self) -> Values:
        """How many different values each series has in a healthy window of so many."""
        counters = self.by.counters
        expected: Values = np.add.reduceat(1 - self.absent, counters.bin_limits)[::2] * counters.has_bins
        return expected

    @cached_property
    def stuck(self) -> list[int]:
        """The series that are stuck: they are not said to be poor in values besides."""
        _, beyond = self.look(STUCK)
        checks = _stuck_checks(self, STUCK, beyond) if beyond else ()
        return [i for i, check in zip(beyond, checks, strict=True) if check.verdict.is_breach]

    @cached_property
    def scores(self) -> Values:
        """The rows in each bin of the score's grid; of a binary model only."""
        return score_histogram(self.by.layout, self.of.counts).astype(np.float64)

    def look(self, check: str) -> tuple[int, list[int]]:
        """How many series a check can judge, and which of them are beyond the limit."""
        if self.reason is not None or check not in self.by.of_series:
            return 0, []
        is_watched, limit = self.by.of_series[check]
        value, can = _KINDS[check].together(self, check)
        judged = is_watched & can
        beyond: list[int] = (judged & (value >= limit)).nonzero()[0].tolist()
        return int(np.count_nonzero(judged)), beyond

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
    counters = yardstick.counters
    # A copy: the caller's sum moves on to the next window, and of this one somebody may still ask for all checks.
    of = QualityCounts(counters, counts.copy())
    window = _Window(yardstick, of, n, "empty" if n == 0 else None if complete else "window filling")
    beyond: list[QualityCheck] = []
    judged = 0
    for check in yardstick.of_series:
        can_be_judged, found = window.look(check)
        judged += can_be_judged
        beyond += _KINDS[check].one_by_one(window, check, found) if found else ()
    judged -= sum(check.reason == NOISE for check in beyond)
    of_answers = list(_answer_checks(window))
    judged += sum(check.verdict is not Verdict.UNDEFINED for check in of_answers)
    beyond += (check for check in of_answers if check.is_beyond)
    made_of = (of.missing, of.invalid, of.beyond, of.different, of.fullest)
    series = zip(counters.names, *(counter.tolist() for counter in made_of), strict=True)
    return QualityWindow(
        n=n,
        rule=yardstick.rule,
        level=yardstick.level,
        provisional=yardstick.healthy.provisional,
        series=tuple(SeriesQuality(*one) for one in series),
        seen_from=yardstick.seen_from(n).rounded,
        judged=judged,
        beyond=tuple(beyond),
        by=yardstick,
        judge=partial(_judge, window),
        tops=dict(zip(yardstick.layout.baseline.classes, yardstick.layout.class_counts(counts).tolist(), strict=False)),
        answers=answer_means(yardstick.answers, window.scores) if yardstick.answers else {},
    )


def _judge(window: _Window, series: Mapping[str, Sequence[int]]) -> Iterator[QualityCheck]:
    for check in window.by.of_series:
        if check in series:
            yield from _KINDS[check].one_by_one(window, check, series[check])
    yield from _answer_checks(window)


def _rises_together(window: _Window, check: str) -> tuple[Values, Flags]:
    enough = window.n >= max(window.by.rule.min_count, 1)
    return _HAPPENED[check](window.of) / window.n, np.full(len(window.of.missing), enough)


def _rises(window: _Window, check: str, series: Sequence[int]) -> Iterator[QualityCheck]:
    """Shares of the rows, against those of healthy windows."""
    n, seen_from = window.n, window.by.seen_from(window.n).exact
    # Plain numbers: numpy's scalars would cost most of the time.
    hits, (limits, rates, rhos) = _HAPPENED[check](window.of).tolist(), window.by.shares[check]
    for i in series:
        k, healthy = hits[i], rates[i]
        found = _Found(k, n, k / n if n else 0.0, healthy, limits[i], seen_from[i][check])
        yield window.judge(check, i, found, partial(rise_p_value, k, n, healthy, rhos[i]))


def _stuck_together(window: _Window, _check: str) -> tuple[Values, Flags]:
    return window.of.fullest / np.maximum(window.of.usable, 1), window.enough


def _stuck_checks(window: _Window, check: str, series: Sequence[int]) -> Iterator[QualityCheck]:
    """The share of the values that lie in one bin: a constant is in one."""
    counters, of, before = window.by.counters, window.of, window.by.counters.baseline
    first, behind = (place[series].tolist() for place in counters.bins)
    at = [
        start + int(of.counts[start:end].argmax()) if end > start else start
        for start, end in zip(first, behind, strict=True)
    ]
    spread = np.minimum(window.by.healthy.spread[series], 1)
    law = healthy_rates(before.counts[at], before.usable[series], spread, 1)
    most, values, rates, rhos = (
        a.tolist() for a in (of.fullest[series], of.usable[series], law.rate, law.overdispersion)
    )
    for place, i in enumerate(series):
        k, n, healthy, bins = most[place], values[place], rates[place], behind[place] - first[place]
        limits = window.by.rule.limits[check]
        found = _Found(k, n, k / n if n else 0.0, healthy, limits, at=at[place] - first[place])
        # The fullest was chosen among so many bins.
        yield window.judge(check, i, found, partial(rise_p_value, k, n, healthy, rhos[place], bins))


def rise_p_value(count: int, n: int, rate: float, overdispersion: float, tests: int = 1) -> float:
    """How often a healthy window has so many or more."""
    tested = rate_over_limit(count, n, rate, overdispersion)
    return 1.0 if isinstance(tested, Undefined) else min(1.0, tests * tested.p_value)


def _gone_together(window: _Window, _check: str) -> tuple[Values, Flags]:
    can = window.enough & (window.expected >= FEWEST_EXPECTED)
    can[window.stuck] = False
    return 1 - window.of.different / np.maximum(window.expected, FEWEST_EXPECTED), can


def _cardinality_checks(window: _Window, check: str, series: Sequence[int]) -> Iterator[QualityCheck]:
    """The share of the different values, as a healthy window of so many rows has them, that is gone."""
    limits, stuck = window.by.rule.limits[check], set(window.stuck)
    first, behind = (place.tolist() for place in window.by.counters.bins)
    occupied, values, expected = (a.tolist() for a in (window.of.different, window.of.usable, window.expected))
    for i in series:
        seen, wanted = occupied[i], expected[i]
        reason = "stuck" if i in stuck else "too few values" if wanted < FEWEST_EXPECTED else None
        gone = max(0.0, 1 - seen / wanted) if wanted > 0 else 0.0
        found = _Found(seen, values[i], gone, 0.0, limits, reason=reason)
        chance = partial(few_occupied_p_value, window.absent[first[i] : behind[i]], seen)
        yield window.judge(check, i, found, chance)


_HAPPENED: Final[dict[str, Callable[[QualityCounts], Counts]]] = {
    MISSING: attrgetter("missing"),
    INVALID: attrgetter("invalid"),
    OUT_OF_RANGE: attrgetter("beyond"),
    UNSEEN: attrgetter("beyond"),
}


class _Kind(NamedTuple):
    """How a check is made of series."""

    together: Callable[[_Window, str], tuple[Values, Flags]]  # of all: the value, and whether it can be judged
    one_by_one: Callable[[_Window, str, Sequence[int]], Iterator[QualityCheck]]  # of some: the verdicts


_KINDS: Final = {
    **dict.fromkeys(_HAPPENED, _Kind(_rises_together, _rises)),
    STUCK: _Kind(_stuck_together, _stuck_checks),
    CARDINALITY: _Kind(_gone_together, _cardinality_checks),
}


def _answer_checks(window: _Window) -> Iterator[QualityCheck]:
    """How the model answers, against the baseline."""
    yield from _mean_checks(window)
    yield from _class_checks(window)


def _mean_checks(window: _Window) -> Iterator[QualityCheck]:
    """Means over the answers of a binary model."""
    healthy, last = window.by.healthy, len(window.by.layout.series) - 1
    laws = [law for law in window.by.answers if window.by.watched.get(law.check)]
    if not laws:
        return
    n, spread, seen_from = int(window.scores.sum()), float(healthy.spread[last]), window.by.seen_from(window.n).exact
    for law in laws:
        mean = law.mean_of(window.scores, n) if n else law.mean
        chance = partial(move_p_value, mean - law.mean, law.variance, (n, law.rows), spread, healthy.blocks)
        limits, seen = window.by.rule.limits[law.check], seen_from[last][law.check]
        found = _Found(n, n, abs(mean - law.mean), law.mean, limits, seen, now=mean)
        yield window.judge(law.check, last, found, chance)


def _class_checks(window: _Window) -> Iterator[QualityCheck]:
    """The share of the answers that each class of a multiclass model has."""
    layout, healthy, watched = window.by.layout, window.by.healthy, window.by.watched.get(CLASS_SHARE)
    if not watched:
        return
    now, before = layout.class_counts(window.of.counts), layout.class_baseline
    n, known = int(now.sum()), max(int(before.sum()), 1)
    first, seen_from = len(layout.series) - len(before), window.by.seen_from(window.n).exact
    for i in watched:
        k, usual = int(now[i - first]), int(before[i - first]) / known
        move = k / n - usual if n else 0.0
        chance = partial(share_move_p_value, move, usual, (n, known), float(healthy.spread[i]), healthy.blocks)
        limits, seen = window.by.rule.limits[CLASS_SHARE], seen_from[i][CLASS_SHARE]
        found = _Found(k, n, abs(move), usual, limits, seen, now=usual + move)
        yield window.judge(CLASS_SHARE, i, found, chance)
