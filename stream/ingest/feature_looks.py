"""One row in 64, read once more for the names of its features: decoding keeps only the names that count.

Which rows follows from their place in the log, so they are the same wherever and whenever they are read: of each 64
offsets one, and which is a hash of those 64, so that no rhythm of a producer (every other message, one model in eight,
a transaction's markers) can hide from it. Of array messages the elements are drawn, each by itself.
Cost: 5 ns a row to draw, and 0.7 us for each row that is looked at and has the baseline's names (400 bytes, 10
features): 18 ns a row, 0.7 % of counting. A row with other names, or with more than 20, is parsed whole: 2 us, and
0.1 us for each further feature.
"""

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.ingest.chunk import ELEMENT_BITS, element_of, message_of
from stream.ingest.foreign_shape import ForeignShape
from stream.ingest.json_text import UNREADABLE, parse_json, split_array
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_rows import WIDE_FEATURES
from stream.ingest.value_codes import value_code
from stream.records.feature_names import FeatureNames
from stream.records.source import MessageBatch

BLOCK_BITS: Final = 6  # of each 64 offsets one row is looked at

Integers = npt.NDArray[np.int64]
Features = dict[str, object]

_NO_FEATURES: Final[Features] = {}
_ELEMENT: Final = np.int64((1 << ELEMENT_BITS) - 1)
_HALF: Final = np.uint64(32)
_OF_BLOCK: Final = np.uint64(0x9E3779B97F4A7C15)
_OF_ELEMENT: Final = np.uint64(0xD1B54A32D192ED03)
_OF_PARTITION: Final = 0xAEF17502108EF2D9
_MIXED: Final = np.uint64(0xBF58476D1CE4E5B9)


def drawn(partition: int, offsets: Integers, place: Integers) -> Integers:
    """Which rows are looked at, ascending.

    A row's key is its message's offset; an element's, in which array it stands, far from it. The key's block, all but
    its lowest 6 bits, is multiplied, folded and multiplied: the highest 6 bits say which key of the block is drawn.

    Args:
        partition: of their topic; without it partitions that fill in step would be looked at in the same moments.
        offsets: of the rows' messages.
        place: of the rows in their batch; only the element counts, so it does not matter how fetches are cut.
    """
    keys, element = offsets.view(np.uint64), place & _ELEMENT
    if element.any():
        keys = keys + element.view(np.uint64) * _OF_ELEMENT
    mixed = keys >> np.uint64(BLOCK_BITS)
    mixed *= _OF_BLOCK
    mixed += np.uint64((partition + 1) * _OF_PARTITION % (1 << 64))
    mixed ^= mixed >> _HALF
    mixed *= _MIXED
    mixed >>= np.uint64(64 - BLOCK_BITS)
    return np.flatnonzero(mixed == keys & np.uint64((1 << BLOCK_BITS) - 1))


class FeatureLooks:
    """Looks at rows of one batch."""

    def __init__(self, batch: MessageBatch, settings: IngestSettings) -> None:
        self._batch = batch
        self._shape = ForeignShape(settings.fields, settings.constants)
        self._mapped = frozenset(
            target.removeprefix("features.") for target in settings.fields if target.startswith("features.")
        )
        self._elements: dict[int, list[bytes]] = {}  # by position of an array message

    def note(
        self,
        offsets: Integers,
        place: Integers,
        starts_ms: Integers,
        *,
        known: frozenset[str],
        names_of: Callable[[int], FeatureNames],
    ) -> None:
        """Count the names of the features of those rows that are looked at.

        Args:
            offsets: of rows that were counted, in log order, shape (rows,).
            place: theirs in the batch, shape (rows,).
            starts_ms: of their panes, shape (rows,).
            known: the features of the baseline.
            names_of: by the start of a pane, where its names are counted.
        """
        at = drawn(self._batch.source.partition, offsets, place)
        rows = zip(starts_ms[at].tolist(), map(self._value, place[at].tolist()), strict=True)
        for start_ms, of_pane in groupby(rows, itemgetter(0)):
            self._look(names_of(start_ms), [value for _, value in of_pane], known)

    def _look(self, into: FeatureNames, values: list[bytes], known: frozenset[str]) -> None:
        into.looked += len(values)
        if self._shape or not _all_have_exactly(known, values):
            for value in values:
                note_names(into, self._features(value), known)

    def _features(self, value: bytes) -> Features:
        """What a prediction has as `features`; a field that a path did not find is absent."""
        message = parse_json(value)
        if self._shape:
            message = self._shape.prediction(message)
        features = message.get("features") if isinstance(message, dict) else None
        if not isinstance(features, dict):
            return _NO_FEATURES
        if not self._mapped:
            return features
        return {name: value for name, value in features.items() if value is not None or name not in self._mapped}

    def _value(self, place: int) -> bytes:
        position, element = message_of(place), element_of(place)
        value = self._batch.values[position] or b""
        if element is None:
            return value
        if position not in self._elements:
            parts = split_array(value)
            self._elements[position] = parts if isinstance(parts, list) else []
        return self._elements[position][element]


def note_names(into: FeatureNames, features: Features, known: frozenset[str]) -> None:
    """Count the names of one row's features that the baseline has not, and those that are absent.

    >>> counts = FeatureNames()
    >>> note_names(counts, {"a": 1, "c": "x"}, frozenset({"a", "b"}))
    >>> counts.absent, list(counts.unknown)
    ({'b': 1}, ['c'])
    """
    if features.keys() == known:
        return
    for name in known - features.keys():
        into.absent[name] = into.absent.get(name, 0) + 1
    for name, value in features.items():
        if name not in known:
            into.note_unknown(name, value_code(value))


def _all_have_exactly(known: frozenset[str], values: list[bytes]) -> bool:
    """Whether all predictions have these features and no other, as far as a short look tells."""
    read = _reader_of_exactly(known)
    if read is None:
        return False
    try:
        deque(map(read, values), maxlen=0)
    except UNREADABLE:
        return False
    return True


@lru_cache(maxsize=256)
def _reader_of_exactly(known: frozenset[str]) -> Callable[[bytes], Any] | None:
    """Reads a prediction that has these features and no other, in half the time of a dict, and raises at any other.

    None: there is none, for a name that JSON must escape, or for features so many that an order would matter.
    """
    if len(known) > WIDE_FEATURES:
        return None
    fields = [(f"f{i}", Any, msgspec.field(name=name)) for i, name in enumerate(sorted(known))]
    try:
        features = msgspec.defstruct("ExactFeatures", fields, forbid_unknown_fields=True, gc=False)
    except ValueError:
        return None
    return msgspec.json.Decoder(msgspec.defstruct("Named", [("features", features)], gc=False)).decode
