"""The score grid of a binary model: the bins in which its labelled scores are counted.

Cut once, from the scores of the first baseline, and inherited by the later ones of the same model version,
so that a window of performance may lie across a promotion.
Size: 2,048 bins, about 70 KB of JSON; fewer where scores repeat.
"""

import hashlib
from functools import cached_property
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.bins import quantile_edges

GRID_BINS: Final = 2_048
MOST_BINS: Final = 4_096  # the join keeps a waiting prediction's bin in 12 bits
DEFAULT_THRESHOLD: Final = 0.5

Values = npt.NDArray[np.float64]


class ScoreGrid(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Bins [a, b) of scores in [0, 1]."""

    edges: tuple[float, ...]  # inner ones, ascending; bins = len + 1
    means: tuple[float, ...]  # per bin the score that stands for it: the mean of the baseline's
    threshold: float  # an edge: from it on the model says "positive"

    @property
    def bins(self) -> int:
        """How many."""
        return len(self.edges) + 1

    @cached_property
    def id(self) -> str:
        """16 hex digits of SHA-256 over edges, means and threshold."""
        counted = (self.edges, self.means, self.threshold)
        return hashlib.sha256(msgspec.msgpack.encode(counted)).hexdigest()[:16]

    @cached_property
    def inner_edges(self) -> Values:
        """Shape (bins - 1,)."""
        return np.array(self.edges, np.float64)

    @cached_property
    def representatives(self) -> Values:
        """Shape (bins,): the score that stands for each bin."""
        return np.array(self.means, np.float64)

    @cached_property
    def first_positive(self) -> int:
        """The first bin of scores that the model calls positive."""
        return self.edges.index(self.threshold) + 1

    def index(self, scores: Values) -> npt.NDArray[np.int64]:
        """The bin of each score, shape of `scores`; none may be NaN."""
        return np.searchsorted(self.inner_edges, scores, side="right")


def score_grid(scores: Values, threshold: float = DEFAULT_THRESHOLD, bins: int = GRID_BINS) -> ScoreGrid | None:
    """The grid of a baseline's scores; None without any.

    1. `quantile_edges` into 2,048 bins: a score that repeats often has a bin of its own. If there are at most
       1,024 different ones, into half as many, and each score is an edge: AUC and Brier are exact for them.
    2. The threshold becomes an edge, so that precision and recall are exact.
    3. A bin's representative is the mean of its scores, in an empty one its middle.

    Args:
        scores: in [0, 1], shape (n,), any order; NaN and infinities are passed over.
        threshold: in (0, 1].
        bins: how many quantile bins.

    >>> grid = score_grid(np.array([0.0, 0.2, 0.2, 0.2, 0.9]))
    >>> grid.bins, grid.index(np.array([0.2, 0.49, 0.5])).tolist(), grid.first_positive
    (515, [256, 363, 367], 367)
    """
    valid = np.sort(scores[np.isfinite(scores)])
    if not valid.size:
        return None
    edges = np.union1d(_edges(valid, bins), [threshold])
    edges = edges[(edges > 0) & (edges <= 1)]  # no score lies beyond the others
    return ScoreGrid(
        edges=tuple(edges.tolist()), means=tuple(_representatives(edges, valid).tolist()), threshold=threshold
    )


def grid_complaint(grid: ScoreGrid) -> str | None:
    """Why a grid cannot be counted with, or None.

    >>> grid_complaint(ScoreGrid(edges=(0.5,), means=(0.2,), threshold=0.5))
    'means must be one more than edges'
    """
    edges, means = grid.inner_edges, grid.representatives
    if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        return "edges must be finite and ascending"
    if grid.bins > MOST_BINS:
        return f"there may be at most {MOST_BINS:,} bins"
    if grid.threshold not in grid.edges:
        return "the threshold must be one of the edges"
    if len(means) != len(edges) + 1:
        return "means must be one more than edges"
    if not (np.isfinite(means) & (means >= 0) & (means <= 1)).all():
        return "means must be in [0, 1]"
    return None


def _edges(valid: Values, bins: int) -> Values:
    different = np.unique(valid)
    most_apart = bins // 2  # different scores that each get an edge of their own, however rare
    if len(different) > most_apart:
        return np.array(quantile_edges(valid, bins).inner)
    # Quantiles as well: a baseline of few rows would otherwise tell its own scores apart, and hardly others.
    return np.union1d(quantile_edges(valid, bins - most_apart).inner, different)


def _representatives(edges: Values, valid: Values) -> Values:
    bin_of = np.searchsorted(edges, valid, side="right")
    counts = np.bincount(bin_of, minlength=len(edges) + 1)
    sums = np.bincount(bin_of, weights=valid, minlength=len(edges) + 1)
    smallest, largest = np.append(0.0, edges), np.append(np.nextafter(edges, -np.inf), 1.0)
    found = np.where(counts > 0, sums / np.maximum(counts, 1), (smallest + largest) / 2)
    # The mean of equal numbers may miss them by a rounding; it must not leave its bin.
    return np.clip(found, smallest, largest)
