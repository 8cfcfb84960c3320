"""The smallest shifts that windows of so many rows would show, of all series of a model at once.

As `detectable` finds them for one series, with less care: sizes to 2 %, and windows hold exactly what is
expected, parts of rows too.
Cost: 30 judgements of all series: 20 ms for 500 of 20 bins. For when traffic changes, not for every window.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from detectors.detectable import LARGEST_SHIFT
from detectors.evidence import EvidenceTable, PerSeries, Shares, judge

Indices = npt.NDArray[np.int64]  # shape (series,)

_SMALLEST: Final = 1e-4  # of the largest size: nothing smaller is looked for
_STEPS: Final = 9  # halvings of that range's logarithm


def smallest_mean_shifts(
    table: EvidenceTable, rows: int, level: PerSeries | float, effect: PerSeries | float, value_bins: Indices
) -> PerSeries:
    """The shift of the mean, in standard deviations, that a window would show, up or down: the worse of both.

    Args:
        table: evidence and baseline of the series.
        rows: of the window, >= 1.
        level: of the test, 0..1.
        effect: corrected PSI that an alarm needs, nats.
        value_bins: how many of each series' bins, from the first, are of ordered values; 0: none is.

    Returns:
        0..5; NaN where there are no ordered values, or where not even 5 would be seen.

    Size to expect: 0.28 for ten bins and 600 independent rows at level 1e-6 and effect 0.02, as `smallest_mean_shift`.

    >>> from detectors.evidence import INDEPENDENT_ROWS
    >>> one = EvidenceTable([INDEPENDENT_ROWS], np.full(10, 100_000), np.array([0]))
    >>> smallest_mean_shifts(one, 600, 1e-6, 0.02, np.array([10])).round(2).tolist()
    [0.28]
    """
    within = np.arange(len(table.baseline)) - table.per_bin(table.starts.astype(np.float64))
    ordered = table.per_bin(value_bins.astype(np.float64))
    is_value = within < ordered
    values = np.where(is_value, table.shares, 0.0)
    whole = table.per_bin(np.maximum(table.total(values), 1e-300))
    before = np.cumsum(values) - table.per_bin((np.cumsum(values) - values)[table.starts])  # up to the bin's end
    last = within == ordered - 1
    cuts = np.where(last, np.inf, ndtri(np.clip(before / whole, 0.0, 1.0)))  # where each bin ends

    def moved_by(sign: float) -> Callable[[PerSeries], Shares]:
        def moved(size: PerSeries) -> Shares:
            below = ndtr(cuts - table.per_bin(sign * size))
            inside = below.copy()
            inside[1:] -= below[:-1]
            inside[table.starts] = below[table.starts]
            shares: Shares = np.where(is_value, inside * whole, table.shares)
            return shares

        return moved

    both = [_smallest(table, rows, level, effect, moved_by(sign), LARGEST_SHIFT) for sign in (1.0, -1.0)]
    return np.where((value_bins > 0) & (table.rows > 0), np.maximum(*both), np.nan)


def smallest_shares(
    table: EvidenceTable, rows: int, level: PerSeries | float, effect: PerSeries | float, bins: Indices
) -> PerSeries:
    """The share of all rows that a window would show if it moved into one bin from all others alike.

    Args:
        table: evidence and baseline of the series.
        rows: of the window, >= 1.
        level: of the test, 0..1.
        effect: corrected PSI that an alarm needs, nats.
        bins: which bin of each series, counted from the series' first: the missing one for example.

    Returns:
        0..1; NaN where not even all rows would be seen.

    >>> from detectors.evidence import INDEPENDENT_ROWS
    >>> one = EvidenceTable([INDEPENDENT_ROWS], np.array([50_000, 50_000, 0]), np.array([0]))
    >>> smallest_shares(one, 600, 1e-6, 0.02, np.array([2])).round(3).tolist()
    [0.004]
    """
    taker = np.zeros(len(table.baseline))
    taker[table.starts + bins] = 1.0

    def moved(size: PerSeries) -> Shares:
        by = table.per_bin(size)
        return table.shares * (1 - by) + taker * by

    return np.where(table.rows > 0, _smallest(table, rows, level, effect, moved, 1.0), np.nan)


def _smallest(
    table: EvidenceTable,
    rows: int,
    level: PerSeries | float,
    effect: PerSeries | float,
    moved: Callable[[PerSeries], Shares],
    largest: float,
) -> PerSeries:
    def seen(size: PerSeries) -> npt.NDArray[np.bool_]:
        return judge(table, moved(size) * rows).breaches(level, effect, table.guard)

    low, high = np.full(len(table.starts), largest * _SMALLEST), np.full(len(table.starts), largest)
    reachable = seen(high)
    for _ in range(_STEPS):
        middle = np.sqrt(low * high)
        is_seen = seen(middle)
        low, high = np.where(is_seen, low, middle), np.where(is_seen, middle, high)
    return np.where(reachable, high, np.nan)
