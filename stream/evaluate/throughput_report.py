"""Throughput in reports and alerts: plain JSON values, and one line for people."""

from typing import Any

import msgspec

from detectors import Verdict
from stream.config.durations import format_duration
from stream.evaluate.alert_message import Content
from stream.evaluate.throughput_evaluator import ThroughputCheck
from stream.records.times import duration_words


def throughput_record(found: ThroughputCheck | None) -> dict[str, Any] | None:
    """What a report says of the number of rows; None where it is not checked."""
    if found is None:
        return None
    return {
        "check": found.check,
        "subject": found.subject,
        "value": found.value,
        "usual": found.usual,
        "threshold": {"warning": found.warning, "critical": found.critical},
        "p_value": found.p_value,
        "level": found.level,
        "minimum_detectable": _detectable(found),
        "verdict": str(found.verdict),
        "reason": found.reason,
        "provisional": found.provisional,
    }


def throughput_content(found: ThroughputCheck, span_ms: int, *, severity: Verdict, resolved: bool) -> Content:
    """What an alert on throughput says, besides its window and offsets."""
    return Content(
        _summary(found, span_ms, resolved=resolved),
        _description(found),
        found.value,
        found.limit_of(severity),
        {
            "usual": found.usual,
            "silent_ms": found.silent_ms,
            "p_value": found.p_value,
            "level": found.level,
            "provisional": found.provisional,
        }
        | ({} if found.live is None else {"live_rows": msgspec.to_builtins(found.live)}),
    )


def _detectable(found: ThroughputCheck) -> dict[str, Any] | None:
    """The most rows that are told of; null where not even none are."""
    if found.most_seen is None:
        return None
    return {
        "rows": found.most_seen,
        "share": 1.0 if found.usual is None else 1 - found.most_seen / found.usual,
    }


def _summary(found: ThroughputCheck, span_ms: int, *, resolved: bool) -> str:
    usual = "" if found.usual is None else f", {found.usual:.4g} are usual"
    over = duration_words(span_ms)
    if found.silent_ms is not None:
        return f"the model has stopped answering: no prediction on any partition for {format_duration(found.silent_ms)}"
    if resolved:
        return f"the model answers again: {found.n} predictions in {over}{usual}"
    if found.n == 0:
        return f"the model has stopped answering: no prediction in {over}{usual}"
    return f"the model answers less: {found.n} predictions in {over}{usual}"


def _description(found: ThroughputCheck) -> str:
    told = []
    if found.p_value is not None:
        told.append(f"A healthy window has so few or fewer with p = {found.p_value:.2g}.")
    if found.provisional:
        told.append(
            "Provisional: how many predictions are usual is not known yet: it is learned from 24 windows of the model, "
            "or make the baseline with --time."
        )
    return " ".join(told) or "Rows are missing in the input: a worker that is behind evaluates later, and the same."
