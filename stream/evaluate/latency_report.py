"""Latency in reports and alerts: plain JSON values, milliseconds, shares from 0 to 1."""

from typing import Any

from detectors import Undefined
from stream.alerts.rules import THRESHOLD
from stream.config.durations import format_duration
from stream.evaluate.latency_evaluator import LatencyCheck, LatencyWindow
from stream.records.times import duration_words


def latency_record(found: LatencyWindow | None) -> dict[str, Any] | None:
    """What a report says of latency; None where it is not counted."""
    if found is None:
        return None
    limit_ms = found.hard_limit_ms
    return {
        **latency_numbers(found),
        "missing": found.missing,
        "bad": found.bad,
        "hard_limit": None if limit_ms is None else {"limit_ms": limit_ms, "violations": found.over_hard_limit},
        "check": _check(found.check),
    }


def latency_numbers(found: LatencyWindow) -> dict[str, Any]:
    """The numbers that reports, alerts and backtests have in common."""
    return {
        "n": found.n,
        "p50_ms": number(found.p50_ms),
        "p95_ms": number(found.p95_ms),
        "p99_ms": number(found.p99_ms),
        "sla_ms": found.sla_ms,
        "violations": found.violations,
    }


def latency_evidence(found: LatencyWindow, check: LatencyCheck) -> dict[str, Any]:
    """What an alert says of latency besides its window and offsets."""
    return {
        **latency_numbers(found),
        "missing": found.missing,
        "bad": found.bad,
        "rule": check.rule.rule,
        "quantile": check.rule.quantile,
        "allowed_share": check.allowed,
        "p_value": number(check.p_value),
        "level": check.level,
        "minimum_detectable": _detectable(check),
        "overdispersion": check.overdispersion,
        "provisional": check.provisional,
    }


def latency_summary(found: LatencyWindow, check: LatencyCheck, span_ms: int, *, resolved: bool) -> str:
    """One line for people."""
    over = f"{found.violations} of {found.n} answers" if found.n else "no answers"
    if found.n:
        over += f" ({found.violations / found.n:.2%})"
    may = f"{_percent(check.allowed)}% may"
    what = f"{over} took longer than {_duration(found.sla_ms)} ({may}) over {duration_words(span_ms)}"
    if check.rule.rule == THRESHOLD:
        what = f"p{_percent(check.rule.quantile)} {_milliseconds(check.value)}, {what}"
    return f"latency is back: {what}" if resolved else f"answers are slow: {what}"


def latency_description(found: LatencyWindow, check: LatencyCheck) -> str:
    """How slow, and how sure that is."""
    quantiles = ", ".join(
        f"{name} {_milliseconds(value)}"
        for name, value in (("p50", found.p50_ms), ("p95", found.p95_ms), ("p99", found.p99_ms))
    )
    unusable = f"; {found.bad} rows with a latency that cannot be" if found.bad else ""
    missing = f"; {found.missing} rows without one" if found.missing else ""
    chance = ""
    if not isinstance(check.p_value, Undefined):
        chance = f"; chance alone makes so many or more over the limit with p = {check.p_value:.2g}"
    if check.rule.rule != THRESHOLD:
        chance += f", the budget allows {check.level:.2g}"
    if check.provisional:
        chance += "; provisional: how alike the answers of healthy windows are is not known"
    return f"{quantiles}{chance}{unusable}{missing}"


def number(value: float | Undefined) -> float | None:
    """As JSON has it."""
    return None if isinstance(value, Undefined) else value


def _check(check: LatencyCheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return {
        "check": check.check,
        "subject": check.subject,
        "rule": check.rule.rule,
        "quantile": check.rule.quantile,
        "value": number(check.value),
        "threshold": {"warning": check.warning, "critical": check.critical, "min_count": check.rule.min_count},
        "p_value": number(check.p_value),
        "level": check.level,
        "minimum_detectable": _detectable(check),
        "overdispersion": check.overdispersion,
        "provisional": check.provisional,
        "verdict": str(check.verdict),
        "reason": check.reason,
    }


def _detectable(check: LatencyCheck) -> dict[str, Any] | None:
    """The smallest share over the SLA that would be told of; null where answers are too few for any."""
    return None if isinstance(check.detectable, Undefined) else {"share": check.detectable}


def _duration(duration_ms: float) -> str:
    return format_duration(int(duration_ms)) if duration_ms == int(duration_ms) else f"{duration_ms:g}ms"


def _percent(share: float) -> str:
    return f"{100 * share:.6g}"


def _milliseconds(value: float | Undefined) -> str:
    return "undefined" if isinstance(value, Undefined) else f"{value:.3g} ms"
