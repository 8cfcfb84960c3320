"""What an evaluation sends: reports and alerts, each under its key, in the order in which they came to be."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stream.alerts.lifecycle import Episode, Move, moved, next_move
from stream.durable.log import Outgoing
from stream.evaluate.alert_message import AlertWindow, JudgedCheck, LostInput, input_lost_record
from stream.evaluate.performance_report import JudgedPerformance, performance_key, performance_record
from stream.evaluate.report import Judged, encode, report_key, report_record
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

    def report(
        self, judged: Judged, *, revision: int, episodes: dict[str, Episode], reliable: bool | None = None
    ) -> None:
        """One evaluation, with the ids of the alerts that fire after it."""
        record = report_record(judged, revision=revision, firing=_firing(episodes), reliable=reliable)
        self._send_report(report_key(judged.definition.key, judged.segment), record)

    def report_performance(self, judged: JudgedPerformance, *, revision: int, episodes: dict[str, Episode]) -> None:
        """One evaluation of labels, with the ids of the alerts that fire after it."""
        key = performance_key(judged.key, judged.definition.category)
        self._send_report(key, performance_record(judged, revision=revision, firing=_firing(episodes)))

    def move_alerts(self, window: AlertWindow, episodes: dict[str, Episode]) -> None:
        """Let each verdict on a window move its alert, and say so if it did; `episodes` are by check|subject.

        An alert on what is not judged any more ends: nothing would ever move it.
        """
        for check in window.checks:
            self._move(window, check, episodes)
        judged_now = {f"{check.check}|{check.subject}" for check in window.checks}
        for name in sorted(episodes.keys() - judged_now):
            check_name, _, subject = name.partition("|")
            ended = episodes.pop(name)
            content = window.unwatched(check_name, subject)
            last = moved(ended, ended.severity)
            self._send_alert(window.message(check_name, subject, last, content, resolved=True), window.end_ms)

    def _move(self, window: AlertWindow, check: JudgedCheck, episodes: dict[str, Episode]) -> None:
        name = f"{check.check}|{check.subject}"
        held = episodes.get(name)
        move = next_move(held, check.verdict)
        if move is Move.NOTHING:
            return
        resolved = move is Move.RESOLVE
        episode = window.begin(check) if held is None else moved(held, held.severity if resolved else check.verdict)
        if resolved:
            del episodes[name]
        else:
            episodes[name] = episode
        content = window.content(check, episode.severity, resolved)
        self._send_alert(window.message(check.check, check.subject, episode, content, resolved=resolved), window.end_ms)

    def input_lost(self, lost: LostInput) -> None:
        """Say, once for each gap, that input is gone for ever."""
        self._send_alert(input_lost_record(lost))

    def _send_report(self, key: bytes, record: dict[str, Any]) -> None:
        to = Source(self._to.reports, zlib.crc32(key) % self._to.reports_partitions)
        self._outputs.append(Outgoing(to=to, key=key, value=encode(record)))

    def _send_alert(self, record: dict[str, Any], window_end_ms: int | None = None) -> None:
        """On its way out, and noted for whoever counts alerts if it is about a window."""
        if window_end_ms is not None:
            subject = record["labels"]["subject"]
            self._published.append(
                PublishedAlert(id=record["id"], status=record["status"], subject=subject, window_end_ms=window_end_ms)
            )
        key = record["id"].encode()
        to = Source(self._to.alerts, zlib.crc32(key) % self._to.alerts_partitions)
        self._outputs.append(Outgoing(to=to, key=key, value=encode(record)))


def _firing(episodes: dict[str, Episode]) -> list[str]:
    return sorted(episode.id for episode in episodes.values())
