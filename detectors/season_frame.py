"""The panes of a baseline as blocks and windows, and what is normal in each by its slots of the season.

What is here depends on how many rows each pane has and on its slot, so all series of a model share it. Without a
season there is one slot, and what is normal is the baseline.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from detectors.season import LEAST_SLOT_ROWS, SlotShares

Integers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

LEAST_INSIDE: Final = 0.25  # of a window: below it the window is most of its own baseline, and tells nothing
STRIDES: Final = 12  # replayed windows per window length
_AT_ONCE: Final = 5_000  # windows: so that their rows by slot need not be in memory at a time


@dataclass(frozen=True)
class SeasonFrame:
    """Rows and slots of the panes in order of time."""

    rows: Integers  # shape (panes,)
    slots: Integers  # shape (panes,), from 0
    window_panes: int

    @classmethod
    def of(cls, rows: Integers, slots: Integers | None, window_panes: int) -> Self:
        """Without slots, one that has all panes."""
        return cls(rows, np.zeros(len(rows), np.int64) if slots is None else slots, window_panes)

    @property
    def stride(self) -> int:
        """Panes from one replayed window to the next."""
        return max(1, self.window_panes // STRIDES)

    def expected(self, panes: Integers) -> Values:
        """What is normal in each pane: its rows times the shares of its slot; shape (panes, bins)."""
        if self._slot_count == 1:
            counts = panes.sum(axis=0, dtype=np.int64)[None]
        else:
            counts = np.zeros((self._slot_count, panes.shape[1]), np.int64)
            np.add.at(counts, self.slots, panes)
        found: Values = self.rows[:, None] * SlotShares.of(counts, self._slot_rows).shares[self.slots]
        return found

    def blocks_of(self, panes: npt.NDArray[np.generic]) -> Values:
        """Sums over the blocks, windows that do not overlap, shape (blocks, bins)."""
        whole = len(panes) // self.window_panes * self.window_panes
        sums: Values = panes[:whole].reshape(-1, self.window_panes, *panes.shape[1:]).sum(axis=1)
        return sums

    def windows_of(self, panes: npt.NDArray[np.generic]) -> Values:
        """Sums over the windows, one every `stride` panes, shape (windows, bins)."""
        sums = np.cumsum(panes, axis=0)
        windows: Values = sums[self.window_panes - 1 :: self.stride].copy()
        # The first window begins with the first pane: nothing lies before it.
        windows[1:] -= sums[np.arange(1, len(windows)) * self.stride - 1]
        return windows

    @cached_property
    def block_rows(self) -> Integers:
        """Shape (blocks,)."""
        return self.blocks_of(self.rows).astype(np.int64)

    @cached_property
    def window_rows(self) -> Integers:
        """Shape (windows,)."""
        return self.windows_of(self.rows).astype(np.int64)

    @cached_property
    def block_inside(self) -> Values:
        """1 - N/M of each block: how much of its sampling noise its own baseline leaves; shape (blocks,)."""
        return self._inside(self._block_slot_rows)

    @cached_property
    def window_inside(self) -> Values:
        """The same of each window, shape (windows,)."""
        begins = np.arange(len(self.window_rows)) * self.stride
        found = np.empty(len(begins))
        for at in range(0, len(begins), _AT_ONCE):
            one = slice(at, at + _AT_ONCE)
            found[one] = self._inside(self._rows_by_slot(begins[one]))
        return found

    def blocks_behind(self, which: npt.NDArray[np.bool_]) -> float:
        """How many blocks the baseline of one window is the mean of; 0 without a season: of all.

        Blocks i that lie in its slots with shares a_i of the slots' rows know as much as 1 / sum(a_i^2) equal ones.
        """
        if self._slot_count == 1:
            return 0.0
        by_slot = self._block_slot_rows[which].astype(np.float64)
        rows = by_slot.sum(axis=1)
        shares = by_slot / np.where(self._known, self._slot_rows, 1.0)
        shares[:, ~self._known] = (rows / self.rows.sum())[:, None]
        together = shares.T @ shares
        weights = by_slot / rows[:, None]
        mean = float(((weights @ together) * weights).sum(axis=1).mean())
        of_all = float(((rows / rows.sum()) ** 2).sum())
        return min(float(len(rows)), len(rows) * of_all / mean)

    @cached_property
    def _slot_count(self) -> int:
        return int(self.slots.max(initial=0)) + 1

    @cached_property
    def _slot_rows(self) -> Integers:
        return np.bincount(self.slots, weights=self.rows, minlength=self._slot_count).astype(np.int64)

    @cached_property
    def _known(self) -> npt.NDArray[np.bool_]:
        return self._slot_rows >= LEAST_SLOT_ROWS

    @cached_property
    def _block_slot_rows(self) -> Integers:
        """Rows of each block in each slot, shape (blocks, slots)."""
        return self._rows_by_slot(np.arange(len(self.rows) // self.window_panes) * self.window_panes)

    def _rows_by_slot(self, begins: Integers) -> Integers:
        """Of the windows that begin with these panes, ascending; shape (windows, slots)."""
        if not begins.size:
            return np.zeros((0, self._slot_count), np.int64)
        first, end = begins[0], begins[-1] + self.window_panes
        sums = np.zeros((end - first + 1, self._slot_count), np.int64)
        sums[np.arange(1, len(sums)), self.slots[first:end]] = self.rows[first:end]
        np.cumsum(sums, axis=0, out=sums)
        found: Integers = sums[begins - first + self.window_panes] - sums[begins - first]
        return found

    def _inside(self, by_slot: Integers) -> Values:
        rows = np.maximum(by_slot.sum(axis=1), 1)
        slot_rows = np.where(self._known, self._slot_rows, max(1, int(self.rows.sum())))
        found: Values = 1 - (by_slot.astype(np.float64) ** 2 / slot_rows).sum(axis=1) / rows
        return found
