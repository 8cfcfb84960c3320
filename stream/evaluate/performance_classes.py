"""A multiclass model's performance: the pairs of all classes together, and the baseline's beside them.

Macro AUC is the mean of the classes' one-vs-rest AUC. Its bounds are the means of theirs, and hold; its standard
error is the mean of theirs, the largest that it can be, since the classes are told from the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors import Auc, Undefined
from detectors.multiclass import MulticlassMetrics, macro_auc
from stream.baselines.baseline import Baseline, ClassScores
from stream.baselines.class_metrics import baseline_metrics, class_metrics
from stream.evaluate.label_coverage import Cohort
from stream.records.performance import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClasses:
    """What a baseline says of its classes."""

    by_class: tuple[ClassScores, ...]
    metrics: MulticlassMetrics | Undefined  # how good the model was; undefined: made without labels

    @property
    def positives(self) -> Counts | None:
        """Labelled rows of each class, shape (classes,); None: made without labels."""
        if isinstance(self.metrics, Undefined):
            return None
        return np.array([sum(one.positives or ()) for one in self.by_class], np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPerformance:
    """What the labels of one window say of all classes."""

    known: KnownClasses
    metrics: MulticlassMetrics
    macro: Auc | Undefined
    positives: tuple[int, ...]  # labels of each class
    unknown: int  # labels that name no class: right for none, and in no mean


def known_classes(baseline: Baseline) -> KnownClasses | None:
    """A multiclass model's; None for any other."""
    classes = baseline.by_class
    return KnownClasses(by_class=classes, metrics=baseline_metrics(classes)) if classes else None


def class_performance(
    known: KnownClasses, negatives: Sequence[Counts], positives: Sequence[Counts]
) -> ClassPerformance | Undefined:
    """All classes of one window.

    Args:
        known: the baseline's.
        negatives: of each class, shape (2 * bins of its grid,).
        positives: likewise.
    """
    metrics = class_metrics(known.by_class, negatives, positives, known.positives)
    if isinstance(metrics, Undefined):
        return metrics
    rows = int(negatives[0].sum() + positives[0].sum())
    return ClassPerformance(
        known=known,
        metrics=metrics,
        macro=macro_auc(metrics.auc),
        positives=tuple(int(counts.sum()) for counts in positives),
        unknown=max(rows - metrics.n, 0),
    )


def macro_cohorts(of_classes: Sequence[Sequence[Cohort]]) -> list[Cohort]:
    """The cohorts, each with its macro AUC; the counts are those of the first class, as all have the same rows."""
    others = [{cohort.start_ms: cohort for cohort in cohorts} for cohorts in of_classes[1:]]
    return [
        Cohort(
            start_ms=one.start_ms,
            end_ms=one.end_ms,
            predictions=one.predictions,
            labelled=one.labelled,
            auc=macro_auc(
                [c.auc for c in (one, *(o[one.start_ms] for o in others if one.start_ms in o)) if c.auc is not None]
            ),
            mae=None,
        )
        for one in of_classes[0]
    ]
