"""The evaluator of labels: one window of joined pairs against the baseline; pure.

Cost: O(bins), about 1 ms for a binary model at 2,048 bins, whatever the number of labels.
Every statistic that the labels do not determine is `Undefined` and says why.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from detectors import Auc, BinaryMetrics, RegressionMetrics, Undefined, binary_metrics, regression_metrics
from detectors.multiclass import macro_auc
from detectors.wander import Reading, Wander, auc_reading, error_reading
from stream.alerts.rules import PerformanceRules
from stream.baselines.baseline import Baseline, LabelledValues
from stream.baselines.performance_evidence import AUC, BRIER, MAE
from stream.evaluate.label_coverage import LabelCoverage, LabelDelay, delay_of, sums_of
from stream.evaluate.labelled_baseline import LabelledBaseline, ScoreBands, labelled_baseline
from stream.evaluate.live_performance import Deviation
from stream.evaluate.performance_checks import (
    NO_BASELINE,
    NOT_KNOWN,
    Healthy,
    PerformanceCheck,
    binary_checks,
    class_checks,
    value_checks,
)
from stream.evaluate.performance_classes import ClassPerformance, KnownClasses, class_performance, known_classes
from stream.evaluate.performance_panes import labelled
from stream.evaluate.score_estimate import EstimateGaps, gaps_of
from stream.records.outcome import PerformanceDefinition
from stream.records.performance import Counts, Sections


class Span(NamedTuple):
    """The window [start_ms, end_ms) of label arrival."""

    start_ms: int
    end_ms: int
    complete: bool  # False: labels began inside the window


class ClassCounts(NamedTuple):
    """Sums of one window of a multiclass model, each of shape (width of its class's definition,)."""

    of_one: Counts  # of the class whose definition they are told with: what all classes have in common
    by_class: Sequence[Counts] | None  # in the baseline's order; None: the pairs were not counted by its grids


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceBaseline:
    """What the baseline in force says of performance; made once for a baseline, since it costs as much as a window."""

    of: Baseline
    scores: LabelledBaseline | None  # None: a regression, a class of a multiclass model, or no score grid
    values: LabelledValues | None  # None: no regression, or made without labels
    classes: KnownClasses | None = None  # None: no multiclass model
    healthy: Healthy = field(default_factory=dict)

    @property
    def bands(self) -> ScoreBands | None:
        """The bands of the score that coverage is shown by."""
        return self.scores.bands if self.scores else None

    def learned(self, live: Mapping[str, Deviation]) -> "PerformanceBaseline":
        """With what live windows taught, where the baseline itself knows too little of how healthy ones differ."""
        taught = {
            check: Wander(reading.badness, one.deviation, reading.se, one.windows, worst=0.0, lasting=one.lasting)
            for check, one in live.items()
            if check not in self.healthy and (reading := self._reading(check)) is not None
        }
        return replace(self, healthy={**self.healthy, **taught}) if taught else self

    def _reading(self, check: str) -> Reading | None:
        """What the baseline's own labels read."""
        found: Reading | Undefined = NO_BASELINE
        if check == AUC:
            area = self._area()
            found = auc_reading(area) if isinstance(area, Auc) else area
        elif check == BRIER and self.scores is not None and self.scores.known is not None:
            found = error_reading(self.scores.known.metrics.brier, self.scores.known.metrics.brier_se)
        elif check == MAE and self.values is not None and self.values.n > 0:
            found = error_reading(self.values.mae, self.values.abs_error_deviation / math.sqrt(self.values.n))
        return None if isinstance(found, Undefined) else found

    def _area(self) -> Auc | Undefined:
        if self.classes is not None and not isinstance(self.classes.metrics, Undefined):
            return macro_auc(self.classes.metrics.auc)
        known = None if self.scores is None else self.scores.known
        return NO_BASELINE if known is None else known.metrics.auc


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceEvaluation:
    """What the labels that arrived in one window say."""

    start_ms: int
    end_ms: int
    complete: bool
    task: str  # binary | regression | multiclass
    n: int  # labels
    binary: BinaryMetrics | Undefined | None  # None: a regression
    regression: RegressionMetrics | Undefined | None  # None: a binary model
    estimate: EstimateGaps | Undefined | None  # None: a regression
    delay: LabelDelay
    coverage: LabelCoverage
    clipped: int  # regression: labels or errors beyond what the sums can hold, counted at their limit
    checks: tuple[PerformanceCheck, ...]
    negatives: Counts  # by grid bin; empty for a regression and for several classes
    positives: Counts
    classes: ClassPerformance | Undefined | None = None  # None: no multiclass model

    @property
    def auc(self) -> Auc | Undefined:
        """With its bounds and standard error; of a multiclass model the mean of its classes'."""
        if self.classes is not None:
            return self.classes if isinstance(self.classes, Undefined) else self.classes.macro
        return self.binary.auc if isinstance(self.binary, BinaryMetrics) else _why(self.binary)

    @property
    def brier(self) -> float | Undefined:
        """Mean squared error of the scores."""
        return self.binary.brier if isinstance(self.binary, BinaryMetrics) else _why(self.binary)

    @property
    def mae(self) -> float | Undefined:
        """Mean absolute error."""
        return self.regression.mae if isinstance(self.regression, RegressionMetrics) else _why(self.regression)

    @property
    def auc_estimated(self) -> float | Undefined:
        """What the AUC of the labelled rows should be by their scores alone."""
        return self.estimate.auc.estimated if isinstance(self.estimate, EstimateGaps) else _why(self.estimate)

    @property
    def reliable(self) -> bool | None:
        """Whether the estimate is off by no more than sampling explains; None: too few labels to tell."""
        return self.estimate.reliable if isinstance(self.estimate, EstimateGaps) else None


def performance_baseline(baseline: Baseline, definition: PerformanceDefinition) -> PerformanceBaseline:
    """The baseline, ready to be compared with."""
    binary = definition.task == "binary" and not definition.category
    scores = labelled_baseline(baseline) if binary else None
    if scores is not None and scores.grid.id != definition.grid:
        scores = None  # another grid than the pairs were counted with
    return PerformanceBaseline(
        of=baseline,
        scores=scores,
        values=None if binary else baseline.labelled_values,
        classes=known_classes(baseline) if definition.task == "multiclass" else None,
        healthy=NOT_KNOWN if definition.category else _healthy(baseline, definition.window_ms),
    )


def _healthy(baseline: Baseline, window_ms: int) -> Healthy:
    known = baseline.evidence_for(window_ms)
    return {} if known is None else {one.check: one.wander for one in known.performance if not one.provisional}


def evaluate_performance(
    definition: PerformanceDefinition,
    counts: Counts,
    baseline: PerformanceBaseline,
    rules: PerformanceRules,
    *,
    span: Span,
    coverage: LabelCoverage,
) -> PerformanceEvaluation:
    """Work out one window and judge it.

    Args:
        definition: what the pairs were counted with.
        counts: the window's sum, shape (width,).
        baseline: the one that the definition names.
        rules: of the model.
        span: the window.
        coverage: of all cohorts that are kept.
    """
    sections = Sections.of(definition)
    negatives, positives = counts[sections.negatives], counts[sections.positives]
    binary: BinaryMetrics | Undefined | None = None
    regression: RegressionMetrics | Undefined | None = None
    estimate: EstimateGaps | Undefined | None = None
    if definition.task == "binary":
        binary = _binary(negatives, positives, baseline.scores)
        estimate = _estimate(binary, negatives + positives, baseline.scores)
        known = baseline.scores.known if baseline.scores else None
        checks = binary_checks(binary, known, rules, definition.category, baseline.healthy)
    else:
        regression = regression_metrics(sums_of(counts, sections), definition.unit, definition.centre)
        checks = value_checks(regression, baseline.values, rules, baseline.healthy)
    moments = counts[sections.moments]
    return PerformanceEvaluation(
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        complete=span.complete,
        task=definition.task,
        n=labelled(counts, sections),
        binary=binary,
        regression=regression,
        estimate=estimate,
        delay=delay_of(counts, sections),
        coverage=coverage,
        clipped=int(moments[1]) if len(moments) else 0,
        checks=checks,
        negatives=negatives,
        positives=positives,
    )


def evaluate_classes(
    definition: PerformanceDefinition,
    counts: ClassCounts,
    baseline: PerformanceBaseline,
    rules: PerformanceRules,
    *,
    span: Span,
    coverage: LabelCoverage,
) -> PerformanceEvaluation:
    """Work out one window of a multiclass model and judge it.

    Args:
        definition: of one class.
        counts: the window's sums.
        baseline: with its classes.
        rules: of the model.
        span: the window.
        coverage: of all cohorts that are kept.
    """
    sections = Sections.of(definition)
    classes: ClassPerformance | Undefined = Undefined("no score grid")
    if counts.by_class is not None and baseline.classes is not None:
        width = [2 * one.grid.bins for one in baseline.classes.by_class]
        negatives = [of_class[w : 2 * w] for of_class, w in zip(counts.by_class, width, strict=True)]
        positives = [of_class[2 * w : 3 * w] for of_class, w in zip(counts.by_class, width, strict=True)]
        classes = class_performance(baseline.classes, negatives, positives)
    nothing = np.zeros(0, np.int64)
    return PerformanceEvaluation(
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        complete=span.complete,
        task="multiclass",
        n=labelled(counts.of_one, sections),
        binary=None,
        regression=None,
        estimate=None,
        delay=delay_of(counts.of_one, sections),
        coverage=coverage,
        clipped=0,
        checks=class_checks(classes, baseline.classes, rules, baseline.healthy),
        negatives=nothing,
        positives=nothing,
        classes=classes,
    )


def _binary(negatives: Counts, positives: Counts, baseline: LabelledBaseline | None) -> BinaryMetrics | Undefined:
    if baseline is None:
        return Undefined("no score grid")
    grid = baseline.grid
    return binary_metrics(negatives, positives, grid.representatives, grid.first_positive)


def _estimate(
    binary: BinaryMetrics | Undefined, counts: Counts, baseline: LabelledBaseline | None
) -> EstimateGaps | Undefined:
    if isinstance(binary, Undefined):
        return binary
    return Undefined("no score grid") if baseline is None else gaps_of(binary, counts, baseline)


def _why(found: Undefined | object) -> Undefined:
    return found if isinstance(found, Undefined) else Undefined("other task")
