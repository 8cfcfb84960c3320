"""The definitions that an outcomes partition has heard of, each with a number that its rows carry.

Two definitions are one only if they are equal in every field: rows of an older one keep its times.
Those with one `id` count into the same registers, as the one that a record named last says.

A number is free again once no record that may be read back names its definition, no row has it, and
no pane is counted by it: so what is read back means the same, and `@` does not grow for ever. There is
room for 4,096 at a time, so that `@` fits a message. Rows of one that finds none are refused, and are so
again when they are read back: a definition counts from the offset at which it was given its number.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from stream.records.outcome import PerformanceDefinition
from stream.records.performance import Sections

Ints = npt.NDArray[np.int64]
Words64 = npt.NDArray[np.uint64]

MOST_DEFINITIONS: Final = 1 << 12
BUCKETS_A_TTL: Final = 64  # a row is forgotten at the end of its bucket: up to 1/64 of its time to live late
LARGEST_GRID: Final = 1 << 12  # bins; what a row has room for
NO_ROOM: Final = -1  # stands for the number of a definition that has none
NOBODY: Final = PerformanceDefinition("", "", "", "", "", 0, 0.0, 1, 1, "", 1, 1, 0, True, 0)  # of a free number


class Numbered(msgspec.Struct, array_like=True, frozen=True):
    """A definition, as it lies in `@`."""

    number: int
    since: int  # the offset of the record that was the first to name it
    is_newest: bool  # of its id
    definition: PerformanceDefinition


class Reach(NamedTuple):
    """The extremes over all definitions that records name which may still be read back."""

    longest_ttl_s: int = 0
    widest_bucket_s: int = 0
    smallest_pane_ms: int | None = None


class Definitions:
    """Numbers and columns of the definitions; a column has shape (room,), indexed by number."""

    def __init__(self, known: Sequence[Numbered] = ()) -> None:
        self.known: list[PerformanceDefinition] = []  # NOBODY where a number is free
        self.newest: dict[str, PerformanceDefinition] = {}  # by id
        self.version = 0  # changes with every number that is given
        self._groups: dict[str, int] = {}  # numbers of what one cap counts together, by name
        self._since: list[int] = []
        self._numbers: dict[PerformanceDefinition, int] = {}
        self._of_id: dict[str, set[int]] = {}
        self._free: list[int] = []  # a heap
        self._named: Counter[int] = Counter()  # by how many segments
        self._reach: Reach | None = None
        self._room(16)
        taken = {held.number for held in known}
        for _ in range(max(taken, default=-1) + 1):
            self._leave_free()
        self._free = [number for number in self._free if number not in taken]  # ascending: a heap
        for held in known:
            self._give(held.number, held.definition, held.since)
            if held.is_newest:
                self.newest[held.definition.id] = held.definition

    def __len__(self) -> int:
        return len(self._numbers)

    def held(self) -> list[Numbered]:
        """What lies in `@`."""
        return [
            Numbered(number, self._since[number], self.newest[definition.id] is definition, definition)
            for definition, number in sorted(self._numbers.items(), key=lambda item: item[1])
        ]

    # -- a record names some

    def numbers(self, definitions: Sequence[PerformanceDefinition], offset: int, *, again: bool = False) -> Ints:
        """The number of each definition of a record, NO_ROOM if it has none; shape (definitions,).

        `again`: the record is read back; what had no number then has none now.
        """
        return np.array([self._number(definition, offset, again) for definition in definitions], np.int64)

    def _number(self, definition: PerformanceDefinition, offset: int, again: bool) -> int:
        number = self._numbers.get(definition)
        if number is None:
            full = not self._free and len(self.known) >= MOST_DEFINITIONS
            if again or full or definition.bins > LARGEST_GRID:
                return NO_ROOM
            if not self._free:
                self._leave_free()
            number = heapq.heappop(self._free)
            self._give(number, definition, offset)
        elif self._since[number] > offset:
            return NO_ROOM
        self.newest[definition.id] = self.known[number]
        return number

    def sections(self, definition_id: str) -> Sections:
        """Where what lies in the registers of a definition."""
        return Sections.of(self.newest[definition_id])

    def kept_ms(self, definition_id: str, *, cohort: bool) -> int:
        """How long after its start a pane may change, or be asked for: as the most lasting one of that id says."""
        return max(_kept_ms(self.known[number], cohort) for number in self._of_id[definition_id])

    # -- which of them matter

    def name(self, numbers: Iterable[int]) -> None:
        """A segment of the log names them that did not before."""
        for number in numbers:
            self._named[number] += 1
            if self._named[number] == 1:
                self._reach = None

    def forget(self, numbers: Iterable[int]) -> None:
        """A segment that named them is not needed any more."""
        for number in numbers:
            self._named[number] -= 1
            if not self._named[number]:
                del self._named[number]
                self._reach = None

    @property
    def reach(self) -> Reach:
        """Of what the segments that are kept name; so it falls when a long time to live is given up."""
        if self._reach is None:
            named = [self.known[number] for number in self._named]
            self._reach = Reach(
                longest_ttl_s=max((ttl_s_of(d) for d in named), default=0),
                widest_bucket_s=max((bucket_width_s(d) for d in named), default=0),
                smallest_pane_ms=min((d.pane_ms for d in named), default=None),
            )
        return self._reach

    def over(self, has_rows: Ints, ids_with_panes: Callable[[], set[str]]) -> list[int]:
        """The numbers that nothing needs any more; `has_rows` has shape (room,)."""
        idle = {n for n in self._numbers.values() if n not in self._named and not has_rows[n]}
        if not idle:
            return []
        used = ids_with_panes() | {d.id for d, n in self._numbers.items() if n not in idle}
        return sorted(n for n in idle if (d := self.known[n]) is not self.newest[d.id] or d.id not in used)

    def free(self, numbers: Iterable[int]) -> None:
        """Let numbers be given again."""
        for number in numbers:
            definition = self.known[number]
            del self._numbers[definition]
            self._of_id[definition.id].discard(number)
            if not self._of_id[definition.id]:
                del self.newest[definition.id], self._of_id[definition.id]
            self.known[number], self._since[number] = NOBODY, 0
            self.dedupe[number], self.is_regression[number], self.group[number] = True, False, -1
            heapq.heappush(self._free, number)

    def of_group(self, name: str) -> Ints:
        """The numbers of one model version and class."""
        return np.flatnonzero(self.group == self._groups.get(name, NO_ROOM - 1))

    # -- columns

    def _leave_free(self) -> None:
        if len(self.known) >= len(self.ttl_s):
            self._room(2 * len(self.known))
        heapq.heappush(self._free, len(self.known))
        self.known.append(NOBODY)
        self._since.append(0)

    def _give(self, number: int, definition: PerformanceDefinition, since: int) -> None:
        self._numbers[definition] = number
        self._of_id.setdefault(definition.id, set()).add(number)
        self.known[number], self._since[number] = definition, since
        self.version += 1
        self._fill(number, definition)

    def _fill(self, number: int, definition: PerformanceDefinition) -> None:
        self.ttl_s[number], self.width_s[number] = ttl_s_of(definition), bucket_width_s(definition)
        self.revision_s[number] = definition.revision_ms // 1000
        self.dedupe[number], self.max_waiting[number] = definition.dedupe, definition.max_waiting
        self.is_regression[number] = definition.task == "regression"
        self.group[number] = self._group_of(definition)
        self.id_rank[number] = int(definition.id, 16)
        self.rank[number] = int.from_bytes(sha256(msgspec.msgpack.encode(definition)).digest()[:8], "big")

    def _group_of(self, definition: PerformanceDefinition) -> int:
        return self._groups.setdefault(group_name(definition), len(self._groups))

    def _room(self, size: int) -> None:
        self.ttl_s: Ints = np.zeros(size, np.int64)
        self.width_s: Ints = np.ones(size, np.int64)
        self.revision_s: Ints = np.zeros(size, np.int64)
        self.dedupe: npt.NDArray[np.bool_] = np.ones(size, np.bool_)
        self.max_waiting: Ints = np.zeros(size, np.int64)
        self.is_regression: npt.NDArray[np.bool_] = np.zeros(size, np.bool_)
        self.group: Ints = np.full(size, -1, np.int64)
        self.id_rank: Words64 = np.zeros(size, np.uint64)  # of two copies with one time the larger stands
        self.rank: Words64 = np.zeros(size, np.uint64)  # ... then by payload, then by this
        for definition, number in self._numbers.items():
            self._fill(number, definition)


def ttl_s_of(definition: PerformanceDefinition) -> int:
    """Whole seconds; at least one."""
    return max(1, definition.ttl_ms // 1000)


def _kept_ms(definition: PerformanceDefinition, cohort: bool) -> int:
    if cohort:
        return definition.cohort_ms + definition.ttl_ms + definition.revision_ms
    return definition.pane_ms + 2 * definition.window_ms


def group_name(definition: PerformanceDefinition) -> str:
    """Whose rows one cap counts together: model, version and class, a line each."""
    return f"{definition.model}\n{definition.version}\n{definition.category}"


def bucket_width_s(definition: PerformanceDefinition) -> int:
    """How coarse rows are forgotten: a row goes when the watermark leaves the bucket of its time + ttl.

    >>> d = PerformanceDefinition("m", "1", "", "binary", "g", 4, 0.0, 1, 1, "m@1#1", 1, 86_400_000, 1, True, 1)
    >>> bucket_width_s(d)      # of one day
    1350
    """
    return max(1, definition.ttl_ms // 1000 // BUCKETS_A_TTL)
