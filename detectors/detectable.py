"""The smallest shift that a window of so many rows would show: what a check can be trusted to see.

Found by asking `judge` about windows that hold exactly what is expected under the shift, so that all of
the method is in it: healthy wander, the stretched tail, the guard, the effect. Sampling adds to the
distance, so at the size named half of the windows or more alarm.
Cost: about 40 judgements of one series, 5 ms: for `baseline show` and when traffic changes, not for
every evaluation (`evidence.minimum_detectable_psi` is for that).
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from detectors.evidence import Counts, EvidenceTable, Shares, judge
from detectors.outcome import Undefined

LARGEST_SHIFT: Final = 5.0  # standard deviations: beyond it nothing of the baseline is left
_STEPS: Final = 20  # halvings: right within a millionth of the range


def smallest_mean_shift(
    table: EvidenceTable, rows: int, level: float, effect: float, value_bins: int
) -> float | Undefined:
    """The shift of the mean, in standard deviations, that a window would show, up or down: the worse of both.

    The feature's bins are taken as those of a normal one: of ordered shares only the order is known.

    Args:
        table: of one series.
        rows: of the window, >= 1.
        level: of the test, 0..1.
        effect: corrected PSI that an alarm needs, nats.
        value_bins: how many of the bins, from the first, are of ordered values; the others keep their share.

    Returns:
        0..5; `Undefined("too few")` where not even 5 would be seen.

    Size to expect: 0.28 for ten bins and 600 independent rows at level 1e-6 and effect 0.02; 0.15 with 6,000.

    >>> from detectors.evidence import INDEPENDENT_ROWS
    >>> one = EvidenceTable([INDEPENDENT_ROWS], np.full(10, 100_000), np.array([0]))
    >>> round(smallest_mean_shift(one, 600, 1e-6, 0.02, 10), 2)
    0.28
    """
    values, others = table.shares[:value_bins], table.shares[value_bins:]
    whole = values.sum()
    if whole == 0:
        return Undefined("empty")
    cuts = ndtri(np.clip(np.cumsum(values)[:-1] / whole, 0.0, 1.0))

    def moved_up(size: float) -> Shares:
        below = np.concatenate([[0.0], ndtr(cuts - size), [1.0]])
        shares: Shares = np.concatenate([np.diff(below) * whole, others])
        return shares

    def moved_down(size: float) -> Shares:
        return moved_up(-size)

    both = [_smallest(table, rows, level, effect, way, LARGEST_SHIFT) for way in (moved_up, moved_down)]
    found = [one for one in both if not isinstance(one, Undefined)]
    return max(found) if len(found) == len(both) else Undefined("too few")


def smallest_share(table: EvidenceTable, rows: int, level: float, effect: float, bin_index: int) -> float | Undefined:
    """The share of all rows that a window would show if it moved into one bin from all others alike.

    Args:
        table: of one series.
        rows: of the window, >= 1.
        level: of the test, 0..1.
        effect: corrected PSI that an alarm needs, nats.
        bin_index: which bin, the missing one for example.

    Returns:
        0..1; `Undefined("too few")` where not even all rows would be seen.

    Size to expect: 0.006 for missing values that never were, ten bins and 600 independent rows at level 1e-6: 4 rows.

    >>> from detectors.evidence import INDEPENDENT_ROWS
    >>> one = EvidenceTable([INDEPENDENT_ROWS], np.array([50_000, 50_000, 0]), np.array([0]))
    >>> round(smallest_share(one, 600, 1e-6, 0.02, 2), 3)
    0.004
    """

    def moved(size: float) -> Shares:
        shares: Shares = table.shares * (1 - size)
        shares[bin_index] += size
        return shares

    return _smallest(table, rows, level, effect, moved, 1.0)


def _smallest(
    table: EvidenceTable, rows: int, level: float, effect: float, moved: Callable[[float], Shares], largest: float
) -> float | Undefined:
    def seen(size: float) -> bool:
        found = judge(table, expected_counts(moved(size), rows))
        return bool(found.breaches(level, effect, table.guard)[0])

    if not seen(largest):
        return Undefined("too few")
    low, high = 0.0, largest
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def expected_counts(shares: Shares, rows: int) -> Counts:
    """Whole counts of the shares that sum to the rows: the largest remainders are rounded up.

    >>> expected_counts(np.array([0.5, 0.25, 0.25]), 7).tolist()
    [3, 2, 2]
    """
    exact = shares * rows
    counts: npt.NDArray[np.int64] = np.floor(exact + 1e-9).astype(np.int64)
    left = rows - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:left]] += 1
    return counts
