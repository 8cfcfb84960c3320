"""Labels of a file, window by window: the service's own counters and evaluator, without a join.

In a file a label lies beside its prediction, so nothing waits: `labels.ttl` and its like do not apply.

Promise: `evaluate_performance` sees for each window what it would see in the service at the window's end.
Cost: about 0.6 ms a window and 0.3 us a label; windows that overlap do not count their labels again.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from stream.backtest.inputs import BacktestInput
from stream.backtest.labels import NEVER, FileLabels
from stream.backtest.rule_sets import RuleSet
from stream.baselines.performance import performance_definition
from stream.baselines.segment_labels import of_segment
from stream.baselines.segmentation import Segmentation
from stream.errors import InputError
from stream.evaluate.label_coverage import LabelCoverage
from stream.evaluate.live_performance import LivePerformance
from stream.evaluate.performance_evaluator import (
    PerformanceEvaluation,
    Span,
    evaluate_performance,
    performance_baseline,
)
from stream.evaluate.performance_report import JudgedPerformance
from stream.join.registers import Pairs, pair_counters
from stream.records.performance import Counts, Sections
from stream.records.settings import OutcomeSettings

Times = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]  # numbers of rows

NO_WAITING: Final = OutcomeSettings(
    ttl_ms=0, early_ms=0, revision_ms=0, cohort_ms=1, sample=1.0, dedupe=False, max_waiting=1
)


class Moments(NamedTuple):
    """When things happen to each row, in what windows are cut by (ms, or rows); shape (rows,) each."""

    made: Times  # when its prediction was made
    came: Times  # when its label came, never before that; NEVER: it has none


class LabelWindows:
    """The labels of a file, or of one segment of it, over windows that move on."""

    def __init__(
        self, given: BacktestInput, rules: RuleSet, moments: Moments, segment: str = "", rows: Rows | None = None
    ) -> None:
        """Prepare the rows.

        Args:
            given: both files, with labels.
            rules: the windows, and how they are judged.
            moments: of the rows.
            segment: whose labels; "" for all.
            rows: those of the segment, ascending; None: all.
        """
        assert given.labels is not None, "nobody asked for labels"
        segmentation = Segmentation.of(given.baseline, rules.segments)
        whole = performance_definition(given.baseline, rules.counting, rules.settings.window_ms, NO_WAITING, 1)
        assert whole is not None, "labels are refused for a model without answers"
        self._given, self._labels = given, given.labels
        self._definition = msgspec.structs.replace(whole, segments=(segment,) if segment else ())
        self._sections = Sections.of(self._definition)
        compared_with = of_segment(given.baseline, segmentation, segment) if segment else given.baseline
        self._baseline = performance_baseline(compared_with, self._definition)
        parts = 1 + (len(segmentation.names) if segmentation.keeps_labels_apart else 0)
        self._rules = rules.settings.performance_at(compared_with, rules.hop.pane, parts)
        mine = np.arange(given.rows, dtype=np.int64) if rows is None else rows
        usable = mine[np.isfinite(given.answers[mine])]  # an answer that is none waits for no label
        labelled = usable[moments.came[usable] != NEVER]
        self._made = moments.made
        self._live = LivePerformance()
        self._predictions = np.sort(moments.made[usable])
        self._pairs = _Sliding(labelled, moments.came[labelled], self._count_pairs)

    def evaluate(self, start: int, end: int, *, complete: bool) -> PerformanceEvaluation:
        """Work out the labels that came in [start, end), no earlier than those of the call before.

        Coverage is that of the predictions made in it: the share whose label had come by its end.
        """
        counts = self._pairs.sum(start, end)
        first, last = np.searchsorted(self._predictions, [start, end]).tolist()
        made_in_it = int((self._made[self._pairs.rows] >= start).sum())
        length = end - start
        found = evaluate_performance(
            self._definition,
            counts,
            self._baseline.learned(self._live.known(self._baseline.of.id, length, end)),
            self._rules,
            span=Span(start, end, complete=complete),
            coverage=LabelCoverage(predictions=last - first, labelled=made_in_it, bands=(), cohorts=()),
        )
        self._live.take(self._baseline.of.id, length, end, found.checks, complete=complete)
        return found

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
