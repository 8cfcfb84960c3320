"""Performance panes: counts of joined pairs on their way from the join to evaluate.

A pane of performance may change after it has closed (a late or a revised label), so each part is the
pane's whole count as of an offset of the outcomes partition, and a part with a larger one supersedes.
They travel on the partials topic, told from the other records by their first byte.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.errors import SnapshotError
from stream.records.outcome import PerformanceDefinition
from stream.records.partial import pack_counts, unpack_counts

FORMAT_VERSION: Final = 0x41

Counts = npt.NDArray[np.int64]


def _delay_edges() -> tuple[int, ...]:
    edges = sorted({round(2 ** (k / 4)) for k in range(4 * 32)})
    return tuple(edges)


DELAY_EDGES_S: Final = _delay_edges()
"""Seconds between prediction and label: four bins an octave from 1 s on; below 1 s is the first bin."""
DELAY_BINS: Final = len(DELAY_EDGES_S) + 1
MOMENTS: Final = ("labelled", "clipped", "error", "absolute_error", "squared_error", "label", "squared_label")
"""What a regression's pane sums, in units of the definition (squares in units squared): error = estimate - label."""


def delay_bins(delay_s: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The delay bin of each pair, shape as given; a label before its prediction is in the first.

    >>> delay_bins(np.array([-5, 0, 1, 2, 3_600])).tolist()
    [0, 0, 1, 2, 43]
    """
    return np.searchsorted(np.array(DELAY_EDGES_S, np.int64), delay_s, side="right")


@dataclass(frozen=True, slots=True)
class Sections:
    """Where what lies in the vector of one performance pane, shape (width,).

    A binary model's: predictions by score bin (cohorts only), negatives, positives, delays.
    A regression's: predictions (one number, cohorts only), MOMENTS, delays.
    """

    predictions: slice
    negatives: slice  # empty for a regression
    positives: slice  # empty for a regression
    moments: slice  # empty for a binary model
    delays: slice

    @property
    def width(self) -> int:
        """How many counters."""
        return int(self.delays.stop)

    @classmethod
    def of(cls, definition: PerformanceDefinition) -> "Sections":
        """The sections of a definition's panes.

        >>> d = PerformanceDefinition("m", "1", "", "binary", "g", 4, 0.0, 1, 1, "m@1#1", 1, 1, 1, True, 1)
        >>> Sections.of(d).positives
        slice(8, 12, None)
        """
        if definition.task == "binary":
            g = definition.bins
            ends = (g, 2 * g, 3 * g, 3 * g)
        else:
            ends = (1, 1, 1, 1 + len(MOMENTS))
        bounds = (0, *ends, ends[-1] + DELAY_BINS)
        return cls(*(slice(a, b) for a, b in pairwise(bounds)))


def pack_sparse(counts: Counts) -> bytes:
    """A vector that is mostly zeros, shape (width,) below 65,536 wide, any integers.

    >>> unpack_sparse(pack_sparse(np.array([0, 3, 0, -1])), 4).tolist()
    [0, 3, 0, -1]
    """
    at = np.flatnonzero(counts)
    values = counts[at]
    packed = pack_counts(values) if (values >= 0).all() else b"8" + values.astype("<i8").tobytes()
    return len(at).to_bytes(2, "little") + at.astype("<u2").tobytes() + packed


def unpack_sparse(data: bytes, width: int) -> Counts:
    """The vector, shape (width,); the caller's own copy."""
    n = int.from_bytes(data[:2], "little")
    counts = np.zeros(width, np.int64)
    counts[np.frombuffer(data, "<u2", n, 2)] = unpack_counts(data[2 + 2 * n :])
    return counts


class PerformancePart(msgspec.Struct, frozen=True, array_like=True):
    """The pairs of one pane, of one outcomes partition, as of `next_offset`."""

    definition: str  # id of a PerformanceDefinition
    cohort: bool  # False: a pane of label arrival; True: a coarse one of prediction time
    start_ms: int
    next_offset: int  # of the outcomes partition; a part with a larger one supersedes
    counts: bytes  # see pack_sparse and Sections


class PerformancePartial(msgspec.Struct, frozen=True, array_like=True):
    """One outcomes partition's word to evaluate."""

    source: str  # "driftline.outcomes/3"
    sources: int  # how many outcomes partitions there are
    next_offset: int  # of the outcomes partition
    watermark_ms: int  # no pair of an earlier label or prediction is to come, but late ones
    definitions: dict[str, PerformanceDefinition]  # by id: those that the panes are counted with
    panes: list[PerformancePart]
    last: bool  # of what was said at `next_offset`: the watermark counts only now
    after: int = 0  # `next_offset` of what the join said before; 0: this is the first that it says
    chunk: int = 0  # which message of what is said at `next_offset`


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(PerformancePartial)


def is_performance(value: bytes) -> bool:
    """Whether a record of the partials topic is of this kind."""
    return value[:1] == bytes([FORMAT_VERSION])


def encode_performance(partial: PerformancePartial) -> bytes:
    """Version byte and packed struct."""
    return bytes([FORMAT_VERSION]) + _ENCODER.encode(partial)


def decode_performance(value: bytes) -> PerformancePartial:
    """The partial in a record; raises SnapshotError for another version."""
    if value[0] != FORMAT_VERSION:
        raise SnapshotError("performance partial", value[0], FORMAT_VERSION)
    return _DECODER.decode(memoryview(value)[1:])
