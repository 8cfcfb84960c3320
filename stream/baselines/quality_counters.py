"""Which of a layout's counters tell of data quality, and what they read in healthy windows.

No row is counted for it: a register holds missing, invalid and unseen values for PSI already, and what is out of
range in the outer bins of its numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detectors.evidence import INDEPENDENT_ROWS, Evidence
from detectors.healthy_rate import HealthyRates, healthy_rates, out_of_range_count
from stream.baselines.baseline import CategoricalSeries, NumericSeries
from stream.baselines.evidence import RateEvidence, WindowEvidence

if TYPE_CHECKING:
    from stream.baselines.layout import Layout

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_MISSING_FROM_END = {NumericSeries: 2, CategoricalSeries: 3}
_NO_RATES = RateEvidence()


@dataclass(frozen=True, slots=True)
class HealthyQuality:
    """The laws of healthy windows of one length, one a series each."""

    missing: HealthyRates
    invalid: HealthyRates
    beyond: HealthyRates  # out of range, or unseen
    spread: npt.NDArray[np.float64]  # how much the share of a bin differs between windows: the widest direction's
    blocks: int  # windows that the spread was learned from
    provisional: bool  # no evidence was learned, or of too few windows


class QualityCounts:
    """What the counters of a window, shape (layout.width,), tell of each series; shape (series,) each."""

    def __init__(self, counters: "QualityCounters", counts: Integers) -> None:
        self.counts = counts
        below, above, unseen = counters.outside
        rows = np.add.reduceat(counts[: counters.starts[-1]], counters.starts[:-1])
        self.missing = counts[counters.missing]
        self.invalid = counts[counters.invalid]
        self.beyond = np.where(counters.is_numeric, counts[below] + counts[above], counts[unseen])
        self.usable = rows - self.missing - self.invalid
        self.different = np.add.reduceat(counts > 0, counters.bin_limits, dtype=np.int64)[::2] * counters.has_bins
        self.fullest = np.maximum.reduceat(counts, counters.bin_limits)[::2] * counters.has_bins  # values in one bin


class QualityCounters:
    """Where a layout counts what data quality needs; all arrays have shape (series,)."""

    def __init__(self, layout: "Layout") -> None:
        self._layout = layout

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The series' names."""
        return self._layout.names

    @property
    def baseline_counts(self) -> Integers:
        """The baseline's own counters."""
        return self._layout.baseline_counts

    @cached_property
    def baseline(self) -> QualityCounts:
        """What they tell."""
        return QualityCounts(self, self.baseline_counts)

    @cached_property
    def widths(self) -> Integers:
        """How many counters each series has."""
        return np.diff(self._layout.starts)

    @cached_property
    def is_numeric(self) -> Flags:
        """Whether a series holds numbers."""
        return np.array([isinstance(s, NumericSeries) for s in self._layout.series], np.bool_)

    @cached_property
    def missing(self) -> Integers:
        """Its counter of missing values."""
        back = [_MISSING_FROM_END[type(s)] for s in self._layout.series]
        return self._ends - np.array(back, np.int64)

    @cached_property
    def invalid(self) -> Integers:
        """Its counter of values of a wrong type, or that are not finite."""
        return self._ends - 1

    @cached_property
    def bins(self) -> tuple[Integers, Integers]:
        """Its first bin, and the one after its last: what is out of range is in, `other` and the rest are not."""
        first = self._layout.starts[:-1]
        behind = np.where(self.is_numeric, self.missing, self.missing - 1)
        return first, behind

    @cached_property
    def has_bins(self) -> Flags:
        """Whether it has any; a series that the baseline has no value of has none."""
        first, behind = self.bins
        return behind > first

    @cached_property
    def bin_limits(self) -> Integers:
        """Shape (2 * series,): first bin and the one after the last in turn, as `reduceat` wants them.

        At every other place `reduceat` gives what lies between the bins of two series, which nobody asks for; of a
        series without bins what lies behind.
        """
        return np.stack(self.bins, axis=1).ravel()

    @cached_property
    def bin_shares(self) -> npt.NDArray[np.float64]:
        """Shape (counters of all series,): the baseline's share of each among its series' usable values."""
        counts = self._layout.baseline_counts
        usable = np.maximum(self.baseline.usable, 1)
        shares: npt.NDArray[np.float64] = counts / np.repeat(usable, self.widths)
        return shares

    @property
    def starts(self) -> Integers:
        """Where each series begins, and at the end where the last one ends; shape (series + 1,)."""
        return self._layout.starts

    @property
    def _ends(self) -> Integers:
        return self._layout.starts[1:]

    @cached_property
    def outside(self) -> tuple[Integers, Integers, Integers]:
        """Its counters of what is below and above the baseline's range, if of numbers; of what is unseen, if not."""
        return self._layout.starts[:-1], self.missing - 1, self._ends - 2

    def healthy(self, known: WindowEvidence | None, learned: Sequence[Evidence] | None) -> HealthyQuality:
        """What windows of a length read when all is well.

        Args:
            known: to the baseline, of that length: how often things happen, and in how many windows it was seen.
            learned: one per series, of how much their bins' shares differ between windows; may be of live windows.
        """
        counts, blocks = self._layout.baseline_counts, 0 if known is None else known.rows.windows
        rows = np.add.reduceat(counts, self._layout.starts[:-1])
        rates = [_NO_RATES] * len(rows) if known is None else known.rates

        def law(count: npt.ArrayLike, name: str) -> HealthyRates:
            rho = [getattr(one, name).overdispersion for one in rates]
            return healthy_rates(count, rows, rho, blocks)

        seen = np.array([one.beyond.rate for one in rates]) * rows
        return HealthyQuality(
            missing=law(counts[self.missing], "missing"),
            invalid=law(counts[self.invalid], "invalid"),
            beyond=law(np.maximum(seen, self._rare()), "beyond"),
            spread=np.array([max((e.overdispersion, *e.spreads)) for e in learned or [INDEPENDENT_ROWS] * len(rows)]),
            blocks=min((e.blocks for e in learned), default=0) if learned else 0,
            provisional=known is None or known.provisional,
        )

    def _rare(self) -> npt.NDArray[np.float64]:
        """Of a baseline's own values none is out of its range, or unseen; how many of as many new ones would be.

        Categories: as many as were seen once only (Good 1953, after Turing). How often each of the `other` ones
        was seen is not kept, so all of them are taken to be such.
        """
        once = [
            sum(n == 1 for n in s.counts) + min(s.other, len(s.other_categories))
            if isinstance(s, CategoricalSeries)
            else 0
            for s in self._layout.series
        ]
        return np.where(self.is_numeric, out_of_range_count(once), np.array(once, np.float64))
