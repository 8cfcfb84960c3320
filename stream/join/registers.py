"""The panes that joined pairs are counted into: by label arrival, and by prediction time (cohorts).

Cost: a pane of a binary model with 2,048 bins has about 6,300 counters: 50 KB while much of it changes
(24 MB of those at most), else about 3 bytes a counter that is not zero, and the changes since.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from stream.durable.fold import Register
from stream.join.definitions import Definitions
from stream.join.grouping import groups
from stream.join.ledger import Ledger
from stream.records.outcome import PerformanceDefinition
from stream.records.partial import NO_TIME
from stream.records.performance import Sections, delay_bins, pack_sparse, unpack_sparse

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

DENSE_AT: Final = 0.25  # changes since it was packed, as a share of the counters
MOST_DENSE_BYTES: Final = 24 << 20  # of all dense panes of a partition; beyond it the one unchanged longest is packed
LARGEST_UNITS: Final = 1 << 17  # of an error or a centred label of a regression, 512 deviations: beyond it is clipped
"""So 2^29 pairs, half a billion in one window, fit the int64 sum of their squares."""


class PaneKey(NamedTuple):
    """Whose counts a register holds."""

    definition: str  # id
    cohort: bool
    start_ms: int


@dataclass(slots=True)
class Pane:
    """One register: dense while much of it changes, else packed, with the changes since."""

    width: int
    next_offset: int
    packed: bytes | None = None  # None: it has changed since, or has never been packed
    counts: Ints | None = None  # shape (width,)
    changes: list[tuple[Ints, Ints]] = field(default_factory=list)  # counters and by how much, each (pairs, n)
    change_count: int = 0
    base: bytes | None = None  # packed, before the changes

    def add(self, columns: Ints, weights: Ints) -> bool:
        """Change some counters; whether it has become dense by that."""
        self.packed = None
        if self.counts is not None:
            np.add.at(self.counts, columns, weights)
            return False
        self.changes.append((columns, weights))
        self.change_count += columns.size
        if self.change_count <= DENSE_AT * self.width:
            return False
        self.counts = self._sum()
        self.base, self.changes, self.change_count = None, [], 0
        return True

    def pack(self) -> bytes:
        """The counts as bytes."""
        if self.packed is None:
            self.packed = pack_sparse(self.counts if self.counts is not None else self._sum())
            if self.counts is None:
                self.base, self.changes, self.change_count = self.packed, [], 0
        return self.packed

    def cool(self) -> None:
        """Be dense no longer."""
        self.base, self.counts = self.pack(), None

    def _sum(self) -> Ints:
        counts = np.zeros(self.width, np.int64) if self.base is None else unpack_sparse(self.base, self.width)
        for columns, weights in self.changes:
            np.add.at(counts, columns, weights)
        return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Predictions that have met their labels; all arrays have shape (pairs,)."""

    number: Ints  # of the definition
    time_s: Ints  # of the prediction
    label_time_s: Ints
    payload: Ints  # grid bin
    estimate: npt.NDArray[np.uint32]  # of a regression: the bits of a float32
    value: Floats  # the label

    def __len__(self) -> int:
        return len(self.number)

    def take(self, chosen: npt.NDArray[np.bool_]) -> "Pairs":
        """Some of them."""
        return Pairs(
            number=self.number[chosen],
            time_s=self.time_s[chosen],
            label_time_s=self.label_time_s[chosen],
            payload=self.payload[chosen],
            estimate=self.estimate[chosen],
            value=self.value[chosen],
        )


class Registers:
    """All panes of an outcomes partition that are kept."""

    def __init__(self, definitions: Definitions, ledger: Ledger) -> None:
        self.panes: dict[PaneKey, Pane] = {}
        self.untold: set[PaneKey] = set()  # changed since evaluate was told of them
        self._starts: dict[tuple[str, bool], list[int]] = {}  # of the panes, a heap for each definition and kind
        self._definitions = definitions
        self.ledger = ledger
        self._next_offset = 0  # of the record that is being counted
        self._watermark_ms = NO_TIME
        self._changed: set[PaneKey] = set()
        self._dense: dict[PaneKey, None] = {}  # in order of their last change
        self._dense_bytes = 0

    # -- counting

    def begin(self, next_offset: int) -> None:
        """A record is being counted; `next_offset` follows it."""
        self._next_offset = next_offset

    def count_pairs(self, pairs: Pairs, sign: int) -> None:
        """Add pairs to (or with sign -1 take them out of) their two panes each."""
        for definition, mine in self._by_definition(pairs):
            sections = Sections.of(definition)
            columns, weights = pair_counters(mine, definition, sections)
            newest_s = np.maximum(mine.time_s, mine.label_time_s)
            for cohort, time_s in ((False, newest_s), (True, mine.time_s)):
                starts = pane_starts_ms(time_s, definition.cohort_ms if cohort else definition.pane_ms)
                self._add(definition, cohort, starts, columns, sign * weights)

    def count_predictions(self, pairs: Pairs, sign: int) -> None:
        """Add predictions, labelled or not, to their cohorts."""
        for definition, mine in self._by_definition(pairs):
            section = Sections.of(definition).predictions
            at = section.start + (mine.payload if definition.task == "binary" else np.zeros(len(mine), np.int64))
            starts = pane_starts_ms(mine.time_s, definition.cohort_ms)
            weights = np.full((len(mine), 1), sign)
            self._add(definition, True, starts, at[:, None], weights)

    def _by_definition(self, pairs: Pairs) -> list[tuple[PerformanceDefinition, Pairs]]:
        if not len(pairs):
            return []
        numbers = np.unique(pairs.number).tolist()
        known = self._definitions.known
        if len(numbers) == 1:
            return [(known[numbers[0]], pairs)]
        return [(known[number], pairs.take(pairs.number == number)) for number in numbers]

    def _add(self, definition: PerformanceDefinition, cohort: bool, starts: Ints, columns: Ints, weights: Ints) -> None:
        width = Sections.of(definition).width
        for start, mine in groups(starts):
            key = PaneKey(definition.id, cohort, start)
            if self._is_over(key):
                self.ledger.missed += len(starts[mine])
            else:
                self._change(key, width, columns[mine], weights[mine])

    def _change(self, key: PaneKey, width: int, columns: Ints, weights: Ints) -> None:
        pane = self.panes.get(key)
        if pane is None:
            pane = self._keep(key, Pane(width, self._next_offset))
        pane.next_offset = self._next_offset
        self._changed.add(key)
        self.untold.add(key)
        if pane.add(columns, weights) or pane.counts is not None:
            self._dense_bytes += 0 if key in self._dense else 8 * width
            self._dense.pop(key, None)
            self._dense[key] = None
            while self._dense_bytes > MOST_DENSE_BYTES:
                self._cool(next(iter(self._dense)))

    def _keep(self, key: PaneKey, pane: Pane) -> Pane:
        self.panes[key] = pane
        heappush(self._starts.setdefault((key.definition, key.cohort), []), key.start_ms)
        return pane

    def _cool(self, key: PaneKey) -> None:
        del self._dense[key]
        pane = self.panes[key]
        self._dense_bytes -= 8 * pane.width
        pane.cool()

    # -- what is kept

    def close(self, watermark_ms: int) -> None:
        """Drop what no report needs any more once the watermark is there."""
        self._watermark_ms = watermark_ms
        for (definition, cohort), starts in list(self._starts.items()):
            while starts and self._is_over(key := PaneKey(definition, cohort, starts[0])):
                heappop(starts)
                self._drop(key)
            if not starts:
                del self._starts[definition, cohort]

    def definitions(self) -> set[str]:
        """Ids of those that a pane is counted by."""
        return {definition for definition, _ in self._starts}

    def _drop(self, key: PaneKey) -> None:
        if key in self._dense:
            self._cool(key)
        del self.panes[key]
        self._changed.discard(key)
        self.untold.discard(key)

    def cool(self, unchanged_since: int) -> None:
        """Keep only packed what has not changed since an offset."""
        while self._dense and self.panes[key := next(iter(self._dense))].next_offset <= unchanged_since:
            self._cool(key)

    def _is_over(self, key: PaneKey) -> bool:
        kept_ms = self._definitions.kept_ms(key.definition, cohort=key.cohort)
        return key.start_ms + kept_ms < self._watermark_ms

    # -- what is durable

    def changed(self) -> list[Register]:
        """The registers that changed since the last call."""
        changed, self._changed = self._changed, set()
        return [self._register(key) for key in sorted(changed)]

    def live(self) -> list[Register]:
        """All registers."""
        self._changed.clear()
        return [self._register(key) for key in sorted(self.panes)]

    def restore(self, registers: Iterable[Register], watermark_ms: int) -> None:
        """Become what the registers say, without those that are over."""
        self._watermark_ms = watermark_ms
        for register in registers:
            key = PaneKey(*msgspec.msgpack.decode(register.key))
            if key.definition in self._definitions.newest and not self._is_over(key):
                width = self._definitions.sections(key.definition).width
                packed = register.value
                self._keep(key, Pane(width, register.next_offset, packed=packed, base=packed))

    def _register(self, key: PaneKey) -> Register:
        pane = self.panes[key]
        return Register(msgspec.msgpack.encode(key), pane.next_offset, pane.pack())


def pane_starts_ms(time_s: Ints, pane_ms: int) -> Ints:
    """Start of the pane that holds each second; shape as given.

    >>> pane_starts_ms(np.array([59, 60]), 60_000).tolist()
    [0, 60000]
    """
    time_ms = time_s * 1000
    return time_ms - time_ms % pane_ms


def pair_counters(pairs: Pairs, definition: PerformanceDefinition, sections: Sections) -> tuple[Ints, Ints]:
    """Which counters each pair changes, shape (pairs, counters), and by how much."""
    delay = sections.delays.start + delay_bins(pairs.label_time_s - pairs.time_s)
    if definition.task == "binary":
        start = np.where(pairs.value > 0.5, sections.positives.start, sections.negatives.start)
        columns = np.stack([start + pairs.payload, delay], axis=1)
        return columns, np.ones_like(columns)
    moments = _moments(pairs, definition.unit, definition.centre)
    at = np.broadcast_to(np.arange(sections.moments.start, sections.moments.stop), moments.shape)
    return np.column_stack([at, delay]), np.column_stack([moments, np.ones(len(pairs), np.int64)])


def _moments(pairs: Pairs, unit: float, centre: float) -> Ints:
    """MOMENTS of each pair, shape (pairs, 7): whole units, so that their sums do not depend on order."""
    value = pairs.value.astype(np.float64)
    with np.errstate(over="ignore"):  # infinite is clipped like all that is too far
        label = (value - centre) / unit
        error = (pairs.estimate.view(np.float32).astype(np.float64) - value) / unit
    wide = np.abs(np.stack([error, label])) > LARGEST_UNITS
    error_units, label_units = (
        np.rint(np.clip(np.nan_to_num(x), -LARGEST_UNITS, LARGEST_UNITS)).astype(np.int64) for x in (error, label)
    )
    one = np.ones(len(pairs), np.int64)
    clipped = wide.any(axis=0).astype(np.int64)
    squares = error_units**2, label_units**2
    return np.stack([one, clipped, error_units, np.abs(error_units), squares[0], label_units, squares[1]], axis=1)
