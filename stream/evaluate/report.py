"""Reports and alerts as they lie on their topics: JSON with the words of CONTRACTS, plain values only."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from detectors import EstimatedPerformance, Undefined, Verdict
from stream.alerts.evidence import bins_evidence, moved_in_words
from stream.alerts.lifecycle import Episode, episode_id
from stream.alerts.rules import AUC, BRIER, INPUT_LOST, LATENCY_SLA, MAE, PSI
from stream.baselines.definition import Definition
from stream.evaluate.evaluator import Check, Evaluation
from stream.evaluate.latency_evaluator import LatencyCheck, LatencyWindow
from stream.evaluate.latency_report import (
    latency_description,
    latency_evidence,
    latency_record,
    latency_summary,
)
from stream.evaluate.panes import Span
from stream.evaluate.sources_evidence import sources_evidence
from stream.records.partial import NO_TIME, Partial
from stream.records.prediction import ModelKey
from stream.records.times import duration_words, rfc3339

REPORT_SCHEMA: Final = "driftline.report/1"
ALERT_SCHEMA: Final = "driftline.alert/1"
ALERT_NAMES: Final = {
    PSI: "DriftlinePSI",
    AUC: "DriftlineAUC",
    BRIER: "DriftlineBrier",
    MAE: "DriftlineMAE",
    LATENCY_SLA: "DriftlineLatencySLA",
    INPUT_LOST: "DriftlineInputLost",
}


class Judged(NamedTuple):
    """What was judged: one window of one model's traffic."""

    evaluation: Evaluation
    definition: Definition
    segment: str  # "" for the whole traffic


class LostInput(NamedTuple):
    """A gap in a source: retention cut it away before it was read."""

    told: Partial  # that told of it
    records: int  # offsets in the gap


def report_record(judged: Judged, *, revision: int, firing: list[str], reliable: bool | None = None) -> dict[str, Any]:
    """The message of one evaluation.

    Args:
        judged: what was judged.
        revision: how often the window was published before.
        firing: ids of the episodes that go on.
        reliable: whether the estimates were right where labels could last tell; None: they never could.
    """
    evaluation, definition, segment = judged
    return {
        "schema": REPORT_SCHEMA,
        "model": definition.key.model,
        "version": definition.key.version,
        "segment": segment,
        "window": window_record(evaluation.start_ms, evaluation.end_ms),
        "n": evaluation.n,
        "complete": evaluation.complete,
        "revision": revision,
        "baseline": definition.baseline.id,
        "definition": definition.id,
        "checks": [_check(c) for c in evaluation.checks],
        "estimates": _estimates(evaluation.estimates, reliable=reliable),
        "latency": latency_record(evaluation.latency),
        "alerts_firing": firing,
    }


def alert_record(
    judged: Judged, check: Check, episode: Episode, *, spans: Mapping[str, Span], resolved: bool
) -> dict[str, Any]:
    """The message of one move of an alert."""
    evaluation, definition, _ = judged
    series = definition.layout.series[definition.layout.names.index(check.subject)]
    limit = check.threshold.limit_of(episode.severity)
    record = _episode_record(judged, check.check, check.subject, episode, resolved=resolved)
    record["annotations"] = {
        "summary": _summary(check, evaluation, limit, resolved=resolved),
        "description": moved_in_words(series, check.baseline, check.current),
        "runbook_url": runbook(record["labels"]["alertname"]),
    }
    record["value"], record["threshold"] = _number(check.value), limit
    record["evidence"] |= {
        "kl_nats": _number(check.kl_nats),
        "js_nats": _number(check.js_nats),
        "bins": bins_evidence(series, check.baseline, check.current),
        **sources_evidence(definition.settings, spans),
    }
    return record


def latency_alert_record(
    judged: Judged,
    latency: LatencyWindow,
    check: LatencyCheck,
    episode: Episode,
    *,
    spans: Mapping[str, Span],
    resolved: bool,
) -> dict[str, Any]:
    """The message of one move of an alert on latency."""
    evaluation = judged.evaluation
    record = _episode_record(judged, check.check, check.subject, episode, resolved=resolved)
    record["annotations"] = {
        "summary": latency_summary(latency, check, evaluation.end_ms - evaluation.start_ms, resolved=resolved),
        "description": latency_description(latency, check),
        "runbook_url": runbook(record["labels"]["alertname"]),
    }
    record["value"], record["threshold"] = _number(check.value), check.limit_of(episode.severity)
    record["evidence"] |= latency_evidence(latency, check) | sources_evidence(judged.definition.settings, spans)
    return record


def vanished_record(judged: Judged, check: str, subject: str, episode: Episode) -> dict[str, Any]:
    """The message that ends an alert on what is not judged any more."""
    baseline = judged.definition.baseline.id
    record = _episode_record(judged, check, subject, episode, resolved=True)
    if check == LATENCY_SLA:
        record["annotations"] = {
            "summary": "latency is not watched any more: `checks.latency` is off",
            "description": "The alert ends because the check was switched off, not because answers are fast again.",
            "runbook_url": runbook(record["labels"]["alertname"]),
        }
        return record
    record["annotations"] = {
        "summary": f"{subject} is not watched any more: baseline {baseline} does not have it",
        "description": f"The alert ends because baseline {baseline} came into force, not because the drift is over.",
        "runbook_url": runbook(record["labels"]["alertname"]),
    }
    return record


def _episode_record(judged: Judged, check: str, subject: str, episode: Episode, *, resolved: bool) -> dict[str, Any]:
    evaluation, definition, segment = judged
    labels = alert_labels(definition.key, check, subject, segment)
    record = episode_record(labels, episode, evaluation.end_ms, resolved=resolved)
    record["evidence"] = {
        "n": evaluation.n,
        "window": window_record(evaluation.start_ms, evaluation.end_ms),
        "baseline": definition.baseline.id,
        "definition": definition.id,
    }
    return record


def alert_labels(key: ModelKey, check: str, subject: str, segment: str) -> dict[str, str]:
    """What an alert is about, in the order of the contract."""
    return {
        "alertname": ALERT_NAMES[check],
        "model": key.model,
        "version": key.version,
        "check": check,
        "subject": subject,
        "segment": segment,
    }


def episode_record(labels: dict[str, str], episode: Episode, end_ms: int, *, resolved: bool) -> dict[str, Any]:
    """What every message of an episode has, in the order of the contract; the rest is for the caller to fill in."""
    return {
        "schema": ALERT_SCHEMA,
        "id": episode.id,
        "seq": episode.seq,
        "status": "resolved" if resolved else "firing",
        "severity": str(episode.severity),
        "labels": labels,
        "annotations": {},
        "startsAt": rfc3339(episode.starts_at_ms),
        "endsAt": rfc3339(end_ms) if resolved else None,
        "value": None,
        "threshold": None,
        "evidence": {},
    }


def input_lost_record(lost: LostInput) -> dict[str, Any]:
    """The message that input is gone for ever: fired once for a gap, never resolved, for nothing brings it back.

    Its event time is how far the source had come; null if no prediction of it had ever been read.
    """
    told = lost.told
    identity = episode_id(
        model="",
        version="",
        check=INPUT_LOST,
        subject=f"{told.source}~{told.incarnation}",
        segment="",
        first_pane_ms=told.lost,  # a gap has no pane; the records lost so far tell the gaps apart
    )
    name = ALERT_NAMES[INPUT_LOST]
    return {
        "schema": ALERT_SCHEMA,
        "id": identity,
        "seq": 1,
        "status": "firing",
        "severity": str(Verdict.CRITICAL),
        "labels": {
            "alertname": name,
            "model": "",
            "version": "",
            "check": INPUT_LOST,
            "subject": told.source,
            "segment": "",
        },
        "annotations": {
            "summary": f"{told.source} lost {lost.records} records: retention cut them away before they were read",
            "description": f"{told.lost} records of {told.source} are lost in all; counting went on behind the gap, "
            f"and has come to offset {told.next_offset}. Windows that span the gap hold fewer rows than there were.",
            "runbook_url": runbook(name),
        },
        "startsAt": None if told.newest_event_ms == NO_TIME else rfc3339(told.newest_event_ms),
        "endsAt": None,
        "value": lost.records,
        "threshold": 0,
        "evidence": {"n": lost.records, "lost_in_all": told.lost, "next_offset": told.next_offset},
    }


def runbook(alert_name: str) -> str:
    """Where the alert is explained, from the root of the repository.

    >>> runbook("DriftlinePSI")
    'docs/runbook.md#driftlinepsi'
    """
    return f"docs/runbook.md#{alert_name.lower()}"


def encode(record: dict[str, Any]) -> bytes:
    """JSON, keys in the order given, so that equal records are equal bytes."""
    return orjson.dumps(record)


def report_key(key: ModelKey, segment: str) -> bytes:
    """`model@version`, a segment after it."""
    return f"{key}|{segment}".encode() if segment else str(key).encode()


def _summary(check: Check, evaluation: Evaluation, limit: float | None, *, resolved: bool) -> str:
    value = "undefined" if isinstance(check.value, Undefined) else f"{check.value:.3g}"
    over = duration_words(evaluation.end_ms - evaluation.start_ms)
    against = "no limit any more" if limit is None else f"limit {limit:g}"
    what = f"{check.check.upper()} {value} ({against}) over {over}, {evaluation.n} rows"
    return f"{check.subject} is back: {what}" if resolved else f"{check.subject} drifted: {what}"


def _estimates(found: EstimatedPerformance | Undefined | None, *, reliable: bool | None) -> dict[str, Any] | None:
    """What performance should be by the scores alone; None where the baseline has no labels to estimate with."""
    if found is None:
        return None
    names = ("auc", "precision", "recall", "brier", "base_rate")
    values = {name: None if isinstance(found, Undefined) else _number(getattr(found, name)) for name in names}
    return {**values, "reliable": reliable}


def _check(check: Check) -> dict[str, Any]:
    return {
        "check": check.check,
        "subject": check.subject,
        "value": _number(check.value),
        "n": check.n,
        "threshold": {
            "warning": check.threshold.warning,
            "critical": check.threshold.critical,
            "min_count": check.threshold.min_count,
        },
        "verdict": str(check.verdict),
        "reason": check.reason,
        "kl_nats": _number(check.kl_nats),
        "js_nats": _number(check.js_nats),
        "evidence": {"baseline": check.baseline.tolist(), "current": check.current.tolist()},
    }


def window_record(start_ms: int, end_ms: int) -> dict[str, str]:
    """A window, as reports and alerts show it."""
    return {"start": rfc3339(start_ms), "end": rfc3339(end_ms)}


def _number(value: float | Undefined) -> float | None:
    return None if isinstance(value, Undefined) else value
