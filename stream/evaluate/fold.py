"""The evaluate fold: partials of all sources in, reports and alerts out; one partials partition.

Three kinds of record come, told apart by their first byte: counts of predictions, taken here, counts
of joined labels, taken by `PerformanceCourses`, and rows of unknown models, taken by `LearnedBaselines`.

It evaluates on what the partials say (watermarks, idle records), never on a clock, so that its
outputs are a function of the partials alone: a crash or a zombie repeats a message, bit for bit,
under the same key.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from stream.alerts.silences import NO_REQUESTS, Requests
from stream.baselines.baseline import Baseline
from stream.baselines.definition import Definition
from stream.baselines.segmentation import NO_SEGMENTS, Segmentation
from stream.durable.fold import Register
from stream.durable.log import Outgoing
from stream.errors import CallerError
from stream.evaluate import learning, live_evidence
from stream.evaluate.alert_message import LostInput
from stream.evaluate.candidate import Candidate
from stream.evaluate.course import Course
from stream.evaluate.course_progress import CourseProgress
from stream.evaluate.learning import LearnedBaselines, LearnedProgress
from stream.evaluate.outcome_sources import OutcomeSourceState
from stream.evaluate.panes import PaneSum
from stream.evaluate.performance_course import PerformanceProgress
from stream.evaluate.performance_courses import REGISTER, PerformanceCourses, read_performance
from stream.evaluate.publisher import EvaluateOutputs, PublishedAlert, Publisher
from stream.evaluate.report import Judged
from stream.evaluate.settings import ModelSettings
from stream.evaluate.sources import Sources, SourceState
from stream.evaluate.traffic_alerts import traffic_window
from stream.records.learning import SampleRecord, decode_sample, is_sample
from stream.records.partial import NO_TIME, Partial, decode_partial
from stream.records.performance import PerformancePartial, is_performance
from stream.records.prediction import ModelKey
from stream.records.settings import CountingSettings
from stream.records.source import MessageBatch

Candidates = dict[str, tuple[Course, Candidate]]  # by definition id


class EvaluateProgress(msgspec.Struct, array_like=True):
    """Everything of the state besides the panes, as it lies in `@`."""

    sources: dict[str, SourceState]
    expected: int
    courses: list[CourseProgress]
    unreadable: int
    evaluations: int
    outcome_sources: dict[str, OutcomeSourceState] = {}
    outcomes_expected: int = 0
    performance: list[PerformanceProgress] = []
    requests: Requests = NO_REQUESTS
    learned: list[LearnedProgress] = []
    learning_refused: int = 0


class EvaluateFold:
    """State of one partials partition; a `Fold`."""

    proposals_change_outputs = True  # a silence changes what is told

    def __init__(
        self,
        *,
        outputs: EvaluateOutputs,
        settings_of: Callable[[str], ModelSettings],
        find_baseline: Callable[[str], Baseline | None],
        requests: Callable[[], Requests] = lambda: NO_REQUESTS,
    ) -> None:
        self.next_offset = 0
        self.sources = Sources()
        self.courses: dict[ModelKey, Course] = {}
        self.unreadable = 0  # records of the partials topic that are not partials
        self.evaluations = 0
        self._publisher = Publisher(outputs)
        self.performance = PerformanceCourses(self._publisher, settings_of, find_baseline, self._segmentation_of)
        self.learned = LearnedBaselines()
        self._settings_of = settings_of
        self._find = find_baseline
        self._requests = requests
        self._newest_ms = NO_TIME
        self._definitions: dict[str, Definition] = {}  # by id

    # -- the fold

    def needs(self, batch: MessageBatch) -> str | None:
        """A baseline that a partial was counted with and that has not been read yet."""
        for value in batch.values:
            partial = _read(value)
            if partial is None or isinstance(partial, SampleRecord):
                continue
            for known in partial.definitions.values():
                if self._find(known.baseline_id) is None:
                    return known.baseline_id
        return None

    def needs_to_restore(self, progress: bytes, activations: Sequence[bytes]) -> str | None:
        """A baseline that a model is evaluated with and that has not been read yet."""
        state = msgspec.msgpack.decode(progress, type=EvaluateProgress)
        named = [known.baseline_id for course in state.courses for known in course.definitions]
        named += [track.definition.baseline_id for course in state.performance for track in course.tracks]
        return next((baseline_id for baseline_id in named if self._find(baseline_id) is None), None)

    def proposal(self) -> bytes | None:
        """What people have said of alerts, if it is not what is in force; of definitions it follows count."""
        wanted = self._requests()
        return None if wanted == self._publisher.requests else msgspec.msgpack.encode(wanted)

    def activate(self, payload: bytes) -> None:
        """From the next window on, heed what people have said."""
        self._publisher.requests = msgspec.msgpack.decode(payload, type=Requests)

    def fold(self, batch: MessageBatch) -> None:
        """Take each partial, then evaluate whatever windows it completes."""
        for offset, value in zip(batch.offsets.tolist(), batch.values, strict=True):
            partial = _read(value)
            if isinstance(partial, PerformancePartial):
                self.unreadable += not self.performance.take(partial, offset + 1)
                continue
            if isinstance(partial, SampleRecord):
                self.learned.take(partial, offset + 1)
                continue
            if partial is None:
                self.unreadable += 1
                continue
            lost = self.sources.newly_lost(partial)
            spoke = not self.sources.all_idle
            # Nothing is handed over where there is but one definition: one that enters begins behind what was judged.
            reigns = [(course, course.reigns()) for course in self.courses.values() if len(course.candidates) > 1]
            if self.sources.hear(partial):
                if lost:
                    self._publisher.input_lost(LostInput(partial, lost))
                touched = self._take(partial, offset + 1)
                touched += [course for course, before in reigns if course.pass_on(before) and course not in touched]
                self._advance(touched, offset + 1)
                if spoke and self.sources.all_idle:
                    self._tell_of_silence(offset + 1)
        self.next_offset = batch.end

    def quiet(self) -> None:
        """Nothing: silence of the partials is for count to explain."""

    def lost(self, begin: int) -> None:
        """Go on behind a gap; partials are kept without limit, so that it is an operator's doing."""
        self.next_offset = begin
        self.performance.sources.forgive()

    # -- what is durable

    def changed(self) -> Sequence[Register]:
        """Panes that changed."""
        return self._all_registers(only_changed=True)

    def live(self) -> Sequence[Register]:
        """All panes."""
        return self._all_registers(only_changed=False)

    def outputs(self) -> Sequence[Outgoing]:
        """Reports and alerts."""
        return self._publisher.take_outputs()

    def progress(self) -> bytes:
        """The rest of the state."""
        for course in self.courses.values():
            course.note_definitions()
        courses = [course.progress for _, course in sorted(self.courses.items(), key=lambda item: item[0])]
        return msgspec.msgpack.encode(
            EvaluateProgress(
                self.sources.heard,
                self.sources.expected,
                courses,
                self.unreadable,
                self.evaluations,
                self.performance.sources.heard,
                self.performance.sources.expected,
                self.performance.progress(),
                self._publisher.requests,
                self.learned.progress,
                self.learned.refused,
            )
        )

    def restore(self, next_offset: int, progress: bytes, registers: Iterable[Register]) -> None:
        """Become the state as of `next_offset`."""
        state = msgspec.msgpack.decode(progress, type=EvaluateProgress)
        self.next_offset = next_offset
        self.sources = Sources(state.sources, state.expected)
        self.unreadable, self.evaluations = state.unreadable, state.evaluations
        self._publisher.requests = state.requests
        candidates: Candidates = {}
        for course_progress in state.courses:
            course = self._course(course_progress)
            for known in course_progress.definitions:
                definition = self._learn(known.baseline_id, known.settings)
                candidate = Candidate(
                    definition, known.from_ms, known.until_ms, known.since, known.entered_ms, known.usual_names
                )
                course.candidates[definition.id] = candidate
                candidates[definition.id] = course, candidate
        self.performance.restore(state.outcome_sources, state.outcomes_expected, state.performance)
        self.learned.restore(state.learned, state.learning_refused)
        self._restore_registers(registers, candidates)
        self._newest_ms = self.sources.newest_ms()

    def _restore_registers(self, registers: Iterable[Register], candidates: Candidates) -> None:
        sampled: list[Register] = []
        restore_of: dict[str, Callable[[Any, Register], None]] = {
            learning.REGISTER: lambda _, register: sampled.append(register),
            live_evidence.REGISTER: partial(_restore_live, candidates),
            REGISTER: self.performance.restore_register,
        }
        restore_pane = partial(_restore_pane, candidates)
        for register in registers:
            identity = msgspec.msgpack.decode(register.key)
            restore_of.get(identity[0], restore_pane)(identity, register)
        self.learned.restore_rows(sampled)

    def take_published(self) -> list[PublishedAlert]:
        """The alerts since the last call."""
        return self._publisher.take_published()

    # -- the steps

    def _take(self, partial: Partial, next_offset: int) -> list[Course]:
        source = partial.source if partial.incarnation == 0 else f"{partial.source}~{partial.incarnation}"
        of_definition = self._enter(partial, next_offset - 1)
        touched: dict[int, Course] = {}
        for part in partial.panes:
            if part.definition not in of_definition:
                continue
            course, candidate = of_definition[part.definition]
            touched[id(course)] = course
            if part.start_ms < course.revisable_from_ms(candidate):
                course.progress.missed += not part.segment  # its segments' parts came with it
                continue
            panes = candidate.panes_of(part.segment)
            if panes.add(source, part, provisional=partial.provisional, next_offset=next_offset):
                course.pane_changed(candidate, part.segment, part.start_ms)
        return list(touched.values())

    def _enter(self, partial: Partial, offset: int) -> dict[str, tuple[Course, Candidate]]:
        """With what the source counts, by definition id; without those whose time is over."""
        entered: dict[str, tuple[Course, Candidate]] = {}
        for definition_id, announced in partial.definitions.items():
            definition = self._definitions.get(definition_id) or self._learn(announced.baseline_id, announced.settings)
            course = self._course_of(definition.key)
            candidate = course.enter(definition, announced, offset)
            if candidate is not None:
                entered[definition_id] = course, candidate
            self.learned.has_baseline(definition.key)
        if self.sources.is_newest_word(partial):
            for course in self.courses.values():
                course.note_spans(partial.source, partial.definitions)
        return entered

    def _advance(self, touched: list[Course], next_offset: int) -> None:
        newest_ms = self.sources.newest_ms()
        moved_on, self._newest_ms = newest_ms != self._newest_ms, newest_ms
        for baseline in self.learned.advance(newest_ms) if moved_on else ():
            self._publisher.learned(baseline)
        for course in self.courses.values() if moved_on else touched:
            for end_ms in course.revised_ends():
                self._publish_revision(course, end_ms)
            before = course.progress.evaluated_to_ms
            for end_ms in course.due(newest_ms):
                course.learn(end_ms, next_offset)
                self._publish(course, end_ms)
            if course.progress.evaluated_to_ms != before:  # only then: what is kept follows from the progress alone
                course.forget()

    def _tell_of_silence(self, next_offset: int) -> None:
        """Every source is silent now: no window ends any more, so the silence itself moves alerts."""
        for course in self.courses.values():
            evaluation = course.silenced(next_offset)
            if evaluation is None:
                continue
            candidate = course.in_force(evaluation.end_ms)
            judged, episodes = Judged(evaluation, candidate.definition, ""), course.episodes_of("")
            window = traffic_window(judged, candidate.panes_of("").spans, episodes)
            self._publisher.move_alerts(window, episodes, course.settings.alerts)

    def _publish(self, course: Course, end_ms: int) -> None:
        candidate = course.in_force(end_ms)
        for segment in ("", *course.segments_due(end_ms)):
            evaluation = course.evaluate(end_ms, segment)
            course.note_latest(segment, evaluation)
            self.evaluations += 1
            judged, episodes = Judged(evaluation, candidate.definition, segment), course.episodes_of(segment)
            window = traffic_window(judged, candidate.panes_of(segment).spans, episodes)
            course.progress.tally = course.progress.tally.after(window)
            self._publisher.move_alerts(window, episodes, course.settings.alerts)
            self._publisher.report(judged, revision=0, episodes=episodes, reliable=self._reliable(course, segment))
        for segment, episodes in course.segments_over(end_ms):
            judged = Judged(course.nothing(end_ms), candidate.definition, segment)
            window = traffic_window(judged, candidate.panes_of(segment).spans, episodes)
            self._publisher.move_alerts(window, episodes, course.settings.alerts)
            if not episodes:  # none is in its cooldown, nor silenced before people heard of its end
                course.forget_segment(segment)
        counted = {name for one in course.candidates.values() for name in one.definition.segmentation.names}
        self.performance.end_segments(candidate.definition.key, counted)

    def _publish_revision(self, course: Course, end_ms: int) -> None:
        revision = course.progress.revisions[end_ms] = course.progress.revisions.get(end_ms, 0) + 1
        definition = course.in_force(end_ms).definition
        for segment in ("", *(name for name in definition.segmentation.names if name in course.progress.segments)):
            evaluation = course.evaluate(end_ms, segment)
            if end_ms == course.progress.evaluated_to_ms:
                course.note_latest(segment, evaluation)
            self.evaluations += 1
            judged, episodes = Judged(evaluation, definition, segment), course.episodes_of(segment)
            reliable = self._reliable(course, segment)
            self._publisher.report(judged, revision=revision, episodes=episodes, reliable=reliable)

    def _segmentation_of(self, key: ModelKey) -> Segmentation:
        """The segments of a model version, as its newest definition has them."""
        course = self.courses.get(key)
        if course is None or not course.candidates:
            return NO_SEGMENTS
        return next(reversed(course.candidates.values())).definition.segmentation

    def _reliable(self, course: Course, segment: str) -> bool | None:
        """Whether labels agree with the estimates, where they are joined."""
        return self.performance.reliable(ModelKey(course.progress.model, course.progress.version), segment)

    def _course_of(self, key: ModelKey) -> Course:
        return self.courses.get(key) or self._course(CourseProgress.at_start(key))

    def _course(self, progress: CourseProgress) -> Course:
        course = Course(progress, self._settings_of, self.sources)
        self.courses[ModelKey(progress.model, progress.version)] = course
        return course

    def _learn(self, baseline_id: str, settings: CountingSettings) -> Definition:
        baseline = self._find(baseline_id)
        if baseline is None:
            raise CallerError(
                f"baseline {baseline_id} is in use but no longer in the baselines topic; restore the topic"
            )
        definition = Definition(baseline, settings)
        return self._definitions.setdefault(definition.id, definition)

    def _all_registers(self, *, only_changed: bool) -> list[Register]:
        kinds = (self._registers, self.performance.registers, self.learned.registers)
        return [register for kind in kinds for register in kind(only_changed=only_changed)]

    def _registers(self, *, only_changed: bool) -> list[Register]:
        registers: list[Register] = []
        for _, course in sorted(self.courses.items(), key=lambda item: item[0]):
            for definition_id, candidate in course.candidates.items():
                for segment, panes in candidate.every_panes():
                    starts = panes.changed if only_changed else set(panes.by_start)
                    registers += panes.registers((definition_id, segment), starts)
                    panes.changed = set()
                registers += candidate.live.registers(only_changed=only_changed)
        return registers


def _restore_live(candidates: Candidates, identity: list[Any], register: Register) -> None:
    if (held := candidates.get(identity[1])) is not None:
        course, candidate = held
        course.restore_live(candidate, tuple(identity[2:]), register)


def _restore_pane(candidates: Candidates, identity: list[Any], register: Register) -> None:
    definition_id, segment, start_ms = identity
    if (held := candidates.get(definition_id)) is not None:
        course, candidate = held
        if course.keeps(candidate, start_ms, register.next_offset):
            pane = PaneSum.from_bytes(register.value, register.next_offset)
            candidate.panes_of(segment).by_start[start_ms] = pane


def _read(value: bytes | None) -> Partial | PerformancePartial | SampleRecord | None:
    if value and is_performance(value):
        return read_performance(value)
    try:
        if value and is_sample(value):
            return decode_sample(value)
        return decode_partial(value) if value else None
    except msgspec.DecodeError:
        return None
