"""Labels of a file, window by window: the service's own counters and evaluator, without a join.

In a file a label lies beside its prediction, so nothing waits: `labels.ttl` and its like do not apply.

Promise: `evaluate_performance` sees for each window what it would see in the service at the window's end.
Cost: about 0.6 ms a window and 0.3 us a label; windows that overlap do not count their labels again.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.backtest.inputs import BacktestInput
from stream.backtest.labels import NEVER, FileLabels
from stream.baselines.performance import performance_definition
from stream.errors import InputError
from stream.evaluate.label_coverage import LabelCoverage
from stream.evaluate.performance_evaluator import (
    PerformanceEvaluation,
    Span,
    evaluate_performance,
    performance_baseline,
)
from stream.evaluate.performance_report import JudgedPerformance
from stream.evaluate.settings import ModelSettings
from stream.join.registers import Pairs, pair_counters
from stream.records.performance import Counts, Sections
from stream.records.settings import CountingSettings, OutcomeSettings

Times = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]  # numbers of rows

NO_WAITING: Final = OutcomeSettings(
    ttl_ms=0, early_ms=0, revision_ms=0, cohort_ms=1, sample=1.0, dedupe=False, max_waiting=1
)


class LabelWindows:
    """The labels of a file over windows that move on."""

    def __init__(
        self,
        given: BacktestInput,
        labels: FileLabels,
        settings: ModelSettings,
        counting: CountingSettings,
        *,
        made: Times,
        came: Times,
    ) -> None:
        """Prepare the rows.

        Args:
            given: both files.
            labels: of the judged one.
            settings: the window and the rules.
            counting: the panes.
            made: shape (rows,): when each prediction was made, in what windows are cut by (ms, or rows).
            came: shape (rows,): when its label came, never before `made`; NEVER: it has none.
        """
        definition = performance_definition(given.baseline, counting, settings.window_ms, NO_WAITING, 1)
        assert definition is not None, "labels are refused for a model without answers"
        self._given, self._labels, self._made = given, labels, made
        self._definition, self._sections = definition, Sections.of(definition)
        self._baseline = performance_baseline(given.baseline, definition)
        self._rules = settings.performance_at(given.baseline, counting.pane_ms)
        usable = np.flatnonzero(np.isfinite(given.answers))  # an answer that is none waits for no label
        labelled = usable[came[usable] != NEVER]
        self._predictions = np.sort(made[usable])
        self._pairs = _Sliding(labelled, came[labelled], self._count_pairs)

    def evaluate(self, start: int, end: int, *, complete: bool) -> PerformanceEvaluation:
        """Work out the labels that came in [start, end), no earlier than those of the call before.

        Coverage is that of the predictions made in it: the share whose label had come by its end.
        """
        counts = self._pairs.sum(start, end)
        first, last = np.searchsorted(self._predictions, [start, end]).tolist()
        made_in_it = int((self._made[self._pairs.rows] >= start).sum())
        return evaluate_performance(
            self._definition,
            counts,
            self._baseline,
            self._rules,
            span=Span(start, end, complete=complete),
            coverage=LabelCoverage(predictions=last - first, labelled=made_in_it, bands=(), cohorts=()),
        )

    def any_between(self, start: int, end: int) -> bool:
        """Whether a label came in [start, end)."""
        return self._pairs.any_between(start, end)

    def judged(self, evaluation: PerformanceEvaluation) -> JudgedPerformance:
        """With what it was judged by; a file has no offsets to cite."""
        return JudgedPerformance(evaluation, self._definition, self._baseline, {})

    def _count_pairs(self, rows: Rows) -> Counts:
        total = np.zeros(self._sections.width, np.int64)
        if rows.size:
            columns, weights = pair_counters(self._pairs_of(rows), self._definition, self._sections)
            np.add.at(total, columns, weights)
        return total

    def _pairs_of(self, rows: Rows) -> Pairs:
        """The rows as the service would join them: times in whole seconds, numbers as float32."""
        time_ms, came_ms = self._given.time_ms, self._labels.came_ms
        time_s = np.zeros(len(rows), np.int64) if time_ms is None else time_ms[rows] // 1000
        with np.errstate(over="ignore"):  # what float32 does not hold is infinite, and clipped when it is summed
            estimate = self._given.answers[rows].astype(np.float32).view(np.uint32)
        return Pairs(
            number=np.zeros(len(rows), np.int64),
            time_s=time_s,
            label_time_s=time_s if came_ms is None else came_ms[rows] // 1000,
            payload=self._bins(rows),
            estimate=estimate,
            value=self._labels.value[rows].astype(np.float32),
        )

    def _bins(self, rows: Rows) -> npt.NDArray[np.int64]:
        """The grid bin of each row's score; 0 for a regression."""
        grid = self._given.baseline.grid
        return np.zeros(len(rows), np.int64) if grid is None else grid.index(self._given.answers[rows])


class _Sliding:
    """The sum of rows' counters over a window [start, end) that only moves on."""

    def __init__(self, rows: Rows, at: Times, count: Callable[[Rows], Counts]) -> None:
        order = np.argsort(at, kind="stable")
        self._rows, self._at, self._count = rows[order], at[order], count
        self._first = self._last = 0  # of the rows inside
        self._total = count(rows[:0])

    @property
    def rows(self) -> Rows:
        """The rows inside."""
        return self._rows[self._first : self._last]

    def any_between(self, start: int, end: int) -> bool:
        """Whether a row lies in [start, end)."""
        first, last = np.searchsorted(self._at, [start, end]).tolist()
        return bool(last > first)

    def sum(self, start: int, end: int) -> Counts:
        """The counters, shape (width,), of the rows in [start, end)."""
        first, last = np.searchsorted(self._at, [start, end]).tolist()
        if first >= self._last:
            self._total = self._count(self._rows[first:last])
        else:
            new, old = self._rows[self._last : last], self._rows[self._first : first]
            self._total = self._total + self._count(new) - self._count(old)
        self._first, self._last = first, last
        return self._total


def came_by_row(given: BacktestInput, labels: FileLabels) -> Times:
    """The row with which each label came, shape (rows,); NEVER without a label.

    With its own row; or, where labels have times, with the first row by which its time had passed, but not
    before its own. One that comes later than every row never counts.

    Raises:
        InputError: labels have times, but rows have none.
    """
    own = np.where(np.isnan(labels.value), NEVER, np.arange(given.rows))
    if labels.came_ms is None:
        return own
    if given.time_ms is None:
        raise InputError("--label-time needs the event times of the rows, too: name their column with --time")
    clock = np.maximum.accumulate(given.time_ms)
    row = np.searchsorted(clock, labels.came_ms, side="left")
    return np.where((own == NEVER) | (row >= given.rows), NEVER, np.maximum(own, row))


def came_by_time(time_ms: Times, labels: FileLabels) -> Times:
    """When each label came, shape (rows,), never before its prediction; NEVER without a label."""
    came = time_ms if labels.came_ms is None else np.maximum(labels.came_ms, time_ms)
    return np.where(np.isnan(labels.value), NEVER, came)
