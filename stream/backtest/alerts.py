"""What the checks of one window say, in a backtest's words: the alert of each that is beyond a limit."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from detectors import Undefined, Verdict
from stream.alerts.episode import SEVERITIES
from stream.alerts.quality_rules import CLASS_SHARE, QUALITY_CHECKS, SCHEMA
from stream.alerts.rules import ERROR_RATE, LATENCY_SLA, PSI, THRESHOLD
from stream.alerts.throughput_rule import THROUGHPUT
from stream.backtest.course import JudgedPart
from stream.baselines.performance_evidence import AUC, BRIER, MAE
from stream.evaluate.error_evaluator import SUBJECT as ERRORS
from stream.evaluate.error_evaluator import ErrorCheck
from stream.evaluate.evaluator import Check
from stream.evaluate.latency_evaluator import SUBJECT as LATENCY
from stream.evaluate.latency_evaluator import LatencyCheck
from stream.evaluate.performance_checks import PerformanceCheck
from stream.evaluate.quality_evaluator import QualityCheck
from stream.evaluate.settings import ModelSettings
from stream.evaluate.throughput_evaluator import SUBJECT as PREDICTIONS
from stream.evaluate.throughput_evaluator import ThroughputCheck

CountCheck = LatencyCheck | ErrorCheck | QualityCheck | ThroughputCheck | PerformanceCheck
AnyCheck = Check | CountCheck
OF_LABELS: Final = (AUC, BRIER, MAE)
OF_QUALITY: Final = tuple(check for check in QUALITY_CHECKS if check not in (CLASS_SHARE, SCHEMA))
CHECKS: Final = (PSI, *OF_LABELS, LATENCY_SLA, ERROR_RATE, THROUGHPUT, *OF_QUALITY)  # that a file can be judged by
NO_SERIES: Final = (LATENCY, ERRORS, PREDICTIONS)  # subjects that are no series


class AlertResult(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one window beyond a limit."""

    check: str
    subject: str  # the series: a column's name
    segment: str = ""  # "" for the whole traffic
    severity: str  # "info" | "warning" | "critical"
    value: float
    threshold: float | None
    rule: str = THRESHOLD  # "budget" | "threshold"
    p_value: float | None = None  # of "healthy windows are as bad"; None: there was no test
    level: float | None = None  # that the budget, or the configuration, gave to the test
    psi_corrected: float | None = None  # of PSI: less what sampling and healthy wander explain; limits are for this one
    times_farthest: float | None = None  # of PSI that is beyond by its size alone: times any healthy window's
    provisional: bool = False  # how much healthy windows differ is not known, or not well

    @property
    def about(self) -> str:
        """The series, and the segment if it is not of the whole traffic.

        >>> AlertResult(check="psi", subject="x", segment="plan=pro", severity="info", value=1, threshold=0).about
        'x in plan=pro'
        """
        return within(self.subject, self.segment)


def within(subject: str, segment: str) -> str:
    """A series, and the segment that it is of; the whole traffic is not said."""
    return f"{subject} in {segment}" if segment else subject


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """How a backtest names what the service names otherwise."""

    answer: str  # the column of scores, or of values
    settings: ModelSettings  # by whose rules it is judged

    def subject(self, check: str, subject: str) -> str:
        """A series by its column; the answer that labels are about, too."""
        return self.answer if check in OF_LABELS else subject

    def alerts(self, part: JudgedPart) -> list[AlertResult]:
        """Of every check of a part that is beyond a limit."""
        return [self._alert(part.segment, check) for check in _checks(part) if check.verdict in SEVERITIES]

    def _alert(self, segment: str, check: AnyCheck) -> AlertResult:
        assert check.value is not None, "a breach has a value"
        assert not isinstance(check.value, Undefined), "a breach has a value"
        limits = check.threshold if isinstance(check, Check) else check
        return AlertResult(
            check=check.check,
            subject=self.subject(check.check, check.subject),
            segment=segment,
            severity=str(Verdict(check.verdict)),
            value=check.value,
            threshold=limits.limit_of(check.verdict),
            **self._test(check),
        )

    def _test(self, check: AnyCheck) -> dict[str, Any]:
        """By which rule it was judged, and what its test says."""
        if isinstance(check, Check):
            return {"rule": check.rule, "provisional": check.provisional, **_of_series(check)}
        p_value = None if isinstance(check.p_value, Undefined) else check.p_value
        rule = self._rule(check)
        if rule == THRESHOLD:
            return {"p_value": p_value}
        provisional = not isinstance(check, PerformanceCheck) and check.provisional
        return {"rule": rule, "p_value": p_value, "level": check.level, "provisional": provisional}

    def _rule(self, check: CountCheck) -> str:
        if isinstance(check, QualityCheck):
            found = self.settings.quality
            return THRESHOLD if found is None else found.rule
        if isinstance(check, ThroughputCheck):
            rule = self.settings.throughput
            return THRESHOLD if rule is None else rule.rule
        return THRESHOLD if check.rule is None else check.rule.rule


def _checks(part: JudgedPart) -> Iterator[AnyCheck]:
    """As the service has them; labels of a partial window say nothing."""
    evaluation = part.evaluation
    yield from evaluation.checks
    if evaluation.latency is not None and evaluation.latency.check is not None:
        yield evaluation.latency.check
    if evaluation.quality is not None:
        yield from evaluation.quality.checks
    if evaluation.errors is not None and evaluation.errors.check is not None:
        yield evaluation.errors.check
    if evaluation.throughput is not None:
        yield evaluation.throughput
    if part.performance is not None and evaluation.complete:
        yield from part.performance.checks


def _of_series(check: Check) -> dict[str, Any]:
    """What a test of drift says."""
    if check.test is None:
        return {}
    test = check.test
    return {
        "p_value": test.p_value,
        "level": test.level,
        "psi_corrected": test.psi_corrected,
        "times_farthest": test.times_farthest,
    }
