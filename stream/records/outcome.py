"""Outcomes: the predictions that wait for a label and the labels, on their way to where they meet.

One covering record says everything that one source has for one outcomes partition in the offsets
[begin, end): its rows with their own source offsets, and the source's watermark after them. The
join takes a record only if it starts at or before what it has seen of the source, and of that the
rows it has not seen; so what a crash or a zombie repeats changes nothing.

On the wire: first byte a version, then a packed struct; rows are columns, 22 B a prediction and
20 B a label.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.errors import SnapshotError

FORMAT_VERSION: Final = 1
LARGEST_VERSION: Final = 0x20  # from here on a byte begins text
LATEST_TIME_S: Final = (1 << 32) - 1  # year 2106; times are whole seconds since 1970
NO_MODEL: Final = 0xFFFF  # a label that brings no score of its own
MOST_OFFSETS: Final = 1 << 31  # that one record may cover; the bit above says that a row is late

Hashes = npt.NDArray[np.uint64]


class Kind(StrEnum):
    """Whose rows a covering record holds."""

    PREDICTIONS = "predictions"
    LABELS = "labels"


class PerformanceDefinition(msgspec.Struct, frozen=True, array_like=True):
    """What the outcomes of one model version are counted into, and for how long they are waited for.

    Two with one `id` count the same pairs into the same counters; the fields below the line may differ.
    """

    model: str
    version: str
    category: str  # one class of a multiclass model; "" for any other
    task: str  # binary | regression
    grid: str  # id of the score grid; "" for a regression
    bins: int  # of the grid; 0 for a regression
    unit: float  # regression: what one unit of the fixed-point sums is worth; 0.0 for a binary model
    pane_ms: int  # by label arrival
    cohort_ms: int  # by prediction time
    # ---
    baseline_id: str
    window_ms: int  # a whole number of panes
    ttl_ms: int  # a label later than this after its prediction does not count
    revision_ms: int  # without `dedupe`: how long a labelled prediction is kept, so that its label may be corrected
    dedupe: bool  # remember labelled ids for `ttl_ms`, so that a second copy of a prediction is recognised
    max_waiting: int  # predictions that wait, in one outcomes partition; more are refused and counted
    centre: float = 0.0  # regression: what the sums take a label less of; part of `id`, though it came later
    segments: tuple[str, ...] = ()  # that its predictions lie in, one of each key; part of `id` where there are any

    @property
    def id(self) -> str:
        """16 hex digits of SHA-256 over everything above the line, the centre if it is not 0, and the segments."""
        return _id_of(self)


@lru_cache(maxsize=4096)
def _id_of(definition: PerformanceDefinition) -> str:
    counted = msgspec.structs.astuple(definition)[: PerformanceDefinition.__struct_fields__.index("baseline_id")]
    counted += (definition.centre,) if definition.centre else ()
    counted += (definition.segments,) if definition.segments else ()
    return hashlib.sha256(msgspec.msgpack.encode(counted)).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRows:
    """Rows of one source, in its order; all arrays have shape (rows,).

    A prediction has `model` and `payload`. A label has `value`, and `model` and `payload` only if it
    brings a score of its own; `model` is NO_MODEL otherwise.
    """

    hash: Hashes  # of the prediction's id and its model's name, never 0
    offset: npt.NDArray[np.int64]  # in the source; elements of one array message share it
    late: npt.NDArray[np.bool_]  # below its source's watermark when it was read
    time_s: npt.NDArray[np.int64]  # event time, whole seconds in [0, LATEST_TIME_S]
    model: npt.NDArray[np.int64]  # index into the record's definitions, or NO_MODEL
    payload: npt.NDArray[np.uint32]  # the grid bin of the score; of a regression the estimate's float32, as its bits
    value: npt.NDArray[np.float32]  # of a label: 0 or 1, a regression's number, NaN = retracted; of a prediction 0

    def __len__(self) -> int:
        return len(self.hash)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "OutcomeRows":
        """Some of the rows."""
        return OutcomeRows(
            hash=self.hash[chosen],
            offset=self.offset[chosen],
            late=self.late[chosen],
            time_s=self.time_s[chosen],
            model=self.model[chosen],
            payload=self.payload[chosen],
            value=self.value[chosen],
        )


def no_rows() -> OutcomeRows:
    """Nothing: a record that only moves the watermark."""
    return OutcomeRows(
        hash=np.empty(0, np.uint64),
        offset=np.empty(0, np.int64),
        late=np.empty(0, np.bool_),
        time_s=np.empty(0, np.int64),
        model=np.empty(0, np.int64),
        payload=np.empty(0, np.uint32),
        value=np.empty(0, np.float32),
    )


def joined_rows(parts: Sequence[OutcomeRows]) -> OutcomeRows:
    """Rows after rows; `model` must point into one and the same list."""
    every = [no_rows(), *parts]
    return OutcomeRows(
        hash=np.concatenate([rows.hash for rows in every]),
        offset=np.concatenate([rows.offset for rows in every]),
        late=np.concatenate([rows.late for rows in every]),
        time_s=np.concatenate([rows.time_s for rows in every]),
        model=np.concatenate([rows.model for rows in every]),
        payload=np.concatenate([rows.payload for rows in every]),
        value=np.concatenate([rows.value for rows in every]),
    )


class Covering(msgspec.Struct, frozen=True, array_like=True):
    """One source's word to one outcomes partition."""

    source: str  # "predictions/3"
    incarnation: int
    kind: Kind
    sources: int  # how many partitions the source's topic has: the join waits for all of them
    begin: int  # of the source: covered from here ...
    end: int  # ... to here
    watermark_ms: int  # of the source at `end`; NO_TIME if it has had no event
    idle: bool  # read to the end and silent: holds nobody back
    early_ms: int  # how long before its prediction a label may lie
    definitions: list[PerformanceDefinition]  # that `model` of the rows points into
    rows: int
    columns: bytes

    def outcome_rows(self) -> OutcomeRows:
        """The rows, as columns."""
        return _unpack(self)


def encode_covering(covering: Covering) -> bytes:
    """Version byte and packed struct."""
    return bytes([FORMAT_VERSION]) + msgspec.msgpack.encode(covering)


_DECODER: Final = msgspec.msgpack.Decoder(Covering)


def decode_covering(value: bytes) -> Covering:
    """The covering record in a message; raises SnapshotError for another version."""
    if value[0] != FORMAT_VERSION:
        raise SnapshotError("outcomes record", value[0], FORMAT_VERSION)
    return _DECODER.decode(memoryview(value)[1:])


def is_of_another_version(value: bytes) -> bool:
    """Whether a record that is not empty has been packed by a Driftline that does it otherwise.

    Such a one begins with a small number and names its source; anything else that cannot be read is just broken.

    >>> is_of_another_version(bytes([FORMAT_VERSION + 1]) + msgspec.msgpack.encode(["labels/0", 1]))
    True
    >>> is_of_another_version(b'{"json": 1}'), is_of_another_version(bytes([FORMAT_VERSION + 1]))
    (False, False)
    """
    if value[0] == FORMAT_VERSION or value[0] >= LARGEST_VERSION:
        return False
    try:
        found = msgspec.msgpack.decode(memoryview(value)[1:], type=list)
    except msgspec.DecodeError:
        return False
    return bool(found) and isinstance(found[0], str)


def pack_rows(rows: OutcomeRows, kind: Kind, begin: int) -> bytes:
    """The columns of a covering record that begins at `begin`.

    >>> rows = no_rows()
    >>> pack_rows(rows, Kind.PREDICTIONS, 0)
    b''
    """
    delta = (rows.offset - begin).astype("<u4") | (rows.late.astype("<u4") << np.uint32(31))
    columns = [rows.hash.astype("<u8"), delta, rows.time_s.astype("<u4")]
    if kind is Kind.LABELS:
        columns.append(rows.value.astype("<f4"))
    if kind is Kind.PREDICTIONS or (rows.model != NO_MODEL).any():
        columns += [rows.model.astype("<u2"), rows.payload.astype("<u4")]
    return b"".join(column.tobytes() for column in columns)


def _unpack(covering: Covering) -> OutcomeRows:
    n, at = covering.rows, 0

    def column(dtype: str) -> npt.NDArray[np.generic]:
        nonlocal at
        found = np.frombuffer(covering.columns, dtype, n, at)
        at += found.nbytes
        return found

    hashes, delta, time_s = column("<u8"), column("<u4").astype(np.int64), column("<u4")
    is_label = covering.kind is Kind.LABELS
    value = column("<f4") if is_label else np.zeros(n, np.float32)
    has_models = not is_label or at < len(covering.columns)
    return OutcomeRows(
        hash=hashes.astype(np.uint64),
        offset=(delta & (MOST_OFFSETS - 1)) + covering.begin,
        late=delta >= MOST_OFFSETS,
        time_s=time_s.astype(np.int64),
        model=column("<u2").astype(np.int64) if has_models else np.full(n, NO_MODEL, np.int64),
        payload=column("<u4").astype(np.uint32) if has_models else np.zeros(n, np.uint32),
        value=value.astype(np.float32),
    )
