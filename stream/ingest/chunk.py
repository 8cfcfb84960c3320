"""Accepted rows of one model on their way into a PredictionBatch, and the places that order them."""

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from stream.records.prediction import ModelKey

Places = npt.NDArray[np.int64]  # shape (rows,): ascending in log order, one per prediction of a batch

ELEMENT_BITS: Final = 32
AnyPlace = TypeVar("AnyPlace", int, Places)
WHOLE_MESSAGE: Final = -1  # in place of an element's index


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Rows of one model that came by one route."""

    key: ModelKey
    place: Places
    event_time_ms: npt.NDArray[np.int64]  # shape (rows,)
    numeric: npt.NDArray[np.float64]  # shape (rows, numeric series), as in ModelColumns
    categorical: npt.NDArray[np.int32]  # shape (rows, categorical features)
    id_hash: npt.NDArray[np.uint64]  # shape (rows,), as in ModelColumns
    latency_ms: npt.NDArray[np.float64]  # shape (rows,), as in ModelColumns; all NaN where it is not asked for
    segments: npt.NDArray[np.int32]  # shape (rows, segment fields), as in ModelColumns
    status: npt.NDArray[np.int8]  # shape (rows,), as in ModelColumns; all STATUS_OK where it is not asked for


@dataclass(frozen=True, slots=True)
class Units:
    """What may be one prediction each: messages, or the elements of array messages."""

    values: list[bytes | None]
    place: Places
    timestamps_ms: npt.NDArray[np.int64]  # shape (units,): of the record


def place_of(message: int, element: int = WHOLE_MESSAGE) -> int:
    """The place of a message in its batch, or of an element in the array that the message is.

    >>> place_of(0) < place_of(0, 0) < place_of(0, 1) < place_of(1)
    True
    """
    return (message << ELEMENT_BITS) + element + 1


def message_of(place: AnyPlace) -> AnyPlace:
    """The message that each place lies in, as its position in the batch."""
    return place >> ELEMENT_BITS


def element_of(place: int) -> int | None:
    """The element's index, None for a message that is one prediction."""
    element = (place & ((1 << ELEMENT_BITS) - 1)) - 1
    return None if element == WHOLE_MESSAGE else element
