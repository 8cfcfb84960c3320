"""What the alerts on a model's traffic say: drift of its series, slow answers, data that are not what they were."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any, Final

import msgspec

from detectors import Undefined, Verdict
from stream.alerts.evidence import bins_evidence, moved_in_words
from stream.alerts.quality_rules import QUALITY_CHECKS, SCHEMA, STUCK
from stream.alerts.rules import ERROR_RATE, LATENCY_SLA
from stream.alerts.throughput_rule import THROUGHPUT
from stream.baselines.evidence import SeriesEvidence
from stream.evaluate.alert_message import AlertWindow, Content, JudgedCheck
from stream.evaluate.error_evaluator import ErrorCheck
from stream.evaluate.error_report import error_content
from stream.evaluate.evaluator import Check, Evaluation
from stream.evaluate.latency_evaluator import LatencyCheck
from stream.evaluate.latency_report import latency_description, latency_evidence, latency_summary, number
from stream.evaluate.panes import Span
from stream.evaluate.quality_evaluator import QualityCheck, QualityWindow
from stream.evaluate.quality_report import quality_content
from stream.evaluate.report import Judged, far_in_words, test_record
from stream.evaluate.schema_evaluator import SchemaCheck, SchemaWindow
from stream.evaluate.schema_report import schema_content
from stream.evaluate.sources_evidence import sources_evidence
from stream.evaluate.throughput_evaluator import ThroughputCheck
from stream.evaluate.throughput_report import throughput_content
from stream.records.times import duration_words

PROVISIONAL: Final = "provisional: how much healthy windows differ is not known yet"

SpansOf = Callable[[int, int], Mapping[str, Span]]
"""By source, where the rows of the window [start, end) lie; asked for only if an alert moves."""


def traffic_window(judged: Judged, spans_of: SpansOf, held: Collection[str] | None = None) -> AlertWindow:
    """A window of a model's traffic, for its alerts.

    Args:
        judged: what was judged.
        spans_of: where the window's rows lie.
        held: the names of the alerts that there are. Checks of data quality that are not beyond their limit are left
            out where they can move none; None: nothing is.
    """
    evaluation, definition, segment = judged
    told = _TrafficAlerts(judged, spans_of)
    return AlertWindow(
        key=definition.key,
        segment=segment,
        pane_ms=definition.settings.pane_ms,
        start_ms=evaluation.start_ms,
        end_ms=evaluation.end_ms,
        n=evaluation.n,
        baseline=definition.baseline.id,
        definition=definition.id,
        checks=_checks(evaluation, held),
        content=told.content,
        unwatched=told.unwatched,
        spent=evaluation.spent,
    )


def _checks(evaluation: Evaluation, held: Collection[str] | None) -> tuple[JudgedCheck, ...]:
    latency = evaluation.latency
    of_latency = () if latency is None or latency.check is None else (latency.check,)
    of_errors = () if evaluation.errors is None or evaluation.errors.check is None else (evaluation.errors.check,)
    of_throughput = () if evaluation.throughput is None else (evaluation.throughput,)
    quality = _of_window(evaluation.quality, held), _of_window(evaluation.schema, held)
    return (*evaluation.checks, *of_latency, *quality[0], *quality[1], *of_errors, *of_throughput)


def _of_window(window: QualityWindow | SchemaWindow | None, held: Collection[str] | None) -> tuple[JudgedCheck, ...]:
    if window is None:
        return ()
    return window.checks if held is None else window.told(held)


_SWITCHED_OFF: Final = {
    LATENCY_SLA: (
        "latency is not watched any more: `checks.latency` is off",
        "The alert ends because the check was switched off, not because answers are fast again.",
    ),
    ERROR_RATE: (
        "errors are not watched any more: `checks.errors` is off",
        "The alert ends because the check was switched off, not because answers succeed again.",
    ),
    THROUGHPUT: (
        "throughput is not watched any more: `checks.throughput` is off",
        "The alert ends because the check was switched off, not because the model answers again.",
    ),
}


class _TrafficAlerts:
    """What can be said of one window, worked out when it is."""

    def __init__(self, judged: Judged, spans_of: SpansOf) -> None:
        self._judged = judged
        self._spans_of = spans_of

    def content(self, check: JudgedCheck, severity: Verdict, resolved: bool) -> Content:
        """Of a check, by its kind; its evidence ends with the offsets that hold the window's rows."""
        found = _CONTENT[type(check)](self._judged, check, severity, resolved)
        return found._replace(evidence={**found.evidence, **self._cited})

    @cached_property
    def _cited(self) -> dict[str, Any]:
        evaluation, definition, _ = self._judged
        return sources_evidence(definition.settings, self._spans_of(evaluation.start_ms, evaluation.end_ms))

    def unwatched(self, check: str, subject: str) -> Content:
        """Why an alert ends whose check is not judged any more."""
        _, definition, segment = self._judged
        if segment and segment not in definition.segmentation.names:
            return Content(
                f"{subject} is not watched any more in {segment}: the model has no such segment now",
                "The alert ends because the segment was taken out, not because the breach is over.",
            )
        if check in _SWITCHED_OFF:
            return Content(*_SWITCHED_OFF[check])
        baseline, watched = definition.baseline.id, definition.layout.names
        if check == SCHEMA and subject not in watched:
            return Content(
                f"feature {subject} is no news any more: nothing sends it, or baseline {baseline} does not know it",
                "The alert ends because its name is neither in the rows that were looked at nor in the baseline.",
            )
        if check in QUALITY_CHECKS and subject in watched:
            or_else = " (or, by the plain limits, the baseline is as stuck)" if check == STUCK else ""
            return Content(
                f"{subject} is not watched any more: `checks.quality` has {check} off, or the feature{or_else}",
                "The alert ends because nothing is judged any more, not because the data are well again.",
            )
        return Content(
            f"{subject} is not watched any more: baseline {baseline} does not have it",
            f"The alert ends because baseline {baseline} came into force, not because the drift is over.",
        )


def _drift(judged: Judged, check: Check, severity: Verdict, resolved: bool) -> Content:
    layout = judged.definition.layout
    series = layout.series[layout.names.index(check.subject)]
    limit = check.threshold.limit_of(severity)
    return Content(
        _drift_summary(check, judged.evaluation, limit, resolved=resolved),
        moved_in_words(series, check.baseline, check.current) + _hours_in_words(judged) + _evidence_in_words(check),
        number(check.value),
        limit,
        {
            "kl_nats": number(check.kl_nats),
            "js_nats": number(check.js_nats),
            **test_record(check),
            **live_record(check),
            "bins": bins_evidence(series, check.baseline, check.current),
        },
    )


def live_record(check: Check) -> dict[str, Any]:
    """What the test rests on that was learned from the model's own windows; nothing where the baseline has it.

    So the alert can be judged again from what it cites.
    """
    return {} if check.live is None else {"live": msgspec.to_builtins(SeriesEvidence.of(check.live))}


def _drift_summary(check: Check, evaluation: Evaluation, limit: float | None, *, resolved: bool) -> str:
    value = "undefined" if isinstance(check.value, Undefined) else f"{check.value:.3g}"
    over = duration_words(evaluation.end_ms - evaluation.start_ms)
    against = "no limit any more" if limit is None else f"limit {limit:g}"
    corrected = f", {check.test.psi_corrected:.3g} beyond what is healthy" if check.test else ""
    what = f"{check.check.upper()} {value}{corrected} ({against}) over {over}, {evaluation.n} rows"
    return f"{check.subject} is back: {what}" if resolved else f"{check.subject} drifted: {what}"


def _hours_in_words(judged: Judged) -> str:
    season = judged.evaluation.season
    return "" if season is None else f"; compared with the same {season.kind} ({season.timezone})"


def _evidence_in_words(check: Check) -> str:
    """How sure it is; empty for the rule `threshold`, which does not ask."""
    test = check.test
    if test is None:
        return ""
    sure = f"; healthy windows differ as much with p = {test.p_value:.2g}, the budget allows {test.level:.2g}"
    if test.times_farthest is not None:
        sure = f"; {far_in_words(test.times_farthest)}, which is enough, though p = {test.p_value:.2g} is not"
    return sure + (f"; {PROVISIONAL}" if check.provisional else "")


def _latency(judged: Judged, check: LatencyCheck, severity: Verdict, resolved: bool) -> Content:
    evaluation = judged.evaluation
    assert evaluation.latency is not None, "the check is of it"
    return Content(
        latency_summary(evaluation.latency, check, evaluation.end_ms - evaluation.start_ms, resolved=resolved),
        latency_description(evaluation.latency, check),
        number(check.value),
        check.limit_of(severity),
        latency_evidence(evaluation.latency, check),
    )


def _quality(judged: Judged, check: QualityCheck, severity: Verdict, resolved: bool) -> Content:
    layout, evaluation = judged.definition.layout, judged.evaluation
    series = layout.series[layout.names.index(check.subject)]
    span_ms = evaluation.end_ms - evaluation.start_ms
    return quality_content(check, series, span_ms, severity=severity, resolved=resolved)


def _over_span(content: Callable[..., Content]) -> Callable[[Judged, Any, Verdict, bool], Content]:
    """For a check that says how long its window was, and needs no more of it."""

    def of_window(judged: Judged, check: Any, severity: Verdict, resolved: bool) -> Content:
        span_ms = judged.evaluation.end_ms - judged.evaluation.start_ms
        return content(check, span_ms, severity=severity, resolved=resolved)

    return of_window


_CONTENT: Final[dict[type, Callable[[Judged, Any, Verdict, bool], Content]]] = {
    Check: _drift,
    LatencyCheck: _latency,
    QualityCheck: _quality,
    SchemaCheck: _over_span(schema_content),
    ThroughputCheck: _over_span(throughput_content),
    ErrorCheck: _over_span(error_content),
}
