"""Seeded generators of healthy traffic, as counts per pane: nothing changes in any of them, but windows differ.

Each draws consecutive stretches of panes, shape (panes, features, 11): ten bins of a normal feature cut at
its deciles, and one of missing values. What wanders keeps its place from one stretch to the next.
`Regimes` was written last, after the method was fixed; nothing was tuned on it.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

PANES_A_DAY = 1_440
BINS = 10
CUTS = ndtri(np.arange(1, BINS) / BINS)

Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


class Shift:
    """A change of every feature: its mean in standard deviations, the share of one bin, the share of missing."""

    def __init__(self, mean: float = 0.0, one_bin: float = 0.0, missing: float = 0.0) -> None:
        self.mean, self.one_bin, self.missing = mean, one_bin, missing

    def shares(self, mean: Values) -> Values:
        """Of the bins of features of these means, shape (..., 11)."""
        found = shares_of(mean + self.mean)
        if self.one_bin:
            others = found[..., 2:3].copy()
            found[..., 2] += self.one_bin
            rest = np.arange(BINS) != 2
            found[..., rest] *= (1 - others - self.one_bin) / (1 - others)
        whole = np.concatenate([found * (1 - self.missing), np.full((*mean.shape, 1), self.missing)], axis=-1)
        return whole / whole.sum(axis=-1, keepdims=True)


NO_SHIFT = Shift()


class Traffic(Protocol):
    """A source of panes."""

    def draw(self, panes: int, shift: Shift = NO_SHIFT) -> Counts:
        """The next panes."""
        ...


def shares_of(mean: Values) -> Values:
    """Shares of the ten bins of N(mean, 1)."""
    edge = np.zeros((*mean.shape, 1))
    below = np.concatenate([edge, ndtr(CUTS - mean[..., None]), edge + 1], axis=-1)
    return np.diff(below, axis=-1)


class Wander:
    """Autoregressive series of variance 1: x_t = phi * x_(t-1) + noise, one per column."""

    def __init__(self, rng: np.random.Generator, columns: int, phi: float) -> None:
        self._rng, self._phi, self._last = rng, phi, rng.standard_normal(columns)

    def draw(self, panes: int) -> Values:
        """The next values, shape (panes, columns)."""
        noise = self._rng.standard_normal((panes, len(self._last))) * np.sqrt(1 - self._phi**2)
        found, _ = lfilter([1], [1, -self._phi], noise, axis=0, zi=self._phi * self._last[None])
        self._last = found[-1]
        return found


class Independent:
    """Every row and feature by itself, as many rows in every pane."""

    def __init__(self, rng: np.random.Generator, features: int, rows: int) -> None:
        self._rng, self._features, self._rows = rng, features, rows

    def draw(self, panes: int, shift: Shift = NO_SHIFT) -> Counts:
        """The next panes."""
        return self._rng.multinomial(self._rows, shift.shares(np.zeros(self._features)), size=(panes, self._features))


class Correlated:
    """Independent rows, but of four hidden kinds, each with its own means: the features of a row go together."""

    def __init__(self, rng: np.random.Generator, features: int, rows: int) -> None:
        self._rng, self._rows = rng, rows
        self._kinds = shares_of(rng.normal(0, 1, (4, features)))

    def draw(self, panes: int, shift: Shift = NO_SHIFT) -> Counts:
        """The next panes."""
        kinds = self._rng.multinomial(self._rows, [0.4, 0.3, 0.2, 0.1], size=panes)
        drawn = sum(self._rng.multinomial(kinds[:, [i]], shares[None]) for i, shares in enumerate(self._kinds))
        return np.pad(drawn, ((0, 0), (0, 0), (0, 1)))


class Autocorrelated:
    """Means that wander for an hour or so and go with the hour of day; rows of a pane come and go as well."""

    def __init__(self, rng: np.random.Generator, features: int, rows: int) -> None:
        self._rng, self._features, self._rows, self._at = rng, features, rows, 0
        self._common, self._own = Wander(rng, 1, 0.98), Wander(rng, features, 0.98)
        self._volume, self._phases = Wander(rng, 1, 0.95), rng.uniform(0, 2 * np.pi, features)

    def draw(self, panes: int, shift: Shift = NO_SHIFT) -> Counts:
        """The next panes."""
        day = 2 * np.pi * (self._at + np.arange(panes)) / PANES_A_DAY
        self._at += panes
        wander = np.sqrt(0.5) * (self._common.draw(panes) + self._own.draw(panes))
        mean = 0.1 * wander + 0.05 * np.sin(day[:, None] + self._phases)
        volume = np.exp(0.4 * self._volume.draw(panes)[:, 0] - 0.08 + 0.5 * np.sin(day))
        return self._rng.multinomial(self._rng.poisson(self._rows * volume)[:, None], shift.shares(mean))


class Clumped:
    """Sessions of 1, 5 and 20 equal rows, a third of the rows each."""

    def __init__(self, rng: np.random.Generator, features: int, rows: int) -> None:
        self._rng, self._features, self._rows = rng, features, rows

    def draw(self, panes: int, shift: Shift = NO_SHIFT) -> Counts:
        """The next panes."""
        shares = shift.shares(np.zeros(self._features))
        return sum(
            size * self._rng.multinomial(self._rng.poisson(self._rows / 3 / size, (panes, 1)), shares)
            for size in (1, 5, 20)
        )


class Mixed:
    """Two segments of users whose mix wanders slowly and with the hour; rows come in ones and fours."""

    def __init__(self, rng: np.random.Generator, features: int, rows: int) -> None:
        self._rng, self._rows, self._at, self._mix = rng, rows, 0, Wander(rng, 1, 0.99)
        self._first, self._second = shares_of(np.zeros(features)), shares_of(np.linspace(-1.2, 1.2, features))

    def draw(self, panes: int, shift: Shift = NO_SHIFT) -> Counts:
        """The next panes."""
        day = 2 * np.pi * (self._at + np.arange(panes)) / PANES_A_DAY
        self._at += panes
        mix = self._mix.draw(panes)[:, 0]
        share = np.clip(0.15 * np.exp(0.5 * mix + 0.3 * np.sin(day)), 0, 0.9)[:, None, None]
        shares = (1 - share) * self._first + share * self._second
        shares = np.pad(shares, ((0, 0), (0, 0), (0, 1)))
        volume = self._rows / 2 * np.exp(0.3 * mix - 0.05)
        return sum(size * self._rng.multinomial(self._rng.poisson(volume / size)[:, None], shares) for size in (1, 4))


class Regimes:
    """Not tuned on: four states of the callers, about 45 panes each, sessions with a heavy tail, a quiet
    weekend, and missing values whose share wanders around 2 %."""

    def __init__(self, rng: np.random.Generator, features: int, rows: int) -> None:
        self._rng, self._features, self._rows, self._at, self._state = rng, features, rows, 0, 0
        self._means = rng.normal(0, 0.15, (4, features))
        self._missing = Wander(rng, features, 0.97)
        sizes = np.array([1, 2, 4, 8, 16, 32])
        weights = 1.0 / sizes**1.5
        self._sizes, self._rows_of_size = sizes, weights * sizes / (weights * sizes).sum()

    def draw(self, panes: int, shift: Shift = NO_SHIFT) -> Counts:
        """The next panes."""
        states = self._states(panes)
        minute = self._at + np.arange(panes)
        self._at += panes
        missing = 0.02 * np.exp(0.5 * self._missing.draw(panes) - 0.125)[..., None]
        known = shares_of(self._means[states])
        shares = np.concatenate([known * (1 - missing), missing], axis=-1)
        shares /= shares.sum(axis=-1, keepdims=True)
        quiet = np.where(minute // PANES_A_DAY % 7 >= 5, 0.6, 1.16)
        volume = self._rows * quiet * np.exp(0.4 * np.sin(2 * np.pi * minute / PANES_A_DAY))
        return sum(
            size * self._rng.multinomial(self._rng.poisson(volume * share / size)[:, None], shares)
            for size, share in zip(self._sizes.tolist(), self._rows_of_size.tolist(), strict=True)
        )

    def _states(self, panes: int) -> npt.NDArray[np.int64]:
        states = np.empty(panes, np.int64)
        moves, to = self._rng.random(panes) < 1 / 45, self._rng.integers(0, 4, panes)
        for i in range(panes):
            self._state = int(to[i]) if moves[i] else self._state
            states[i] = self._state
        return states


GENERATORS = {
    "independent": Independent,
    "correlated": Correlated,
    "autocorrelated": Autocorrelated,
    "clumped": Clumped,
    "mixed": Mixed,
    "regimes (fresh)": Regimes,
}
