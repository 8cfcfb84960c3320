"""How alike the values of an unknown feature are to the baseline's of another: was one renamed to the other?

Formula: the largest difference between the two distribution functions (Kolmogorov), over bins that need no baseline
(`stream.ingest.value_codes`). Numbers are compared in their order, texts in the order of the baseline's shares; numbers
within a bin of the baseline are taken as spread evenly. Nulls say nothing and are passed over.
Weak: numbers that differ by less than a fifth lie in one bin, so two features of one size that hardly vary are alike.
"""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.baselines.baseline import CategoricalSeries, NumericSeries
from stream.baselines.layout import Series
from stream.ingest.value_codes import BUCKETS, NULL, OCTAVES, PARTS, TEXTS, is_number, number_code, value_code
from stream.records.feature_names import ValueCodes

LIKE: Final = 0.2  # values that differ by no more are taken to be alike, however many there are
_KOLMOGOROV: Final = 1.63  # times 1 / sqrt(n): chance alone exceeds it in 1 of 100 samples
_SIZES: Final = 2 * OCTAVES * PARTS
_NUMBERS: Final = 2 * _SIZES + 1  # codes of numbers; then come the texts, and at last all else

Shares = npt.NDArray[np.float64]  # shape (_NUMBERS + BUCKETS + 1,)


class Likeness(NamedTuple):
    """Of the values of an unknown feature to a series of the baseline."""

    gap: float  # between the two distribution functions, at most; 0..1
    values: int  # that were compared

    @property
    def fits(self) -> bool:
        """Whether it may be the same feature: chance alone would do as much in more than 1 of 100 samples."""
        return self.values > 0 and self.gap <= max(LIKE, _KOLMOGOROV / math.sqrt(self.values))


def likeness(codes: ValueCodes, series: Series) -> Likeness | None:
    """Compare values with those of a series; None where the baseline has no value of it.

    >>> from stream.baselines.baseline import CategoricalSeries
    >>> carrier = CategoricalSeries(name="carrier", categories=("UA", "AA"), other_categories=(), counts=(6, 4),
    ...     other=0, missing=0, invalid=0)
    >>> found = likeness({value_code("UA"): 4, value_code("AA"): 6}, carrier)
    >>> round(found.gap, 6), found.values
    (0.2, 10)
    """
    found = np.zeros(_NUMBERS + BUCKETS + 1)
    for code, rows in codes.items():
        if code != NULL:
            found[_place(code)] += rows
    values = int(found.sum())
    is_categorical = isinstance(series, CategoricalSeries)
    as_numbers = is_categorical and 2 * found[:_NUMBERS].sum() > values
    known = _categories(series, as_numbers) if isinstance(series, CategoricalSeries) else _numbers(series)
    if known is None:
        return None
    order = np.argsort(-known, kind="stable") if is_categorical else slice(None)
    gaps = np.abs(np.cumsum(found[order]) / max(values, 1) - np.cumsum(known[order]))
    return Likeness(float(gaps.max()), values)


def _place(code: int) -> int:
    if is_number(code):
        return code + _SIZES
    return min(_NUMBERS + code - TEXTS, _NUMBERS + BUCKETS)


def _categories(series: CategoricalSeries, as_numbers: bool) -> Shares | None:
    """The baseline's shares; `as_numbers`: categories that are digits come as numbers."""
    shares = np.zeros(_NUMBERS + BUCKETS + 1)
    each = series.other / max(len(series.other_categories), 1)  # how often each of the rare ones came is not kept
    counts = (*series.counts, *[each] * len(series.other_categories))
    for category, count in zip(series.categories + series.other_categories, counts, strict=True):
        is_digits = as_numbers and category.removeprefix("-").isdecimal()
        shares[_place(number_code(float(category)) if is_digits else value_code(category))] += count
    total = shares.sum()
    return shares / total if total else None


def _numbers(series: NumericSeries) -> Shares | None:
    """The baseline's shares, from its bins."""
    total = sum(series.counts)
    if not total or series.minimum is None or series.maximum is None:
        return None
    edges = np.array([series.minimum, *series.inner_edges, math.nextafter(series.maximum, math.inf)])
    below = np.concatenate([[0], np.cumsum(series.counts)]) / total
    up_to = np.interp(_ENDS, np.maximum.accumulate(edges), below, left=0.0, right=1.0)
    shares = np.zeros(_NUMBERS + BUCKETS + 1)
    shares[:_NUMBERS] = np.diff(up_to, prepend=0.0)
    return shares


def _ends() -> npt.NDArray[np.float64]:
    """Shape (_NUMBERS,): the number from which on the next code begins; infinite behind the last.

    The smallest size holds whatever is smaller, too.
    """
    place = np.arange(_SIZES)
    smallest = 2.0 ** (place // PARTS - OCTAVES) * (1 + place % PARTS / PARTS)  # of each size
    negative = np.nextafter(-smallest[::-1], np.inf)
    negative[-1] = 0.0
    return np.concatenate([negative, [np.nextafter(0.0, 1.0)], smallest[1:], [np.inf]])


_ENDS: Final = _ends()
