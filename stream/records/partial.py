"""Partials: the counts of closed panes on their way from count to evaluate, with the source's watermark.

Packed, first byte a version. One record a source and partials partition whenever panes close or
the watermark passes a pane's end, also without counts: a source without rows for a model must
still move that model's window on.
"""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.errors import SnapshotError
from stream.records.feature_names import FeatureNames
from stream.records.settings import CountingSettings

FORMAT_VERSION: Final = 1
NO_TIME: Final = -(1 << 62)  # before every event time

_WIDTHS: Final = (("<u1", 1 << 8), ("<u2", 1 << 16), ("<u4", 1 << 32))


def pack_counts(counts: npt.NDArray[np.int64]) -> bytes:
    """Counts >= 0, shape (width,), in the narrowest unsigned integers that hold them.

    >>> pack_counts(np.array([0, 3, 255]))
    b'1\\x00\\x03\\xff'
    >>> unpack_counts(pack_counts(np.array([0, 70_000])))
    array([    0, 70000])
    """
    largest = int(counts.max(initial=0))
    dtype = next((d for d, limit in _WIDTHS if largest < limit), "<i8")
    return dtype[-1].encode() + counts.astype(dtype).tobytes()


def unpack_counts(data: bytes) -> npt.NDArray[np.int64]:
    """The counts as int64, shape (width,); the caller's own copy."""
    kind = "i" if data[:1] == b"8" else "u"
    return np.frombuffer(data, f"<{kind}{data[:1].decode()}", offset=1).astype(np.int64)


class ActiveDefinition(msgspec.Struct, frozen=True, array_like=True):
    """A definition that the source counts with, and from when: earlier panes it did not see whole."""

    baseline_id: str
    settings: CountingSettings
    from_ms: int  # only panes that begin here or later are counted; NO_TIME: all of them
    until_ms: int | None = None  # panes that begin at or after it are its successor's alone; None: it has none


class PanePart(msgspec.Struct, frozen=True, array_like=True):
    """What one source counted in one pane: of the rows with offset < next_offset."""

    definition: str  # id
    segment: str
    start_ms: int
    first_offset: int
    next_offset: int  # after the last row of the pane
    counts: bytes  # see pack_counts
    newest_ms: int  # the newest event time of the source up to the pane's first row
    names: FeatureNames | None = None  # of features; None: no row was looked at, or the part is of a segment

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.counts) + (0 if self.names is None else len(_ENCODER.encode(self.names)))


class Partial(msgspec.Struct, frozen=True, array_like=True):
    """One source's word to evaluate."""

    source: str  # "predictions/3"
    incarnation: int
    sources: int  # how many partitions the source's topic has: evaluate waits for all of them
    next_offset: int  # of the source: what it had folded when it said this
    newest_event_ms: int  # NO_TIME: no row yet; the watermark is this less the allowed lateness
    lost: int  # records that retention cut away before they were read, in all; said to one partials partition only
    idle: bool  # read to the end and silent
    provisional: bool  # the panes are open ones of an idle source, to be superseded
    definitions: dict[str, ActiveDefinition]  # by id
    panes: list[PanePart]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Partial)


def encode_partial(partial: Partial) -> bytes:
    """Version byte and packed struct."""
    return bytes([FORMAT_VERSION]) + _ENCODER.encode(partial)


def decode_partial(value: bytes) -> Partial:
    """The partial in a record; raises SnapshotError for another version."""
    if value[0] != FORMAT_VERSION:
        raise SnapshotError("partial", value[0], FORMAT_VERSION)
    return _DECODER.decode(memoryview(value)[1:])
