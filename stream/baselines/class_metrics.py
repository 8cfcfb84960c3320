"""The performance of a multiclass model from the counts of its classes, each over its own score grid."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detectors import Undefined
from detectors.multiclass import MulticlassMetrics, multiclass_metrics
from stream.baselines.baseline import ClassScores

Counts = npt.NDArray[np.int64]


def class_metrics(
    classes: Sequence[ClassScores],
    negatives: Sequence[Counts],
    positives: Sequence[Counts],
    before: Counts | None = None,
) -> MulticlassMetrics | Undefined:
    """What the counts of all classes say together.

    Args:
        classes: with their grids.
        negatives: of each class, the rows of the others by `class_bins`, shape (2 * bins of its grid,).
        positives: of each class, its own rows, likewise.
        before: rows of each class in the baseline, shape (classes,); None: not known.
    """
    widest = max(one.grid.bins for one in classes)
    scores = np.full((len(classes), widest), 0.5)  # beyond a grid's own bins there are no rows
    for row, one in zip(scores, classes, strict=True):
        row[: one.grid.bins] = one.grid.representatives
    top = np.array([counts[1::2].sum() for counts in positives], np.int64)
    return multiclass_metrics(
        _table(negatives, widest), _table(positives, widest), scores, top=top, baseline_positives=before
    )


def baseline_metrics(classes: Sequence[ClassScores]) -> MulticlassMetrics | Undefined:
    """How good the model was by the baseline's own labels; `Undefined("no labelled baseline")` without any."""
    negatives, positives = [one.negatives for one in classes], [one.positives for one in classes]
    if None in negatives or None in positives:
        return Undefined("no labelled baseline")
    counts = [[np.array(one or (), np.int64) for one in of_all] for of_all in (negatives, positives)]
    return class_metrics(classes, counts[0], counts[1])


def _table(counts: Sequence[Counts], widest: int) -> Counts:
    """Counts by grid bin, whatever was top, shape (classes, widest)."""
    table = np.zeros((len(counts), widest), np.int64)
    for row, of_class in zip(table, counts, strict=True):
        row[: len(of_class) // 2] = of_class.reshape(-1, 2).sum(axis=1)
    return table
