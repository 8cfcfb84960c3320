"""What the windows of a model show at its present traffic: the smallest changes that would be told of, in words.

"with 500 rows in 1 h a mean that moves by 0.31 sd is seen, and missing values from 0 % to 2 % within 21 min"

Promise: a function of the baseline, its evidence, the level and of roughly how many rows a window has
(1, 1.5, 2, 3, 5, 7 times a power of ten, downwards), so that it is the same whenever it is asked.
Cost: 20 ms for 500 features of 20 bins when traffic comes to another of these sizes; then it is remembered.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from detectors.evidence import EvidenceTable, PerSeries
from detectors.shifts import smallest_mean_shifts, smallest_shares
from stream.baselines.baseline import NumericSeries
from stream.baselines.layout import CATEGORICAL_EXTRAS, NUMERIC_EXTRAS, Series
from stream.records.times import duration_words

SIZES: Final = (7.0, 5.0, 3.0, 2.0, 1.5, 1.0)  # of windows, times a power of ten
RISE: Final = 0.02  # of missing values, share of all rows: for which it is said how soon it is seen


class Seen(NamedTuple):
    """The smallest changes of one series that a window would be told of; None: not the largest would be."""

    rows: int  # of a window, roughly
    mean_shift_sd: float | None  # of a number's mean, in standard deviations
    missing_share: float | None  # of all rows, turned missing
    words: str


class Hop(NamedTuple):
    """How windows follow each other."""

    window_ms: int
    pane_ms: int
    by_rows: bool  # windows are so many rows, whatever time they span


def roughly(rows: int) -> int:
    """The size that stands for windows of so many rows, never above it.

    >>> [roughly(rows) for rows in (1, 149, 150, 640, 699_999)]
    [1, 100, 150, 500, 500000]
    """
    power = 10.0 ** math.floor(math.log10(rows) + 1e-12)
    return max(1, int(next(size for size in SIZES if size * power <= rows * (1 + 1e-12)) * power))


def sight(
    table: EvidenceTable, series: Sequence[Series], rows: int, level: PerSeries, effects: PerSeries, hop: Hop
) -> list[Seen]:
    """What windows of so many rows show of each series.

    Args:
        table: evidence and baseline of the series.
        series: their kinds, in the table's order.
        rows: of a window, >= 1.
        level: of each test, shape (series,).
        effects: corrected PSI from which on each is told of, nats; infinite: never.
        hop: how windows follow each other.
    """
    extras = [len(NUMERIC_EXTRAS if isinstance(one, NumericSeries) else CATEGORICAL_EXTRAS) for one in series]
    missing = table.widths - np.array([_from_the_end(one) for one in series])
    ordered = np.where([isinstance(one, NumericSeries) for one in series], table.widths - np.array(extras), 0)
    shifts = smallest_mean_shifts(table, rows, level, effects, ordered).tolist()
    shares = smallest_shares(table, rows, level, effects, missing).tolist()
    before = table.shares[table.starts + missing].tolist()
    found = []
    for shift, share, already in zip(shifts, shares, before, strict=True):
        one = Seen(rows, _known(shift), _known(share), "")
        found.append(one._replace(words=_words(one, already, hop)))
    return found


def _from_the_end(series: Series) -> int:
    """Where the missing values are counted, from the series' end."""
    extras = NUMERIC_EXTRAS if isinstance(series, NumericSeries) else CATEGORICAL_EXTRAS
    return len(extras) - extras.index("missing")


def _known(size: float) -> float | None:
    return None if math.isnan(size) else size


def _words(seen: Seen, already: float, hop: Hop) -> str:
    over = "" if hop.by_rows else f" in {duration_words(hop.window_ms)}"
    with_rows = f"with {seen.rows:,} rows{over}"
    if seen.mean_shift_sd is None and seen.missing_share is None:
        return f"{with_rows} nothing is seen"
    missing = _missing_words(seen.missing_share, already, hop)
    if seen.mean_shift_sd is None:
        return f"{with_rows} these are seen: {missing}"
    return f"{with_rows} a mean that moves by {seen.mean_shift_sd:.2g} sd is seen, and {missing}"


def _missing_words(share: float | None, already: float, hop: Hop) -> str:
    if share is None:
        return "no rise of missing values"
    rise = share * (1 - already)
    if rise > RISE or hop.by_rows:
        return f"missing values from {_percent(already)} to {_percent(already + rise)}"
    panes = math.ceil(rise / RISE * (hop.window_ms / hop.pane_ms) - 1e-9)
    soon = duration_words(max(1, panes) * hop.pane_ms)
    return f"missing values from {_percent(already)} to {_percent(already + RISE)} within {soon}"


def _percent(share: float) -> str:
    """Two digits.

    >>> _percent(0.0), _percent(0.02), _percent(0.1234)
    ('0 %', '2 %', '12 %')
    """
    return f"{100 * share:.2g} %"
