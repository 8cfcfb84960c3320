"""The windows of a file, by rows or by time, in order: how the file is cut, and what was judged."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream.backtest.course import FileCourse, FileRows, JudgedPart, rows_of
from stream.backtest.inputs import BacktestInput
from stream.backtest.performance import LabelWindows, Moments, came_by_row, came_by_time
from stream.backtest.rule_sets import Hop, RuleSet
from stream.baselines.definition import Definition
from stream.baselines.segmentation import Segmentation
from stream.config.durations import format_duration
from stream.count.panes import pane_starts
from stream.errors import InputError
from stream.evaluate.settings import ModelSettings
from stream.records.prediction import ModelColumns
from stream.records.times import rfc3339

MAX_WINDOWS = 1_000_000

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWindow:
    """One window of the file, [start, end)."""

    start_at: int  # event time in ms, or a row number where the file has no times
    end_at: int
    timed: bool  # the two are times
    by_rows: bool  # the window is so many rows, whatever time they span
    partial: bool  # the rest of the file: shorter than a window, so it never alerts

    @property
    def start(self) -> str | int:
        """As people read it: RFC 3339, or the row number."""
        return moment(self.start_at, timed=self.timed)

    @property
    def end(self) -> str | int:
        """As people read it: RFC 3339, or the row number."""
        return moment(self.end_at, timed=self.timed)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWindow:
    """What was found in one window."""

    at: FileWindow
    parts: list[JudgedPart]  # the whole traffic, then the segments that have rows or labels in it


def moment(at: int, *, timed: bool) -> str | int:
    """A time of the file as people read it; a row number as it is."""
    return rfc3339(at) if timed else at


def judge_windows(given: BacktestInput, rules: RuleSet) -> Iterator[JudgedWindow]:
    """Judge every window of the file, in order.

    By rows: windows of `rules.hop.window` rows in the file's order; a shorter rest is the last one.
    By time: rows are sorted; the first window is the first full one, and each next one begins a
    pane later, also where no row lies.

    Raises:
        InputError: by time, but the file has no times, spans no whole window, or far too many.
    """
    cut = replace(given, columns=_with_segments(given, rules))
    yield from _by_rows(cut, rules) if rules.hop.by_rows else _by_time(cut, rules)


def _with_segments(given: BacktestInput, rules: RuleSet) -> ModelColumns:
    """The columns, with the segment keys that are no features."""
    keys = Segmentation.of(given.baseline, rules.segments).keys
    fields = [given.segments[key.name].recoded(key.values) for key in keys if key.feature is None]
    return replace(given.columns, segments=np.column_stack(fields)) if fields else given.columns


def _by_rows(given: BacktestInput, rules: RuleSet) -> Iterator[JudgedWindow]:
    hop, rows = rules.hop, given.rows
    whole_panes = -(-rows // hop.pane) * hop.pane
    settings = _for_the_whole_file(rules.settings, windows=whole_panes // hop.pane)
    course = _course(
        given,
        replace(rules, settings=settings),
        FileRows(
            columns=given.columns,
            times=np.arange(rows, dtype=np.int64),
            first_end=hop.window,
            last_end=max(whole_panes, hop.window),
            full_to=rows,
        ),
    )
    for parts in course.windows():
        evaluation = parts[0].evaluation
        first, end = evaluation.start_ms, min(evaluation.end_ms, rows)
        start_at, end_at = first, end
        if given.time_ms is not None:
            times = given.time_ms[first:end]
            start_at, end_at = int(times.min()), int(times.max()) + 1
        yield JudgedWindow(
            at=FileWindow(
                start_at=start_at,
                end_at=end_at,
                timed=given.time_ms is not None,
                by_rows=True,
                partial=not evaluation.complete,
            ),
            parts=parts,
        )


def _for_the_whole_file(settings: ModelSettings, *, windows: int) -> ModelSettings:
    """Rows have no rate, so what the budget allows in its period is what the whole file may have."""
    return replace(settings, interval_ms=max(1, settings.budget.budget.period_ms // max(windows, 1)))


def _by_time(given: BacktestInput, rules: RuleSet) -> Iterator[JudgedWindow]:
    hop = rules.hop
    if given.time_ms is None:
        raise InputError("--window needs event times: name their column with --time, or use --chunk-rows N")
    order = np.argsort(given.time_ms, kind="stable")
    times = given.time_ms[order]
    first_pane, last_pane = pane_starts(times[[0, -1]], pane_ms=hop.pane).tolist()
    last_end = last_pane + hop.pane
    _check_span(last_end - first_pane, hop)
    course = _course(
        given,
        rules,
        FileRows(
            columns=rows_of(given.columns, order),
            times=times,
            first_end=first_pane + hop.window,
            last_end=last_end,
            full_to=last_end,
        ),
    )
    for parts in course.windows():
        start_at, end_at = parts[0].evaluation.start_ms, parts[0].evaluation.end_ms
        at = FileWindow(start_at=start_at, end_at=end_at, timed=True, by_rows=False, partial=False)
        yield JudgedWindow(at=at, parts=parts)


def _course(given: BacktestInput, rules: RuleSet, rows: FileRows) -> FileCourse:
    return FileCourse(
        definition=Definition(given.baseline, rules.counting),
        settings=rules.settings,
        rows=rows,
        labels=_label_windows(given, rules),
        learns=not rules.hop.by_rows,
    )


def _label_windows(given: BacktestInput, rules: RuleSet) -> dict[str, LabelWindows]:
    """By segment, of the whole traffic under `""`; none where nobody asked for labels."""
    if given.labels is None:
        return {}
    if rules.hop.by_rows:
        moments = Moments(np.arange(given.rows, dtype=np.int64), came_by_row(given, given.labels))
    else:
        assert given.time_ms is not None, "refused before"
        moments = Moments(given.time_ms, came_by_time(given.time_ms, given.labels))
    found = {"": LabelWindows(given, rules, moments)}
    segmentation = Segmentation.of(given.baseline, rules.segments)
    for key in segmentation.keys if segmentation.keeps_labels_apart else ():
        codes = key.codes(given.columns)
        for code, segment in enumerate(key.segments):
            found[segment] = LabelWindows(given, rules, moments, segment, np.flatnonzero(codes == code))
    return found


def _check_span(spans_ms: int, hop: Hop) -> None:
    if spans_ms < hop.window:
        raise InputError(
            f"no window is full: the file's panes span {format_duration(spans_ms)}, --window is "
            f"{format_duration(hop.window)}; use a shorter one"
        )
    if spans_ms // hop.pane > MAX_WINDOWS:
        panes = spans_ms // hop.pane
        raise InputError(f"the file spans {panes} panes of {format_duration(hop.pane)}; use a longer --pane")
