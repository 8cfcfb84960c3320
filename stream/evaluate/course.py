"""The course of one model: its panes, its sliding window, its evaluations and alerts.

A window ends at every pane's end. It is evaluated once, when the watermark passes that end, and
again, as a revision, when a source that had been idle brings rows for it afterwards, or was the last
to say that it has counted with the newest definition in all of the window. Revisions do not move
alerts. The window's sum is kept by adding the newest pane and subtracting the oldest: integers, so
exact for ever, and O(bins) whatever the window's length.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from stream.alerts.episode import Episode
from stream.baselines.definition import Definition
from stream.durable.fold import Register
from stream.evaluate.candidate import Candidate, RunningSum
from stream.evaluate.course_progress import CandidateProgress, CourseProgress, SegmentProgress
from stream.evaluate.evaluator import Evaluation, evaluate_window
from stream.evaluate.live_windows import WholeWindow
from stream.evaluate.reign import Reign, in_force
from stream.evaluate.schema_evaluator import evaluate_schema, usual_names
from stream.evaluate.settings import ModelSettings
from stream.evaluate.sources import Sources
from stream.evaluate.throughput_evaluator import evaluate_silence
from stream.evaluate.yardstick import Yardstick, yardstick_of
from stream.records.partial import NO_TIME, ActiveDefinition


class Course:
    """One model version as evaluate knows it: the whole traffic, and its segments, which follow window by window."""

    def __init__(self, progress: CourseProgress, settings_of: Callable[[str], ModelSettings], sources: Sources) -> None:
        self.progress = progress
        self.candidates: dict[str, Candidate] = {}  # by definition id, the one that is to be in force last
        self._latest: dict[str, Evaluation] = {}  # by segment
        self._revise: dict[str, set[int]] = {}  # by definition: starts of panes that changed after they were evaluated
        self._passed_on: set[int] = set()  # ends of windows that were evaluated with another definition
        self._sums: dict[str, RunningSum] = {}  # by segment
        self._settings_of = settings_of
        self._sources = sources

    @property
    def latest(self) -> Evaluation | None:
        """The newest window's evaluation; after a recovery it is made anew when somebody asks."""
        return self.latest_of("")

    def latest_of(self, segment: str) -> Evaluation | None:
        """The same of a segment that has had rows, or of the whole traffic where it is `""`."""
        end_ms = self.progress.evaluated_to_ms
        if segment not in self._latest and end_ms is not None and self.candidates:
            self._latest[segment] = self.evaluate(end_ms, segment)
        return self._latest.get(segment)

    def note_latest(self, segment: str, evaluation: Evaluation) -> None:
        """What `latest_of` answers from now on."""
        self._latest[segment] = evaluation

    def episodes_of(self, segment: str) -> dict[str, Episode]:
        """The alerts of a segment that has had rows, or of the whole traffic where it is `""`."""
        return self.progress.segments[segment].episodes if segment else self.progress.episodes

    @property
    def settings(self) -> ModelSettings:
        """How its windows are judged."""
        return self._settings_of(self.progress.model)

    def window_ms(self, candidate: Candidate) -> int:
        """The window's length: whole panes of the definition, at least one."""
        pane_ms = candidate.definition.settings.pane_ms
        return max(self.settings.window_ms // pane_ms, 1) * pane_ms

    def yardstick(self, candidate: Candidate, segment: str) -> Yardstick:
        """What the windows of a segment, or of the whole traffic where it is `""`, are judged with."""
        held, settings = candidate.yardsticks.get(segment), self.settings
        if held is None or held.settings is not settings:
            window_ms = self.window_ms(candidate)
            learned = candidate.live.learned(segment, settings, window_ms)
            held = yardstick_of(candidate.definition, settings, window_ms, segment, learned)
            candidate.yardsticks[segment] = held
        return held

    def restore_live(self, candidate: Candidate, named: tuple[str, int, int], register: Register) -> None:
        """Take a register of `live`; `named`: segment, window's length and the rest of its key."""
        if register.next_offset > candidate.since:
            candidate.live.restore(named, register, self.settings, self.window_ms(candidate))

    def learn(self, end_ms: int, next_offset: int) -> None:
        """Keep what the window that ends at `end_ms` teaches, where that is learned; it holds for it already.

        Whether it is in breach, and so teaches nothing, says its first evaluation, by what was known before.
        `next_offset`: of the partials partition, after the record that completed the window.
        """
        candidate = self.in_force(end_ms)
        window_ms = self.window_ms(candidate)
        if not self._is_complete(candidate, end_ms - window_ms, end_ms):
            return
        self._learn_names(candidate, end_ms - window_ms, end_ms)
        for segment, panes in candidate.every_panes():
            if candidate.live.is_due(segment, self.settings, window_ms, end_ms):
                throughput = self.yardstick(candidate, segment).throughput
                window = WholeWindow(self.evaluate(end_ms, segment), throughput, next_offset)
                if candidate.live.take(segment, panes, self.settings, window):
                    candidate.yardsticks.pop(segment, None)

    def _learn_names(self, candidate: Candidate, start_ms: int, end_ms: int) -> None:
        """Which names beside the baseline's the model's first whole window under a definition has: they are no news."""
        quality = self.yardstick(candidate, "").quality
        if candidate.usual_names is None and quality is not None:
            total = self._sums.setdefault("", RunningSum())
            total.of(candidate, start_ms, end_ms)
            candidate.usual_names = usual_names(quality, total.names)

    def enter(self, definition: Definition, announced: ActiveDefinition, offset: int) -> Candidate | None:
        """A source counts with a definition; None if that one's time is over."""
        candidate = self.candidates.get(definition.id)
        if candidate is None:
            if announced.until_ms is not None and self.progress.evaluated_to_ms is not None:
                return None  # forgotten: its successor is in force
            entered_ms = NO_TIME if self.progress.evaluated_to_ms is None else self.progress.evaluated_to_ms
            candidate = self.candidates[definition.id] = Candidate(definition, since=offset, entered_ms=entered_ms)
            self._order()
        return candidate

    def note_spans(self, source: str, definitions: Mapping[str, ActiveDefinition]) -> None:
        """By a source's newest word: from when to when it counts with each definition.

        Another owner of the source, a zombie now, may have said otherwise. What counts is the word that
        came with the watermark: all panes that had closed for its owner lie before it.
        """
        for definition_id, candidate in self.candidates.items():
            candidate.hear(source, definitions.get(definition_id))
        if len(self.candidates) > 1:
            self._order()

    def _order(self) -> None:
        # Settings may change without a new baseline, and back again: then what is not ended is newer.
        self.candidates = dict(
            sorted(self.candidates.items(), key=lambda item: (item[1].definition.baseline.number, not item[1].until_ms))
        )

    def note_definitions(self) -> None:
        """Write into the progress what it is counted with."""
        self.progress.definitions = [
            CandidateProgress(
                c.definition.baseline.id,
                c.definition.settings,
                dict(sorted(c.from_ms.items())),
                dict(sorted(c.until_ms.items())),
                c.since,
                c.entered_ms,
                c.usual_names,
            )
            for c in self.candidates.values()
        ]

    def pane_changed(self, candidate: Candidate, segment: str, start_ms: int) -> None:
        """The counts of a pane are not what they were."""
        if segment in self._sums:
            self._sums[segment].pane_changed(start_ms)
        evaluated_to = self.progress.evaluated_to_ms
        if evaluated_to is not None and start_ms < evaluated_to:
            self._revise.setdefault(candidate.definition.id, set()).add(start_ms)

    def in_force(self, end_ms: int) -> Candidate:
        """The definition that the window ending at `end_ms` is evaluated with.

        The newest whose window every source has filled; until there is one, the oldest that is not
        over: so no new baseline blinds a model.
        """
        return in_force(self.reigns(), end_ms)

    def reigns(self) -> list[Reign]:
        """Which windows each definition may be in force for, by what the sources have said so far."""
        if len(self.candidates) == 1:
            return [Reign(next(iter(self.candidates.values())), -math.inf, math.inf)]
        return [
            Reign(
                candidate,
                candidate.whole_from_ms() + self.window_ms(candidate) if self._is_everywhere(candidate) else math.inf,
                candidate.whole_to_ms(self._sources),
            )
            for candidate in self.candidates.values()
        ]

    def pass_on(self, before: list[Reign]) -> bool:
        """Revise the windows that a definition has taken over which was not in force for them `before`; are there any?

        The last source to say since when it counts with it may have been idle, and that may be since its last row.
        """
        now, evaluated_to, first_ms = self.reigns(), self.progress.evaluated_to_ms, self.progress.first_ms
        if not before or now == before or evaluated_to is None or first_ms is None:
            return False
        for candidate, full_ms, _ in now:
            pane_ms = candidate.definition.settings.pane_ms
            after_ms = max(first_ms, self.revisable_from_ms(candidate))
            self._passed_on |= {
                end_ms
                for end_ms in range(_next_boundary(after_ms, candidate), evaluated_to + 1, pane_ms)
                if full_ms <= end_ms and in_force(now, end_ms) is candidate is not in_force(before, end_ms)
            }
        return len(self._passed_on) > 0

    def due(self, newest_ms: int) -> Iterator[int]:
        """Ends of the windows that the watermark has passed since the last one, oldest first.

        A stretch without rows is one window that says so, not one for every pane.
        """
        while (following := self._next_end()) is not None:
            end_ms, candidate = following
            watermark_ms = newest_ms - candidate.definition.settings.allowed_lateness_ms
            if end_ms > watermark_ms:
                return
            if self.progress.first_ms is None:
                self.progress.first_ms = self._first_pane_ms()
            rows = candidate.panes.any_between(end_ms - self.window_ms(candidate), end_ms)
            publish = rows or not self.progress.empty
            self.progress.evaluated_to_ms, self.progress.empty = end_ms, not rows
            if publish:
                yield end_ms
            else:
                self._skip_to(candidate, watermark_ms)

    def segments_due(self, end_ms: int) -> list[str]:
        """The segments to be evaluated with the window that ends at `end_ms`: an empty one only once."""
        candidate, known = self.in_force(end_ms), self.progress.segments
        start_ms = end_ms - self.window_ms(candidate)
        due: list[str] = []
        for segment in candidate.definition.segmentation.names:
            panes = candidate.segments.get(segment)
            rows = panes is not None and panes.any_between(start_ms, end_ms)
            if rows or (segment in known and not known[segment].empty):
                known.setdefault(segment, SegmentProgress()).empty = not rows
                due.append(segment)
        return due

    def segments_over(self, end_ms: int) -> list[tuple[str, dict[str, Episode]]]:
        """The segments that nothing is counted into from this window on, with the alerts that they still have."""
        over = sorted(self.progress.segments.keys() - set(self.in_force(end_ms).definition.segmentation.names))
        return [(segment, self.progress.segments[segment].episodes) for segment in over]

    def forget_segment(self, segment: str) -> None:
        """Take out a segment that is over."""
        del self.progress.segments[segment]
        self._latest.pop(segment, None)
        self._sums.pop(segment, None)

    def evaluate(self, end_ms: int, segment: str = "") -> Evaluation:
        """Judge the window that ends at `end_ms`: of the whole traffic, or of a segment."""
        candidate = self.in_force(end_ms)
        start_ms = end_ms - self.window_ms(candidate)
        yardstick, total = self.yardstick(candidate, segment), self._sums.setdefault(segment, RunningSum(segment))
        evaluation = evaluate_window(
            yardstick,
            total.of(candidate, start_ms, end_ms),
            hours=yardstick.hours(total.rows_by_pane),
            start_ms=start_ms,
            end_ms=end_ms,
            complete=self._is_complete(candidate, start_ms, end_ms),
        )
        live = candidate.live.evidence_of(segment, self.settings, end_ms - start_ms)
        schema = evaluate_schema(yardstick.quality, total.names, candidate.usual_names, complete=evaluation.complete)
        return replace(evaluation, schema=schema, learning=None if live is None else (live.windows, live.wanted))

    def silenced(self, next_offset: int) -> Evaluation | None:
        """The newest window with the silence of every partition behind it; None: it is no alarm, and one to know."""
        end_ms = self.progress.evaluated_to_ms
        if end_ms is None or not self.candidates:
            return None
        candidate = self.in_force(end_ms)
        yardstick = self.yardstick(candidate, "").throughput
        evaluation = self.evaluate(end_ms)
        idle_ms = 0 if yardstick is None else yardstick.rule.idle_ms
        silence = evaluate_silence(yardstick, evaluation.throughput, idle_ms)
        if silence is None:
            if candidate.live.fell_silent(self.settings, self.window_ms(candidate), idle_ms, next_offset):
                candidate.yardsticks.pop("", None)
            return None
        return replace(evaluation, throughput=silence)

    def nothing(self, end_ms: int) -> Evaluation:
        """The window that ends at `end_ms` of what is not counted any more."""
        start_ms = end_ms - self.window_ms(self.in_force(end_ms))
        return Evaluation(start_ms=start_ms, end_ms=end_ms, n=0, complete=False, checks=())

    def revised_ends(self) -> list[int]:
        """Ends of windows that must be published again, the newest last whether it changed or not."""
        changed, self._revise = self._revise, {}
        ends, self._passed_on = self._passed_on, set()
        evaluated_to, first_ms = self.progress.evaluated_to_ms, self.progress.first_ms
        if not (changed or ends) or evaluated_to is None or first_ms is None:
            return []
        reigns = self.reigns()
        for definition_id, starts in changed.items():
            candidate = self.candidates[definition_id]
            if not self._is_everywhere(candidate) and candidate is not in_force(reigns, evaluated_to):
                continue  # a source counts with it no more: judged again, its windows would be called incomplete
            pane_ms, window_ms = candidate.definition.settings.pane_ms, self.window_ms(candidate)
            ends |= {
                end_ms
                for start in starts
                for end_ms in range(start + pane_ms, min(start + window_ms, evaluated_to) + 1, pane_ms)
                if end_ms > first_ms and in_force(reigns, end_ms) is candidate
            }
        return sorted(ends | {evaluated_to}) if ends else []

    def forget(self) -> None:
        """Drop panes and definitions that no window, nor a revision of one, needs any more."""
        evaluated_to = self.progress.evaluated_to_ms
        if evaluated_to is None:
            return
        current = self.in_force(evaluated_to)
        for definition_id, candidate in list(self.candidates.items()):
            if candidate is current:
                break
            del self.candidates[definition_id]
        for candidate in self.candidates.values():
            for _, panes in candidate.every_panes():
                panes.forget_before(self.keep_from_ms(candidate))
        keep_from = self.keep_from_ms(current)
        self.progress.revisions = {e: n for e, n in self.progress.revisions.items() if e >= keep_from}

    def keep_from_ms(self, candidate: Candidate) -> int:
        """Start of the oldest pane kept: two windows, so that every window with a revisable pane can be summed."""
        evaluated_to = self.progress.evaluated_to_ms
        if evaluated_to is None:
            return NO_TIME
        keep_from = evaluated_to - 2 * self.window_ms(candidate)
        return keep_from - keep_from % candidate.definition.settings.pane_ms

    def keeps(self, candidate: Candidate, start_ms: int, next_offset: int) -> bool:
        """Whether a register that was written once is of a pane that has not been forgotten since."""
        return start_ms >= self.keep_from_ms(candidate) and next_offset > candidate.since

    def revisable_from_ms(self, candidate: Candidate) -> int:
        """Start of the oldest pane that may still change: every window that holds it has all its panes."""
        evaluated_to = self.progress.evaluated_to_ms
        return NO_TIME if evaluated_to is None else evaluated_to - self.window_ms(candidate)

    def _is_complete(self, candidate: Candidate, start_ms: int, end_ms: int) -> bool:
        """Whether every pane in [start_ms, end_ms) was counted with it, everywhere."""
        first_ms = self.progress.first_ms
        counted_from = max(candidate.whole_from_ms(), end_ms if first_ms is None else first_ms)
        everywhere = self._is_everywhere(candidate)
        return everywhere and counted_from <= start_ms and end_ms <= candidate.whole_to_ms(self._sources)

    def _is_everywhere(self, candidate: Candidate) -> bool:
        return len(candidate.from_ms) >= self._sources.expected

    def _next_end(self) -> tuple[int, Candidate] | None:
        """The end of the next window, and what it is evaluated with."""
        if not self.candidates:
            return None
        after = self.progress.evaluated_to_ms
        if after is None:
            after = self._first_pane_ms()
        if after is None:
            return None
        candidate = self.in_force(after)
        end_ms = _next_boundary(after, candidate)
        successor = self.in_force(end_ms)  # its panes may have another length
        return (end_ms, candidate) if successor is candidate else (_next_boundary(after, successor), successor)

    def _first_pane_ms(self) -> int | None:
        return min((s for c in self.candidates.values() for s in c.panes.by_start), default=None)

    def _skip_to(self, candidate: Candidate, watermark_ms: int) -> None:
        """Over a stretch without rows, to just before the next pane that has some."""
        pane_ms = candidate.definition.settings.pane_ms
        end_ms = self.progress.evaluated_to_ms or 0
        ahead = [s for c in self.candidates.values() for s in c.panes.by_start if s >= end_ms]
        reached = watermark_ms - watermark_ms % pane_ms
        self.progress.evaluated_to_ms = max(end_ms, min([reached, *ahead]))


def _next_boundary(after_ms: int, candidate: Candidate) -> int:
    pane_ms = candidate.definition.settings.pane_ms
    return after_ms - after_ms % pane_ms + pane_ms
