"""The alerts that a file would have raised: the messages of the service's own life cycle, put together again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from detectors import Verdict
from stream.alerts.episode import SEVERITIES
from stream.backtest.alerts import AlertResult, Naming
from stream.backtest.course import JudgedPart
from stream.backtest.windows import FileWindow
from stream.evaluate.alert_groups import EVERY

MONTH_MS: Final = 30 * 86_400_000  # as `1 per 30d` means it


@dataclass(slots=True, kw_only=True)
class Told:
    """Something worse than people knew: an alert that begins, a higher severity, a series that joins a group."""

    window: FileWindow
    alert: AlertResult
    over_at: int | None = None  # end of the window in which the series had recovered; None: it fires at the end


@dataclass(slots=True, kw_only=True)
class FileEpisode:
    """One alert that would have been sent, from the message that opens it to the one that resolves it."""

    check: str
    subject: str  # the series; `*` of a group
    segment: str
    told: list[Told] = field(default_factory=list)  # never empty
    end_at: int | None = None  # end of the window that resolved it, as `FileWindow.end_at`; None: fires at the end
    known: dict[str, str] = field(default_factory=dict)  # the worst severity told of each series that fires in it

    @property
    def begin_at(self) -> int:
        """End of the window that began it: when it could be known."""
        return self.told[0].window.end_at

    @property
    def worst(self) -> AlertResult:
        """What was told first of its highest severity."""
        return max((told.alert for told in self.told), key=lambda alert: _rank(alert.severity))

    @property
    def subjects(self) -> list[str]:
        """The series that it told of, in the order in which they came."""
        return list(dict.fromkeys(told.alert.subject for told in self.told))


class _Firing(NamedTuple):
    """A series that a message tells of, with what it says of it."""

    subject: str
    severity: str
    value: float
    threshold: float | None


class Episodes:
    """The episodes of a file, as its windows come."""

    def __init__(self, naming: Naming) -> None:
        self.found: list[FileEpisode] = []  # in the order in which they begin
        self._naming = naming
        self._by_id: dict[str, FileEpisode] = {}

    def take(self, window: FileWindow, part: JudgedPart, alerts: Sequence[AlertResult]) -> None:
        """What the messages of one part of a window say; `alerts`: its checks beyond a limit."""
        beyond = {(alert.check, alert.subject): alert for alert in alerts}
        for message in part.messages:
            episode = self._episode(message)
            firing = {one.subject: one for one in self._firing(message)}
            for told in episode.told:
                if told.over_at is None and told.alert.subject not in firing:
                    told.over_at = window.end_at
            for subject, one in firing.items():
                if _rank(one.severity) > _rank(episode.known.get(subject)):
                    # It may be milder than what was held before it fired; the message says the worse of the two.
                    alert = beyond.get((episode.check, subject)) or _as_told(episode, one)
                    alert = msgspec.structs.replace(alert, severity=one.severity)
                    episode.told.append(Told(window=window, alert=alert))
            episode.end_at = None if firing else window.end_at
            known = episode.known
            episode.known = {
                name: max(one.severity, known.get(name, one.severity), key=_rank) for name, one in firing.items()
            }

    def _episode(self, message: dict[str, Any]) -> FileEpisode:
        held = self._by_id.get(message["id"])
        if held is None:
            labels = message["labels"]
            subject = self._naming.subject(labels["check"], labels["subject"])
            held = FileEpisode(check=labels["check"], subject=subject, segment=labels["segment"])
            self._by_id[message["id"]] = held
            self.found.append(held)
        return held

    def _firing(self, message: dict[str, Any]) -> Iterator[_Firing]:
        """The series that a message tells of; none where it resolves the alert."""
        if message["status"] == "resolved":
            return
        check, subject = message["labels"]["check"], message["labels"]["subject"]
        members = message["evidence"]["subjects"] if subject == EVERY else [{**message, "subject": subject}]
        for one in members:
            yield _Firing(self._naming.subject(check, one["subject"]), one["severity"], one["value"], one["threshold"])


def _as_told(episode: FileEpisode, one: _Firing) -> AlertResult:
    """Of a series that is told of with a window in which it is beyond no limit."""
    return AlertResult(
        check=episode.check,
        subject=one.subject,
        segment=episode.segment,
        severity=one.severity,
        value=one.value,
        threshold=one.threshold,
    )


def _rank(severity: str | None) -> int:
    return -1 if severity is None else SEVERITIES.index(Verdict(severity))


def judged_ms(windows: Sequence[FileWindow], pane_ms: int) -> int | None:
    """How much time the verdicts cover: each is on a pane more than the one before; None where there is no time.

    Args:
        windows: in their order.
        pane_ms: how far windows move on; where they are cut by rows, the first one stands for that.
    """
    if not windows or not windows[0].timed:
        return None
    first, last = windows[0], windows[-1]
    return last.end_at - first.end_at + (first.end_at - first.start_at if first.by_rows else pane_ms)
