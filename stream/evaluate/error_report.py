"""Errors in reports and alerts: plain JSON values, shares from 0 to 1, and one line for people."""

from typing import Any

from detectors import Undefined, Verdict
from stream.alerts.rules import THRESHOLD
from stream.evaluate.alert_message import Content
from stream.evaluate.error_evaluator import ErrorCheck, ErrorWindow
from stream.evaluate.latency_report import number
from stream.records.times import duration_words


def error_record(found: ErrorWindow | None) -> dict[str, Any] | None:
    """What a report says of errors; None where they are not counted."""
    if found is None:
        return None
    counts = found.counts
    return {"n": counts.known, "failed": counts.failed, "bad": counts.bad, "check": _check(found.check)}


def error_content(check: ErrorCheck, span_ms: int, *, severity: Verdict, resolved: bool) -> Content:
    """What an alert on errors says, besides its window and offsets."""
    return Content(
        _summary(check, span_ms, resolved=resolved),
        _description(check),
        number(check.value),
        check.limit_of(severity),
        {
            "of": check.counts.known,
            "failed": check.counts.failed,
            "bad": check.counts.bad,
            "rule": check.rule.rule,
            "p_value": check.p_value,
            "level": check.level,
            "minimum_detectable": _detectable(check),
            "provisional": check.provisional,
        },
    )


def _summary(check: ErrorCheck, span_ms: int, *, resolved: bool) -> str:
    counts, rule = check.counts, check.rule
    what = "no answers"
    if counts.known:
        what = (
            f"{counts.failed} of {counts.known} answers ({counts.failed / counts.known:.2%}) failed "
            f"({100 * rule.warning:.6g}% may) over {duration_words(span_ms)}"
        )
    return f"answers succeed again: {what}" if resolved else f"answers fail: {what}"


def _description(check: ErrorCheck) -> str:
    told = ["Counted are the answers whose `status` is another text than `ok`."]
    if check.p_value is not None:
        told.append(
            f"Chance alone makes so many or more at the limit with p = {check.p_value:.2g}, "
            f"the budget allows {check.level:.2g}."
        )
    if check.provisional:
        told.append("Provisional: how alike the answers of healthy windows are is not known.")
    if check.counts.bad:
        told.append(f"{check.counts.bad} rows have a status that is no text, and are left out.")
    return " ".join(told)


def _check(check: ErrorCheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return {
        "check": check.check,
        "subject": check.subject,
        "rule": check.rule.rule,
        "value": number(check.value),
        "threshold": {
            "warning": check.rule.warning,
            "critical": check.rule.critical,
            "min_count": check.rule.min_count,
        },
        "p_value": check.p_value,
        "level": check.level,
        "minimum_detectable": _detectable(check),
        "provisional": check.provisional,
        "verdict": str(check.verdict),
        "reason": check.reason,
    }


def _detectable(check: ErrorCheck) -> dict[str, Any] | None:
    """The smallest share that would be told of; null where answers are too few for any, or no test is made."""
    if isinstance(check.detectable, Undefined) or check.rule.rule == THRESHOLD:
        return None
    return {"share": check.detectable}
