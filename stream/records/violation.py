"""A single answer over the hard limit of latency: an event of its own on the alerts topic, and no episode.

It is told when the answer is counted, before any window ends. It never fires and is never resolved: its status is
`event`, and it begins and ends with the answer. Its id is made of where the answer lies, so that a repeat after a crash
is the same message under the same key.
"""

from dataclasses import dataclass
from typing import Any, Final

from detectors import Verdict
from stream.records.alert import ALERT_SCHEMA, alert_id, runbook
from stream.records.prediction import ModelKey
from stream.records.times import duration_words, rfc3339

LATENCY_VIOLATION: Final = "latency_sla_violation"
VIOLATION_NAME: Final = "DriftlineLatencySLAViolation"
EVENT: Final = "event"  # in place of an episode's status
SUBJECT: Final = "latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One answer that took longer than the hard limit."""

    key: ModelKey
    source: str  # partition, and `~1` behind it if its topic was made anew: "predictions/3"
    offset: int
    index: int | None  # its place in an array message
    event_time_ms: int
    latency_ms: float
    hard_limit_ms: int
    pane_start_ms: int
    pane_ms: int
    rank: int  # the first over the limit of its pane, in this source, is 1
    max_per_pane: int  # so many of a pane are told, the rest is only counted

    @property
    def id(self) -> str:
        """The same wherever and whenever it is told."""
        return alert_id(
            model=self.key.model,
            version=self.key.version,
            check=LATENCY_VIOLATION,
            subject=self.place,
            segment="",
            first_pane_ms=self.pane_start_ms,
        )

    @property
    def place(self) -> str:
        """Where the answer lies: no two have the same."""
        return f"{self.source}/{self.offset}" + ("" if self.index is None else f"/{self.index}")


def violation_record(told: Violation) -> dict[str, Any]:
    """The message of one answer."""
    when = rfc3339(told.event_time_ms)
    return {
        "schema": ALERT_SCHEMA,
        "id": told.id,
        "seq": 1,
        "status": EVENT,
        "severity": str(Verdict.WARNING),
        "labels": {
            "alertname": VIOLATION_NAME,
            "model": told.key.model,
            "version": told.key.version,
            "check": LATENCY_VIOLATION,
            "subject": SUBJECT,
            "segment": "",
        },
        "annotations": {
            "summary": f"an answer took {told.latency_ms:.6g} ms, {told.hard_limit_ms} ms is the hard limit",
            "description": _description(told),
            "runbook_url": runbook(VIOLATION_NAME),
        },
        "startsAt": when,
        "endsAt": when,
        "reason": None,
        "acknowledged": None,
        "value": told.latency_ms,
        "threshold": told.hard_limit_ms,
        "evidence": {
            "n": 1,
            "source": told.source,
            "offset": told.offset,
            "index": told.index,
            "pane": {"start": rfc3339(told.pane_start_ms), "end": rfc3339(told.pane_start_ms + told.pane_ms)},
            "rank": told.rank,
            "max_per_pane": told.max_per_pane,
        },
    }


def _description(told: Violation) -> str:
    pane = f"the {duration_words(told.pane_ms)} from {rfc3339(told.pane_start_ms)} on"
    if told.rank < told.max_per_pane:
        more = f"Of each partition {told.max_per_pane} are told in a pane, and all are counted."
    else:
        more = "It is the last that is told of its partition in this pane; what follows is only counted."
    return f"{told.place} is number {told.rank} over the limit in {pane}. {more}"
