"""The message of an alert: what a check has to say, filled into what every message has, in the order of the contract.

Each kind of check gives its `Content`; who it is about, since when, its window and its place in the runbook are
the same for all, and are filled in here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from detectors import Verdict
from stream.alerts.alert_names import ALERT_NAMES
from stream.alerts.episode import Episode
from stream.alerts.rules import INPUT_LOST
from stream.records.alert import ALERT_SCHEMA, alert_id, runbook
from stream.records.partial import NO_TIME, Partial
from stream.records.prediction import ModelKey
from stream.records.times import rfc3339


class JudgedCheck(Protocol):
    """A verdict that moves an alert, of whatever kind of check."""

    @property
    def check(self) -> str:
        """Which statistic: "psi", "latency_sla"."""

    @property
    def subject(self) -> str:
        """What of: a series' name, "latency"."""

    @property
    def verdict(self) -> Verdict:
        """What the window says."""


class Content(NamedTuple):
    """What a kind of check says in the message of its alert."""

    summary: str
    description: str
    value: float | None = None
    threshold: float | None = None
    evidence: Mapping[str, Any] = MappingProxyType({})  # besides the window's


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertWindow:
    """One judged window: whose it is, its verdicts, and what can be said of each."""

    key: ModelKey
    segment: str
    pane_ms: int
    start_ms: int
    end_ms: int
    n: int  # rows, or labels
    baseline: str
    definition: str
    checks: Sequence[JudgedCheck]  # in the order in which their alerts are told
    content: Callable[[Any, Verdict, bool], Content]  # of a check at the severity of its episode; True: resolved
    unwatched: Callable[[str, str], Content]  # of a check and subject that are not judged any more
    spent: float = 0.0  # of the false-alarm budget, by the tests of its checks: the sum of their levels

    def new_id(self, check: str, subject: str) -> str:
        """Of an episode that begins with this window."""
        return alert_id(
            model=self.key.model,
            version=self.key.version,
            check=check,
            subject=subject,
            segment=self.segment,
            first_pane_ms=self.end_ms - self.pane_ms,
        )

    def labels(self, check: str, subject: str) -> dict[str, str]:
        """What an alert is about, in the order of the contract."""
        return {
            "alertname": ALERT_NAMES[check],
            "model": self.key.model,
            "version": self.key.version,
            "check": check,
            "subject": subject,
            "segment": self.segment,
        }

    def message(self, check: str, subject: str, episode: Episode, content: Content) -> dict[str, Any]:
        """The message of an episode as it is now."""
        labels = self.labels(check, subject)
        return {
            "schema": ALERT_SCHEMA,
            "id": episode.id,
            "seq": episode.seq,
            "status": "firing" if episode.is_firing else "resolved",
            "severity": str(episode.severity),
            "labels": labels,
            "annotations": {
                "summary": content.summary,
                "description": content.description,
                "runbook_url": runbook(labels["alertname"]),
            },
            "startsAt": rfc3339(episode.starts_at_ms),
            "endsAt": None if episode.ended_at_ms is None else rfc3339(episode.ended_at_ms),
            "reason": None if episode.reason is None else str(episode.reason),
            "acknowledged": None if episode.acknowledged is None else episode.acknowledged.record(),
            "value": content.value,
            "threshold": content.threshold,
            "evidence": {
                "n": self.n,
                "window": window_record(self.start_ms, self.end_ms),
                "baseline": self.baseline,
                "definition": self.definition,
                **content.evidence,
            },
        }


class LostInput(NamedTuple):
    """A gap in a source: retention cut it away before it was read."""

    told: Partial  # that told of it
    records: int  # offsets in the gap


def input_lost_record(lost: LostInput) -> dict[str, Any]:
    """The message that input is gone for ever: fired once for a gap, never resolved, for nothing brings it back.

    Its event time is how far the source had come; null if no prediction of it had ever been read.
    """
    told = lost.told
    identity = alert_id(
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
        "reason": None,
        "acknowledged": None,
        "value": lost.records,
        "threshold": 0,
        "evidence": {"n": lost.records, "lost_in_all": told.lost, "next_offset": told.next_offset},
    }


def window_record(start_ms: int, end_ms: int) -> dict[str, str]:
    """A window, as reports and alerts show it."""
    return {"start": rfc3339(start_ms), "end": rfc3339(end_ms)}
