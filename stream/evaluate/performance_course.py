"""The course of one model version's performance: joined pairs by arrival, its sliding window, its alerts.

A window ends at every pane's end and is evaluated once, when all joins have passed that end. What
changes a pane afterwards, a late label or a revised one, makes a revision of every window that holds
it and is still within one window's length of the newest: published when the joins next move on, once
for all that changed. Revisions do not move alerts.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from stream.alerts.episode import Episode
from stream.alerts.rules import PerformanceRules
from stream.baselines.baseline import Baseline
from stream.baselines.segment_labels import of_segment
from stream.baselines.segmentation import NO_SEGMENTS, Segmentation
from stream.errors import CallerError
from stream.evaluate.label_coverage import coverage_of
from stream.evaluate.live_performance import Deviation, LivePerformance
from stream.evaluate.performance_evaluator import (
    PerformanceBaseline,
    PerformanceEvaluation,
    Span,
    evaluate_performance,
    performance_baseline,
)
from stream.evaluate.performance_panes import WindowSum
from stream.evaluate.performance_report import JudgedPerformance
from stream.evaluate.performance_track import Track, TrackProgress
from stream.evaluate.settings import ModelSettings
from stream.evaluate.tally import Tally
from stream.records.outcome import PerformanceDefinition
from stream.records.performance import Counts, PerformancePart
from stream.records.prediction import ModelKey


class PerformanceProgress(msgspec.Struct, array_like=True):
    """Everything of a course besides its panes, as it lies in `@`."""

    model: str
    version: str
    category: str
    tracks: list[TrackProgress] = []
    first_ms: int | None = None  # start of the first pane evaluated
    evaluated_to_ms: int | None = None  # end of the newest window evaluated
    empty: bool = True  # whether that window had no labels
    episodes: dict[str, Episode] = {}  # by `name_of`
    revisions: dict[int, int] = {}  # end of window: how often it was published again
    revise: list[int] = []  # starts of panes that changed after they were evaluated, ascending
    missed: int = 0  # parts that came when their pane had been forgotten
    reliable: bool | None = None  # whether the estimate was right in the newest window that could tell
    tally: Tally = Tally()
    segment: str = ""  # "" for the whole traffic
    live: LivePerformance = msgspec.field(default_factory=LivePerformance)


class PerformanceCourse:
    """One model version (and category, or segment) as evaluate knows it from its labels."""

    def __init__(
        self,
        progress: PerformanceProgress,
        settings_of: Callable[[str], ModelSettings],
        find_baseline: Callable[[str], Baseline | None],
        segmentation_of: Callable[[ModelKey], Segmentation] = lambda _: NO_SEGMENTS,
    ) -> None:
        self.progress = progress
        self._segmentation_of = segmentation_of
        self.tracks: dict[str, Track] = {t.definition.id: Track(t) for t in progress.tracks}
        self._latest: PerformanceEvaluation | None = None
        self._sum = WindowSum()
        self._baseline: PerformanceBaseline | None = None
        self._compared_by: Segmentation | None = None  # that it was made with
        self._settings_of = settings_of
        self._find = find_baseline

    @property
    def key(self) -> ModelKey:
        """Whose performance it is."""
        return ModelKey(self.progress.model, self.progress.version)

    @property
    def latest(self) -> PerformanceEvaluation | None:
        """The newest window's evaluation; after a recovery it is made anew when somebody asks."""
        if self._latest is None and self.progress.evaluated_to_ms is not None and self.tracks:
            self._latest = self.evaluate(self.progress.evaluated_to_ms)
        return self._latest

    @latest.setter
    def latest(self, evaluation: PerformanceEvaluation) -> None:
        self._latest = evaluation

    @property
    def settings(self) -> ModelSettings:
        """How its windows are judged."""
        return self._settings_of(self.progress.model)

    def window_ms(self, track: Track) -> int:
        """The window's length: whole panes of the definition, at least one."""
        pane_ms = track.definition.pane_ms
        return max(self.settings.window_ms // pane_ms, 1) * pane_ms

    # -- what comes in

    def take(
        self, source: str, part: PerformancePart, counts: Counts, definition: PerformanceDefinition, next_offset: int
    ) -> None:
        """Take one part of a pane; `next_offset` is that of the partials after the record it came with."""
        track = self.tracks.get(part.definition)
        if track is None:
            track = self.tracks[part.definition] = Track(TrackProgress(definition, next_offset - 1))
        if track.is_forgotten(part):
            self.progress.missed += 1
            return
        difference = track.add(source, part, counts, next_offset)
        if difference is not None and not part.cohort:
            self._sum.correct(track.arrivals, part.start_ms, difference)
            evaluated_to = self.progress.evaluated_to_ms
            if evaluated_to is not None and part.start_ms < evaluated_to and track is self.in_force(evaluated_to):
                self.progress.revise = sorted({*self.progress.revise, part.start_ms})

    def in_force(self, end_ms: int) -> Track:
        """What the window ending at `end_ms` is evaluated with.

        The newest whose window has filled; until there is one, the oldest: so that a change of settings
        blinds nobody.
        """
        by_age = sorted((t for t in self.tracks.values() if t.progress.first_ms is not None), key=lambda t: t.order)
        for track in reversed(by_age):
            if track.progress.first_ms is not None and track.progress.first_ms + self.window_ms(track) <= end_ms:
                return track
        return by_age[0] if by_age else max(self.tracks.values(), key=lambda t: t.order)

    # -- windows

    def due(self, watermark_ms: int) -> Iterator[int]:
        """Ends of the windows that the watermark has passed since the last one, oldest first.

        A stretch without labels is one window that says so, not one for every pane.
        """
        while (following := self._next_end()) is not None:
            end_ms, track = following
            if end_ms > watermark_ms:
                return
            if self.progress.first_ms is None:
                self.progress.first_ms = self._first_pane_ms()
            labels = track.arrivals.any_labelled(end_ms - self.window_ms(track), end_ms)
            publish = labels or not self.progress.empty
            self.progress.evaluated_to_ms, self.progress.empty = end_ms, not labels
            if publish:
                yield end_ms
            else:
                self._skip_to(track, watermark_ms)

    def evaluate(self, end_ms: int, by: WindowSum | None = None) -> PerformanceEvaluation:
        """Work out the window that ends at `end_ms`."""
        track = self.in_force(end_ms)
        start_ms = end_ms - self.window_ms(track)
        first_ms, baseline = track.progress.first_ms, self.baseline_of(track).learned(self.live_by(track, end_ms))
        cohort_sum, cohorts = track.cohorts_by(end_ms)
        return evaluate_performance(
            track.definition,
            self.counts(end_ms, by),
            baseline,
            self.rules(track),
            span=Span(start_ms, end_ms, complete=first_ms is not None and first_ms <= start_ms),
            coverage=coverage_of(cohort_sum, track.sections, cohorts, baseline.bands),
        )

    def live_by(self, track: Track, end_ms: int) -> Mapping[str, Deviation]:
        """What earlier windows of a track taught of how much they differ, as it holds for the one that ends then."""
        return self.progress.live.known(track.definition.baseline_id, self.window_ms(track), end_ms)

    def learn(self, evaluation: PerformanceEvaluation) -> None:
        """Of a window that was evaluated for the first time."""
        self.progress.live.take(
            self.in_force(evaluation.end_ms).definition.baseline_id,
            evaluation.end_ms - evaluation.start_ms,
            evaluation.end_ms,
            evaluation.checks,
            complete=evaluation.complete,
        )

    def rules(self, track: Track) -> PerformanceRules:
        """What its windows are judged by, with the budget's level."""
        baseline, segmentation = self.baseline_of(track).of, self._segmentation_of(self.key)
        parts = 1 + (len(segmentation.names) if segmentation.keeps_labels_apart else 0)
        return self.settings.performance_at(baseline, track.definition.pane_ms, parts)

    def counts(self, end_ms: int, by: WindowSum | None = None) -> Counts:
        """The sum of the window that ends at `end_ms`, shape (width,); the caller must not change it."""
        track = self.in_force(end_ms)
        return (by or self._sum).of(
            track.arrivals, end_ms - self.window_ms(track), end_ms, pane_ms=track.definition.pane_ms
        )

    def judged(self, evaluation: PerformanceEvaluation) -> JudgedPerformance:
        """With what it was judged by."""
        track = self.in_force(evaluation.end_ms)
        return JudgedPerformance(
            evaluation,
            track.definition,
            self.baseline_of(track),
            track.arrivals.offsets(evaluation.start_ms, evaluation.end_ms),
        )

    def baseline_of(self, track: Track) -> PerformanceBaseline:
        """What a track's windows are compared with."""
        baseline_id, segmentation = track.definition.baseline_id, self._segmentation_of(self.key)
        if self._baseline is None or self._baseline.of.id != baseline_id or self._compared_by is not segmentation:
            found = self._find(baseline_id)
            if found is None:
                raise CallerError(
                    f"baseline {baseline_id} is in use but no longer in the baselines topic; restore the topic"
                )
            if self.progress.segment:
                found = of_segment(found, segmentation, self.progress.segment)
            self._baseline, self._compared_by = performance_baseline(found, track.definition), segmentation
        return self._baseline

    def revised(self) -> Iterator[PerformanceEvaluation]:
        """The evaluations that must be published again, the newest window's last whether it changed or not."""
        ends = self.revised_ends()
        anew = WindowSum()  # a walk of its own: the course's sum stays with the newest window
        for end_ms in ends[:-1]:
            yield self.evaluate(end_ms, anew)
        for end_ms in ends[-1:]:
            yield self.evaluate(end_ms)

    def revised_ends(self) -> list[int]:
        """The ends of the windows that changed since they were evaluated, once; the newest is always the last."""
        starts, self.progress.revise = self.progress.revise, []
        evaluated_to, first_ms = self.progress.evaluated_to_ms, self.progress.first_ms
        if not starts or evaluated_to is None or first_ms is None:
            return []
        track = self.in_force(evaluated_to)
        pane_ms, window_ms = track.definition.pane_ms, self.window_ms(track)
        ends = {
            end_ms
            for start in starts
            for end_ms in range(start + pane_ms, min(start + window_ms, evaluated_to) + 1, pane_ms)
            if end_ms > max(first_ms, evaluated_to - window_ms) and self.in_force(end_ms) is track
        }
        return [*sorted(ends - {evaluated_to}), evaluated_to]

    def forget(self) -> None:
        """Drop the panes and tracks that no window, nor a revision of one, needs any more."""
        evaluated_to = self.progress.evaluated_to_ms
        if evaluated_to is None:
            return
        current = self.in_force(evaluated_to)
        for definition_id, track in list(self.tracks.items()):
            known = track.definition
            arrivals_ms = evaluated_to - 2 * self.window_ms(track)
            cohorts_ms = evaluated_to - known.ttl_ms - known.revision_ms - known.cohort_ms
            track.forget_before(arrivals_ms - arrivals_ms % known.pane_ms, cohorts_ms)
            if track is not current and track.is_empty:
                del self.tracks[definition_id]
        oldest = evaluated_to - self.window_ms(current)
        self.progress.revisions = {e: n for e, n in self.progress.revisions.items() if e > oldest}

    def note_tracks(self) -> None:
        """Write into the progress what it is counted with."""
        self.progress.tracks = [track.progress for _, track in sorted(self.tracks.items())]

    def _next_end(self) -> tuple[int, Track] | None:
        """The end of the next window, and what it is evaluated with."""
        after = self.progress.evaluated_to_ms
        if after is None:
            after = self._first_pane_ms()
        if after is None:
            return None
        track = self.in_force(after)
        end_ms = _next_boundary(after, track)
        successor = self.in_force(end_ms)  # its panes may have another length
        return (end_ms, track) if successor is track else (_next_boundary(after, successor), successor)

    def _first_pane_ms(self) -> int | None:
        return min((s for t in self.tracks.values() for s in t.arrivals.by_start), default=None)

    def _skip_to(self, track: Track, watermark_ms: int) -> None:
        """Over a stretch without labels, to just before the next pane that has some."""
        pane_ms = track.definition.pane_ms
        end_ms = self.progress.evaluated_to_ms or 0
        ahead = [s for t in self.tracks.values() for s, n in t.arrivals.labelled.items() if s >= end_ms and n > 0]
        reached = watermark_ms - watermark_ms % pane_ms
        self.progress.evaluated_to_ms = max(end_ms, min([reached, *ahead]))


def _next_boundary(after_ms: int, track: Track) -> int:
    pane_ms = track.definition.pane_ms
    return after_ms - after_ms % pane_ms + pane_ms
