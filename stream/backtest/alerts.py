"""What each check says of one window, in a backtest's words: its verdict, and the alert if it is beyond a limit."""

from typing import NamedTuple

import msgspec

from detectors import Undefined, Verdict
from stream.alerts.episode import SEVERITIES
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
    p_value: float | None = None  # of "no worse than the baseline", or "no more over the SLA than may"; not of PSI


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
    limits, p_value = (check.threshold, None) if isinstance(check, Check) else (check, check.p_value)
    return AlertResult(
        check=check.check,
        subject=subject,
        severity=str(Verdict(check.verdict)),
        value=check.value,
        threshold=limits.limit_of(check.verdict),
        p_value=None if isinstance(p_value, Undefined) else p_value,
    )
