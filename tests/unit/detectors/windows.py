"""Seeded panes for the tests of evidence: healthy traffic of a few kinds, and the windows that roll over it."""

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

Counts = npt.NDArray[np.int64]

BINS = 6
SERIES = 4
STARTS = np.arange(SERIES) * BINS
WINDOW = 30
SHARES = np.array([0.3, 0.25, 0.2, 0.15, 0.1, 0.0])  # the last bin is of missing values


def independent_panes(rng: np.random.Generator, panes: int, rows: int = 20) -> Counts:
    """Independent rows of four series, shape (panes, bins of all series)."""
    return rng.multinomial(rows, SHARES, size=(panes, SERIES)).reshape(panes, SERIES * BINS)


def clumped_panes(rng: np.random.Generator, panes: int, rows: int = 20, clump: int = 10) -> Counts:
    """Sessions of ten equal rows: one tenth as much evidence as rows."""
    return clump * rng.multinomial(rng.poisson(rows / clump, (panes, SERIES)), SHARES).reshape(panes, SERIES * BINS)


def wandering_panes(rng: np.random.Generator, panes: int, rows: int = 200, size: float = 0.08) -> Counts:
    """Share moves to and fro between the first two bins, by a level of each window's length."""
    level = np.repeat(rng.normal(0, size, (panes // WINDOW + 1, SERIES)), WINDOW, axis=0)[:panes]
    shares = np.broadcast_to(SHARES, (panes, SERIES, BINS)).copy()
    shares[..., 0] += np.clip(level, -0.25, 0.25)
    shares[..., 1] -= np.clip(level, -0.25, 0.25)
    return rng.multinomial(rows, shares).reshape(panes, SERIES * BINS)


def rolled(panes: Counts, window: int = WINDOW) -> Counts:
    """The sums of every `window` consecutive panes, shape (panes - window + 1, bins)."""
    return np.stack([panes[i : i + window].sum(axis=0) for i in range(len(panes) - window + 1)])


def blocks_of(panes: Counts, window: int = WINDOW) -> Counts:
    """The sums of windows that do not overlap."""
    sums: Counts = panes[: len(panes) // window * window].reshape(-1, window, panes.shape[1]).sum(axis=1)
    return sums


def shifting_panes(rng: np.random.Generator, windows: int, wander: float, shift: float = 0.0, rows: int = 20) -> Counts:
    """A normal feature in ten bins whose mean wanders from window to window and is shifted, in deviations."""
    cuts = norm.ppf(np.arange(1, 10) / 10) * np.sqrt(1 + wander**2)
    means = shift + wander * rng.normal(size=(windows, 1))
    below = np.concatenate([np.zeros((windows, 1)), norm.cdf(cuts - means), np.ones((windows, 1))], axis=1)
    return rng.multinomial(rows, np.repeat(np.diff(below, axis=1), WINDOW, axis=0))
