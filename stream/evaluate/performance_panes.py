"""Panes of joined pairs as the joins tell them, held packed, and the running sum over a window.

A pane of performance goes on changing after it has closed (late and revised labels), so each part is
the whole count of one outcomes partition as of an offset of it: one with a larger offset supersedes,
different partitions add. Held are the bytes as they came, a few hundred a pane; only the window's sum
is dense. It is corrected by the difference that a part makes: integers, so exact for ever.
"""

from typing import Final, NamedTuple

import msgspec
import numpy as np

from stream.durable.fold import Register
from stream.records.performance import Counts, PerformancePart, Sections, unpack_sparse

OF_SEGMENTS: Final = "|"  # behind an outcomes partition: the segments that its count is of, each a source of its own


class HeldPart(NamedTuple):
    """One outcomes partition's count of one pane."""

    part_offset: int  # of the outcomes partition; a larger one supersedes
    counts: bytes  # see pack_sparse
    next_offset: int  # of the partials partition, after the record that it came with


class PerformancePanes:
    """The panes of one kind, by arrival or by cohort, of one definition."""

    def __init__(self, sections: Sections) -> None:
        self.by_start: dict[int, dict[str, HeldPart]] = {}
        self.labelled: dict[int, int] = {}  # pairs in each pane
        self.changed: set[tuple[int, str]] = set()  # (start, source), since the last checkpoint
        self._sections = sections

    def add(self, source: str, part: PerformancePart, counts: Counts, next_offset: int) -> Counts | None:
        """Take one part; what it adds to the pane's counts, shape (width,), or None if it is no news.

        Args:
            source: the outcomes partition, and the segments whose count it is, if any are kept apart.
            part: as it came.
            counts: the part's, unpacked.
            next_offset: of the partials partition, after the record that it came with.
        """
        pane = self.by_start.setdefault(part.start_ms, {})
        held = pane.get(source)
        if held is not None and held.part_offset >= part.next_offset:
            return None
        pane[source] = HeldPart(part.next_offset, part.counts, next_offset)
        self.changed.add((part.start_ms, source))
        difference = counts if held is None else counts - unpack_sparse(held.counts, self._sections.width)
        self._count_labelled(part.start_ms, difference)
        return difference

    def total(self, start_ms: int) -> Counts:
        """One pane over all its sources, shape (width,); the caller's own copy."""
        total = np.zeros(self._sections.width, np.int64)
        for held in self.by_start.get(start_ms, {}).values():
            total += unpack_sparse(held.counts, self._sections.width)
        return total

    def any_labelled(self, start_ms: int, end_ms: int) -> bool:
        """Whether a pane that begins in [start_ms, end_ms) has a pair."""
        return any(n > 0 and start_ms <= start < end_ms for start, n in self.labelled.items())

    def forget_before(self, start_ms: int) -> list[int]:
        """Drop the panes that begin before; their starts."""
        old = sorted(start for start in self.by_start if start < start_ms)
        for start in old:
            del self.by_start[start]
            self.labelled.pop(start, None)
        if old:
            self.changed = {(start, source) for start, source in self.changed if start >= start_ms}
        return old

    def offsets(self, start_ms: int, end_ms: int) -> dict[str, int]:
        """By outcomes partition, below which offset of it everything is counted in the panes of [start_ms, end_ms)."""
        offsets: dict[str, int] = {}
        for start, pane in self.by_start.items():
            if start_ms <= start < end_ms:
                for source, held in pane.items():
                    partition = source.partition(OF_SEGMENTS)[0]
                    offsets[partition] = max(offsets.get(partition, 0), held.part_offset)
        return dict(sorted(offsets.items()))

    def registers(self, prefix: tuple[str, str, bool], *, only_changed: bool) -> list[Register]:
        """The registers of the parts, of those that changed or of all."""
        every = ((start, source) for start, pane in self.by_start.items() for source in pane)
        entries = sorted(self.changed if only_changed else every)
        self.changed = set()
        return [
            Register(
                msgspec.msgpack.encode((*prefix, start, source)),
                held.next_offset,
                msgspec.msgpack.encode((held.part_offset, held.counts)),
            )
            for start, source, held in ((start, source, self.by_start[start][source]) for start, source in entries)
        ]

    def restore(self, start_ms: int, source: str, register: Register) -> Counts:
        """Hold the part in a register again; its counts."""
        part_offset, counts = msgspec.msgpack.decode(register.value, type=tuple[int, bytes])
        self.by_start.setdefault(start_ms, {})[source] = HeldPart(part_offset, counts, register.next_offset)
        dense = unpack_sparse(counts, self._sections.width)
        self._count_labelled(start_ms, dense)
        return dense

    def _count_labelled(self, start_ms: int, difference: Counts) -> None:
        self.labelled[start_ms] = self.labelled.get(start_ms, 0) + labelled(difference, self._sections)


class WindowSum:
    """The sum of a window's panes, moved on pane by pane and corrected when a pane changes."""

    def __init__(self) -> None:
        self._panes: PerformancePanes | None = None
        self._start_ms = self._end_ms = 0
        self._total: Counts = np.zeros(0, np.int64)

    def of(self, panes: PerformancePanes, start_ms: int, end_ms: int, pane_ms: int) -> Counts:
        """The counts in [start_ms, end_ms), shape (width,); the caller must not change them."""
        if self._panes is panes and (start_ms - self._start_ms, end_ms - self._end_ms) == (pane_ms, pane_ms):
            self._total = self._total - panes.total(self._start_ms) + panes.total(end_ms - pane_ms)
        elif self._panes is not panes or (start_ms, end_ms) != (self._start_ms, self._end_ms):
            self._panes, self._total = panes, panes.total(start_ms)
            for start in panes.by_start:
                if start_ms < start < end_ms:
                    self._total += panes.total(start)
        self._start_ms, self._end_ms = start_ms, end_ms
        return self._total

    def correct(self, panes: PerformancePanes, start_ms: int, difference: Counts) -> None:
        """A pane's counts have changed by `difference`; one that is yet to come is added when it is due."""
        if self._panes is panes and self._start_ms <= start_ms < self._end_ms:
            self._total = self._total + difference


def labelled(counts: Counts, sections: Sections) -> int:
    """The pairs in a pane's or a window's counts."""
    if sections.moments.stop > sections.moments.start:
        return int(counts[sections.moments.start])
    return int(counts[sections.negatives].sum() + counts[sections.positives].sum())
