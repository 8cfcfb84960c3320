"""What each check says of one window, in a backtest's words: its verdict, and the alert if it is beyond a limit."""

from typing import Any, NamedTuple

import msgspec

from detectors import Undefined, Verdict
from stream.alerts.episode import SEVERITIES
from stream.alerts.rules import THRESHOLD
from stream.backtest.windows import JudgedWindow
from stream.evaluate.evaluator import Check
from stream.evaluate.latency_evaluator import LatencyCheck
from stream.evaluate.performance_checks import PerformanceCheck

AnyCheck = Check | LatencyCheck | PerformanceCheck


class AlertResult(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one window beyond a limit."""

    check: str
    subject: str  # the series: a column's name
    severity: str  # "info" | "warning" | "critical"
    value: float
    threshold: float | None
    rule: str = THRESHOLD  # "budget" | "threshold"
    p_value: float | None = None  # of "healthy windows are as bad"; None: there was no test
    level: float | None = None  # that the budget, or the configuration, gave to the test
    psi_corrected: float | None = None  # of PSI: less what sampling and healthy wander explain; limits are for this one
    provisional: bool = False  # how much healthy windows differ is not known, or not well


class WindowVerdict(NamedTuple):
    """What one check says of one window."""

    check: str
    subject: str
    verdict: Verdict
    alert: AlertResult | None  # None: within the limits, or undefined


def verdicts(window: JudgedWindow, answer: str) -> list[WindowVerdict]:
    """All checks of a window; those of labels with the answer's series named by its column, like every other.

    Labels of a partial window say nothing: it is shorter than those that the rules are made for.
    """
    found = [_verdict(check, check.subject) for check in window.evaluation.checks]
    latency = window.evaluation.latency
    if latency is not None and latency.check is not None:
        found.append(_verdict(latency.check, latency.check.subject))
    if window.performance is not None and not window.partial:
        found += [_verdict(check, answer) for check in window.performance.checks]
    return found


def _verdict(check: AnyCheck, subject: str) -> WindowVerdict:
    verdict = Verdict(check.verdict)
    return WindowVerdict(check.check, subject, verdict, _alert(check, subject) if verdict in SEVERITIES else None)


def _alert(check: AnyCheck, subject: str) -> AlertResult:
    assert not isinstance(check.value, Undefined), "a breach has a value"
    limits = check.threshold if isinstance(check, Check) else check
    return AlertResult(
        check=check.check,
        subject=subject,
        severity=str(Verdict(check.verdict)),
        value=check.value,
        threshold=limits.limit_of(check.verdict),
        **(_of_series(check) if isinstance(check, Check) else _of_count(check)),
    )


def _of_series(check: Check) -> dict[str, Any]:
    """What a test of drift says."""
    if check.test is None:
        return {"rule": check.rule}
    return {
        "rule": check.rule,
        "p_value": check.test.p_value,
        "level": check.test.level,
        "psi_corrected": check.test.psi_corrected,
        "provisional": check.provisional,
    }


def _of_count(check: LatencyCheck | PerformanceCheck) -> dict[str, Any]:
    """What a test of latency or of labels says."""
    p_value = None if isinstance(check.p_value, Undefined) else check.p_value
    rule = THRESHOLD if check.rule is None else check.rule.rule
    if rule == THRESHOLD:
        return {"p_value": p_value}
    provisional = isinstance(check, LatencyCheck) and check.provisional
    return {"rule": rule, "p_value": p_value, "level": check.level, "provisional": provisional}
