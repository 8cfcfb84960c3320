"""Segments: named parts of a model's traffic that are counted beside the whole, each by one value of one key.

Promise: how many segments there are follows from the settings and the baseline alone, never from the traffic. A
row lies, for each key, in the segment of its value or in `KEY=other`: other values, none, a wrong type. So the
segments of one key add up to the whole, and a million values cost nothing.
Cost: nothing without segments; else each row is counted once more for each key.

A key is the baseline's categorical feature of that name if there is one; else the field of that name in the
message's `segment` object.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.baselines.baseline import Baseline, CategoricalSeries
from stream.baselines.by_segment import OTHER, Counts
from stream.records.prediction import ModelColumns, SegmentField
from stream.records.settings import SegmentSettings

MOST_COMBINATIONS: Final = 256  # that labels are kept apart by
LONGEST_VALUE: Final = 200  # characters; a segment's name is part of keys and a metric's label

Codes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_]


def segment_name(key: str, value: str) -> str:
    """As in reports, alerts and metrics.

    >>> segment_name("origin", "EWR")
    'origin=EWR'
    """
    return f"{key}={value}"


@dataclass(frozen=True)
class SegmentKey:
    """One key and the values that have a segment of their own."""

    name: str
    values: tuple[str, ...]
    feature: int | None  # which categorical feature it is; None: a field of `segment`
    field: int | None  # which of the segment fields it is; None: a feature
    categories: tuple[str, ...] = ()  # of the feature, in the order of its codes

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The names, `other` last."""
        return tuple(segment_name(self.name, value) for value in (*self.values, OTHER))

    def codes(self, columns: ModelColumns) -> Codes:
        """Which of the segments each row lies in, shape (rows,)."""
        if self.feature is not None:
            return self._of_category[columns.categorical[:, self.feature]]
        column = columns.segments[:, self.field].astype(np.int64)
        return np.where(column < 0, len(self.values), column)

    @cached_property
    def _of_category(self) -> Codes:
        """Segment by a category's code; the codes below 0 read its last entries, which are `other`."""
        place = {value: i for i, value in enumerate(self.values)}
        known = [place.get(category, len(self.values)) for category in self.categories]
        return np.array([*known, *[len(self.values)] * 3], np.int64)


@dataclass(frozen=True)
class Segmentation:
    """The keys of one model version."""

    keys: tuple[SegmentKey, ...] = ()

    @classmethod
    def of(cls, baseline: Baseline, settings: Mapping[str, SegmentSettings]) -> "Segmentation":
        """What the settings mean with this baseline; keys by name."""
        categorical = [s for s in baseline.series if isinstance(s, CategoricalSeries)]
        places = {series.name: i for i, series in enumerate(categorical)}
        keys: list[SegmentKey] = []
        fields = 0
        for name, wanted in sorted(settings.items()):
            place = places.get(name)
            if place is None:
                known = baseline.by_segment(name)
                found = tuple(one.value for one in known.values) if known else ()
                keys.append(SegmentKey(name, _values(wanted, found), None, fields))
                fields += 1
                continue
            series = categorical[place]
            categories = series.categories + series.other_categories
            keys.append(SegmentKey(name, _values(wanted, series.categories), place, None, categories))
        return cls(tuple(keys))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every segment, without the whole."""
        return tuple(name for key in self.keys for name in key.segments)

    @cached_property
    def fields(self) -> tuple[SegmentField, ...]:
        """What decoding reads of a message's `segment` object."""
        return tuple(SegmentField(key.name, key.values) for key in self.keys if key.feature is None)

    @cached_property
    def keeps_labels_apart(self) -> bool:
        """Whether labels are, too: they are joined by combinations of segments, of which there must not be too many."""
        return len(self.keys) > 0 and math.prod(len(key.segments) for key in self.keys) <= MOST_COMBINATIONS

    def combinations(self, columns: ModelColumns) -> tuple[Codes, list[tuple[str, ...]]]:
        """The combinations of segments that occur, one of each key, and which each row has, shape (rows,)."""
        code = np.zeros(len(columns.row), np.int64)
        for key in self.keys:
            code = code * len(key.segments) + key.codes(columns)
        found, of_row = np.unique(code, return_inverse=True)
        return of_row.astype(np.int64), [self._combination(one) for one in found.tolist()]

    def _combination(self, code: int) -> tuple[str, ...]:
        names: list[str] = []
        for key in reversed(self.keys):
            code, own = divmod(code, len(key.segments))
            names.append(key.segments[own])
        return tuple(reversed(names))

    def baseline_counts(self, baseline: Baseline, whole: Counts) -> dict[str, Counts]:
        """What is normal in each segment that the baseline knows, by its name; `whole` is all of the baseline."""
        found: dict[str, Counts] = {}
        for key in self.keys:
            known = baseline.by_segment(key.name)
            for value, name in zip((*key.values, OTHER), key.segments, strict=True):
                counts = known.counts_of(value, key.values, whole) if known else None
                if counts is not None:
                    found[name] = counts
        return found

    def parts(self, columns: ModelColumns, taken: Rows) -> Iterator[tuple[str, Codes]]:
        """The segments that the taken rows lie in, with the places of those rows among the taken ones."""
        for key in self.keys:
            codes = key.codes(columns)[taken]
            for code in np.unique(codes).tolist():
                yield key.segments[code], np.flatnonzero(codes == code)

    def without_own(self, columns: ModelColumns, counted: Rows) -> Iterator[tuple[str, int]]:
        """For each key how many of the counted rows lie in `other`, if any do."""
        for key in self.keys:
            rows = int((key.codes(columns)[counted] == len(key.values)).sum())
            if rows:
                yield key.name, rows


def _values(wanted: SegmentSettings, found: Sequence[str]) -> tuple[str, ...]:
    """The values that have a segment of their own: those declared, or of those found the first usable ones."""
    if wanted.values:
        return wanted.values
    return tuple(value for value in found if _is_usable(value))[: wanted.top]


def _is_usable(value: str) -> bool:
    return value != OTHER and 0 < len(value) <= LONGEST_VALUE and value.isprintable()


NO_SEGMENTS: Final = Segmentation()
