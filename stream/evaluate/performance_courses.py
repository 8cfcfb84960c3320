"""What the joins say, taken by the courses of one partials partition: the half of evaluate that knows labels."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Final

import msgspec

from detectors.errors import SnapshotError
from stream.baselines.baseline import Baseline
from stream.baselines.segmentation import Segmentation
from stream.durable.fold import Register
from stream.evaluate.class_courses import ClassCourses
from stream.evaluate.outcome_sources import OutcomeSources, OutcomeSourceState
from stream.evaluate.performance_course import PerformanceCourse, PerformanceProgress
from stream.evaluate.performance_evaluator import PerformanceEvaluation
from stream.evaluate.performance_panes import OF_SEGMENTS
from stream.evaluate.performance_report import performance_window
from stream.evaluate.performance_track import Track
from stream.evaluate.publisher import Publisher
from stream.evaluate.settings import ModelSettings
from stream.records.outcome import PerformanceDefinition
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
        segmentation_of: Callable[[ModelKey], Segmentation],
    ) -> None:
        self.sources = OutcomeSources()
        self.courses: dict[tuple[ModelKey, str, str], PerformanceCourse] = {}  # key, category, segment
        self.evaluations = 0
        self._publisher = publisher
        self._settings_of = settings_of
        self._find = find_baseline
        self._segmentation_of = segmentation_of
        self._watermark_ms = self.sources.watermark_ms()
        self._restored: dict[str, Track] = {}  # by definition id, while a state is read back
        self._of_classes: dict[ModelKey, ClassCourses] = {}

    @property
    def models(self) -> list[PerformanceCourse | ClassCourses]:
        """Every model version and segment, sorted: a multiclass one is its courses together."""
        found: list[tuple[tuple[ModelKey, str], PerformanceCourse | ClassCourses]] = [
            ((key, segment), course) for (key, category, segment), course in self.courses.items() if not category
        ]
        found += [((key, ""), classes) for key, classes in self._of_classes.items()]
        return [one for _, one in sorted(found, key=lambda item: item[0])]

    def reliable(self, key: ModelKey, segment: str = "") -> bool | None:
        """Whether the label-free estimate was right when labels last could tell; None: they never could."""
        course = self.courses.get((key, "", segment))
        return None if course is None else course.progress.reliable

    def take(self, partial: PerformancePartial, next_offset: int) -> bool:
        """Take a join's word, and evaluate what it completes; False: its counts cannot be read, nothing was taken."""
        if not self.sources.is_news(partial):
            return True
        counts = _unpacked(partial)
        if counts is None:
            return False
        self.sources.hear(partial)
        for definition in (one for named in partial.definitions.values() for one in self._counted_into(named)):
            course = self.courses.get(_place(definition))
            track = None if course is None else course.tracks.get(definition.id)
            if track is not None:
                track.note(definition)
        for part, of_part in zip(partial.panes, counts, strict=True):
            named = partial.definitions[part.definition]
            source = OF_SEGMENTS.join((partial.source, *named.segments))
            for definition in self._counted_into(named):
                own_part = msgspec.structs.replace(part, definition=definition.id)
                self._course_of(definition).take(source, own_part, of_part, definition, next_offset)
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
        course.learn(evaluation)
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

    def end_segments(self, key: ModelKey, counted: Collection[str]) -> None:
        """End the alerts of segments that nothing is counted into any more, and forget those that have none left."""
        for place, course in sorted(self.courses.items(), key=lambda item: item[0]):
            if place[0] != key or course.progress.segment in ("", *counted):
                continue
            if course.latest is not None and course.progress.episodes:
                judged = course.judged(replace(course.latest, checks=()))
                rules = self._settings_of(key.model).alerts
                self._publisher.move_alerts(performance_window(judged), course.progress.episodes, rules)
            if not course.progress.episodes:  # none is in its cooldown, nor silenced before people heard of its end
                del self.courses[place]

    def _counted_into(self, definition: PerformanceDefinition) -> list[PerformanceDefinition]:
        """Where a join's count goes: to the whole traffic, and to each segment that the model has."""
        if not definition.segments:
            return [definition]
        has = self._segmentation_of(ModelKey(definition.model, definition.version)).names
        return [_part_of(definition, ""), *(_part_of(definition, one) for one in definition.segments if one in has)]

    def _course_of(self, definition: PerformanceDefinition) -> PerformanceCourse:
        held = self.courses.get(_place(definition))
        if held is not None:
            return held
        (key, category, segment) = _place(definition)
        return self._course(PerformanceProgress(key.model, key.version, category, segment=segment))

    def _course(self, progress: PerformanceProgress) -> PerformanceCourse:
        course = PerformanceCourse(progress, self._settings_of, self._find, self._segmentation_of)
        self.courses[course.key, progress.category, progress.segment] = course
        if progress.category:
            self._of_classes.setdefault(course.key, ClassCourses()).add(course)
        return course


def _place(definition: PerformanceDefinition) -> tuple[ModelKey, str, str]:
    """Which course a definition is of."""
    key = ModelKey(definition.model, definition.version)
    return key, definition.category, definition.segments[0] if definition.segments else ""


@lru_cache(maxsize=4_096)
def _part_of(definition: PerformanceDefinition, segment: str) -> PerformanceDefinition:
    return msgspec.structs.replace(definition, segments=(segment,) if segment else ())


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
