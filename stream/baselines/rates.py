"""How often values are missing, invalid or never seen before in healthy windows, and how many rows they have.

A value that was never seen before cannot be counted in its own baseline. So each window is held against all the
others: a number outside their range, a category that none of them has. What is rare, but normal, then has a rate.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.rates import rate_overdispersion
from stream.baselines.baseline import CategoricalSeries, NumericSeries
from stream.baselines.evidence import NO_RATE, Rate, RateEvidence, RowsEvidence
from stream.baselines.layout import CATEGORICAL_EXTRAS, NUMERIC_EXTRAS

Integers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64] | npt.NDArray[np.int32]

_DIGITS: Final = 6


def rate_evidence(
    series: NumericSeries | CategoricalSeries, panes: Integers, values: Values, block: Integers, window_panes: int
) -> RateEvidence:
    """The healthy rates of one series.

    Args:
        series: of the baseline.
        panes: counts in its compared bins, shape (panes, bins).
        values: numbers or codes in order of time, shape (rows,).
        block: the window of each, ascending, shape (rows,); those behind the last whole one are left out.
        window_panes: panes of a window.
    """
    blocks = len(panes) // window_panes
    counts = panes[: blocks * window_panes].reshape(blocks, window_panes, panes.shape[1]).sum(axis=1)
    rows = counts.sum(axis=1)
    extras = NUMERIC_EXTRAS if isinstance(series, NumericSeries) else CATEGORICAL_EXTRAS
    at = {name: counts[:, series_at - len(extras)] for series_at, name in enumerate(extras)}
    whole = block < blocks
    find = _outside if isinstance(series, NumericSeries) else _unseen
    beyond = find(values[whole], block[whole], blocks)
    return RateEvidence(
        missing=_rate(at["missing"], rows), invalid=_rate(at["invalid"], rows), beyond=_rate(beyond, rows)
    )


def rows_evidence(rows: Integers, time_ms: Integers) -> RowsEvidence:
    """How many rows windows have.

    Args:
        rows: of each window, the empty ones too, shape (windows,).
        time_ms: of each row, ascending, shape (rows,).

    >>> rows_evidence(np.array([90, 110]), np.array([0, 5, 20])).overdispersion   # (200 - 100) / 100^2
    0.01
    """
    return rows_law(rows, longest_silence_ms=int(np.diff(time_ms).max(initial=0)))


def rows_law(rows: Integers, *, longest_silence_ms: int) -> RowsEvidence:
    """The negative binomial law of the rows of windows, shape (windows,), the empty ones too."""
    mean = float(rows.mean()) if rows.size else 0.0
    variance = float(rows.var(ddof=1)) if rows.size > 1 else 0.0
    return RowsEvidence(
        windows=len(rows),
        mean=round(mean, _DIGITS),
        smallest=int(rows.min(initial=int(rows.max(initial=0)))),
        overdispersion=round(max(0.0, (variance - mean) / mean**2), _DIGITS) if mean else 0.0,
        longest_silence_ms=longest_silence_ms,
    )


def _rate(count: Integers, rows: Integers) -> Rate:
    if not count.any():
        return NO_RATE
    share = float(count.sum() / rows.sum())
    return Rate(rate=float(f"{share:.{_DIGITS}g}"), overdispersion=round(rate_overdispersion(count, rows), _DIGITS))


def _outside(values: Values, block: Integers, blocks: int) -> Integers:
    """Of each block, how many of its finite numbers lie outside the range of all other blocks; shape (blocks,)."""
    finite = np.isfinite(values)
    values, block = values[finite], block[finite]
    found = np.zeros(blocks, np.int64)
    starts = np.flatnonzero(np.diff(block, prepend=-1))  # where each block begins
    present = block[starts]
    if len(present) < 2:
        return found
    for sign in (1.0, -1.0):
        largest = np.maximum.reduceat(sign * values, starts)
        farthest = int(np.argmax(largest))
        others = np.delete(largest, farthest).max()
        end = starts[farthest + 1] if farthest + 1 < len(starts) else len(values)
        found[present[farthest]] += int((sign * values[starts[farthest] : end] > others).sum())
    return found


def _unseen(values: Values, block: Integers, blocks: int) -> Integers:
    """Of each block, how many of its values have a category that no other block has; shape (blocks,)."""
    known = values >= 0
    codes, block = values[known].astype(np.int64), block[known]
    if len(np.unique(block)) < 2:
        return np.zeros(blocks, np.int64)
    size = int(codes.max(initial=-1)) + 1
    first, last = np.full(size, blocks), np.full(size, -1)
    np.minimum.at(first, codes, block)
    np.maximum.at(last, codes, block)
    return np.bincount(block[(first == last)[codes]], minlength=blocks)
