"""How much healthy windows differ, learned from the windows themselves: for a baseline that cannot tell.

A baseline without times, or of too few windows, says what is normal and not how much normal windows differ from each
other. So the closed panes of the first windows are kept, and at 24 of them the evidence is learned, anew at 48, 96 and
168; then it stays, and the panes are dropped.

Promise: a function of the partials alone: windows that do not overlap, cut at whole multiples of their length since
1970, each as it was when its last pane was evaluated; numbers rounded as in a baseline, so that another machine's
arithmetic does not show. What is learned holds from the window on that completed it. A window that lies partly before
the definition's first pane, or has fewer than 10 rows, is passed over; so is, once something was learned, one that is
in breach of it. The first 24 are kept whatever they are: while rows pass for independent, healthy wander is in breach,
and to leave it out would be to learn too little of it for ever.
Cost: at most 4 M counters kept, a byte or two each, until it is done; learning takes as long as it does for a file.
Weak: a fault in the first 24 windows is taken for healthy wander: its alert may end, and the checks are blunter. What
is healthy and was not in them may alarm until there is a baseline that knows it. One made with times knows better.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.evidence import Evidence
from detectors.evidence_learning import LEAST_ROWS, learn_evidence
from stream.baselines.evidence import SeriesEvidence
from stream.baselines.layout import Counts, Layout
from stream.baselines.learning import rounded
from stream.durable.fold import Register
from stream.records.partial import pack_counts, unpack_counts

REGISTER: Final = "~evidence"  # first part of a register's key, where others have a definition's id
MILESTONES: Final = (24, 48, 96, 168)  # windows after which it is learned anew; at the last it is done
MOST_PARTS: Final = 12  # of a window: what a replay of the windows moves on by
MOST_COUNTERS: Final = 4_000_000  # kept until it is done; a wider model's windows are cut into fewer parts
NO_BLOCK: Final = -1  # in the key of the register that holds what was learned


class Block(NamedTuple):
    """One window's counts."""

    next_offset: int  # of the partials partition, after the record that completed it
    packed: bytes  # shape (parts, coarse bins)


class Learned(msgspec.Struct, frozen=True, array_like=True):
    """What was learned last, as it lies in its register."""

    windows: int  # that it was learned from
    series: tuple[SeriesEvidence, ...]


class LiveEvidence:
    """Of one definition and segment, for windows of one length; `shared_by` so many segments, the whole included."""

    def __init__(self, layout: Layout, *, window_ms: int, pane_ms: int, shared_by: int = 1) -> None:
        self.window_ms: Final = window_ms
        self.parts: Final = parts_of(window_ms // pane_ms, len(layout.coarse_starts) * shared_by)
        self._layout = layout
        self._pane_ms = pane_ms
        self._blocks: dict[int, Block] = {}  # by start of the window; empty once it is done
        self._learned: Learned | None = None
        self._learned_offset = 0
        self._evidence: tuple[Evidence, ...] | None = None
        self._changed: set[int] = set()

    @property
    def evidence(self) -> tuple[Evidence, ...] | None:
        """One per series; None until 24 windows have been seen."""
        if self._evidence is None and self._learned is not None:
            self._evidence = tuple(one.evidence() for one in self._learned.series)
        return self._evidence

    @property
    def windows(self) -> int:
        """How many windows have been seen; 168 once it is done."""
        return MILESTONES[-1] if self.done else len(self._blocks)

    @property
    def wanted(self) -> int | None:
        """After how many windows it is learned next; None: it is done."""
        return next((m for m in MILESTONES if m > self.windows), None)

    @property
    def done(self) -> bool:
        """Whether it stays as it is."""
        return self._learned is not None and self._learned.windows >= MILESTONES[-1]

    def is_due(self, end_ms: int) -> bool:
        """Whether a window that is to be kept ends here."""
        return not self.done and end_ms % self.window_ms == 0

    def take(
        self, start_ms: int, pane: Callable[[int], Counts | None], next_offset: int, *, in_breach: bool = False
    ) -> bool:
        """Keep the window that begins at `start_ms`, and learn if it is time to; whether it was.

        Args:
            start_ms: a whole multiple of the window's length.
            pane: the counts of the pane that begins there, shape (layout.width,); None if it has no rows.
            next_offset: of the partials partition, after the record that completed the window.
            in_breach: whether any series had drifted when the window was judged first.
        """
        if self.done or start_ms in self._blocks or (in_breach and self._learned is not None):
            return False
        kept = self._in_parts(start_ms, pane)
        if kept[:, : self._first_series_end()].sum() < LEAST_ROWS:
            return False
        self._blocks[start_ms] = Block(next_offset, pack_counts(kept.ravel()))
        self._changed.add(start_ms)
        if len(self._blocks) not in MILESTONES:
            return False
        self._learn(next_offset)
        return True

    # -- what is durable

    def registers(self, prefix: tuple[str, str], *, only_changed: bool) -> list[Register]:
        """What was learned and the windows kept; `prefix`: definition and segment."""
        named = sorted(self._changed if only_changed else {*self._blocks, *([NO_BLOCK] if self._learned else [])})
        self._changed = set()
        return [self._register(prefix, at) for at in named]

    def restore(self, at: int, register: Register) -> None:
        """Take what a register says, in any order; `at`: the last part of its key. Once it is done no window stays."""
        if at == NO_BLOCK:
            self._learned = msgspec.msgpack.decode(register.value, type=Learned)
            self._learned_offset = register.next_offset
        else:
            self._blocks[at] = Block(register.next_offset, register.value)
        if self.done:
            self._blocks = {}

    # -- the steps

    def _in_parts(self, start_ms: int, pane: Callable[[int], Counts | None]) -> Counts:
        coarse_starts = self._layout.coarse_starts
        kept = np.zeros((self.parts, len(coarse_starts)), np.int64)
        part_ms = self.window_ms // self.parts
        for at in range(start_ms, start_ms + self.window_ms, self._pane_ms):
            counts = pane(at)
            if counts is not None:
                kept[(at - start_ms) // part_ms] += self._layout.coarsen(counts)
        return kept

    def _first_series_end(self) -> int:
        starts = self._layout.series_coarse_starts
        return int(starts[1]) if len(starts) > 1 else len(self._layout.coarse_starts)

    def _learn(self, next_offset: int) -> None:
        rows = [unpack_counts(self._blocks[start].packed) for start in sorted(self._blocks)]
        panes = np.concatenate(rows).reshape(-1, len(self._layout.coarse_starts))
        layout = self._layout
        found = learn_evidence(panes, layout.series_coarse_starts, self.parts, baseline=layout.baseline_coarse)
        series = tuple(SeriesEvidence.of(rounded(one)) for one in found)
        self._learned, self._learned_offset = Learned(len(self._blocks), series), next_offset
        self._evidence = None
        self._changed.add(NO_BLOCK)
        if self.done:
            self._blocks = {}
            self._changed = {NO_BLOCK}

    def _register(self, prefix: tuple[str, str], at: int) -> Register:
        key = msgspec.msgpack.encode((REGISTER, *prefix, self.window_ms, at))
        if at == NO_BLOCK:
            return Register(key, self._learned_offset, msgspec.msgpack.encode(self._learned))
        return Register(key, *self._blocks[at])


def parts_of(window_panes: int, bins: int) -> int:
    """Into how many equal parts of whole panes a window is cut: 12 or the next fewer, and not too many counters.

    >>> parts_of(60, 280), parts_of(24, 280), parts_of(7, 280), parts_of(13, 280), parts_of(60, 10_000)
    (12, 12, 7, 1, 2)
    """
    most = min(MOST_PARTS, max(MOST_COUNTERS // (bins * MILESTONES[-1]), 1))
    return next(parts for parts in range(most, 0, -1) if window_panes % parts == 0)
