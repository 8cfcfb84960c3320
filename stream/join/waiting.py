"""The rows of an outcomes partition that may still matter, and when each ceases to.

A row is dead by its time and the watermarks alone, whatever lies in memory: a prediction once both
watermarks have left the bucket of its time + ttl (with `dedupe` off a labelled one already when no
revision of its label can come), a label that came first once no prediction of its time can come. So
nothing is scanned to expire it: each bucket knows how many rows it has, and the sum of their
checksums, and is taken off when its time comes.
"""

from typing import Final

import numpy as np

from stream.join.definitions import Definitions
from stream.join.grouping import groups
from stream.join.ledger import Ledger
from stream.join.table import (
    DEAD,
    EARLY,
    INLINE,
    LABELLED,
    MODEL_SHIFT,
    PAYLOAD_SHIFT,
    WAITING,
    Flags,
    Floats,
    Hashes,
    Ints,
    Rows,
    Table,
    Words,
    checksums,
    label_bits,
)

EARLY_BUCKET_S: Final = 60
LABELS_KEPT: Final = 8  # of one id, while they wait for a prediction: the newest
OF_LABELS: Final = 1 << 20  # stands where other buckets have the number of their definition
LONG_AGO: Final = -(1 << 40)

Bucket = list[int]  # predictions that wait, rows, checksum


class Waiting:
    """The table, the labels that found no place in it, and the buckets of both."""

    def __init__(self, definitions: Definitions, ledger: Ledger) -> None:
        self.table = Table()
        self.more: dict[int, list[tuple[int, float]]] = {}  # hash: (time, value) of labels without a row of their own
        self.waiting = np.zeros(len(definitions.ttl_s), np.int64)  # predictions, by number of the definition
        self.held = np.zeros(len(definitions.ttl_s), np.int64)  # rows: of predictions, labelled ones, inline scores
        self.checksum = 0
        self.rows = 0
        self.ledger = ledger
        self._definitions = definitions
        self._buckets: dict[int, dict[int, Bucket]] = {}  # by number of the definition, then by time
        self._limit = np.full(len(definitions.ttl_s), LONG_AGO, np.int64)  # buckets below it are dead
        self.label_limit = LONG_AGO
        self._both_s = LONG_AGO  # both watermarks
        self._next_s: int | None = None  # the time at which the next bucket of any definition dies, once asked for
        self._purged = 64

    def begin_at(self, both_s: int, label_limit: int) -> None:
        """Nothing waits, and both watermarks have come so far."""
        self._both_s, self.label_limit = both_s, label_limit
        self.learn()

    def empty(self) -> None:
        """Forget all rows at once."""
        self.table, self.more, self._buckets = Table(), {}, {}
        self.waiting[:] = self.held[:] = 0
        self.checksum = self.rows = 0
        self.learn()

    # -- what is alive

    def learn(self) -> None:
        """Make room for definitions that have come."""
        room = len(self._definitions.ttl_s)
        if room > len(self.waiting):
            more = np.zeros(room - len(self.waiting), np.int64)
            self.waiting, self.held = np.concatenate([self.waiting, more]), np.concatenate([self.held, more])
        self._limit = np.maximum(self._both_s, LONG_AGO) // self._definitions.width_s
        self._next_s = None
        if self._definitions.is_regression.any():
            self.table.want_numbers()

    def forget_numbers(self, numbers: list[int]) -> None:
        """All rows of some definitions are dead: let nothing be left of them that a new one could mean."""
        self.table.clear_numbers(np.array(numbers))
        for number in numbers:
            self._buckets.pop(number, None)

    def alive(self, rows: Rows) -> Flags:
        """Which rows still matter."""
        number, bucket = self._places(rows)
        limit = np.where(number == OF_LABELS, self.label_limit, self._limit[np.where(number == OF_LABELS, 0, number)])
        alive: Flags = (bucket >= limit) & (rows.state != DEAD)
        return alive

    def label_is_alive(self, time_s: int) -> bool:
        """Whether a prediction may still come for a label of that time."""
        return time_s // EARLY_BUCKET_S >= self.label_limit

    def labels_are_alive(self, time_s: Ints) -> Flags:
        """The same of many; shape as given."""
        alive: Flags = time_s // EARLY_BUCKET_S >= self.label_limit
        return alive

    def _places(self, rows: Rows) -> tuple[Ints, Ints]:
        definitions, number, time = self._definitions, rows.model, rows.time.astype(np.int64)
        expiry = time + definitions.ttl_s[number]
        if not definitions.dedupe.all():
            corrected = rows.label_time.astype(np.int64) + definitions.revision_s[number]
            brief = (rows.state == LABELLED) & ~definitions.dedupe[number]
            expiry = np.where(brief, np.minimum(expiry, corrected), expiry)
        bucket = expiry // definitions.width_s[number]
        early = rows.state == EARLY
        if early.any():
            number = np.where(early, OF_LABELS, number)
            bucket = np.where(early, time // EARLY_BUCKET_S, bucket)
        return number, bucket

    # -- rows in and out of the table

    def find(self, keys: Hashes) -> tuple[Ints, Rows, Flags]:
        """For each key its slot (or ~slot of a free one), the row there, and whether that is alive."""
        self.table.make_room(len(keys), self.alive)
        at = self.table.find(keys)
        rows = self.table.rows(np.maximum(at, 0))
        return at, rows, (at >= 0) & self.alive(rows)

    def hold(self, keys: Hashes, at: Ints, rows: Rows) -> None:
        """Put rows that are in no bucket into slots, or into free ones; what is dead on arrival stays out."""
        stays = self.alive(rows)
        if not stays.all():
            dead = rows.take(~stays)
            self.ledger.expired += int(_waits(dead).sum())
            self.ledger.waiting -= int(_waits(dead).sum())
            self.ledger.waiting_labels -= int((dead.state == EARLY).sum())
            self.ledger.orphans += int((dead.state == EARLY).sum())
            self.clear(at[~stays & (at >= 0)])
            keys, at, rows = keys[stays], at[stays], rows.take(stays)
        fresh = np.flatnonzero(at < 0)
        if len(fresh):
            at = at.copy()
            at[fresh] = self.table.insert(keys[fresh], ~at[fresh])
        self.table.put(at, rows)
        self._account(keys, rows, 1)

    def release(self, keys: Hashes, rows: Rows) -> None:
        """Take rows that are alive out of their buckets: they change, or go."""
        self._account(keys, rows, -1)

    def clear(self, slots: Ints) -> None:
        """Leave slots with their keys and nothing else."""
        self.table.meta[slots] = 0

    # -- labels that wait beside the table

    def take_more(self, key: int) -> list[tuple[int, float]]:
        """The labels of an id that wait beside the table, taken out."""
        found = [label for label in self.more.pop(key, []) if self.label_is_alive(label[0])]
        if found:
            self.release(*self._label_rows(key, found))
        return found

    def keep_more(self, key: int, labels: list[tuple[int, float]]) -> None:
        """Let labels wait beside the table."""
        if labels:
            self.more[key] = labels
            self._account(*self._label_rows(key, labels), 1)
            if len(self.more) > 2 * self._purged:
                alive = ((k, [x for x in held if self.label_is_alive(x[0])]) for k, held in self.more.items())
                self.more = {k: held for k, held in alive if held}
                self._purged = max(64, len(self.more))

    def beside(self, keys: Hashes) -> Flags:
        """Which keys have labels beside the table."""
        if not self.more:
            return np.zeros(len(keys), np.bool_)
        return np.fromiter((key in self.more for key in keys.tolist()), np.bool_, len(keys))

    def _label_rows(self, key: int, labels: list[tuple[int, float]]) -> tuple[Hashes, Rows]:
        time, value = np.array([t for t, _ in labels], np.int64), np.array([v for _, v in labels], np.float32)
        rows = label_rows(time, value)
        if rows.label.any():
            self.table.want_numbers()
        return np.full(len(labels), key, np.uint64), rows

    # -- buckets

    def _account(self, keys: Hashes, rows: Rows, sign: int) -> None:
        if not len(keys):
            return
        number, bucket = self._places(rows)
        waits, sums = _waits(rows), checksums(keys, rows)
        place = (number << 40) | bucket
        for key, chosen in groups(place):
            held = self._buckets.setdefault(key >> 40, {}).setdefault(key & ((1 << 40) - 1), [0, 0, 0])
            waiting, total = int(waits[chosen].sum()), int(sums[chosen].sum(dtype=np.uint64))
            count = len(waits[chosen])
            held[0] += sign * waiting
            held[1] += sign * count
            held[2] = (held[2] + sign * total) % (1 << 64)
            self.checksum = (self.checksum + sign * total) % (1 << 64)
            self.rows += sign * count
            if key >> 40 != OF_LABELS:
                self.waiting[key >> 40] += sign * waiting
                self.held[key >> 40] += sign * count

    def keeps_all(self, both_s: int, no_label_before_s: int) -> bool:
        """Whether `advance` would forget nothing, and let everything in that it lets in now."""
        if no_label_before_s // EARLY_BUCKET_S > self.label_limit:
            return False
        if self._next_s is None:
            used = self._definitions.group >= 0
            ends = (self._limit[used] + 1) * self._definitions.width_s[used]
            self._next_s = int(ends.min()) if len(ends) else 0
        return both_s < self._next_s

    def advance(self, both_s: int, no_label_before_s: int) -> None:
        """Forget what the watermarks have left behind: predictions expire, labels are orphans."""
        label_limit = no_label_before_s // EARLY_BUCKET_S
        if label_limit > self.label_limit:
            self.label_limit = label_limit
            for gone in _pop_below(self._buckets.get(OF_LABELS, {}), label_limit):
                self.ledger.orphans += gone[1]
                self.ledger.waiting_labels -= gone[1]
                self._forget(gone)
        if both_s <= self._both_s:
            return
        self._both_s = both_s
        limit = both_s // self._definitions.width_s
        for number in np.flatnonzero(limit != self._limit[: len(limit)]).tolist():
            for gone in _pop_below(self._buckets.get(number, {}), int(limit[number])):
                self.ledger.expired += gone[0]
                self.ledger.waiting -= gone[0]
                self.waiting[number] -= gone[0]
                self.held[number] -= gone[1]
                self._forget(gone)
        self._limit, self._next_s = limit, None

    def _forget(self, gone: Bucket) -> None:
        self.rows -= gone[1]
        self.checksum = (self.checksum - gone[2]) % (1 << 64)


def prediction_rows(time_s: Ints, number: Ints, payload: Words, regression: Flags) -> Rows:
    """Rows of predictions that begin to wait."""
    bins = np.where(regression, 0, payload).astype(np.uint32)
    meta = np.uint32(WAITING) | (bins << PAYLOAD_SHIFT) | (number.astype(np.uint32) << MODEL_SHIFT)
    none = np.zeros(len(time_s), np.uint32)
    estimate = np.where(regression, payload, 0).astype(np.uint32)
    return Rows(time_s.astype(np.uint32), meta, none, estimate, none.astype(np.float32))


def label_rows(time_s: Ints, value: Floats) -> Rows:
    """Rows of labels that came first."""
    bits, rest = label_bits(value)
    none = np.zeros(len(time_s), np.uint32)
    return Rows(time_s.astype(np.uint32), np.uint32(EARLY) | bits, none, none, rest)


def _waits(rows: Rows) -> Flags:
    """Which are predictions that wait; what an inline score stands for does not."""
    waits: Flags = (rows.state == WAITING) & (rows.meta & INLINE == 0)
    return waits


def _pop_below(buckets: dict[int, Bucket], limit: int) -> list[Bucket]:
    return [buckets.pop(bucket) for bucket in [b for b in buckets if b < limit]]
