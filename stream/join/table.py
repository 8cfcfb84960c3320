"""An open-addressing table of rows in numpy, looked up a record of the log at a time.

Promise: 20 B a slot (28 with the two columns of a regression), at most 3 of 4 slots in use, so
27 to 33 B a row; after a rebuild 3 of 5 are. A lookup of n keys costs about 0.2 us a key.
Slots of rows that are dead go when the table is rebuilt, which happens only when it is full: by a
factor of 1.25 at most, in order of the slots, so that it reads and writes from front to back.
Any capacity: position = (mixed hash * capacity) >> 32. The hash is mixed again, because its own
first bits have chosen the partition, and are nearly constant here.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

SMALLEST: Final = 1 << 10  # slots
FULL: Final = 0.75
AFTER_REBUILD: Final = 0.6
SMALL: Final = 1 << 17  # slots; below that memory is no matter, and the next rebuild should be far
CHUNK: Final = 1 << 16  # slots moved at a time

MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
HALF: Final = np.uint64(32)

# meta: two bits of state, three flags, then the grid bin and the number of the definition
DEAD: Final = 0
WAITING: Final = 1
LABELLED: Final = 2
EARLY: Final = 3  # no prediction: a label that came first
STATE: Final = np.uint32(3)
POSITIVE: Final = np.uint32(1 << 2)  # the label is 1
RETRACTED: Final = np.uint32(1 << 3)  # the newest label was taken back at `label_time`
INLINE: Final = np.uint32(1 << 4)  # no prediction has come: the label brought its score
PAYLOAD_SHIFT: Final = np.uint32(6)
PAYLOAD: Final = np.uint32((1 << 12) - 1)
MODEL_SHIFT: Final = np.uint32(18)


class Rows(NamedTuple):
    """Columns of some rows, each of shape (rows,)."""

    time: Words  # of the prediction, seconds; of a label that came first its own
    meta: Words
    label_time: Words  # seconds; 0: none
    estimate: Words  # of a regression, the bits of a float32; 0 otherwise
    label: Floats  # 0.0 if it is 0 or 1, which `meta` says

    @property
    def state(self) -> Words:
        """WAITING, LABELLED, EARLY or DEAD."""
        return self.meta & STATE

    @property
    def model(self) -> Ints:
        """Numbers of the definitions."""
        return (self.meta >> MODEL_SHIFT).astype(np.int64)

    @property
    def payload(self) -> Ints:
        """Grid bins."""
        return ((self.meta >> PAYLOAD_SHIFT) & PAYLOAD).astype(np.int64)

    @property
    def value(self) -> Floats:
        """The labels in force."""
        return np.where(self.label != 0, self.label, (self.meta & POSITIVE != 0).astype(np.float32))

    def take(self, chosen: Ints | Flags) -> "Rows":
        """Some of them."""
        return Rows(
            self.time[chosen], self.meta[chosen], self.label_time[chosen], self.estimate[chosen], self.label[chosen]
        )


def label_bits(value: Floats) -> tuple[Words, Floats]:
    """How a label lies in `meta` and in the column `label`; NaN is a retraction.

    >>> meta, rest = label_bits(np.array([0, 1, 2.5, np.nan], np.float32))
    >>> meta.tolist(), rest.tolist()
    ([0, 4, 0, 8], [0.0, 0.0, 2.5, 0.0])
    """
    retracted = np.isnan(value)
    meta: Words = (value == 1) * POSITIVE
    meta |= retracted * RETRACTED
    rest: Floats = np.where(retracted | (value == 0) | (value == 1), np.float32(0), value)
    return meta, rest


def checksums(keys: Hashes, rows: Rows) -> Hashes:
    """64 bits of each row that any change of it changes; they are added up, modulo 2**64."""
    words = (rows.time.astype(np.uint64) << HALF) | rows.meta
    mixed = (keys ^ (words * MULTIPLIER)) * np.uint64(0xBF58476D1CE4E5B9)
    extra = (rows.label_time.astype(np.uint64) << HALF) | rows.estimate
    mixed ^= (mixed >> np.uint64(29)) ^ (extra * np.uint64(0x94D049BB133111EB))
    if rows.label.any():
        mixed ^= rows.label.view(np.uint32) * np.uint64(0xD6E8FEB86659FD93)
    return (mixed ^ (mixed >> HALF)) * MULTIPLIER


class Table:
    """The slots. Keys are never 0; a slot with a key is in use, its row alive or dead."""

    def __init__(self) -> None:
        self.used = 0
        self.has_numbers = False
        self._allocate(SMALLEST)

    @property
    def capacity(self) -> int:
        """How many slots."""
        return len(self.key)

    @property
    def nbytes(self) -> int:
        """Of all columns."""
        return sum(column.nbytes for column in (self.key, self.time, self.meta, self.label_time)) + (
            self.estimate.nbytes + self.label.nbytes
        )

    def want_numbers(self) -> None:
        """Make the two columns that a regression needs; until then they are not there."""
        if not self.has_numbers:
            self.has_numbers = True
            self._allocate_numbers()

    def find(self, keys: Hashes) -> Ints:
        """Each key's slot, or ~slot of a free one where its search ended; shape as given."""
        at = self._home(keys)
        found = self.key[at]
        going = np.flatnonzero((found != keys) & (found != 0))
        places, wanted, last = at[going], keys[going], self.capacity - 1
        free = found == 0
        while len(going):
            places = np.where(places == last, 0, places + 1)
            found = self.key[places]
            over = (found == wanted) | (found == 0)
            ended = going[over]
            at[ended], free[ended] = places[over], found[over] == 0
            rest = ~over
            going, places, wanted = going[rest], places[rest], wanted[rest]
        return np.where(free, ~at, at)

    def insert(self, keys: Hashes, free: Ints) -> Ints:
        """Give slots to keys that are not there, each once; `free` as `find` has said. Returns the slots."""
        slots, places, wanted = free.copy(), free, keys
        going, last = np.arange(len(keys)), self.capacity - 1
        while len(going):
            unused = self.key[places] == 0
            self.key[places[unused]] = wanted[unused]  # several may want one slot: the last has it
            won = self.key[places] == wanted
            slots[going[won]] = places[won]
            rest = ~won
            going, places, wanted = going[rest], places[rest], wanted[rest]
            places = np.where(places == last, 0, places + 1)
        self.used += len(keys)
        return slots

    def rows(self, slots: Ints) -> Rows:
        """The rows in some slots, copied."""
        if self.has_numbers:
            estimate, label = self.estimate[slots], self.label[slots]
        else:
            estimate, label = np.zeros(len(slots), np.uint32), np.zeros(len(slots), np.float32)
        return Rows(self.time[slots], self.meta[slots], self.label_time[slots], estimate, label)

    def put(self, slots: Ints, rows: Rows) -> None:
        """Write rows into slots that have their keys."""
        self.time[slots], self.meta[slots], self.label_time[slots] = rows.time, rows.meta, rows.label_time
        if self.has_numbers:
            self.estimate[slots], self.label[slots] = rows.estimate, rows.label

    def clear_numbers(self, numbers: Ints) -> None:
        """Make dead the rows of some definitions; labels that came first have none."""
        for start in range(0, self.capacity, CHUNK):
            meta = self.meta[start : start + CHUNK]
            early = meta & STATE == EARLY
            meta[~early & np.isin(meta >> MODEL_SHIFT, numbers)] = DEAD

    def make_room(self, more: int, alive: Callable[[Rows], Flags]) -> None:
        """Have slots for `more` rows; if the table must be rebuilt, only what is alive stays."""
        if self.used + more <= FULL * self.capacity:
            return
        starts = range(0, self.capacity, CHUNK)
        staying = sum(len(self._staying(start, alive)) for start in starts)
        load = AFTER_REBUILD if staying + more > SMALL else AFTER_REBUILD / 2
        old, old_capacity = Table.__new__(Table), self.capacity
        old.__dict__.update(self.__dict__)
        self._allocate(max(SMALLEST, int((staying + more) / load) + 1))
        for start in range(0, old_capacity, CHUNK):
            slots = old._staying(start, alive)
            keys = old.key[slots]
            self.put(self.insert(keys, self._home(keys)), old.rows(slots))

    def _staying(self, start: int, alive: Callable[[Rows], Flags]) -> Ints:
        slots = start + np.flatnonzero(self.key[start : start + CHUNK])
        return slots[alive(self.rows(slots))]

    def _home(self, keys: Hashes) -> Ints:
        mixed = (keys * MULTIPLIER) >> HALF
        return ((mixed * np.uint64(self.capacity)) >> HALF).astype(np.int64)

    def _allocate(self, capacity: int) -> None:
        self.used = 0
        self.key: Hashes = np.zeros(capacity, np.uint64)
        self.time: Words = np.zeros(capacity, np.uint32)
        self.meta: Words = np.zeros(capacity, np.uint32)
        self.label_time: Words = np.zeros(capacity, np.uint32)
        self._allocate_numbers()

    def _allocate_numbers(self) -> None:
        room = self.capacity if self.has_numbers else 0
        self.estimate: Words = np.zeros(room, np.uint32)
        self.label: Floats = np.zeros(room, np.float32)
