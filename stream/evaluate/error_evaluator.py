"""Whether more of a window's answers failed than may: effect and evidence, both.

Effect: the share of the answers whose `status` is another than `ok` is above the limit. Evidence: enough answers, and
the beta-binomial test says that a service whose share is just the limit has so many in fewer than `level` of its
windows. A window beyond the limit without the evidence neither begins an alert nor ends one. `rule: threshold` asks
for the effect alone.

Weak: errors come in bursts, and a baseline does not know how long; answers are taken as independent, and the check is
provisional. An answer that failed so badly that no message tells of it is a matter of throughput.
"""

from dataclasses import dataclass
from typing import Final

from detectors import Undefined, Verdict
from detectors.rates import minimum_detectable_rate, rate_over_limit
from stream.alerts.error_rule import ErrorRule
from stream.alerts.rules import ERROR_RATE, THRESHOLD
from stream.baselines.layout import Counts, Layout
from stream.baselines.status_counters import StatusCounts
from stream.evaluate.latency_evaluator import NOISE

SUBJECT: Final = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorYardstick:
    """What the errors of a window are judged with."""

    rule: ErrorRule
    level: float  # how often the test may alarm by chance


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCheck:
    """The share of a window's answers that failed, with its verdict."""

    check: str = ERROR_RATE
    subject: str = SUBJECT
    rule: ErrorRule
    counts: StatusCounts
    value: float | Undefined  # share that failed, 0..1
    p_value: float | None  # of "no more than the limit", by chance alone; None: not asked
    level: float
    detectable: float | Undefined  # the share at which half of the windows of so many answers would alarm
    verdict: Verdict
    reason: str | None  # why the verdict is undefined

    @property
    def provisional(self) -> bool:
        """How alike the answers of healthy windows are is not known: they are taken as independent."""
        return self.rule.rule != THRESHOLD

    @property
    def spent(self) -> float:
        """How often chance alone would have made this verdict an alarm: the level, if a test was made."""
        return 0.0 if self.p_value is None else self.level

    def limit_of(self, severity: Verdict) -> float | None:
        """The limit that a verdict says was crossed."""
        return {Verdict.WARNING: self.rule.warning, Verdict.CRITICAL: self.rule.critical}.get(severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorWindow:
    """How the answers of one window went."""

    counts: StatusCounts
    check: ErrorCheck | None  # None: counted, but the check is switched off


def evaluate_errors(
    layout: Layout, counts: Counts, yardstick: ErrorYardstick | None, *, complete: bool
) -> ErrorWindow | None:
    """Judge how many answers of one window failed.

    Args:
        layout: that the counts were cut with.
        counts: the window's sum, shape (layout.width,).
        yardstick: of the model; None: none is judged.
        complete: whether every pane of the window was counted; if not, no verdict is given.

    Returns:
        None if the window was counted without errors.
    """
    if not layout.errors:
        return None
    found = StatusCounts.of(layout.status_counts(counts))
    return ErrorWindow(counts=found, check=None if yardstick is None else _check(found, yardstick, complete=complete))


def _check(counts: StatusCounts, yardstick: ErrorYardstick, *, complete: bool) -> ErrorCheck:
    rule, level, n = yardstick.rule, yardstick.level, counts.known
    share = counts.failed / n if n else Undefined("empty")
    verdict, reason, p_value = _judged(counts, share, yardstick, _reason(n, rule, complete=complete))
    return ErrorCheck(
        rule=rule,
        counts=counts,
        value=share,
        p_value=p_value,
        level=level,
        detectable=minimum_detectable_rate(n, rule.warning, level),
        verdict=verdict,
        reason=reason,
    )


def _reason(n: int, rule: ErrorRule, *, complete: bool) -> str | None:
    if n == 0:
        return "empty"
    if not complete:
        return "window filling"
    return "too few" if n < rule.min_count else None


def _judged(
    counts: StatusCounts, share: float | Undefined, yardstick: ErrorYardstick, reason: str | None
) -> tuple[Verdict, str | None, float | None]:
    """The verdict, why there is none, and the p-value where it was asked for."""
    rule = yardstick.rule
    if isinstance(share, Undefined) or reason is not None:
        return Verdict.UNDEFINED, reason, None
    if share <= rule.warning:
        return Verdict.OK, None, None
    verdict = Verdict.CRITICAL if share > rule.critical else Verdict.WARNING
    if rule.rule == THRESHOLD:
        return verdict, None, None
    test = rate_over_limit(counts.failed, counts.known, rule.warning)
    p_value = 1.0 if isinstance(test, Undefined) else test.p_value
    return (verdict, None, p_value) if p_value < yardstick.level else (Verdict.UNDEFINED, NOISE, p_value)
