"""Quantiles of positive numbers, such as latencies, with a bounded relative error, from counts over fixed edges.

Promise: with `relative_accuracy` = 0.01 the reported p99 of a true 250 ms lies in [247.5, 252.5] ms, in any order
of arrival and after any merges; counts below and above an `exact` limit are exact.
Cost: one bin per 2 % of range: 1 us to 1 h needs 1,101 and two at the ends; adding n values is one binary search each.
Merging is the sum of two count vectors: associative, commutative, exact. The edges are fixed, unlike DDSketch's
growing store, so that a sketch is a plain vector of counters of a register.
Not for: values below `lowest`, which are counted together and read as 0 (off by less than `lowest`), and values at or
above `highest`, which are counted together and read as `highest` (a lower bound); NaN and infinity have no bin.
Source: Masson, Rim, Lee, "DDSketch", PVLDB 12 (2019), section 2.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.errors import ShapeMismatch
from detectors.outcome import Undefined

Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

DEFAULT_RELATIVE_ACCURACY: Final = 0.01  # alpha in Masson et al. 2019
# A rank that is whole in the arithmetic of people must not be pushed up by binary fractions: 0.07 * 100 is above 7.
RANK_SLACK: Final = 1e-9


@dataclass(frozen=True)
class QuantileSketch:
    """Where the bins of a sketch lie; its counts are vectors of shape (bins,), owned by the caller.

    Bin 0 is [-inf, lowest), the last one [highest, inf); between them the edges grow by
    gamma = (1 + a) / (1 - a), a = `relative_accuracy`. A bin [low, high) reads as 2 * low * high / (low + high),
    which is off by at most the share (high - low) / (high + low) <= a from every value in it.

    Args:
        lowest: the smallest value that is told apart, > 0.
        highest: from here on values are counted together, > lowest.
        exact: limits with an edge of their own right above each: a value equal to a limit is not above it.
        relative_accuracy: of quantiles in [lowest, highest), 0 < a < 1.

    >>> sketch = QuantileSketch(lowest=0.001, highest=3_600_000.0, exact=(250.0,))
    >>> counts = sketch.histogram(np.array([10.0, 20.0, 250.0, 251.0]))
    >>> sketch.above(counts, 250.0)
    1
    >>> round(sketch.quantile(counts, 0.5), 1)       # the second of four, to 1 %
    20.1
    """

    lowest: float
    highest: float
    exact: tuple[float, ...] = ()
    relative_accuracy: float = DEFAULT_RELATIVE_ACCURACY

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.highest < math.inf:
            raise ValueError(f"0 < lowest < highest is needed, got {self.lowest} and {self.highest}")
        if not 0 < self.relative_accuracy < 1:
            raise ValueError(f"relative_accuracy must be in (0, 1), got {self.relative_accuracy}")
        outside = [limit for limit in self.exact if not self.lowest <= limit < self.highest]
        if outside:
            raise ValueError(f"an exact limit must lie in [{self.lowest}, {self.highest}), got {outside[0]}")

    @cached_property
    def inner_edges(self) -> Values:
        """Strictly ascending, finite; shape (bins - 1,)."""
        gamma = (1 + self.relative_accuracy) / (1 - self.relative_accuracy)
        # Multiplications alone: every machine rounds them alike, which it need not do with logarithms.
        logarithmic = [self.lowest]
        while logarithmic[-1] * gamma < self.highest:
            logarithmic.append(logarithmic[-1] * gamma)
        logarithmic.append(self.highest)
        return np.unique(np.concatenate([logarithmic, [self._edge_above(limit) for limit in self.exact]]))

    @property
    def bins(self) -> int:
        """How many counters."""
        return len(self.inner_edges) + 1

    def index(self, values: Values) -> npt.NDArray[np.int64]:
        """The bin of each finite value, shape of `values`."""
        return np.searchsorted(self.inner_edges, values, side="right").astype(np.int64)

    def histogram(self, values: Values) -> Counts:
        """Counts of finite values, shape (bins,)."""
        return np.bincount(self.index(values), minlength=self.bins).astype(np.int64)

    def quantile(self, counts: Counts, level: float) -> float | Undefined:
        """The smallest value that the share `level` of the counted ones does not exceed, within the accuracy.

        That is the value of rank ceil(level * n), as `numpy.quantile(..., method="inverted_cdf")` has it; so it is
        above an exact limit if and only if more than n - ceil(level * n) of the values are.

        Args:
            counts: shape (bins,), each >= 0.
            level: 0..1; 0.99 for p99.

        Returns:
            In the unit of the edges; 0 in the bin below `lowest`, `highest` in the one above;
            `Undefined("empty")` without a count.

        Raises:
            ShapeMismatch: counts of another sketch.
            ValueError: `level` outside of 0..1.
        """
        self._check(counts)
        if not 0 <= level <= 1:
            raise ValueError(f"level must be in 0..1, got {level}")
        until = np.cumsum(counts)
        n = int(until[-1])
        if n == 0:
            return Undefined("empty")
        rank = max(math.ceil(level * n - RANK_SLACK * n), 1)
        return self._representative(int(np.searchsorted(until, rank, side="left")))

    def above(self, counts: Counts, limit: float) -> int:
        """How many values lie above one of the exact limits; a value on it does not.

        Raises:
            ValueError: the limit has no edge of its own.
        """
        self._check(counts)
        if limit not in self.exact:
            raise ValueError(f"{limit} is not one of the exact limits {self.exact}")
        return int(counts[int(np.searchsorted(self.inner_edges, self._edge_above(limit))) + 1 :].sum())

    def _representative(self, at: int) -> float:
        if at == 0:
            return 0.0
        if at == self.bins - 1:
            return float(self.inner_edges[-1])
        low, high = float(self.inner_edges[at - 1]), float(self.inner_edges[at])
        # Rounded into the bin [low, high): which side of an exact limit it lies on must not be lost.
        return min(max(2 * low * high / (low + high), low), math.nextafter(high, 0))

    def _check(self, counts: Counts) -> None:
        if counts.shape != (self.bins,):
            raise ShapeMismatch((self.bins,), counts.shape)

    @staticmethod
    def _edge_above(limit: float) -> float:
        return math.nextafter(limit, math.inf)
