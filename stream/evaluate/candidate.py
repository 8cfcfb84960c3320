"""A definition that the sources of a model count with: its panes, from when to when, and the sums of windows."""

import math
from dataclasses import dataclass, field

import numpy as np

from stream.baselines.definition import Definition
from stream.baselines.layout import Counts
from stream.evaluate.live_windows import LiveWindows
from stream.evaluate.panes import ModelPanes
from stream.evaluate.sources import Sources
from stream.evaluate.yardstick import Yardstick
from stream.records.feature_names import FeatureNames
from stream.records.partial import NO_TIME, ActiveDefinition


@dataclass(eq=False)
class Candidate:
    """A definition that the sources count with."""

    definition: Definition
    from_ms: dict[str, int] = field(default_factory=dict)  # by source: panes before it were not counted
    until_ms: dict[str, int] = field(default_factory=dict)  # by source that has a successor: panes from it on neither
    since: int = -1  # offset of the partial that it came with; an earlier stay of the same definition is forgotten
    entered_ms: int = NO_TIME  # to where windows had been evaluated then: of an earlier stay's panes some are gone
    usual_names: tuple[str, ...] | None = None  # of features that are not the baseline's, and no news; None: not known
    panes: ModelPanes = field(init=False)  # of the whole traffic
    segments: dict[str, ModelPanes] = field(default_factory=dict)  # by name
    live: LiveWindows = field(init=False)  # what they teach
    yardsticks: dict[str, Yardstick] = field(default_factory=dict)  # by segment, made when a window is judged

    def __post_init__(self) -> None:
        self.panes, self.live = self._new_panes(), LiveWindows(self.definition)

    def _new_panes(self) -> ModelPanes:
        return ModelPanes(self.definition.layout.width, self.definition.settings.pane_ms)

    def panes_of(self, segment: str) -> ModelPanes:
        """The panes of a segment, or of the whole traffic where it is `""`."""
        if not segment:
            return self.panes
        if segment not in self.segments:
            self.segments[segment] = self._new_panes()
        return self.segments[segment]

    def every_panes(self) -> list[tuple[str, ModelPanes]]:
        """All of them by segment, the whole traffic first."""
        return [("", self.panes), *sorted(self.segments.items())]

    def whole_from_ms(self) -> int:
        """From where every source that has spoken counts with it, and nothing has been forgotten."""
        return max(self.entered_ms, *self.from_ms.values()) if self.from_ms else NO_TIME

    def whole_to_ms(self, sources: Sources) -> float:
        """To where every source counts with it; infinite if it has no successor.

        A source that has not come to its end of it has no row beyond: an idle one holds nobody back.
        """
        ended = [until for name, until in self.until_ms.items() if sources.newest_event_ms(name) >= until]
        return min(ended, default=math.inf)

    def hear(self, source: str, announced: ActiveDefinition | None) -> None:
        """What a source says of it; None: that it does not count with it."""
        self.from_ms.pop(source, None)
        self.until_ms.pop(source, None)
        if announced is not None:
            self.from_ms[source] = announced.from_ms
            if announced.until_ms is not None:
                self.until_ms[source] = announced.until_ms


class RunningSum:
    """The sum of a window's panes, moved on pane by pane."""

    def __init__(self, segment: str = "") -> None:
        self._segment = segment
        self._candidate: Candidate | None = None
        self._start_ms = self._end_ms = 0
        self._held: dict[int, Counts] = {}
        self._total: Counts = np.zeros(0, np.int64)
        self._held_names: dict[int, FeatureNames] = {}
        self.names = FeatureNames()  # of the features, in the window that was summed last

    def of(self, candidate: Candidate, start_ms: int, end_ms: int) -> Counts:
        """The counts in [start_ms, end_ms), shape (width,); the caller must not change them."""
        pane_ms = candidate.definition.settings.pane_ms
        follows = (start_ms - self._start_ms, end_ms - self._end_ms) == (pane_ms, pane_ms)
        if self._candidate is candidate and follows:
            self._remove(self._start_ms)
            self._insert(candidate, end_ms - pane_ms)
        elif self._candidate is not candidate or (start_ms, end_ms) != (self._start_ms, self._end_ms):
            self._candidate, self._held, self._held_names, self.names = candidate, {}, {}, FeatureNames()
            self._total = np.zeros(candidate.definition.layout.width, np.int64)
            by_start = candidate.panes_of(self._segment).by_start
            for pane_start in sorted(s for s in by_start if start_ms <= s < end_ms):
                self._insert(candidate, pane_start)
        self._start_ms, self._end_ms = start_ms, end_ms
        return self._total

    def rows_by_pane(self) -> dict[int, int]:
        """How many rows each pane of the window that was summed last has, by its start."""
        if self._candidate is None:
            return {}
        first = slice(0, int(self._candidate.definition.layout.starts[1]))  # each row has one entry in every series
        return {start: int(counts[first].sum()) for start, counts in self._held.items()}

    def pane_changed(self, pane_start: int) -> None:
        """If the pane lies inside, sum anew next time; one that is yet to come is added when it is due."""
        if self._start_ms <= pane_start < self._end_ms:
            self._candidate = None

    def _insert(self, candidate: Candidate, pane_start: int) -> None:
        pane = candidate.panes_of(self._segment).by_start.get(pane_start)
        if pane is not None:
            self._held[pane_start] = pane.total()
            self._total += self._held[pane_start]
            self._held_names[pane_start] = pane.all_names()
            self.names.add(self._held_names[pane_start])

    def _remove(self, pane_start: int) -> None:
        counts = self._held.pop(pane_start, None)
        if counts is not None:
            self._total -= counts
            self.names.subtract(self._held_names.pop(pane_start))
