"""Closed panes of one model as they arrive from many sources: copies supersede, sources add.

A closed pane's counts never change at their source, so of each source one copy is taken and
every other is the same. What an idle source said of its open panes is provisional: kept apart,
superseded by a copy with a larger next_offset, and in the end by the closed one.
"""

import enum
from dataclasses import dataclass, field

import msgspec
import numpy as np

from stream.baselines.layout import Counts
from stream.durable.fold import Register
from stream.records.feature_names import FeatureNames
from stream.records.partial import PanePart, pack_counts, unpack_counts


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Offsets [first, next) of a source that hold a pane's rows."""

    first: int
    next: int
    newest_ms: int  # the newest event time of the source up to the row at `first`


_Packed = tuple[bytes, dict[str, Span], dict[str, tuple[Span, bytes, FeatureNames]], FeatureNames]


class News(enum.Enum):
    """What a part changed."""

    NONE = enum.auto()  # nothing: a copy of what was known
    SETTLED = enum.auto()  # what was provisional is final, with the same counts
    COUNTS = enum.auto()  # the pane's counts


@dataclass(slots=True)
class PaneSum:
    """One pane, summed over its sources."""

    counts: Counts  # of the sources in `final`, shape (width,)
    final: dict[str, Span] = field(default_factory=dict)
    provisional: dict[str, tuple[Span, Counts, FeatureNames]] = field(default_factory=dict)
    next_offset: int = 0  # of the partials partition, after the last record that changed it
    names: FeatureNames = field(default_factory=FeatureNames)  # of the sources in `final`

    def add(self, source: str, part: PanePart, *, provisional: bool) -> News:
        """Take one source's part."""
        held = self.provisional.get(source)
        if source in self.final or (provisional and held is not None and held[0].next >= part.next_offset):
            return News.NONE
        span, counts = Span(part.first_offset, part.next_offset, part.newest_ms), unpack_counts(part.counts)
        if provisional:
            self.provisional[source] = span, counts, part.names or FeatureNames()
            return News.COUNTS
        self.provisional.pop(source, None)
        self.final[source] = span
        self.counts += counts
        if part.names is not None:
            self.names.add(part.names)
        return News.SETTLED if held is not None and held[0].next == span.next else News.COUNTS

    def total(self) -> Counts:
        """The pane's counts as far as they are known, shape (width,)."""
        return sum((counts for _, counts, _ in self.provisional.values()), start=self.counts.copy())

    def all_names(self) -> FeatureNames:
        """The names of features as far as they are known; the caller's own."""
        found = FeatureNames()
        for names in (self.names, *(names for _, _, names in self.provisional.values())):
            found.add(names)
        return found

    def spans(self) -> dict[str, Span]:
        """Where the rows lie, by source."""
        return self.final | {source: span for source, (span, _, _) in self.provisional.items()}

    def to_bytes(self) -> bytes:
        """Packed; equal states give equal bytes."""
        provisional = {
            s: (span, pack_counts(counts), names.ordered())
            for s, (span, counts, names) in sorted(self.provisional.items())
        }
        final = dict(sorted(self.final.items()))
        return msgspec.msgpack.encode((pack_counts(self.counts), final, provisional, self.names.ordered()))

    @classmethod
    def from_bytes(cls, data: bytes, next_offset: int) -> "PaneSum":
        """The state in a register's value."""
        counts, final, provisional, names = msgspec.msgpack.decode(data, type=_Packed)
        held = {source: (span, unpack_counts(packed), own) for source, (span, packed, own) in provisional.items()}
        return cls(unpack_counts(counts), final, held, next_offset, names)


class ModelPanes:
    """The panes of one definition of one model, by start."""

    def __init__(self, width: int, pane_ms: int) -> None:
        self.by_start: dict[int, PaneSum] = {}
        self.changed: set[int] = set()  # starts, since the last checkpoint
        self._width = width
        self._pane_ms = pane_ms
        self._forgotten_before: int | None = None

    def add(self, source: str, part: PanePart, *, provisional: bool, next_offset: int) -> bool:
        """Take one part; whether it changed the pane's counts."""
        pane = self.by_start.get(part.start_ms)
        if pane is None:
            pane = self.by_start[part.start_ms] = PaneSum(np.zeros(self._width, np.int64))
        news = pane.add(source, part, provisional=provisional)
        if news is not News.NONE:
            pane.next_offset = next_offset
            self.changed.add(part.start_ms)
        return news is News.COUNTS

    def any_between(self, start_ms: int, end_ms: int) -> bool:
        """Whether a pane in [start_ms, end_ms) has rows; looks from the newest back, where they mostly are."""
        return any(start in self.by_start for start in range(end_ms - self._pane_ms, start_ms - 1, -self._pane_ms))

    def forget_before(self, start_ms: int) -> None:
        """Drop the panes that no window needs any more; costs what has to be dropped, not what is kept."""
        since, self._forgotten_before = self._forgotten_before, start_ms
        few = since is not None and (start_ms - since) // self._pane_ms < len(self.by_start)
        old = range(since, start_ms, self._pane_ms) if few and since is not None else list(self.by_start)
        for start in old:
            if start < start_ms and start in self.by_start:
                del self.by_start[start]
                self.changed.discard(start)

    def total_of(self, start_ms: int) -> Counts | None:
        """The counts of one pane, as far as they are known; None if it has no rows."""
        pane = self.by_start.get(start_ms)
        return None if pane is None else pane.total()

    def spans(self, start_ms: int, end_ms: int) -> dict[str, Span]:
        """Where each source's rows of a window lie, as an alert cites it."""
        spans: dict[str, Span] = {}
        for start in sorted(s for s in self.by_start if start_ms <= s < end_ms):
            for source, span in self.by_start[start].spans().items():
                held = spans.get(source, span)
                first, newest_ms = min((held.first, held.newest_ms), (span.first, span.newest_ms))
                spans[source] = Span(first, max(held.next, span.next), newest_ms)
        return dict(sorted(spans.items()))

    def registers(self, prefix: tuple[str, ...], starts: set[int]) -> list[Register]:
        """The registers of some panes."""
        return [
            Register(msgspec.msgpack.encode((*prefix, start)), pane.next_offset, pane.to_bytes())
            for start, pane in ((start, self.by_start[start]) for start in sorted(starts))
        ]
