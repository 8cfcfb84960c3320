"""A file's rows through the service's own course: panes, windows, evaluations, and what they do to alerts.

What the sources are in the service is here the file. `Course` says which windows are judged and of which segments,
`evaluate_window` judges them, `move_alerts` lets the alerts live.

Promise: of each window it says what the service would say once every row before the window's end has arrived.
Cost: 0.7 s per million rows of ten series, as much again for each segment key; of ten series 1 to 2 ms a window and
half a millisecond for each segment in it; memory is the file's columns and two windows of panes.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors import Verdict
from stream.alerts.episode import Episode
from stream.backtest.performance import LabelWindows
from stream.baselines.definition import Definition
from stream.count.panes import PaneRows, Panes, pane_starts
from stream.evaluate.alert_moves import move_alerts
from stream.evaluate.course import Course
from stream.evaluate.course_progress import CourseProgress
from stream.evaluate.evaluator import Evaluation
from stream.evaluate.performance_evaluator import PerformanceEvaluation
from stream.evaluate.performance_report import performance_window
from stream.evaluate.report import Judged
from stream.evaluate.settings import ModelSettings
from stream.evaluate.sources import Sources, SourceState
from stream.evaluate.traffic_alerts import traffic_window
from stream.records.partial import NO_TIME, ActiveDefinition, PanePart
from stream.records.prediction import ModelColumns

ROWS_AT_ONCE = 1 << 17  # counted by one pass; 12 MB of bin numbers for ten series
SOURCE: Final = "file"
FILE_ENDS: Final = "the file ends"

Times = npt.NDArray[np.int64]
Messages = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRows:
    """Rows in the order in which windows pass over them."""

    columns: ModelColumns
    times: Times  # shape (rows,), ascending: event time in ms, or the row number
    first_end: int  # of the first window
    last_end: int  # of the last window
    full_to: int  # a window that ends later is partial


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPart:
    """The whole traffic of one window, or a segment of it."""

    segment: str  # "" for the whole
    evaluation: Evaluation
    performance: PerformanceEvaluation | None  # of the labels that came in it; None: nobody asked for labels
    messages: Messages  # of the alerts that it moves, as the service would publish them


@dataclass(kw_only=True)
class FileCourse:
    """The course of one file by one set of rules."""

    definition: Definition
    settings: ModelSettings
    rows: FileRows
    labels: Mapping[str, LabelWindows]  # by segment; none: nobody asked for labels
    learns: bool  # evidence that the baseline lacks, of the file's windows, as the service does
    _course: Course = field(init=False)
    _label_episodes: dict[str, dict[str, Episode]] = field(init=False, default_factory=dict)  # by segment

    def __post_init__(self) -> None:
        baseline, rows = self.definition.baseline, self.rows
        heard = SourceState(0, next_offset=len(rows.times), newest_event_ms=rows.full_to, idle=False, lost=0)
        progress = CourseProgress.at_start(baseline.key)
        self._course = Course(progress, lambda _model: self.settings, Sources({SOURCE: heard}, expected=1))
        whole_file = ActiveDefinition(baseline.id, self.definition.settings, from_ms=NO_TIME, until_ms=rows.full_to)
        self._course.enter(self.definition, whole_file, 0)
        self._course.note_spans(SOURCE, {self.definition.id: whole_file})

    def windows(self) -> Iterator[list[JudgedPart]]:
        """Of each window the whole traffic, then the segments that have rows or labels in it."""
        candidate = self._course.candidates[self.definition.id]
        end = self.rows.first_end
        for parts, watermark in self._closed_panes():
            for part in parts:
                panes = candidate.panes_of(part.segment)
                panes.add(SOURCE, part, provisional=False, next_offset=part.next_offset)
            while end <= min(watermark, self.rows.last_end):
                yield self._judged(end)
                end += self.definition.settings.pane_ms

    def _judged(self, end: int) -> list[JudgedPart]:
        course = self._course
        # In a stretch without rows the service judges one window, which says so; the others are shown here, too.
        due = end in list(course.due(end))
        if due and self.learns:
            course.learn(end, end)
        segments = course.segments_due(end) if due else []
        labelled = [name for name, one in self.labels.items() if name and one.any_between(end - self._window, end)]
        parts = [self._part("", end, due=due), *(self._part(name, end, due=True) for name in segments)]
        parts += [self._part(name, end, due=False) for name in labelled if name not in segments]
        course.forget()
        return parts

    @property
    def _window(self) -> int:
        return self.settings.window_ms

    def _part(self, segment: str, end: int, *, due: bool) -> JudgedPart:
        course = self._course
        evaluation, messages = self._evaluated(end, segment), []
        if due:
            panes = course.candidates[self.definition.id].panes_of(segment)
            window = traffic_window(Judged(evaluation, self.definition, segment), panes.spans)
            messages = move_alerts(window, course.episodes_of(segment), self.settings.alerts)
        performance = self._performance(segment, evaluation)
        if performance is not None and evaluation.complete:  # a shorter window is not what the rules are made for
            judged = self.labels[segment].judged(performance)
            episodes = self._label_episodes.setdefault(segment, {})
            messages += move_alerts(performance_window(judged), episodes, self.settings.alerts)
        return JudgedPart(segment=segment, evaluation=evaluation, performance=performance, messages=messages)

    def _evaluated(self, end: int, segment: str) -> Evaluation:
        """As the service evaluates; but of a window that the file ends in nobody knows how many rows were to come."""
        found = self._course.evaluate(end, segment)
        if found.throughput is None or end <= int(self.rows.times[-1]) + 1:
            return found
        return replace(found, throughput=replace(found.throughput, verdict=Verdict.UNDEFINED, reason=FILE_ENDS))

    def _performance(self, segment: str, of: Evaluation) -> PerformanceEvaluation | None:
        labels = self.labels.get(segment)
        return None if labels is None else labels.evaluate(of.start_ms, of.end_ms, complete=of.complete)

    def _closed_panes(self) -> Iterator[tuple[list[PanePart], int]]:
        """The panes that close with each block of rows, and the watermark that closed them."""
        panes, pane_ms = Panes(), self.definition.settings.pane_ms
        starts = pane_starts(self.rows.times, pane_ms=pane_ms)
        for begin in range(0, len(starts), ROWS_AT_ONCE):
            block = slice(begin, min(begin + ROWS_AT_ONCE, len(starts)))
            self._count(panes, block, starts[block])
            at_end = block.stop == len(starts)
            watermark = self.rows.last_end if at_end else int(starts[block.stop])
            yield panes.close({self.definition.id: watermark - pane_ms}), watermark

    def _count(self, panes: Panes, block: slice, starts: Times) -> None:
        definition, layout = self.definition, self.definition.layout
        columns = rows_of(self.rows.columns, block)
        rows = PaneRows(
            starts,
            layout.flat_bins(columns),
            np.arange(block.start, block.stop, dtype=np.int64),
            newest_ms=self.rows.times[block],
        )
        self._into_panes(panes, "", rows)
        for segment, at in definition.segmentation.parts(columns, np.ones(len(starts), np.bool_)):
            self._into_panes(panes, segment, rows.take(at))

    def _into_panes(self, panes: Panes, segment: str, rows: PaneRows) -> None:
        # One call a pane: the rows are sorted, so that each pane is one slice of them.
        cuts = [0, *(np.flatnonzero(np.diff(rows.starts_ms)) + 1).tolist(), len(rows.starts_ms)]
        for begin, end in itertools.pairwise(cuts):
            one = PaneRows(*(column[begin:end] for column in rows))
            panes.count(self.definition.id, segment, one, width=self.definition.layout.width)


def rows_of(columns: ModelColumns, which: slice | Times) -> ModelColumns:
    """Some of the rows."""
    return ModelColumns(
        row=columns.row[which],
        numeric=columns.numeric[which],
        categorical=columns.categorical[which],
        latency_ms=columns.latency_ms[which] if columns.latency_ms.size else columns.latency_ms,
        segments=columns.segments[which] if columns.segments.size else columns.segments,
        status=columns.status[which] if columns.status.size else columns.status,
    )
