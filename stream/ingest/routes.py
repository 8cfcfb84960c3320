"""The way of a batch through two routes: the fast one takes what is beyond doubt, the slow one the rest.

Each value is one message, or an element of an array message: an array falls into its elements, and they take
the same two routes. Predictions and labels differ in what the routes do.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from stream.ingest.chunk import ELEMENT_BITS, Units, place_of
from stream.ingest.fault import Fault
from stream.ingest.json_text import split_array
from stream.records.source import MessageBatch

_JSON_WHITESPACE: Final = b" \t\r\n"


class Unit(NamedTuple):
    """One message, or one element of an array message."""

    place: int
    timestamp_ms: int
    value: bytes | None


FastRoute = Callable[[Units], list[int]]  # keeps what it accepts; the positions of the rest
SlowRoute = Callable[[Unit, Fault | None], None]  # keeps what became of one; a fault of its bytes is already known


def read_all(batch: MessageBatch, *, fast: FastRoute, slow: SlowRoute, max_message_bytes: int) -> None:
    """Give every message or element of the batch to exactly one of the routes, or to both, the slow one last.

    1. Messages that the fast route accepts are done.
    2. The rest is looked at: the slow route takes it, or it is an array and falls into elements.
    3. Elements take the same two routes.
    """
    places = np.arange(len(batch.values), dtype=np.int64) << ELEMENT_BITS
    elements: list[Unit] = []
    for position in fast(Units(batch.values, places, batch.timestamps_ms)):
        unit = Unit(place_of(position), int(batch.timestamps_ms[position]), batch.values[position])
        fault = _unread_fault(unit.value, max_message_bytes)
        parts = None if fault else _elements(unit, position)
        if isinstance(parts, list):
            elements += parts
        else:
            slow(unit, fault or parts)
    for position in fast(_units(elements)):
        slow(elements[position], None)


def _unread_fault(value: bytes | None, max_message_bytes: int) -> Fault | None:
    """What can be said without reading the message."""
    if not value:
        return Fault("empty", "the message has no value; a tombstone means nothing here")
    if len(value) > max_message_bytes:
        return Fault("too_large", f"{len(value)} bytes, more than limits.max_message_bytes = {max_message_bytes}")
    return None


def _elements(unit: Unit, position: int) -> list[Unit] | Fault | None:
    """The elements of a message that is an array; None for another one."""
    value = unit.value or b""
    if not value.lstrip(_JSON_WHITESPACE).startswith(b"["):
        return None
    parts = split_array(value)
    if isinstance(parts, Fault):
        return parts
    return [Unit(place_of(position, i), unit.timestamp_ms, part) for i, part in enumerate(parts)]


def _units(elements: list[Unit]) -> Units:
    return Units(
        [element.value for element in elements],
        np.array([element.place for element in elements], np.int64),
        np.array([element.timestamp_ms for element in elements], np.int64),
    )
