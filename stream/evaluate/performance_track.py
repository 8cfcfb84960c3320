"""A track: what one `PerformanceDefinition` of a model version has counted.

By arrival, two windows of panes are kept; by cohort, until no label of the cohort can come nor be
revised any more. Coverage at a window's end is of the cohorts that have begun by then and can still get
labels: in a replay the join may tell of later ones long before the window is evaluated.
"""

import msgspec

from stream.durable.fold import Register
from stream.evaluate.label_coverage import Cohort, cohort_of
from stream.evaluate.performance_panes import PerformancePanes, WindowSum
from stream.records.outcome import PerformanceDefinition
from stream.records.partial import NO_TIME
from stream.records.performance import Counts, PerformancePart, Sections


class TrackProgress(msgspec.Struct, array_like=True):
    """Everything of a track besides its panes, as it lies in `@`."""

    definition: PerformanceDefinition  # as the newest baseline has it
    since: int  # offset of the partial that it came with; of an earlier stay nothing is kept
    first_ms: int | None = None  # start of its first pane by arrival
    newest_cohort_ms: int = NO_TIME  # start of the newest cohort that it has counted
    arrivals_from_ms: int = NO_TIME  # panes that begin before it are forgotten
    cohorts_from_ms: int = NO_TIME  # cohorts too


class Track:
    """The panes of one definition."""

    def __init__(self, progress: TrackProgress) -> None:
        self.progress = progress
        self.sections = Sections.of(progress.definition)
        self.arrivals = PerformancePanes(self.sections)
        self.cohorts = PerformancePanes(self.sections)
        self._cohort_sum = WindowSum()
        self._told: dict[int, Cohort] = {}  # by start, those that have not changed since they were worked out

    @property
    def definition(self) -> PerformanceDefinition:
        """What its pairs are counted with."""
        return self.progress.definition

    @property
    def baseline_number(self) -> int:
        """Which of the model version's baselines it goes by."""
        return baseline_number(self.definition)

    @property
    def order(self) -> tuple[int, int, int]:
        """The larger, the newer: which is in use follows from the predictions that are counted with it."""
        return self.progress.newest_cohort_ms, self.baseline_number, self.progress.since

    def note(self, announced: PerformanceDefinition) -> None:
        """Go by a newer baseline: what is counted where is the same, or it would be another definition."""
        if announced != self.definition and baseline_number(announced) >= self.baseline_number:
            self.progress.definition = announced

    def is_forgotten(self, part: PerformancePart) -> bool:
        """Whether a part comes too late to correct anything."""
        return part.start_ms < (self.progress.cohorts_from_ms if part.cohort else self.progress.arrivals_from_ms)

    def add(self, source: str, part: PerformancePart, counts: Counts, next_offset: int) -> Counts | None:
        """Take one part; what it adds to its pane, or None if it is no news."""
        panes = self.cohorts if part.cohort else self.arrivals
        difference = panes.add(source, part, counts, next_offset)
        if difference is not None:
            self._changed(part.start_ms, difference, cohort=part.cohort)
        return difference

    def cohorts_by(self, end_ms: int) -> tuple[Counts, list[Cohort]]:
        """The cohorts that have begun by then and can still get labels: their sum, and each, the oldest first.

        Only what changed is worked out anew.
        """
        known = self.definition
        cohort_ms = known.cohort_ms
        until_ms = end_ms + -end_ms % cohort_ms
        over_ms = end_ms - known.ttl_ms - known.revision_ms - cohort_ms
        from_ms = min(over_ms + -over_ms % cohort_ms, until_ms - cohort_ms)
        total = self._cohort_sum.of(self.cohorts, from_ms, until_ms, cohort_ms)
        return total, self._told_between(from_ms, until_ms)

    def _told_between(self, from_ms: int, until_ms: int) -> list[Cohort]:
        starts = sorted(start for start in self.cohorts.by_start if from_ms <= start < until_ms)
        for start in starts:
            if start in self._told:
                continue
            end_ms = start + self.definition.cohort_ms
            self._told[start] = cohort_of(
                self.cohorts.total(start), self.sections, unit=self.definition.unit, start_ms=start, end_ms=end_ms
            )
        return [self._told[start] for start in starts]

    def forget_before(self, arrivals_ms: int, cohorts_ms: int) -> None:
        """Drop the panes that begin earlier."""
        known = self.progress
        known.arrivals_from_ms = max(known.arrivals_from_ms, arrivals_ms)
        known.cohorts_from_ms = max(known.cohorts_from_ms, cohorts_ms)
        self.arrivals.forget_before(known.arrivals_from_ms)
        old = [start for start in self.cohorts.by_start if start < known.cohorts_from_ms]
        for start in old:
            self._told.pop(start, None)
        if old:
            self._cohort_sum = WindowSum()
        self.cohorts.forget_before(known.cohorts_from_ms)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept of it."""
        return not self.arrivals.by_start and not self.cohorts.by_start

    def keeps(self, start_ms: int, next_offset: int, *, cohort: bool) -> bool:
        """Whether a register that was written once is of a pane that has not been forgotten since."""
        kept_from = self.progress.cohorts_from_ms if cohort else self.progress.arrivals_from_ms
        return start_ms >= kept_from and next_offset > self.progress.since

    def restore(self, start_ms: int, source: str, register: Register, *, cohort: bool) -> None:
        """Hold the part in a register again."""
        (self.cohorts if cohort else self.arrivals).restore(start_ms, source, register)

    def _changed(self, start_ms: int, difference: Counts, *, cohort: bool) -> None:
        if cohort:
            self._cohort_sum.correct(self.cohorts, start_ms, difference)
            self._told.pop(start_ms, None)
            self.progress.newest_cohort_ms = max(self.progress.newest_cohort_ms, start_ms)
        else:
            first_ms = self.progress.first_ms
            self.progress.first_ms = start_ms if first_ms is None else min(first_ms, start_ms)


def baseline_number(definition: PerformanceDefinition) -> int:
    """The number of the baseline that a definition goes by.

    >>> baseline_number(PerformanceDefinition("m", "1", "", "binary", "", 2, 0.0, 1, 1, "m@1#7", 1, 1, 1, True, 1))
    7
    """
    return int(definition.baseline_id.rpartition("#")[2])
