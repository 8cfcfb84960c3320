"""A multiclass model as k binary ones: each class against the rest, from a pair of score histograms each.

Promise: scikit-learn's one-vs-rest numbers for rows that have their bin's scores.
Cost: O(k * bins): about 40 µs a class at 2,048 bins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.auc import Auc, auc
from detectors.divergence import psi
from detectors.errors import ShapeMismatch
from detectors.outcome import Undefined
from detectors.score_metrics import log_losses

Counts = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MulticlassMetrics:
    """The performance of a model of k classes over some labelled rows."""

    n: int  # rows, >= 1
    auc: tuple[Auc | Undefined, ...]  # each class against the rest, shape (k,)
    macro_auc: float | Undefined  # plain mean over the classes that have one
    log_loss: float  # nats, >= 0
    accuracy: float | Undefined
    priors: tuple[float, ...]  # share of each class among the labels; sum 1
    prior_shift: float | Undefined  # PSI of the priors against the baseline's, nats


def multiclass_metrics(
    negatives: Counts,
    positives: Counts,
    bin_scores: Scores,
    *,
    top: Counts | None = None,
    baseline_positives: Counts | None = None,
) -> MulticlassMetrics | Undefined:
    """What the k one-vs-rest histograms say together.

    Macro AUC = mean of the classes' AUC; log-loss = mean(-ln score of the true class), clipped as in
    `binary_metrics`; accuracy = sum(top) / n; prior shift = `psi` of the labels' classes.

    Args:
        negatives: of each class, counts of the rows labelled as another, shape (k, bins), each >= 0.
        positives: of each class, counts of its own rows by its own score, shape (k, bins).
        bin_scores: the score that stands for each bin, shape (bins,) or (k, bins), 0..1.
        top: of each class, how many of its rows had it as the highest score, shape (k,); None: not counted.
        baseline_positives: rows of each class in the baseline, shape (k,); None: not known.

    Returns:
        `Undefined("empty")` without a row. A class without a row has `Undefined` AUC and is left out of the
        macro AUC (which scikit-learn refuses to give then). Without `top` accuracy is `Undefined("not counted")`.

    Raises:
        ShapeMismatch: negatives and positives, or the classes' counts, differ in shape.

    Size to expect: macro AUC 0.5, log-loss ln k and accuracy 1 / k for scores that say nothing.
    Prior shift by chance alone about (k - 1) * (1/n_baseline + 1/n).

    Weak: macro AUC gives a rare class the weight of a common one; look at its standard error.
    Source: Provost & Domingos 2000 (one-vs-rest AUC).

    >>> m = multiclass_metrics(np.array([[2, 0], [0, 1]]), np.array([[0, 1], [2, 0]]), np.array([0.25, 0.75]))
    >>> [a.value for a in m.auc], m.priors == (1 / 3, 2 / 3), m.accuracy
    ([1.0, 0.0], True, Undefined(reason='not counted'))
    """
    if negatives.shape != positives.shape or bin_scores.shape[-1:] != positives.shape[-1:]:
        raise ShapeMismatch(negatives.shape, positives.shape)
    of_class = positives.sum(axis=1)
    n = int(of_class.sum())
    if n == 0:
        return Undefined("empty")
    areas = tuple(auc(neg, pos) for neg, pos in zip(negatives, positives, strict=True))
    known = [a.value for a in areas if isinstance(a, Auc)]
    return MulticlassMetrics(
        n=n,
        auc=areas,
        macro_auc=sum(known) / len(known) if known else Undefined("one class"),
        log_loss=float((positives * log_losses(bin_scores)).sum()) / n,
        accuracy=Undefined("not counted") if top is None else int(top.sum()) / n,
        priors=tuple((of_class / n).tolist()),
        prior_shift=_prior_shift(baseline_positives, of_class),
    )


def macro_auc(areas: Sequence[Auc | Undefined]) -> Auc | Undefined:
    """The mean over the classes that have an AUC; rows are those of the rarest.

    >>> macro_auc([Auc(0.75, 0.5, 1.0, 0.125, 90, 10), Undefined("one class"), Auc(0.25, 0.25, 0.25, 0.25, 60, 40)])
    Auc(value=0.5, low=0.375, high=0.625, se=0.1875, negatives=60, positives=10)
    """
    known = [area for area in areas if isinstance(area, Auc)]
    if not known:
        return Undefined("one class" if areas else "empty")
    value, low, high, se = np.mean([(a.value, a.low, a.high, a.se) for a in known], axis=0).tolist()
    return Auc(value, low, high, se, min(a.negatives for a in known), min(a.positives for a in known))


def comparable(
    now: Sequence[Auc | Undefined], before: Sequence[Auc | Undefined], fewest: int
) -> tuple[Auc | Undefined, Auc | Undefined]:
    """The macro AUC of a window and of the baseline over one set of classes: with `fewest` rows of each kind in both.

    A class that comes or goes must not look like a model that became better or worse.
    """
    both = [
        (a, b)
        for a, b in zip(now, before, strict=True)
        if isinstance(a, Auc)
        and isinstance(b, Auc)
        and min(a.negatives, a.positives, b.negatives, b.positives) >= fewest
    ]
    if not both:
        return Undefined("too few"), macro_auc(before)
    return macro_auc([a for a, _ in both]), macro_auc([b for _, b in both])


def _prior_shift(baseline: Counts | None, current: Counts) -> float | Undefined:
    if baseline is None:
        return Undefined("not counted")
    return psi(baseline, current) if baseline.any() else Undefined("empty")
