"""How long a window's answers took, and whether more of them are over the SLA than may be: effect and evidence, both.

Effect: the share over the SLA is above 1 - quantile ("p99 within 250 ms" allows 1 %). Evidence: enough answers, and
the beta-binomial test on their count says that a service that just keeps its SLA has so many in fewer than `level` of
its windows; the level is what the false-alarm budget gives. A window beyond the limit without the evidence neither
begins an alert nor ends one.
`rule: threshold` asks for the effect alone: the plain "p99 > SLA".

Measured over 120 simulated days of independent answers, windows of 60 panes of 10 / 100 / 1,000, episodes in 30 days: a
service exactly at its limit 2.5 / 5.8 / 4.0 by `budget`, 610 / 1,170 / 1,260 by `threshold`; one with nine tenths of
the allowed share 0 / 0.3 / 0 and 550 / 750 / 51. Answers that come in bursts alarm more often,
until it is learned how alike they are (`live_latency`).
Cost: 0.1 ms.
"""

from dataclasses import dataclass
from typing import Final

from detectors import Undefined, Verdict
from detectors.rates import RateTest, minimum_detectable_rate, rate_over_limit
from stream.alerts.rules import FIXED_LEVEL, LATENCY_SLA, THRESHOLD, LatencyRule
from stream.baselines.latency_counters import LatencyCounters
from stream.baselines.layout import Counts, Layout

SUBJECT: Final = "latency"
NOISE: Final = "sampling noise"
TIMES_CRITICAL: Final = 2  # over so many times the allowed share it is critical


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyCheck:
    """The share of a window's answers over the SLA, with its verdict."""

    check: str = LATENCY_SLA
    subject: str = SUBJECT
    rule: LatencyRule
    value: float | Undefined  # share over the SLA, 0..1; of `rule: threshold` the quantile in ms
    warning: float  # the limits, in the value's unit
    critical: float
    allowed: float  # share that may be over the SLA
    p_value: float | Undefined  # of "no more than the allowed share", by chance alone
    level: float  # that the p-value must be below; of the rule `budget`
    detectable: float | Undefined  # the share over the SLA at which half of the windows of so many answers would alarm
    overdispersion: float | None  # how alike the answers of healthy windows are; None: not known
    provisional: bool  # it is not known: they are taken as independent
    verdict: Verdict
    reason: str | None  # why the verdict is undefined

    @property
    def spent(self) -> float:
        """How often chance alone would have made this verdict an alarm: the level, if a test was made."""
        return self.level if self.rule.rule != THRESHOLD and self.reason in (None, NOISE) else 0.0

    def limit_of(self, severity: Verdict) -> float | None:
        """The limit that a verdict says was crossed."""
        return {Verdict.WARNING: self.warning, Verdict.CRITICAL: self.critical}.get(severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyWindow:
    """How long the answers of one window took."""

    n: int  # answers with a usable latency
    missing: int  # without one
    bad: int  # with one that cannot be: below 0, not a number
    sla_ms: float
    violations: int  # over the SLA, exactly
    hard_limit_ms: float | None  # of single answers; None: there is none
    over_hard_limit: int  # exactly, told one by one or not
    p50_ms: float | Undefined  # within 1 %
    p95_ms: float | Undefined
    p99_ms: float | Undefined
    check: LatencyCheck | None  # None: counted, but the check is switched off

    @property
    def quantiles(self) -> dict[str, float | Undefined]:
        """By level, as metrics name them."""
        return {"0.5": self.p50_ms, "0.95": self.p95_ms, "0.99": self.p99_ms}


def evaluate_latency(
    layout: Layout, counts: Counts, rule: LatencyRule | None, *, complete: bool, overdispersion: float | None = None
) -> LatencyWindow | None:
    """Judge the latencies of one window.

    Args:
        layout: that the counts were cut with.
        counts: the window's sum, shape (layout.width,).
        rule: of the model; None: none is judged.
        complete: whether every pane of the window was counted; if not, no verdict is given.
        overdispersion: how alike the answers of healthy windows are (`detectors.rates`); None: not known,
            they are taken as independent.

    Returns:
        None if the window was counted without latencies.
    """
    counters = layout.latency
    if counters is None:
        return None
    own, sketch = layout.latency_counts(counts), counters.sketch
    bins = own[: sketch.bins]
    missing, bad = own[sketch.bins :].tolist()
    return LatencyWindow(
        n=int(bins.sum()),
        missing=missing,
        bad=bad,
        sla_ms=counters.sla_ms,
        violations=counters.violations(own),
        hard_limit_ms=counters.hard_limit_ms,
        over_hard_limit=counters.over_hard_limit(own),
        p50_ms=sketch.quantile(bins, 0.5),
        p95_ms=sketch.quantile(bins, 0.95),
        p99_ms=sketch.quantile(bins, 0.99),
        check=None if rule is None else _check(counters, bins, rule, overdispersion, complete=complete),
    )


def _check(
    counters: LatencyCounters, bins: Counts, rule: LatencyRule, overdispersion: float | None, *, complete: bool
) -> LatencyCheck:
    n, violations = int(bins.sum()), counters.sketch.above(bins, counters.sla_ms)
    share = violations / n if n else Undefined("empty")
    level, alike = FIXED_LEVEL if rule.level is None else rule.level, overdispersion or 0.0
    test = rate_over_limit(violations, n, rule.allowed, alike)
    by_quantile = rule.rule == THRESHOLD
    found = _verdict(test, n, rule, level, complete=complete)
    return LatencyCheck(
        rule=rule,
        value=counters.sketch.quantile(bins, rule.quantile) if by_quantile else share,
        warning=counters.sla_ms if by_quantile else rule.allowed,
        critical=counters.sla_ms if by_quantile else TIMES_CRITICAL * rule.allowed,
        allowed=rule.allowed,
        p_value=test if isinstance(test, Undefined) else test.p_value,
        level=level,
        detectable=minimum_detectable_rate(n, rule.allowed, level, alike),
        overdispersion=overdispersion,
        provisional=rule.rule != THRESHOLD and overdispersion is None,
        verdict=found if isinstance(found, Verdict) else Verdict.UNDEFINED,
        reason=None if isinstance(found, Verdict) else found,
    )


def _verdict(test: RateTest | Undefined, n: int, rule: LatencyRule, level: float, *, complete: bool) -> Verdict | str:
    """The verdict, or why there is none. "The quantile is over the SLA" and "the share is" are one and the same."""
    if isinstance(test, Undefined):
        return test.reason
    if not complete:
        return "window filling"
    if n < rule.min_count:
        return "too few"
    if test.rate <= rule.allowed:
        return Verdict.OK
    if rule.rule != THRESHOLD and test.p_value >= level:
        return NOISE
    return Verdict.CRITICAL if test.rate > TIMES_CRITICAL * rule.allowed else Verdict.WARNING
