"""What an evaluation sends: reports and alerts, each under its key, in the order in which they came to be."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detectors import Verdict
from stream.alerts.lifecycle import Episode, Move, episode_id, moved, next_move
from stream.durable.log import Outgoing
from stream.evaluate.evaluator import Check
from stream.evaluate.panes import ModelPanes
from stream.evaluate.report import (
    Judged,
    LostInput,
    alert_record,
    encode,
    input_lost_record,
    report_key,
    report_record,
    vanished_record,
)
from stream.records.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOutputs:
    """Where an evaluation sends what it made: names and numbers of partitions."""

    reports: str
    reports_partitions: int
    alerts: str
    alerts_partitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAlert:
    """An alert message on its way out, for whoever counts and logs them."""

    id: str
    status: str  # firing | resolved
    subject: str
    window_end_ms: int


class Publisher:
    """Reports and alerts on their way out."""

    def __init__(self, to: EvaluateOutputs) -> None:
        self._to = to
        self._outputs: list[Outgoing] = []
        self._published: list[PublishedAlert] = []

    def take_outputs(self) -> Sequence[Outgoing]:
        """What is to be sent since the last call."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def take_published(self) -> list[PublishedAlert]:
        """The alerts since the last call."""
        published, self._published = self._published, []
        return published

    def report(self, judged: Judged, *, revision: int, episodes: dict[str, Episode]) -> None:
        """One evaluation, with the ids of the alerts that fire after it."""
        firing = sorted(episode.id for episode in episodes.values())
        key = report_key(judged.definition.key, judged.segment)
        to = Source(self._to.reports, zlib.crc32(key) % self._to.reports_partitions)
        record = report_record(judged, revision=revision, firing=firing)
        self._outputs.append(Outgoing(to=to, key=key, value=encode(record)))

    def move_alert(self, judged: Judged, check: Check, episodes: dict[str, Episode], panes: ModelPanes) -> None:
        """Let a verdict move its alert, and say so if it did; `episodes` are the model's, by check|subject."""
        name = f"{check.check}|{check.subject}"
        episode = episodes.get(name)
        move = next_move(episode, check.verdict)
        if move is Move.FIRE:
            episodes[name] = _begin(judged, check)
            self._alert(judged, check, episodes[name], panes)
        elif move is Move.CHANGE and episode is not None:
            episodes[name] = moved(episode, check.verdict)
            self._alert(judged, check, episodes[name], panes)
        elif move is Move.RESOLVE and episode is not None:
            del episodes[name]
            self._alert(judged, check, moved(episode, episode.severity), panes, resolved=True)

    def resolve_vanished(self, judged: Judged, episodes: dict[str, Episode]) -> None:
        """End the alerts of subjects that the baseline in force does not have: nothing would ever move them."""
        judged_now = {f"{check.check}|{check.subject}" for check in judged.evaluation.checks}
        for name in sorted(episodes.keys() - judged_now):
            check, _, subject = name.partition("|")
            episode = episodes.pop(name)
            record = vanished_record(judged, check, subject, moved(episode, episode.severity))
            self._note(record, judged.evaluation.end_ms)
            self._send_alert(episode.id, record)

    def input_lost(self, lost: LostInput) -> None:
        """Say, once for each gap, that input is gone for ever."""
        record = input_lost_record(lost)
        self._send_alert(record["id"], record)

    def _alert(
        self, judged: Judged, check: Check, episode: Episode, panes: ModelPanes, *, resolved: bool = False
    ) -> None:
        start_ms, end_ms = judged.evaluation.start_ms, judged.evaluation.end_ms
        record = alert_record(judged, check, episode, spans=panes.spans(start_ms, end_ms), resolved=resolved)
        self._note(record, end_ms)
        self._send_alert(episode.id, record)

    def _note(self, record: dict[str, Any], window_end_ms: int) -> None:
        self._published.append(
            PublishedAlert(
                id=record["id"],
                status=record["status"],
                subject=record["labels"]["subject"],
                window_end_ms=window_end_ms,
            )
        )

    def _send_alert(self, identity: str, record: dict[str, Any]) -> None:
        key = identity.encode()
        to = Source(self._to.alerts, zlib.crc32(key) % self._to.alerts_partitions)
        self._outputs.append(Outgoing(to=to, key=key, value=encode(record)))


def _begin(judged: Judged, check: Check) -> Episode:
    identity = episode_id(
        model=judged.definition.key.model,
        version=judged.definition.key.version,
        check=check.check,
        subject=check.subject,
        segment=judged.segment,
        first_pane_ms=judged.evaluation.end_ms - judged.definition.settings.pane_ms,
    )
    return Episode(identity, Verdict(check.verdict), judged.evaluation.end_ms, seq=1)
