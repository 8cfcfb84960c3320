"""What the joins say, taken by the courses of one partials partition: the half of evaluate that knows labels."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from detectors.errors import SnapshotError
from stream.baselines.baseline import Baseline
from stream.durable.fold import Register
from stream.evaluate.class_courses import ClassCourses
from stream.evaluate.outcome_sources import OutcomeSources, OutcomeSourceState
from stream.evaluate.performance_course import PerformanceCourse, PerformanceProgress
from stream.evaluate.performance_evaluator import PerformanceEvaluation
from stream.evaluate.performance_report import performance_window
from stream.evaluate.performance_track import Track
from stream.evaluate.publisher import Publisher
from stream.evaluate.settings import ModelSettings
from stream.records.performance import Counts, PerformancePartial, Sections, decode_performance, unpack_sparse
from stream.records.prediction import ModelKey

REGISTER: Final = "performance"  # first in the key of each register, where the others have a definition's id


class PerformanceCourses:
    """All courses of performance of one partials partition."""

    def __init__(
        self,
        publisher: Publisher,
        settings_of: Callable[[str], ModelSettings],
        find_baseline: Callable[[str], Baseline | None],
    ) -> None:
        self.sources = OutcomeSources()
        self.courses: dict[tuple[ModelKey, str], PerformanceCourse] = {}
        self.evaluations = 0
        self._publisher = publisher
        self._settings_of = settings_of
        self._find = find_baseline
        self._watermark_ms = self.sources.watermark_ms()
        self._restored: dict[str, Track] = {}  # by definition id, while a state is read back
        self._of_classes: dict[ModelKey, ClassCourses] = {}

    @property
    def models(self) -> list[PerformanceCourse | ClassCourses]:
        """Every model version, sorted: a multiclass one is its courses together."""
        found: list[tuple[ModelKey, PerformanceCourse | ClassCourses]] = [
            (key, course) for (key, category), course in self.courses.items() if not category
        ]
        found += self._of_classes.items()
        return [one for _, one in sorted(found, key=lambda item: item[0])]

    def reliable(self, key: ModelKey) -> bool | None:
        """Whether the label-free estimate was right when labels last could tell; None: they never could."""
        course = self.courses.get((key, ""))
        return None if course is None else course.progress.reliable

    def take(self, partial: PerformancePartial, next_offset: int) -> bool:
        """Take a join's word, and evaluate what it completes; False: its counts cannot be read, nothing was taken."""
        if not self.sources.is_news(partial):
            return True
        counts = _unpacked(partial)
        if counts is None:
            return False
        self.sources.hear(partial)
        for definition in partial.definitions.values():
            course = self.courses.get((ModelKey(definition.model, definition.version), definition.category))
            track = None if course is None else course.tracks.get(definition.id)
            if track is not None:
                track.note(definition)
        for part, of_part in zip(partial.panes, counts, strict=True):
            definition = partial.definitions[part.definition]
            key = ModelKey(definition.model, definition.version)
            self._course_of(key, definition.category).take(partial.source, part, of_part, definition, next_offset)
        self._advance()
        return True

    # -- what is durable

    def progress(self) -> list[PerformanceProgress]:
        """Of each course, without its panes."""
        for course in self.courses.values():
            course.note_tracks()
        return [course.progress for _, course in sorted(self.courses.items(), key=lambda item: item[0])]

    def restore(
        self, heard: dict[str, OutcomeSourceState], expected: int, courses: Iterable[PerformanceProgress]
    ) -> None:
        """Become what the progress says; the panes come as registers."""
        self.sources = OutcomeSources(heard, expected)
        self._watermark_ms = self.sources.watermark_ms()
        for progress in courses:
            self._restored |= self._course(progress).tracks

    def restore_register(self, identity: tuple[str, str, bool, int, str], register: Register) -> None:
        """Hold a part again, but of a pane that has been forgotten since it was written."""
        _, definition_id, cohort, start_ms, source = identity
        track = self._restored.get(definition_id)
        if track is not None and track.keeps(start_ms, register.next_offset, cohort=cohort):
            track.restore(start_ms, source, register, cohort=cohort)

    def registers(self, *, only_changed: bool) -> list[Register]:
        """The panes that changed, or all."""
        return [
            register
            for _, course in sorted(self.courses.items(), key=lambda item: item[0])
            for definition_id, track in sorted(course.tracks.items())
            for cohort, panes in ((False, track.arrivals), (True, track.cohorts))
            for register in panes.registers((REGISTER, definition_id, cohort), only_changed=only_changed)
        ]

    # -- the steps

    def _advance(self) -> None:
        watermark_ms = self.sources.watermark_ms()
        if watermark_ms == self._watermark_ms:
            return
        self._watermark_ms = watermark_ms
        for course in self.models:
            for revised in course.revised():
                self._publish_revision(course, revised)
            before = course.progress.evaluated_to_ms
            for end_ms in course.due(watermark_ms):
                self._publish(course, end_ms)
            if course.progress.evaluated_to_ms != before:  # only then: what is kept follows from the progress alone
                course.forget()

    def _publish(self, course: PerformanceCourse | ClassCourses, end_ms: int) -> None:
        evaluation = course.latest = course.evaluate(end_ms)
        self.evaluations += 1
        if evaluation.reliable is not None:
            course.progress.reliable = evaluation.reliable
        judged = course.judged(evaluation)
        rules = self._settings_of(course.progress.model).alerts
        window = performance_window(judged)
        course.progress.tally = course.progress.tally.after(window)
        self._publisher.move_alerts(window, course.progress.episodes, rules)
        self._publisher.report_performance(judged, revision=0, episodes=course.progress.episodes)

    def _publish_revision(self, course: PerformanceCourse | ClassCourses, evaluation: PerformanceEvaluation) -> None:
        end_ms, revisions = evaluation.end_ms, course.progress.revisions
        if end_ms == course.progress.evaluated_to_ms:
            course.latest = evaluation
        self.evaluations += 1
        revision = revisions[end_ms] = revisions.get(end_ms, 0) + 1
        judged = course.judged(evaluation)
        self._publisher.report_performance(judged, revision=revision, episodes=course.progress.episodes)

    def _course_of(self, key: ModelKey, category: str) -> PerformanceCourse:
        held = self.courses.get((key, category))
        return held or self._course(PerformanceProgress(key.model, key.version, category))

    def _course(self, progress: PerformanceProgress) -> PerformanceCourse:
        course = PerformanceCourse(progress, self._settings_of, self._find)
        self.courses[course.key, progress.category] = course
        if progress.category:
            self._of_classes.setdefault(course.key, ClassCourses()).add(course)
        return course


def read_performance(value: bytes) -> PerformancePartial | None:
    """The join's word in a record; None if it is none, or names a definition that it does not bring."""
    try:
        partial = decode_performance(value)
    except (msgspec.DecodeError, SnapshotError):
        return None
    return partial if all(part.definition in partial.definitions for part in partial.panes) else None


def _unpacked(partial: PerformancePartial) -> list[Counts] | None:
    widths = {known_id: Sections.of(known).width for known_id, known in partial.definitions.items()}
    try:
        return [unpack_sparse(part.counts, widths[part.definition]) for part in partial.panes]
    except (IndexError, ValueError, TypeError):
        return None
