"""Names of features in reports and alerts: plain JSON values, and one line for people."""

from typing import Any, Final

from detectors import Verdict
from stream.evaluate.alert_message import Content
from stream.evaluate.latency_report import number
from stream.evaluate.schema_evaluator import NEW, SchemaCheck, SchemaWindow
from stream.records.times import duration_words

MOST_TOLD: Final = 50  # names beside the baseline's in one report


def schema_record(found: SchemaWindow | None) -> dict[str, Any] | None:
    """What a report says of the features' names; None where they are not checked."""
    if found is None:
        return None
    beside = sorted((-rows, name) for name, rows in found.beside.items())
    return {
        "looked": found.looked,
        "usual": list(found.usual[:MOST_TOLD]),
        "beside": [{"subject": subject, "count": -rows} for rows, subject in beside[:MOST_TOLD]],
        "beyond": found.beyond,
        "judged": found.judged,
        "checks": [_check(check) for check in found.crossed],
    }


def schema_content(check: SchemaCheck, span_ms: int, *, severity: Verdict, resolved: bool) -> Content:
    """What an alert on a feature's name says, besides its window and offsets.

    Args:
        check: what was judged.
        span_ms: the window's length.
        severity: of the episode.
        resolved: whether the alert ends.
    """
    return Content(
        _summary(check, span_ms, resolved=resolved),
        _description(check),
        number(check.value),
        check.limit_of(severity),
        _evidence(check),
    )


def _summary(check: SchemaCheck, span_ms: int, *, resolved: bool) -> str:
    rows = f"{check.count} of {check.n} rows that were looked at over {duration_words(span_ms)}"
    if check.change == NEW:
        went_on = f"feature {check.subject} is new no longer: it is in {rows}"
        return went_on if resolved else f"feature {check.subject} is new: it is in {rows}, and the baseline has no such"
    if resolved:
        return f"feature {check.subject} is back: it is not in {rows}"
    if check.renamed is not None:
        return f"feature {check.subject} was probably renamed to {check.renamed.name}: it is not in {rows}"
    return f"feature {check.subject} has vanished: it is not in {rows}"


def _description(check: SchemaCheck) -> str:
    told = []
    if check.renamed is not None:
        name, found = check.renamed
        told.append(
            f"{name} came in about as many rows as {check.subject} went from, and its values fit: the distribution "
            f"of {found.values} differs from the baseline's by {found.gap:.2g} at most. Two may be alike by chance."
        )
    if check.p_value is not None and check.change != NEW:
        told.append(f"Healthy windows lack it in so many rows or more with p = {check.p_value:.2g}.")
    if check.change == NEW:
        told.append("No baseline knows it; a new one would.")
    told.append("The key is meant: null is no absence. One row in 64 is looked at.")
    return " ".join(told)


def _evidence(check: SchemaCheck) -> dict[str, Any]:
    renamed = check.renamed
    return {
        "change": check.change,
        "renamed_to": None if renamed is None else renamed.name,
        "gap": None if renamed is None else renamed.likeness.gap,
        "compared": None if renamed is None else renamed.likeness.values,
        "healthy": check.healthy,
        "count": check.count,
        "of": check.n,
        "p_value": check.p_value,
        "level": check.level,
        "usual_names": list(check.usual),
    }


def _check(check: SchemaCheck) -> dict[str, Any]:
    return {
        "check": check.check,
        "subject": check.subject,
        "value": number(check.value),
        "threshold": {"warning": check.warning, "critical": check.critical},
        "verdict": str(check.verdict),
        "reason": check.reason,
        **_evidence(check),
    }
