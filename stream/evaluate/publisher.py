"""What an evaluation sends: reports and alerts, each under its key, in the order in which they came to be."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from detectors import Verdict
from stream.alerts.lifecycle import Episode, Move, episode_id, moved, next_move
from stream.durable.log import Outgoing
from stream.evaluate.evaluator import Check
from stream.evaluate.latency_evaluator import LatencyCheck
from stream.evaluate.panes import ModelPanes
from stream.evaluate.performance_checks import PerformanceCheck
from stream.evaluate.performance_report import (
    JudgedPerformance,
    performance_alert,
    performance_key,
    performance_record,
    performance_vanished,
)
from stream.evaluate.report import (
    Judged,
    LostInput,
    alert_record,
    encode,
    input_lost_record,
    latency_alert_record,
    report_key,
    report_record,
    vanished_record,
)
from stream.records.prediction import ModelKey
from stream.records.source import Source

_AnyCheck = Check | PerformanceCheck | LatencyCheck


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

    def move_alert(self, judged: Judged, check: Check, episodes: dict[str, Episode], panes: ModelPanes) -> None:
        """Let a verdict move its alert, and say so if it did; `episodes` are the model's, by check|subject."""
        start_ms, end_ms = judged.evaluation.start_ms, judged.evaluation.end_ms

        def record(episode: Episode, resolved: bool) -> dict[str, Any]:
            return alert_record(judged, check, episode, spans=panes.spans(start_ms, end_ms), resolved=resolved)

        about = _About(judged.definition.key, judged.segment, judged.definition.settings.pane_ms, end_ms)
        self._move(about, check, episodes, record)

    def move_latency_alert(self, judged: Judged, episodes: dict[str, Episode], panes: ModelPanes) -> None:
        """As `move_alert`, for the verdict on latency; nothing where there is none."""
        latency, end_ms = judged.evaluation.latency, judged.evaluation.end_ms
        if latency is None or latency.check is None:
            return
        check = latency.check

        def record(episode: Episode, resolved: bool) -> dict[str, Any]:
            spans = panes.spans(judged.evaluation.start_ms, end_ms)
            return latency_alert_record(judged, latency, check, episode, spans=spans, resolved=resolved)

        about = _About(judged.definition.key, judged.segment, judged.definition.settings.pane_ms, end_ms)
        self._move(about, check, episodes, record)

    def move_performance_alerts(self, judged: JudgedPerformance, episodes: dict[str, Episode]) -> None:
        """Let each verdict on a window's labels move its alert; `episodes` are the course's, by check|subject."""
        end_ms = judged.evaluation.end_ms
        about = _About(judged.key, "", judged.definition.pane_ms, end_ms)
        for check in judged.evaluation.checks:

            def record(episode: Episode, resolved: bool, check: PerformanceCheck = check) -> dict[str, Any]:
                return performance_alert(judged, check, episode, resolved=resolved)

            self._move(about, check, episodes, record)
        for check_name, subject, episode in _vanished(judged.evaluation.checks, episodes):
            self._send_alert(performance_vanished(judged, check_name, subject, episode), end_ms)

    def _move(
        self,
        about: "_About",
        check: _AnyCheck,
        episodes: dict[str, Episode],
        record: Callable[[Episode, bool], dict[str, Any]],
    ) -> None:
        name = f"{check.check}|{check.subject}"
        episode = episodes.get(name)
        move = next_move(episode, check.verdict)
        if move is Move.FIRE:
            episodes[name] = about.begin(check)
            self._send_alert(record(episodes[name], False), about.end_ms)
        elif move is Move.CHANGE and episode is not None:
            episodes[name] = moved(episode, check.verdict)
            self._send_alert(record(episodes[name], False), about.end_ms)
        elif move is Move.RESOLVE and episode is not None:
            del episodes[name]
            self._send_alert(record(moved(episode, episode.severity), True), about.end_ms)

    def resolve_vanished(self, judged: Judged, episodes: dict[str, Episode]) -> None:
        """End the alerts of what is not judged any more: nothing would ever move them."""
        latency = judged.evaluation.latency
        judged_for_latency = () if latency is None or latency.check is None else (latency.check,)
        checks = (*judged.evaluation.checks, *judged_for_latency)
        for check, subject, episode in _vanished(checks, episodes):
            self._send_alert(vanished_record(judged, check, subject, episode), judged.evaluation.end_ms)

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


class _About(NamedTuple):
    """Whose window a verdict is on."""

    key: ModelKey
    segment: str
    pane_ms: int
    end_ms: int  # of the window

    def begin(self, check: _AnyCheck) -> Episode:
        """A new episode of a check in breach."""
        identity = episode_id(
            model=self.key.model,
            version=self.key.version,
            check=check.check,
            subject=check.subject,
            segment=self.segment,
            first_pane_ms=self.end_ms - self.pane_ms,
        )
        return Episode(identity, Verdict(check.verdict), self.end_ms, seq=1)


def _vanished(checks: Sequence[_AnyCheck], episodes: dict[str, Episode]) -> list[tuple[str, str, Episode]]:
    """Check, subject and last message of each episode that no check moves any more; they are taken out."""
    judged_now = {f"{check.check}|{check.subject}" for check in checks}
    ended = []
    for name in sorted(episodes.keys() - judged_now):
        check, _, subject = name.partition("|")
        episode = episodes.pop(name)
        ended.append((check, subject, moved(episode, episode.severity)))
    return ended


def _firing(episodes: dict[str, Episode]) -> list[str]:
    return sorted(episode.id for episode in episodes.values())
