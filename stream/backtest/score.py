"""Alerts that a file would have raised against incidents that people marked: found, missed, how late, and false.

What counts, in the words of the tables:

* An incident is *found* by the first message that its window is to blame for: an episode that begins, or rises to a
  higher severity, or, where many series are one alert, gets one more of them, with a window that has a moment of the
  incident. The *delay* is from the incident's start to the end of that window: when it could be known.
* An episode is *false* if the window that began it has no moment of any incident. A rule that is in alarm all the
  time has one false episode and finds nothing: nobody is told anything new.
* Incidents that name a check, a subject or a segment count only with alerts of these.
* Incidents that no window touches are *outside*: neither found nor missed.
"""

import statistics
from collections.abc import Sequence

import msgspec

from stream.backtest.alerts import AlertResult
from stream.backtest.episodes import FileEpisode, Told
from stream.backtest.incidents import Incident
from stream.backtest.windows import FileWindow, moment


class Foretold(msgspec.Struct, frozen=True, kw_only=True):
    """The alert that found an incident."""

    at: str | int  # end of its window
    check: str
    subject: str
    segment: str  # "" for the whole traffic
    severity: str


class IncidentResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one incident."""

    name: str
    start: str | int  # RFC 3339, or a row number where the file has no times
    end: str | int
    outcome: str  # "found" | "missed" | "outside"
    delay: float | None  # seconds, or rows where the file has no times; None: not found
    by: Foretold | None  # the first alert that found it
    subjects: tuple[str, ...]  # all that alerted for it
    already_firing: tuple[str, ...]  # subjects whose alert had begun before it
    windows: tuple[int, int] | None  # indices of the first and the last window that touch it


class ScoreResult(msgspec.Struct, frozen=True, kw_only=True):
    """All incidents, and what else alerted."""

    found: int
    missed: int
    outside: int
    false_episodes: int
    median_delay: float | None  # of those found; seconds, or rows where the file has no times
    longest_delay: float | None
    incidents: tuple[IncidentResult, ...]


def score(incidents: Sequence[Incident], windows: Sequence[FileWindow], episodes: Sequence[FileEpisode]) -> ScoreResult:
    """Compare what was marked with what would have been said."""
    results = tuple(_result(incident, windows, episodes) for incident in incidents)
    delays = [r.delay for r in results if r.delay is not None]
    outcomes = [r.outcome for r in results]
    return ScoreResult(
        found=outcomes.count("found"),
        missed=outcomes.count("missed"),
        outside=outcomes.count("outside"),
        false_episodes=sum(not blamed_on(episode, incidents) for episode in episodes),
        median_delay=statistics.median(delays) if delays else None,
        longest_delay=max(delays, default=None),
        incidents=results,
    )


def blamed_on(episode: FileEpisode, incidents: Sequence[Incident]) -> list[str]:
    """The names of the incidents that the window which began the episode has a moment of; none: it is false."""
    began = [told for told in episode.told if told.window is episode.told[0].window]
    return [i.name for i in incidents if any(_is_for(told, i) for told in began)]


def _is_for(told: Told, incident: Incident) -> bool:
    return incident.touches(told.window) and incident.concerns(told.alert)


def _result(incident: Incident, windows: Sequence[FileWindow], episodes: Sequence[FileEpisode]) -> IncidentResult:
    touched = [i for i, window in enumerate(windows) if incident.touches(window)]
    hits = sorted(
        (told for e in episodes for told in e.told if _is_for(told, incident)), key=lambda told: told.window.end_at
    )
    rings = (told.alert for e in episodes for told in e.told if _rings_already(told, incident))
    timed = bool(windows) and windows[0].timed
    first = hits[0] if hits else None
    return IncidentResult(
        name=incident.name,
        start=moment(incident.start_at, timed=timed),
        end=moment(incident.end_at, timed=timed),
        outcome="found" if first else "missed" if touched else "outside",
        delay=None if first is None else _delay(incident, first),
        by=None if first is None else _foretold(first.window, first.alert),
        subjects=tuple(dict.fromkeys(told.alert.about for told in hits)),
        already_firing=tuple(dict.fromkeys(alert.about for alert in rings if incident.concerns(alert))),
        windows=(touched[0], touched[-1]) if touched else None,
    )


def _delay(incident: Incident, first: Told) -> float:
    passed = first.window.end_at - incident.start_at
    return passed / 1000 if first.window.timed else float(passed)


def _foretold(window: FileWindow, alert: AlertResult) -> Foretold:
    return Foretold(
        at=window.end, check=alert.check, subject=alert.subject, segment=alert.segment, severity=alert.severity
    )


def _rings_already(told: Told, incident: Incident) -> bool:
    """Whether people knew of it before the incident began, and it still fires then."""
    known_before = not incident.touches(told.window) and told.window.end_at <= incident.start_at
    return known_before and (told.over_at is None or told.over_at > incident.start_at)
