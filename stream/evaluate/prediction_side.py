"""How a model answers: of a binary one the share of positives, how sure it is, and how much its answers say.

From the histogram of the score alone: each bin of the score's grid stands for its mean score s in the baseline.
Confidence is max(s, 1 - s), entropy -s ln s - (1 - s) ln(1 - s) in nats, both averaged over the window. A move in
either direction is judged: effect by the limits, evidence by the t-test of the mean, whose variance is that of sampling
and of what healthy windows differ by along their widest direction.

Of several classes the share of each among the answers, counted row by row: a row's answer is the class with the
largest score.
Weak: it cannot tell a model that changed from inputs that did; DriftlinePSI of the features can.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from detectors import Undefined
from stream.alerts.quality_rules import CONFIDENCE, ENTROPY, POSITIVE_SHARE
from stream.baselines.grid import ScoreGrid
from stream.baselines.layout import Counts, Layout

Values = npt.NDArray[np.float64]

_LEAST_FREEDOM: Final = 4.0
_MANY: Final = 1e7  # degrees of freedom where nothing was learned: the normal law
_SURE: Final = 1e-12  # keeps the logarithm of a score of 0 or 1 finite


def _positive(grid: ScoreGrid, _: Values) -> Values:
    return (np.arange(grid.bins) >= grid.first_positive).astype(np.float64)


def _confidence(_: ScoreGrid, scores: Values) -> Values:
    return np.maximum(scores, 1 - scores)


def _entropy(_: ScoreGrid, scores: Values) -> Values:
    s = np.clip(scores, _SURE, 1 - _SURE)
    return -s * np.log(s) - (1 - s) * np.log1p(-s)


STATISTICS: Final[dict[str, Callable[[ScoreGrid, Values], Values]]] = {
    POSITIVE_SHARE: _positive,
    CONFIDENCE: _confidence,
    ENTROPY: _entropy,
}


def score_histogram(layout: Layout, counts: Counts) -> Counts:
    """The rows in each bin of the score's grid; of a layout that has one."""
    assert layout.baseline.grid is not None, "asked for of binary models only"
    scores = counts[layout.starts[-2] :][: len(layout.grid_bins)]
    return np.bincount(layout.grid_bins, weights=scores, minlength=layout.baseline.grid.bins).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLaw:
    """A statistic over a baseline's answers."""

    check: str
    values: Values  # of an answer in each bin of the score's grid
    rows: int  # answers of the baseline, at least 1
    mean: float
    variance: float  # of one row

    def mean_of(self, histogram: Values, rows: int) -> float:
        """The statistic's mean over the rows, at least one, of a histogram."""
        return float(histogram @ self.values) / rows


def answer_law(check: str, grid: ScoreGrid, before: Counts) -> AnswerLaw:
    """What the baseline's answers, rows in each bin of the grid, are like; all 0 if it has none."""
    values = STATISTICS[check](grid, np.asarray(grid.representatives, np.float64))
    rows = int(before.sum())
    mean = float(before @ values) / rows if rows else 0.0
    variance = max(float(before @ values**2) / rows - mean**2, 0.0) if rows else 0.0
    return AnswerLaw(check=check, values=values, rows=max(rows, 1), mean=mean, variance=variance)


def answer_means(laws: Iterable[AnswerLaw], histogram: Values) -> dict[str, float | Undefined]:
    """Each statistic of the rows of a histogram."""
    rows = int(histogram.sum())
    return {law.check: law.mean_of(histogram, rows) if rows else Undefined("empty") for law in laws}


def move_p_value(move: float, variance: float, rows: tuple[int, int], spread: float, blocks: int) -> float:
    """How often a healthy window's mean lies so far from the baseline's, or farther.

    Args:
        move: of the mean.
        variance: of one row, in the baseline.
        rows: of the window, and of the baseline.
        spread: of a share between healthy windows, over the share: that of the widest direction.
        blocks: windows that the spread was learned from; 0: none.

    >>> round(move_p_value(0.04, 0.16, (100, 10**9), 0.0, 0), 3)      # one standard error
    0.317
    """
    error = _error(variance, rows, spread, blocks)
    if error == 0:
        return 0.0 if move else 1.0
    return float(2 * student.sf(abs(move) / error, _freedom(blocks)))


def detectable_move(level: float, variance: float, rows: tuple[int, int], spread: float, blocks: int) -> float:
    """The move of the mean, either way, beyond which `move_p_value` is below the level.

    Size to expect: 0.08 for a share of 0.2, 600 rows and a level of 1e-6; 0.16 if windows differ by a share of 0.005.

    >>> move = detectable_move(1e-6, 0.16, (600, 10**9), 0.0, 0)
    >>> round(move, 3), round(1e6 * move_p_value(move, 0.16, (600, 10**9), 0.0, 0), 6)
    (0.08, 1.0)
    """
    return _error(variance, rows, spread, blocks) * float(student.isf(level / 2, _freedom(blocks)))


def _error(variance: float, rows: tuple[int, int], spread: float, blocks: int) -> float:
    """Of the difference of two means: of sampling, and of what healthy windows differ by."""
    window, baseline = rows
    between = spread * (1 + (1 / blocks if blocks else 0.0))
    return float(np.sqrt(variance * (1 / window + 1 / baseline + between)))


def _freedom(blocks: int) -> float:
    return max(_LEAST_FREEDOM, blocks / 3 - 1) if blocks else _MANY


def share_move_p_value(move: float, usual: float, rows: tuple[int, int], spread: float, blocks: int) -> float:
    """The same of a share, such as that of a class; one that the baseline has not once is not taken for impossible.

    Args:
        move: of the share.
        usual: the baseline's share.
        rows: of the window, and of the baseline.
        spread: as in `move_p_value`.
        blocks: likewise.

    >>> round(share_move_p_value(0.05, 0.5, (100, 10**9), 0.0, 0), 3)      # one standard error
    0.317
    """
    return move_p_value(move, share_variance(usual, rows[1]), rows, spread, blocks)


def share_variance(usual: float, rows: int) -> float:
    """Of one row: a share that a baseline of so many rows has never is not taken for impossible.

    >>> share_variance(0.5, 100), share_variance(0.0, 0)
    (0.25, 0.25)
    """
    likely = (usual * rows + 0.5) / (rows + 1)  # Jeffreys' prior
    return likely * (1 - likely)
