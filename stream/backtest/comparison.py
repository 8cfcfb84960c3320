"""Old rules beside new ones, and what each made of the marked incidents: tables of words, for text and for the page."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from stream.backtest.alerts import within
from stream.backtest.result import BacktestResult, EpisodeResult, WindowResult
from stream.backtest.score import IncidentResult, ScoreResult
from stream.records.times import duration_words

Table = list[list[str]]  # the first row is the head
NONE: Final = "-"
MOST_NAMED: Final = 3  # series in one cell


def both(result: BacktestResult) -> list[BacktestResult]:
    """The old rules' result, if there is one, and the new rules'."""
    return [result] if result.compared_with is None else [result.compared_with, result]


def episode_table(result: BacktestResult, words: Callable[[EpisodeResult], str]) -> Table:
    """Every episode by one set of rules; `words` says what it is about."""
    head = ["begins", "ends", "alert", "severity", "value", "limit"]
    rows = [
        [str(e.start), NONE if e.end is None else str(e.end), words(e), e.severity, f"{e.value:.3g}", _limit(e)]
        for e in result.episodes
    ]
    if result.incidents is None:
        return [head, *rows]
    said = ["false" if not e.incidents else ", ".join(e.incidents) for e in result.episodes]
    return [[*head, "incident"], *([*row, name] for row, name in zip(rows, said, strict=True))]


def incident_table(results: Sequence[BacktestResult]) -> Table:
    """Every incident, and what became of it by each set of rules; no row if none were marked."""
    scores = [r.incidents for r in results if r.incidents is not None]
    if not scores:
        return []
    head = ["incident", "start", "end", *(r.rules.name for r in results)]
    rows = zip(*(s.incidents for s in scores), strict=True)
    return [head, *([row[0].name, str(row[0].start), str(row[0].end), *map(_outcome, row)] for row in rows)]


def summary_table(results: Sequence[BacktestResult]) -> Table:
    """The counts of each set of rules, one column a set."""
    head = ["", *(r.rules.name for r in results)]
    lines = [
        ["rule", *(_rule(r) for r in results)],
        ["windows", *(_windows(r) for r in results)],
        ["windows in alert", *(str(in_alert(r)) for r in results)],
        ["episodes", *(str(len(r.episodes)) for r in results)],
        ["episodes a month", *(_number(r.episodes_per_month) for r in results)],
    ]
    scores = [r.incidents for r in results if r.incidents is not None]
    if scores:
        lines += [[name, *(read(s) for s in scores)] for name, read in _scored(scores)]
    return [head, *lines]


def segment_table(result: BacktestResult) -> Table:
    """What became of each segment; no row without segments."""
    windows: dict[str, list[WindowResult]] = {}
    for one in (part for window in result.windows for part in window.segments):
        windows.setdefault(one.segment, []).append(one)
    if not windows:
        return []
    head = ["segment", "windows with rows", "median rows", "highest PSI", "windows in alert", "episodes"]
    return [head, *(_of_segment(result, segment, parts) for segment, parts in sorted(windows.items()))]


def _of_segment(result: BacktestResult, segment: str, parts: Sequence[WindowResult]) -> list[str]:
    rows = [part.n for part in parts if part.n]
    highest = max((v for part in parts for v in part.psi.values() if v is not None), default=None)
    return [
        segment,
        str(len(rows)),
        f"{statistics.median(rows):.0f}" if rows else NONE,
        NONE if highest is None else f"{highest:.3f}",
        str(sum(bool(part.alerts) for part in parts)),
        str(sum(episode.segment == segment for episode in result.episodes)),
    ]


def in_alert(result: BacktestResult) -> int:
    """How many windows have an alert, of the whole traffic or of a segment."""
    return sum(bool(window.every_alert()) for window in result.windows)


def _scored(scores: Sequence[ScoreResult]) -> Iterator[tuple[str, Callable[[ScoreResult], str]]]:
    yield "incidents found", lambda s: f"{s.found} of {s.found + s.missed}"
    yield "incidents missed", lambda s: str(s.missed)
    if any(s.outside for s in scores):
        yield "incidents outside the file", lambda s: str(s.outside)
    yield "median delay", lambda s: NONE if s.median_delay is None else _delay(s.median_delay, s.incidents)
    yield "longest delay", lambda s: NONE if s.longest_delay is None else _delay(s.longest_delay, s.incidents)
    yield "false episodes", lambda s: str(s.false_episodes)


def _outcome(incident: IncidentResult) -> str:
    if incident.by is not None and incident.delay is not None:
        others = f" and {len(incident.subjects) - 1} more" if len(incident.subjects) > 1 else ""
        by = within(incident.by.subject, incident.by.segment)
        return f"found after {_delay(incident.delay, [incident])} by {by}{others}"
    if incident.outcome == "missed" and incident.already_firing:
        return f"missed: {_listed(incident.already_firing)} fired already"
    return incident.outcome


def _listed(names: Sequence[str]) -> str:
    """Names in a cell of a table.

    >>> _listed(["a", "b"]), _listed(["a", "b", "c", "d"])
    ('a, b', 'a, b and 2 more')
    """
    shown = names if len(names) <= MOST_NAMED else [*names[: MOST_NAMED - 1]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _delay(delay: float, incidents: Sequence[IncidentResult]) -> str:
    """In the unit of the incidents' start: rows, or a duration."""
    return f"{delay:g} rows" if isinstance(incidents[0].start, int) else duration_words(round(delay * 1000))


def _limit(episode: EpisodeResult) -> str:
    return NONE if episode.threshold is None else f"{episode.threshold:.3g}"


def _rule(result: BacktestResult) -> str:
    rules = result.rules
    return ", ".join(part for part in (rules.rule, rules.false_alarms, rules.season) if part)


def _windows(result: BacktestResult) -> str:
    rules = result.rules
    if isinstance(rules.window, int):
        return f"{len(result.windows)} of {rules.window} rows"
    return f"{len(result.windows)} of {rules.window}, every {rules.pane}"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2g}" if value < 10 else f"{value:.0f}"
