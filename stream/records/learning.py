"""Samples of models that nobody has registered, on their way from count to evaluate, which makes a baseline of them.

Packed, first byte a version; they travel on the partials topic, to the partition of their model, before
the watermark that closes their panes. A row that comes twice is the same row: it has a hash of its place.
"""

import hashlib
from typing import Final

import msgspec

from detectors.errors import SnapshotError
from stream.records.prediction import ModelKey

FORMAT_VERSION: Final = 0x61
HASHES: Final = 1 << 64


class LearningSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How baselines of unknown models are learned; part of what a partition is counted with."""

    pane_ms: int
    allowed_lateness_ms: int
    span_ms: int  # whole panes: how much of a model's beginning its baseline is made of
    rows: int  # at most so many, drawn by the hashes of their offsets
    models: int  # at most so many model versions, learned or being learned
    features: int  # of a model; of more the most frequent ones

    @property
    def least_rows(self) -> int:
        """With fewer the span is prolonged, pane by pane."""
        return min(self.rows, LEAST_ROWS)


LEAST_ROWS: Final = 200


class SampledRow(msgspec.Struct, frozen=True, array_like=True):
    """One prediction of a model that has no baseline."""

    hash: int  # of its place in the log: 64 bits, uniform
    pane_ms: int  # start of its pane
    content: bytes  # JSON: its features and answers


class SampleRecord(msgspec.Struct, frozen=True, array_like=True):
    """Rows of one model version from one source."""

    source: str
    model: str
    version: str
    settings: LearningSettings
    rows: list[SampledRow]

    @property
    def key(self) -> ModelKey:
        """Whose rows these are."""
        return ModelKey(self.model, self.version)


def place_hash(source: str, offset: int, element: int | None) -> int:
    """The 64 bits that decide whether a row is drawn: the same wherever and whenever it is read.

    >>> 0 <= place_hash("predictions/0", 7, None) < HASHES
    True
    >>> place_hash("predictions/0", 7, None) == place_hash("predictions/0", 7, 0)
    False
    """
    place = f"{source}/{offset}/{element}".encode()
    return int.from_bytes(hashlib.blake2b(place, digest_size=8).digest())


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(SampleRecord)


def encode_sample(record: SampleRecord) -> bytes:
    """Version byte and packed struct."""
    return bytes([FORMAT_VERSION]) + _ENCODER.encode(record)


def is_sample(value: bytes) -> bool:
    """Whether a record of the partials topic holds sampled rows."""
    return value[:1] == bytes([FORMAT_VERSION])


def decode_sample(value: bytes) -> SampleRecord:
    """The rows in a record; raises SnapshotError for another version."""
    if value[0] != FORMAT_VERSION:
        raise SnapshotError("sample", value[0], FORMAT_VERSION)
    return _DECODER.decode(memoryview(value)[1:])
