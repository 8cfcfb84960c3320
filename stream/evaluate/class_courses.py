"""The courses of one multiclass model version, a binary one for each class, evaluated together.

Every prediction waits in all classes and every label comes in all of them, at one record of one outcomes
partition, so the courses have the same panes. One leads: it says which windows are due, and the others follow.
"""

import hashlib
from collections.abc import Iterator

import msgspec

from stream.evaluate.label_coverage import coverage_of
from stream.evaluate.performance_classes import macro_cohorts
from stream.evaluate.performance_course import PerformanceCourse, PerformanceProgress
from stream.evaluate.performance_evaluator import (
    ClassCounts,
    PerformanceBaseline,
    PerformanceEvaluation,
    Span,
    evaluate_classes,
    performance_baseline,
)
from stream.evaluate.performance_panes import WindowSum
from stream.evaluate.performance_report import JudgedPerformance
from stream.evaluate.performance_track import Track
from stream.records.outcome import PerformanceDefinition
from stream.records.performance import Counts


class ClassCourses:
    """One version of a multiclass model as evaluate knows it from its labels."""

    def __init__(self) -> None:
        self.courses: dict[str, PerformanceCourse] = {}  # by class
        self._latest: PerformanceEvaluation | None = None
        self._baseline: PerformanceBaseline | None = None

    def add(self, course: PerformanceCourse) -> None:
        """Take the course of another class."""
        self.courses[course.progress.category] = course

    @property
    def lead(self) -> PerformanceCourse:
        """The class whose panes say what is due: the first by name of those that have been evaluated."""
        return min(self.courses.values(), key=lambda c: (c.progress.evaluated_to_ms is None, c.progress.category))

    @property
    def progress(self) -> PerformanceProgress:
        """The lead's, with the alerts of all."""
        return self.lead.progress

    @property
    def latest(self) -> PerformanceEvaluation | None:
        """The newest window's evaluation; after a recovery it is made anew when somebody asks."""
        lead = self.lead
        if self._latest is None and lead.progress.evaluated_to_ms is not None and lead.tracks:
            self._latest = self.evaluate(lead.progress.evaluated_to_ms)
        return self._latest

    @latest.setter
    def latest(self, evaluation: PerformanceEvaluation) -> None:
        self._latest = evaluation

    # -- windows

    def due(self, watermark_ms: int) -> Iterator[int]:
        """Ends of the windows that the watermark has passed since the last one, oldest first."""
        lead = self.lead
        for end_ms in lead.due(watermark_ms):
            self._follow(lead)
            yield end_ms
            self._follow(lead)  # alerts have moved
        self._follow(lead)

    def evaluate(self, end_ms: int, by: dict[str, WindowSum] | None = None) -> PerformanceEvaluation:
        """Work out the window that ends at `end_ms`."""
        lead = self.lead
        track = lead.in_force(end_ms)
        start_ms, first_ms = end_ms - lead.window_ms(track), track.progress.first_ms
        baseline = self._baseline_of(lead, track).learned(lead.live_by(track, end_ms))
        cohort_sum, _ = track.cohorts_by(end_ms)
        # By name: a mean of floats depends on the order, and that of the courses is another one after a recovery.
        cohorts = [course.in_force(end_ms).cohorts_by(end_ms)[1] for _, course in sorted(self.courses.items())]
        return evaluate_classes(
            track.definition,
            ClassCounts(
                lead.counts(end_ms, (by or {}).get(lead.progress.category)), self._counts(end_ms, baseline, by or {})
            ),
            baseline,
            lead.rules(track),
            span=Span(start_ms, end_ms, complete=first_ms is not None and first_ms <= start_ms),
            coverage=coverage_of(cohort_sum, track.sections, macro_cohorts(cohorts), None),
        )

    def judged(self, evaluation: PerformanceEvaluation) -> JudgedPerformance:
        """With what it was judged by."""
        lead = self.lead
        track = lead.in_force(evaluation.end_ms)
        return JudgedPerformance(
            evaluation,
            self._together(evaluation.end_ms, track.definition),
            self._baseline_of(lead, track),
            track.arrivals.offsets(evaluation.start_ms, evaluation.end_ms),
        )

    def learn(self, evaluation: PerformanceEvaluation) -> None:
        """Of a window that was evaluated for the first time; the lead keeps it for all."""
        self.lead.learn(evaluation)

    def revised(self) -> Iterator[PerformanceEvaluation]:
        """The evaluations that must be published again, the newest window's last whether it changed or not."""
        lead = self.lead
        starts = sorted({start for course in self.courses.values() for start in course.progress.revise})
        for course in self.courses.values():
            course.progress.revise = []
        lead.progress.revise = starts
        ends = lead.revised_ends()
        anew = {name: WindowSum() for name in self.courses}  # as in a course alone
        for end_ms in ends[:-1]:
            yield self.evaluate(end_ms, anew)
        for end_ms in ends[-1:]:
            yield self.evaluate(end_ms)

    def forget(self) -> None:
        """Drop the panes and tracks that no window, nor a revision of one, needs any more."""
        self._follow(self.lead)
        for course in self.courses.values():
            course.forget()

    # -- the steps

    def _follow(self, lead: PerformanceCourse) -> None:
        """Let every course know what the lead does, so that any of them could lead."""
        known = lead.progress
        for course in self.courses.values():
            if course is not lead:
                own = course.progress
                own.first_ms, own.evaluated_to_ms, own.empty = known.first_ms, known.evaluated_to_ms, known.empty
                own.episodes, own.revisions = dict(known.episodes), dict(known.revisions)
                own.tally, own.live = known.tally, known.live

    def _counts(self, end_ms: int, baseline: PerformanceBaseline, by: dict[str, WindowSum]) -> list[Counts] | None:
        """Of each class of the baseline; None: the pairs were not counted by its grids."""
        found: list[Counts] = []
        for one in baseline.classes.by_class if baseline.classes else ():
            course = self.courses.get(one.name)
            if course is None or course.in_force(end_ms).definition.grid != one.grid.id:
                return None
            found.append(course.counts(end_ms, by.get(one.name)))
        return found or None

    def _baseline_of(self, lead: PerformanceCourse, track: Track) -> PerformanceBaseline:
        found = lead.baseline_of(track).of
        if self._baseline is None or self._baseline.of.id != found.id:
            self._baseline = performance_baseline(found, _of_all(track.definition, ""))
        return self._baseline

    def _together(self, end_ms: int, definition: PerformanceDefinition) -> PerformanceDefinition:
        grids = [course.in_force(end_ms).definition.grid for _, course in sorted(self.courses.items())]
        return _of_all(definition, hashlib.sha256("".join(grids).encode()).hexdigest()[:16])


def _of_all(definition: PerformanceDefinition, grids: str) -> PerformanceDefinition:
    """One class's definition as that of all classes together."""
    return msgspec.structs.replace(definition, category="", task="multiclass", grid=grids, bins=0)
