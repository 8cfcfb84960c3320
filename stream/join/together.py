"""Reading back: the rows of consecutive records meet the matcher together, as if they came one by one.

What becomes of an id depends on its own rows in their order, and on what is alive and let in meanwhile.
So rows are gathered until something of that changes (a bucket of the waiting ones ends, a gate closes or
opens, labels may come earlier), and then taken in rounds: in the first every id's first record, and so on.
Cost: about 10 us a record and 1 us a row, instead of 180 us a record of few rows.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.join.definitions import NO_ROOM
from stream.join.gate import Closed
from stream.join.matcher import Matcher
from stream.records.outcome import NO_MODEL, Covering, Hashes, Kind, OutcomeRows

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MOST_ROWS: Final = 20_000  # gathered at a time
LARGE: Final = 2_000  # a record of so many rows is taken by itself


@dataclass(slots=True)
class Together:
    """Rows of records that are read back and that the matcher has not seen yet."""

    matcher: Matcher
    edges: list[int] = field(default_factory=list)  # offsets at which what gates let in changes, ascending
    _records: list[Covering] = field(default_factory=list)
    _numbers: list[Ints] = field(default_factory=list)  # of the definitions of each
    _rows: int = 0
    _offset: int = 0  # of the first
    _early_s: int = 0

    def add(self, covering: Covering, numbers: Ints, offset: int, early_s: int) -> None:
        """The rows of a record, all of them new; `numbers` are those of its definitions."""
        if self._records and (self._rows >= MOST_ROWS or early_s != self._early_s or self._is_beyond_an_edge(offset)):
            self.flush()
        if not self._records:
            self._offset, self._early_s = offset, early_s
        self._records.append(covering)
        self._numbers.append(numbers)
        self._rows += covering.rows

    def flush(self) -> None:
        """Let the matcher take what has been gathered."""
        if not self._records:
            return
        rows, is_label, record = self._gathered()
        self._records, self._numbers, self._rows = [], [], 0
        self.matcher.early_s = self._early_s
        rounds = rounds_of(rows.hash, record)
        for number in range(int(rounds.max(initial=-1)) + 1):
            mine = rounds == number
            predictions, labels = np.flatnonzero(mine & ~is_label), np.flatnonzero(mine & is_label)
            if len(predictions):
                self.matcher.take_predictions(rows.take(predictions), self._offset)
            if len(labels):
                self.matcher.take_labels(rows.take(labels), self._offset)

    def _is_beyond_an_edge(self, offset: int) -> bool:
        return bisect_right(self.edges, self._offset) != bisect_right(self.edges, offset)

    def _gathered(self) -> tuple[OutcomeRows, Flags, Ints]:
        """All rows that have a number, whether each is a label's, and of which record each is."""
        columns = [_raw_columns(covering) for covering in self._records]
        hashes, time_s, value, model, payload = (b"".join(column) for column in zip(*columns, strict=True))
        record = np.repeat(np.arange(len(self._records)), [covering.rows for covering in self._records])
        from_label = np.array([covering.kind is Kind.LABELS for covering in self._records])
        table = np.concatenate([*self._numbers, [NO_MODEL]])
        starts = np.cumsum([0, *map(len, self._numbers[:-1])])
        own = np.frombuffer(model, "<u2").astype(np.int64)
        numbers = table[np.where(own == NO_MODEL, len(table) - 1, starts[record] + own)]
        rows = OutcomeRows(
            hash=np.frombuffer(hashes, "<u8").astype(np.uint64),
            offset=np.zeros(len(record), np.int64),
            late=np.zeros(len(record), np.bool_),
            time_s=np.frombuffer(time_s, "<u4").astype(np.int64),
            model=numbers,
            payload=np.frombuffer(payload, "<u4").astype(np.uint32),
            value=np.frombuffer(value, "<f4").astype(np.float32),
        )
        is_label, has_room = from_label[record], numbers != NO_ROOM
        if has_room.all():
            return rows, is_label, record
        for kind, chosen in ((Kind.PREDICTIONS, ~is_label), (Kind.LABELS, is_label)):
            self.matcher.refuse(kind, int((chosen & ~has_room).sum()))
        return rows.take(has_room), is_label[has_room], record[has_room]


def edges_of(closed: Iterable[Closed]) -> list[int]:
    """Where gates let in something else than before: the record at which one closes stands alone.

    >>> edges_of([Closed(7, 20, 12), Closed(30, 0)])
    [7, 8, 12, 30, 31]
    """
    return sorted({edge for c in closed for edge in (c.from_offset, c.from_offset + 1, c.until) if edge >= 0})


def rounds_of(hashes: Hashes, record: Ints) -> Ints:
    """How many records before a row's own have rows of its id; shape as given.

    >>> rounds_of(np.array([5, 6, 5, 5, 5], np.uint64), np.array([0, 0, 1, 1, 4])).tolist()
    [0, 0, 1, 1, 2]
    """
    rounds = np.zeros(len(hashes), np.int64)
    ordered = np.sort(hashes)
    if not (ordered[1:] == ordered[:-1]).any():
        return rounds
    order = np.lexsort((record, hashes))
    ids, records = hashes[order], record[order]
    first_of_id = np.concatenate([[True], ids[1:] != ids[:-1]])
    begins = np.cumsum(first_of_id | np.concatenate([[True], records[1:] != records[:-1]]))
    rounds[order] = begins - np.maximum.accumulate(np.where(first_of_id, begins, 0))
    return rounds


def newest_s(covering: Covering) -> int:
    """The latest event time of a record's rows."""
    return int(np.frombuffer(covering.columns, "<u4", covering.rows, 12 * covering.rows).max())


def _raw_columns(covering: Covering) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Hashes, times, values, models and payloads, as `pack_rows` lays them out."""
    n, packed = covering.rows, covering.columns
    at = 20 * n if covering.kind is Kind.LABELS else 16 * n
    value = packed[16 * n : at] or bytes(4 * n)
    model, payload = packed[at : at + 2 * n], packed[at + 2 * n : at + 6 * n]
    return packed[: 8 * n], packed[12 * n : 16 * n], value, model or b"\xff\xff" * n, payload or bytes(4 * n)
