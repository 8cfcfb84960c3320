"""All that two score histograms say about a binary model: ranking, calibration, and answers at its threshold.

Promise: the numbers that scikit-learn gives for rows that have their bin's score.
Cost: O(bins): about 0.2 ms at 2,048 bins, whatever the number of labels.
When it is wrong: where scores of one bin differ, Brier is off by about their variance inside a bin (below
1e-5 with 2,048 quantile bins of a continuous score); AUC says its own bounds.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.auc import Auc, auc, ks, pr_auc
from detectors.errors import ShapeMismatch
from detectors.outcome import Undefined

Counts = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]

SMALLEST_PROBABILITY: Final = 1e-15  # log-loss of a score of 0 that was wrong: 34.5 nats, not infinity
RELIABILITY_BINS: Final = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One point of the reliability diagram: what scores in [low, high) promised, and what came."""

    low: float
    high: float  # the last one's is 1, which belongs to it
    n: int  # >= 1: bins without a row are left out
    mean_score: float
    observed: float  # share of positives


@dataclass(frozen=True, slots=True)
class Confusion:
    """Answers against truth; a score at or above the threshold answers "positive"."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def precision(self) -> float | Undefined:
        """Share of the answers "positive" that were right, TP / (TP + FP)."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else Undefined("nothing above the threshold")

    @property
    def recall(self) -> float | Undefined:
        """Share of the positives that were found, TP / (TP + FN)."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else Undefined("one class")


@dataclass(frozen=True, slots=True)
class BinaryMetrics:
    """The performance of a binary model over some labelled rows."""

    n: int  # rows, >= 1
    positives: int
    base_rate: float  # share of positives
    auc: Auc | Undefined
    pr_auc: float | Undefined
    ks: float | Undefined
    brier: float  # 0..1, lower is better
    brier_se: float  # its standard error by sampling
    log_loss: float  # nats, >= 0
    ece: float  # 0..1
    reliability: tuple[ReliabilityBin, ...]
    confusion: Confusion
    precision: float | Undefined
    recall: float | Undefined


def binary_metrics(
    negatives: Counts,
    positives: Counts,
    bin_scores: Scores,
    threshold_bin: int,
    *,
    reliability_bins: int = RELIABILITY_BINS,
) -> BinaryMetrics | Undefined:
    """Every metric of a binary model, each row with the score of its bin.

    Brier = mean((s - y)^2), its standard error sqrt(sample variance of (s - y)^2 / n).
    Log-loss = -mean(ln s if y = 1, ln(1 - s) if y = 0), that share clipped to [1e-15, 1 - 1e-15] in float64.
    ECE = sum(n_b / n * |mean score_b - share of positives_b|) over `reliability_bins` bins of equal width.
    Confusion: bins >= threshold_bin answer "positive". AUC, PR-AUC, KS: see there.

    Args:
        negatives: counts of the rows labelled 0, shape (bins,), each >= 0.
        positives: the same of the rows labelled 1.
        bin_scores: the score that stands for each bin, shape (bins,), ascending, 0..1.
        threshold_bin: first bin whose scores are at or above the model's threshold, 0..bins.
        reliability_bins: how many, >= 1.

    Returns:
        `Undefined("empty")` without a row. With one class only, what ranks is undefined and the rest is there.

    Raises:
        ShapeMismatch: the three arrays have not the same number of bins.

    Size to expect: for a calibrated score Brier = mean(s * (1 - s)): 0.25 for a constant score of 0.5, 1/6 for
    scores spread evenly over 0..1, never above base rate * (1 - base rate) if the score says anything; log-loss
    0.693 and 0.5 for the same two. ECE by chance alone about 0.8 * sqrt(reliability_bins * s * (1 - s) / n):
    0.04 at n = 1,000, so a small window reads as badly calibrated.

    Weak: Brier and log-loss move with the base rate. ECE depends on its bins, and a grid bin that
    straddles two of them goes to that of its score.
    Source: Brier 1950; Naeini, Cooper & Hauskrecht 2015 (ECE).

    >>> m = binary_metrics(np.array([3, 1]), np.array([1, 3]), np.array([0.25, 0.75]), 1)
    >>> m.brier, m.ece, m.precision, m.recall              # 3/4 * 1/16 + 1/4 * 9/16; calibrated
    (0.1875, 0.0, 0.75, 0.75)
    >>> round(m.log_loss, 6), round(-0.75 * math.log(0.75) - 0.25 * math.log(0.25), 6)
    (0.562335, 0.562335)
    """
    if bin_scores.shape != negatives.shape:
        raise ShapeMismatch(negatives.shape, bin_scores.shape)
    area = auc(negatives, positives)  # refuses two of different shapes
    if not (negatives.any() or positives.any()):
        return Undefined("empty")
    reliability = _reliability(negatives, positives, bin_scores, reliability_bins)
    return _metrics(
        area, negatives, positives, bin_scores, reliability, _confusion(negatives, positives, threshold_bin)
    )


def _metrics(
    area: Auc | Undefined,
    negatives: Counts,
    positives: Counts,
    bin_scores: Scores,
    reliability: tuple[ReliabilityBin, ...],
    confusion: Confusion,
) -> BinaryMetrics:
    """Of at least one row."""
    p = int(positives.sum())
    n = int(negatives.sum()) + p
    brier, brier_se = brier_score(negatives, positives, bin_scores)
    return BinaryMetrics(
        n=n,
        positives=p,
        base_rate=p / n,
        auc=area,
        pr_auc=pr_auc(negatives, positives),
        ks=ks(negatives, positives),
        brier=brier,
        brier_se=brier_se,
        log_loss=_log_loss(negatives, positives, bin_scores, n),
        ece=sum(b.n * abs(b.mean_score - b.observed) for b in reliability) / n,
        reliability=reliability,
        confusion=confusion,
        precision=confusion.precision,
        recall=confusion.recall,
    )


def log_losses(scores: Scores) -> Scores:
    """-ln of scores clipped to [1e-15, 1 - 1e-15]: what a row loses whose true class had this score.

    >>> log_losses(np.array([0.0, 0.5, 1.0])).round(3).tolist()
    [34.539, 0.693, 0.0]
    """
    losses: Scores = -np.log(np.clip(scores, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))
    return losses


def brier_score(negatives: Counts, positives: Counts, bin_scores: Scores) -> tuple[float, float]:
    """The Brier score of at least one row, and its standard error; arguments as for `binary_metrics`."""
    n = int(negatives.sum() + positives.sum())
    if_negative, if_positive = bin_scores**2, (1 - bin_scores) ** 2
    brier = float((negatives * if_negative).sum() + (positives * if_positive).sum()) / n
    if n == 1:
        return brier, math.sqrt(brier * (1 - brier))  # the largest that a mean in 0..1 leaves room for
    spread = (negatives * (if_negative - brier) ** 2).sum() + (positives * (if_positive - brier) ** 2).sum()
    return brier, math.sqrt(float(spread) / (n - 1) / n)


def _log_loss(negatives: Counts, positives: Counts, bin_scores: Scores, n: int) -> float:
    lost = (negatives * log_losses(1 - bin_scores)).sum() + (positives * log_losses(bin_scores)).sum()
    return float(lost) / n


def _reliability(negatives: Counts, positives: Counts, bin_scores: Scores, bins: int) -> tuple[ReliabilityBin, ...]:
    edges = np.arange(bins + 1) / bins  # 3 / 10 is the score 0.3; linspace(0, 1, 11)[3] is not
    counts = negatives + positives
    of_bin = np.searchsorted(edges[1:-1], bin_scores, side="right")
    n = np.bincount(of_bin, counts, bins)
    scores = np.bincount(of_bin, counts * bin_scores, bins)
    found = np.bincount(of_bin, positives, bins)
    return tuple(
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            n=int(n[i]),
            mean_score=float(scores[i] / n[i]),
            observed=float(found[i] / n[i]),
        )
        for i in np.flatnonzero(n).tolist()
    )


def _confusion(negatives: Counts, positives: Counts, threshold_bin: int) -> Confusion:
    return Confusion(
        tp=int(positives[threshold_bin:].sum()),
        fp=int(negatives[threshold_bin:].sum()),
        tn=int(negatives[:threshold_bin].sum()),
        fn=int(positives[:threshold_bin].sum()),
    )
