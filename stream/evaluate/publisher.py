"""What an evaluation sends: reports and alerts, each under its key, in the order in which they came to be."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stream.alerts.episode import AlertRules, Episode
from stream.alerts.silences import NO_REQUESTS
from stream.baselines.baseline import Baseline
from stream.durable.log import Outgoing
from stream.evaluate.alert_message import AlertWindow, LostInput, input_lost_record
from stream.evaluate.alert_moves import move_alerts
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
    baselines: str = "baselines"  # whose first partition is the registry


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
        self.requests = NO_REQUESTS  # what people have said of alerts, as far as it has taken effect

    def take_outputs(self) -> Sequence[Outgoing]:
        """What is to be sent since the last call."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def take_published(self) -> list[PublishedAlert]:
        """The alerts since the last call."""
        published, self._published = self._published, []
        return published

    def learned(self, baseline: Baseline) -> None:
        """A baseline for the registry; a repeat is the same bytes under the same key."""
        to = Source(self._to.baselines, 0)
        self._outputs.append(Outgoing(to=to, key=baseline.id.encode(), value=baseline.to_bytes()))

    def report(
        self, judged: Judged, *, revision: int, episodes: dict[str, Episode], reliable: bool | None = None
    ) -> None:
        """One evaluation, with the ids of the alerts that fire after it."""
        record = report_record(judged, revision=revision, alerts=_alerts(episodes), reliable=reliable)
        self._send_report(report_key(judged.definition.key, judged.segment), record)

    def report_performance(self, judged: JudgedPerformance, *, revision: int, episodes: dict[str, Episode]) -> None:
        """One evaluation of labels, with the ids of the alerts that fire after it."""
        key = performance_key(judged.key, judged.definition.category, judged.segment)
        self._send_report(key, performance_record(judged, revision=revision, alerts=_alerts(episodes)))

    def move_alerts(self, window: AlertWindow, episodes: dict[str, Episode], rules: AlertRules) -> None:
        """Let the verdicts on a window move the alerts, and say what is new; `episodes` are by `name_of`."""
        for record in move_alerts(window, episodes, rules, self.requests):
            self._send_alert(record, window.end_ms)

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


def _alerts(episodes: dict[str, Episode]) -> dict[str, Any]:
    """The ids of the alerts that people know to fire; of those that fire and are silenced, each with its silence."""
    silenced = {episode.id: episode.silence for episode in episodes.values() if episode.is_firing and episode.silence}
    return {
        "alerts_firing": sorted(episode.id for episode in episodes.values() if episode.is_told),
        "alerts_silenced": dict(sorted(silenced.items())),
    }
