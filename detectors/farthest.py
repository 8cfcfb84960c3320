"""How far beyond the farthest healthy window a window is: what tells a complete shift from healthy wander.

`evidence` allows for the directions in which healthy traffic wanders, and all of a shift along them is allowed for,
however far it goes. Here only its size counts, as PSI beside the largest of any healthy window.

Promise: a window is far if its PSI is at least 0.25 and at least twice the farthest healthy one's, and x = -ln p of
going so far, if wander is normal and the farthest of so many windows was of the size to be expected, is large.
Weak: wander with heavy tails goes so far more often than p says; with few windows hardly anything is far, and where
healthy windows of few rows are noisy nothing is.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

from detectors.tail_laws import f_quantile, minus_log_f_tail

PerSeries = npt.NDArray[np.float64]  # shape (..., series)

FAR_PSI: Final = 0.25  # nats: nothing nearer is far, however near all healthy windows were
TIMES_FARTHEST: Final = 2.0  # as far as the farthest healthy window: nothing nearer is far
_HALVINGS: Final = 30  # right within a millionth


@dataclass(frozen=True, slots=True)
class Farthest:
    """Of each series, the farthest that a healthy window went; shape (series,)."""

    psi: PerSeries  # corrected, nats, > 0; infinite: not known, and nothing is far
    rows: PerSeries  # of a healthy window, > 0; infinite: not known
    windows: PerSeries  # healthy ones that do not overlap, >= 1
    freedom: PerSeries  # of the spread of wander: with few windows it is hardly known

    def psi_of(self, rows: PerSeries) -> PerSeries:
        """The PSI of the farthest healthy window, were it of so few rows: noise grows as they become fewer."""
        found: PerSeries = self.psi * np.maximum(self.rows / rows, 1.0)
        return found

    def x(self, psi: PerSeries, rows: PerSeries, bins: PerSeries) -> PerSeries:
        """-ln p of going so far; -infinity where it is not far.

        Args:
            psi: corrected, of windows of so many `rows`, shape (..., series).
            rows: of the windows, > 0, shape (..., series).
            bins: how many of the baseline's are not empty, less one; shape (series,).

        >>> known = Farthest(np.array([0.5]), np.array([600.0]), np.array([168.0]), np.array([55.0]))
        >>> known.x(np.array([[0.9], [1.1], [1.7], [6.0]]), np.array([600.0]), np.array([9.0])).round(1).tolist()
        [[-inf], [10.0], [13.9], [71.4]]
        """
        farthest = self.psi_of(rows)
        far = (psi >= TIMES_FARTHEST * farthest) & (psi >= FAR_PSI)
        if not far.any():  # as nearly always
            return np.full(far.shape, -np.inf)
        squares = _squared_shift(psi, rows, bins) / _squared_shift(farthest, rows, bins)
        found = minus_log_f_tail(squares * self._usual, np.ones_like(self.freedom), self.freedom)
        return np.where(far, found, -np.inf)

    def least_psi(self, level: PerSeries | float, rows: PerSeries, bins: PerSeries) -> PerSeries:
        """The corrected PSI from which on p is at most the level; infinite where not known. Shapes as for `x`.

        >>> known = Farthest(np.array([0.5]), np.array([600.0]), np.array([168.0]), np.array([55.0]))
        >>> known.least_psi(np.exp(-13.9), np.array([600.0]), np.array([9.0])).round(2).tolist()
        [1.7]
        """
        farthest = self.psi_of(rows)
        chance = np.broadcast_to(np.clip(level, 1e-300, 0.5), self.freedom.shape)
        squares = f_quantile(chance, np.ones_like(self.freedom), self.freedom) / self._usual
        wanted = squares * _squared_shift(farthest, rows, bins)
        low, high = np.zeros_like(wanted), wanted  # a squared shift is never below its PSI
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            enough = _squared_shift(middle, rows, bins) >= wanted
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return np.maximum(high, np.maximum(TIMES_FARTHEST * farthest, FAR_PSI))

    @property
    def _usual(self) -> PerSeries:
        """Square of the farthest of so many standard normal ones: their median is near it."""
        found: PerSeries = chdtri(1, 0.5 / self.windows)
        return found


def _squared_shift(psi: PerSeries, rows: PerSeries, bins: PerSeries) -> PerSeries:
    """Of a PSI, the square of the shift that a normal feature would have, in standard deviations.

    That is PSI itself until nearly all rows are in one bin: then PSI comes to its end, and a shift does not.
    """
    whole = bins / (bins + 1) * np.log(2 * rows + 1)  # PSI of all rows in one of bins that were equal
    squared: PerSeries = psi / np.maximum(1 - (psi / whole) ** 3, 1e-9)
    return squared
