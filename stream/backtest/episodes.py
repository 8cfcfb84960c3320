"""The alerts that a file would have raised: windows into episodes, by the service's own life cycle."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from detectors import Verdict
from stream.alerts.episode import SEVERITIES, Episode, Holds, name_of
from stream.alerts.lifecycle import Reading, step
from stream.backtest.alerts import AlertResult, WindowVerdict, verdicts
from stream.backtest.windows import JudgedWindow

MONTH_MS: Final = 30 * 86_400_000  # as `1 per 30d` means it


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message that tells people something worse than they knew: the first of an episode, or a higher severity."""

    window: JudgedWindow
    alert: AlertResult


@dataclass(slots=True, kw_only=True)
class FileEpisode:
    """One stretch of windows in which one check of one series would have fired."""

    check: str
    subject: str
    told: list[Told] = field(default_factory=list)  # never empty
    end_at: int | None = None  # end of the window that resolved it, as `JudgedWindow.end_at`; None: fires at the end

    @property
    def begin_at(self) -> int:
        """End of the window that began it: when it could be known."""
        return self.told[0].window.end_at

    @property
    def worst(self) -> AlertResult:
        """What the message of its highest severity says."""
        return self.told[-1].alert


def episodes_of(windows: Iterable[JudgedWindow], answer: str, holds: Holds) -> list[FileEpisode]:
    """The episodes of a file's windows, in the order in which they begin.

    Args:
        windows: in their order.
        answer: the name of the answer's series.
        holds: how long things must last, in the unit of the windows' ends: ms, or rows.
    """
    lives: dict[str, Episode] = {}
    by_life: dict[tuple[str, str], FileEpisode] = {}
    found: list[FileEpisode] = []
    for window in windows:
        for said in verdicts(window, answer):
            name = name_of(said.check, said.subject)
            reading = Reading(said.verdict, window.end_at, "")
            after = step(lives.pop(name, None), reading, holds, partial(str, window.end_at))
            if after is not None:
                lives[name] = after
                if after.is_firing and (name, after.id) not in by_life:
                    by_life[name, after.id] = FileEpisode(check=said.check, subject=said.subject)
                    found.append(by_life[name, after.id])
                _follow(by_life.get((name, after.id)), after, window, said)
    return found


def _follow(episode: FileEpisode | None, life: Episode, window: JudgedWindow, said: WindowVerdict) -> None:
    """Let an episode of the file be where its life is."""
    if episode is None:
        return
    if not life.is_firing:
        episode.end_at = life.ended_at_ms
        return
    episode.end_at = None
    if not episode.told or SEVERITIES.index(life.severity) > SEVERITIES.index(Verdict(episode.worst.severity)):
        assert said.alert is not None, "what fires or gets worse is a breach"
        # It may be milder than what was held before it fired; the message says the worse of the two.
        alert = msgspec.structs.replace(said.alert, severity=str(life.severity))
        episode.told.append(Told(window=window, alert=alert))


def judged_ms(windows: list[JudgedWindow], pane_ms: int) -> int | None:
    """How much time the verdicts cover: each is on a pane more than the one before; None where there is no time.

    Args:
        windows: in their order.
        pane_ms: how far windows move on; where they are cut by rows, the first one stands for that.
    """
    if not windows or not windows[0].timed:
        return None
    first, last = windows[0], windows[-1]
    return last.end_at - first.end_at + (first.end_at - first.start_at if first.by_rows else pane_ms)
