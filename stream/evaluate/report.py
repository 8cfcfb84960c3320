"""Reports and alerts as they lie on their topics: JSON with the words of CONTRACTS, plain values only."""

from typing import Any, Final, NamedTuple

import orjson

from detectors import Undefined, Verdict
from stream.alerts.evidence import bins_evidence, moved_in_words
from stream.alerts.lifecycle import Episode, episode_id
from stream.alerts.rules import INPUT_LOST, PSI
from stream.baselines.definition import Definition
from stream.evaluate.evaluator import Check, Evaluation
from stream.records.partial import NO_TIME, Partial
from stream.records.prediction import ModelKey
from stream.records.times import duration_words, rfc3339

REPORT_SCHEMA: Final = "driftline.report/1"
ALERT_SCHEMA: Final = "driftline.alert/1"
ALERT_NAMES: Final = {PSI: "DriftlinePSI", INPUT_LOST: "DriftlineInputLost"}


class Judged(NamedTuple):
    """What was judged: one window of one model's traffic."""

    evaluation: Evaluation
    definition: Definition
    segment: str  # "" for the whole traffic


class LostInput(NamedTuple):
    """A gap in a source: retention cut it away before it was read."""

    told: Partial  # that told of it
    records: int  # offsets in the gap


def report_record(judged: Judged, *, revision: int, firing: list[str]) -> dict[str, Any]:
    """The message of one evaluation; `firing` are the ids of the episodes that go on."""
    evaluation, definition, segment = judged
    return {
        "schema": REPORT_SCHEMA,
        "model": definition.key.model,
        "version": definition.key.version,
        "segment": segment,
        "window": _window(evaluation),
        "n": evaluation.n,
        "complete": evaluation.complete,
        "revision": revision,
        "baseline": definition.baseline.id,
        "definition": definition.id,
        "checks": [_check(c) for c in evaluation.checks],
        "alerts_firing": firing,
    }


def alert_record(
    judged: Judged, check: Check, episode: Episode, *, spans: dict[str, list[int]], resolved: bool
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
        "sources": spans,
    }
    return record


def vanished_record(judged: Judged, check: str, subject: str, episode: Episode) -> dict[str, Any]:
    """The message that ends an alert whose subject the baseline in force does not have any more."""
    baseline = judged.definition.baseline.id
    record = _episode_record(judged, check, subject, episode, resolved=True)
    record["annotations"] = {
        "summary": f"{subject} is not watched any more: baseline {baseline} does not have it",
        "description": f"The alert ends because baseline {baseline} came into force, not because the drift is over.",
        "runbook_url": runbook(record["labels"]["alertname"]),
    }
    return record


def _episode_record(judged: Judged, check: str, subject: str, episode: Episode, *, resolved: bool) -> dict[str, Any]:
    """What every message of an episode has, in the order of the contract."""
    evaluation, definition, segment = judged
    return {
        "schema": ALERT_SCHEMA,
        "id": episode.id,
        "seq": episode.seq,
        "status": "resolved" if resolved else "firing",
        "severity": str(episode.severity),
        "labels": {
            "alertname": ALERT_NAMES[check],
            "model": definition.key.model,
            "version": definition.key.version,
            "check": check,
            "subject": subject,
            "segment": segment,
        },
        "annotations": {},
        "startsAt": rfc3339(episode.starts_at_ms),
        "endsAt": rfc3339(evaluation.end_ms) if resolved else None,
        "value": None,
        "threshold": None,
        "evidence": {
            "n": evaluation.n,
            "window": _window(evaluation),
            "baseline": definition.baseline.id,
            "definition": definition.id,
        },
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


def _window(evaluation: Evaluation) -> dict[str, str]:
    return {"start": rfc3339(evaluation.start_ms), "end": rfc3339(evaluation.end_ms)}


def _number(value: float | Undefined) -> float | None:
    return None if isinstance(value, Undefined) else value
