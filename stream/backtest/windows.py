"""Rows into panes, panes into windows, windows into evaluations: the service's own, over a file.

Promise: `evaluate_window` sees for each window what it would see in the service once every row
before the window's end has arrived.
Cost: 0.7 s per million rows of ten series and 0.2 to 0.5 ms a window; memory is the file's columns
and one window of panes.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream.backtest.inputs import BacktestInput
from stream.backtest.performance import LabelWindows, came_by_row, came_by_time
from stream.backtest.rule_sets import Hop, RuleSet
from stream.baselines.definition import Definition
from stream.config.durations import format_duration
from stream.count.panes import PaneRows, Panes, pane_starts
from stream.errors import InputError
from stream.evaluate.candidate import Candidate, RunningSum
from stream.evaluate.evaluator import Evaluation, evaluate_window
from stream.evaluate.performance_evaluator import PerformanceEvaluation
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import yardstick_of
from stream.records.partial import PanePart
from stream.records.prediction import ModelColumns
from stream.records.settings import CountingSettings
from stream.records.times import rfc3339

ROWS_AT_ONCE = 1 << 17  # counted by one pass; 12 MB of bin numbers for ten series
MAX_WINDOWS = 1_000_000
SOURCE = "file"

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWindow:
    """One window of the file, [start, end)."""

    evaluation: Evaluation
    start_at: int  # event time in ms, or a row number where the file has no times
    end_at: int
    timed: bool  # the two are times
    by_rows: bool  # the window is so many rows, whatever time they span
    partial: bool  # the rest of the file: shorter than a window, so it never alerts
    performance: PerformanceEvaluation | None  # of the labels that came in it; None: nobody asked for labels

    @property
    def start(self) -> str | int:
        """As people read it: RFC 3339, or the row number."""
        return moment(self.start_at, timed=self.timed)

    @property
    def end(self) -> str | int:
        """As people read it: RFC 3339, or the row number."""
        return moment(self.end_at, timed=self.timed)


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
    yield from _by_rows(given, rules) if rules.hop.by_rows else _by_time(given, rules)


def _by_rows(given: BacktestInput, rules: RuleSet) -> Iterator[JudgedWindow]:
    hop, rows = rules.hop, given.rows
    whole_panes = -(-rows // hop.pane) * hop.pane
    settings = _for_the_whole_file(rules.settings, windows=whole_panes // hop.pane)
    course = _FileCourse(
        definition=_definition(given, rules),
        columns=given.columns,
        times=np.arange(rows, dtype=np.int64),
        first_end=hop.window,
        last_end=max(whole_panes, hop.window),
        full_to=rows,
    )
    labels = _label_windows(given, replace(rules, settings=settings))
    for evaluation in course.evaluations(settings):
        first, end = evaluation.start_ms, min(evaluation.end_ms, rows)
        start_at, end_at = first, end
        if given.time_ms is not None:
            times = given.time_ms[first:end]
            start_at, end_at = int(times.min()), int(times.max()) + 1
        yield JudgedWindow(
            evaluation=evaluation,
            start_at=start_at,
            end_at=end_at,
            timed=given.time_ms is not None,
            by_rows=True,
            partial=not evaluation.complete,
            performance=_performance(labels, evaluation),
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
    course = _FileCourse(
        definition=_definition(given, rules),
        columns=_rows(given.columns, order),
        times=times,
        first_end=first_pane + hop.window,
        last_end=last_end,
        full_to=last_end,
    )
    labels = _label_windows(given, rules)
    for evaluation in course.evaluations(rules.settings):
        yield JudgedWindow(
            evaluation=evaluation,
            start_at=evaluation.start_ms,
            end_at=evaluation.end_ms,
            timed=True,
            by_rows=False,
            partial=False,
            performance=_performance(labels, evaluation),
        )


def _label_windows(given: BacktestInput, rules: RuleSet) -> LabelWindows | None:
    if given.labels is None:
        return None
    if rules.hop.by_rows:
        made, came = np.arange(given.rows, dtype=np.int64), came_by_row(given, given.labels)
    else:
        assert given.time_ms is not None, "refused before"
        made, came = given.time_ms, came_by_time(given.time_ms, given.labels)
    return LabelWindows(given, given.labels, rules.settings, _counting(rules), made=made, came=came)


def _performance(labels: LabelWindows | None, window: Evaluation) -> PerformanceEvaluation | None:
    return None if labels is None else labels.evaluate(window.start_ms, window.end_ms, complete=window.complete)


def _check_span(spans_ms: int, hop: Hop) -> None:
    if spans_ms < hop.window:
        raise InputError(
            f"no window is full: the file's panes span {format_duration(spans_ms)}, --window is "
            f"{format_duration(hop.window)}; use a shorter one"
        )
    if spans_ms // hop.pane > MAX_WINDOWS:
        panes = spans_ms // hop.pane
        raise InputError(f"the file spans {panes} panes of {format_duration(hop.pane)}; use a longer --pane")


@dataclass(frozen=True, slots=True, kw_only=True)
class _FileCourse:
    """The course of a file's rows, sorted by `times`."""

    definition: Definition
    columns: ModelColumns
    times: Times  # shape (rows,), ascending: event time in ms, or the row number
    first_end: int  # of the first window
    last_end: int  # of the last window
    full_to: int  # a window that ends later is partial

    def evaluations(self, settings: ModelSettings) -> Iterator[Evaluation]:
        """One evaluation per window."""
        candidate, total = Candidate(self.definition), RunningSum()
        yardstick = yardstick_of(self.definition, settings, settings.window_ms)
        end = self.first_end
        for parts, watermark in self._closed_panes():
            for part in parts:
                candidate.panes.add(SOURCE, part, provisional=False, next_offset=part.next_offset)
            while end <= min(watermark, self.last_end):
                start = end - settings.window_ms
                yield evaluate_window(
                    yardstick,
                    total.of(candidate, start, end),
                    hours=yardstick.hours(total.rows_by_pane),
                    start_ms=start,
                    end_ms=end,
                    complete=end <= self.full_to,
                )
                candidate.panes.forget_before(start)
                end += self.definition.settings.pane_ms

    def _closed_panes(self) -> Iterator[tuple[list[PanePart], int]]:
        """The panes that close with each block of rows, and the watermark that closed them."""
        panes, pane_ms = Panes(), self.definition.settings.pane_ms
        starts = pane_starts(self.times, pane_ms=pane_ms)
        for begin in range(0, len(starts), ROWS_AT_ONCE):
            block = slice(begin, min(begin + ROWS_AT_ONCE, len(starts)))
            self._count(panes, block, starts[block])
            at_end = block.stop == len(starts)
            watermark = self.last_end if at_end else int(starts[block.stop])
            yield panes.close({self.definition.id: watermark - pane_ms}), watermark

    def _count(self, panes: Panes, block: slice, starts: Times) -> None:
        layout = self.definition.layout
        flat_bins = layout.flat_bins(_rows(self.columns, block))
        offsets = np.arange(block.start, block.stop, dtype=np.int64)
        # One call a pane: the rows are sorted, so that each pane is one slice of the block.
        cuts = [0, *(np.flatnonzero(np.diff(starts)) + 1).tolist(), len(starts)]
        for begin, end in itertools.pairwise(cuts):
            one = slice(begin, end)
            rows = PaneRows(starts[one], flat_bins[one], offsets[one], newest_ms=self.times[block][one])
            panes.count(self.definition.id, "", rows, width=layout.width)


def _definition(given: BacktestInput, rules: RuleSet) -> Definition:
    return Definition(given.baseline, _counting(rules))


def _counting(rules: RuleSet) -> CountingSettings:
    return CountingSettings(
        pane_ms=rules.hop.pane, allowed_lateness_ms=0, max_clock_skew_ms=0, latency_sla_ms=rules.latency_sla_ms
    )


def _rows(columns: ModelColumns, which: slice | Times) -> ModelColumns:
    return ModelColumns(
        row=columns.row[which],
        numeric=columns.numeric[which],
        categorical=columns.categorical[which],
        latency_ms=columns.latency_ms[which] if columns.latency_ms.size else columns.latency_ms,
    )
