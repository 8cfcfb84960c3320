"""The `segment` object of a prediction: which part of the traffic it belongs to, as a code for each field that is read.

A value is read like a category: a text, a number or a boolean by its text; null or absent is missing; anything
else is invalid. Nothing here refuses a row. Both routes of decoding follow this rule.
Cost: nothing where no field is read.
"""

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.ingest.feature_values import Codes, categorical_code, category_codes
from stream.records.prediction import CODE_UNSEEN, Schema, SegmentField

_TYPE: Final = str | int | None


def segment_codes(segment: object, fields: Sequence[tuple[str, Codes]]) -> list[int]:
    """The code of each field; a `segment` that is no object has none of them.

    >>> fields = [("origin", category_codes(("EWR", "JFK")))]
    >>> [segment_codes(s, fields) for s in ({"origin": "JFK"}, {"origin": "LGA"}, {"origin": []}, {}, None, 3)]
    [[1], [-2], [-3], [-1], [-1], [-1]]
    """
    values = segment if isinstance(segment, dict) else {}
    return [categorical_code(values.get(name), codes) for name, codes in fields]


def codes_of(fields: Sequence[SegmentField]) -> list[tuple[str, Codes]]:
    """Each field with the codes of its values."""
    return [(one.name, category_codes(one.values)) for one in fields]


class SegmentStruct:
    """What the fast route reads of `segment`: one struct type for all versions of a model."""

    def __init__(self, schemas: Collection[Schema]) -> None:
        names = sorted({one.name for schema in schemas for one in schema.segments})
        self.attributes = {name: f"s{i}" for i, name in enumerate(names)}
        fields = [(self.attributes[name], _TYPE, msgspec.field(default=None, name=name)) for name in names]
        self.type = msgspec.defstruct("Segment", fields, frozen=True, gc=False)
        self.none = self.type()

    @property
    def fields(self) -> list[tuple[str, Any, Any]]:
        """The field of the envelope; none where nothing is read."""
        return [("segment", self.type | None, self.none)] if self.attributes else []


class SegmentColumns:
    """The codes of one schema's fields, from the envelopes of the fast route."""

    def __init__(self, schema: Schema, struct: SegmentStruct) -> None:
        self._none = struct.none
        self._read = [(attrgetter(struct.attributes[name]), codes) for name, codes in codes_of(schema.segments)]

    def codes(self, rows: list[Any]) -> npt.NDArray[np.int32]:
        """Shape (rows, fields)."""
        columns = np.empty((len(self._read), len(rows)), np.int32)
        if self._read:
            structs = [row.segment or self._none for row in rows]
            for column, (get, codes) in zip(columns, self._read, strict=True):
                column[:] = [codes.get(value, CODE_UNSEEN) for value in map(get, structs)]
        return columns.T
