"""What is normal at one hour and not at the next: a baseline's counts by slot of a season, and their mixtures.

A window is compared with the slots that its own rows lie in, weighted by how many lie in each: then neither the
hour nor how the traffic is spread over the hours is taken for a change of what the rows are like.
Weak: a slot knows only its own rows; a season longer than the baseline is still a shift.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

LEAST_SLOT_ROWS: Final = 10  # shares of fewer say nothing: the whole baseline stands for such a slot


@dataclass(frozen=True, slots=True)
class SlotShares:
    """Shares of the bins in each slot, and from how many rows they are known."""

    shares: Shares  # shape (slots + 1, bins); the last are the whole baseline's
    rows: npt.NDArray[np.float64]  # shape (slots + 1,), > 0 where there are any

    @classmethod
    def of(cls, counts: Counts, rows: Counts) -> Self:
        """From counts, shape (slots, bins), and rows, shape (slots,); bins of several series may follow one another."""
        whole = np.maximum(rows.sum(), 1)
        known = rows >= LEAST_SLOT_ROWS
        own = counts / np.maximum(rows, 1)[:, None]
        shares = np.where(known[:, None], own, counts.sum(axis=0) / whole)
        return cls(
            np.concatenate([shares, [counts.sum(axis=0) / whole]]),
            np.append(np.where(known, rows, whole), whole).astype(np.float64),
        )

    def mixed(self, rows: Counts) -> Shares:
        """The baseline of a window with so many rows in each slot, as counts, shape (bins,).

        Their sum, per series, is how many rows know as much as the mixture does: 1 / sum(w^2 / M) for slots of M
        rows that a share w of the window lies in. A window without rows has the whole baseline.

        >>> by_slot = SlotShares.of(np.array([[90, 10], [50, 50]]), np.array([100, 100]))
        >>> by_slot.mixed(np.array([7, 0])).round(9).tolist(), by_slot.mixed(np.array([5, 5])).round(9).tolist()
        ([90.0, 10.0], [140.0, 60.0])
        """
        there = np.flatnonzero(rows)
        if not there.size:
            there, weights = np.array([len(self.rows) - 1]), np.ones(1)
        else:
            weights = rows[there] / rows.sum()
        mixture = (weights[:, None] * self.shares[there]).sum(axis=0)  # in one order, so that a replay gives the same
        known: Shares = mixture / (weights**2 / self.rows[there]).sum()
        return known
