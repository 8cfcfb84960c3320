"""Coverage: how many of the predictions have their label, by the time and by the score of the prediction.

Labels that come fast are a biased sample of all (a fraud is reported in days, its absence in months), so
every statistic of labels is shown beside the share of predictions that it speaks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors import Auc, RegressionMetrics, RegressionSums, Undefined, auc, histogram_quantile, regression_metrics
from stream.evaluate.labelled_baseline import ScoreBands
from stream.evaluate.performance_panes import labelled
from stream.records.performance import DELAY_EDGES_S, MOMENTS, Counts, Sections

_DELAY_EDGES = np.array(DELAY_EDGES_S, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The predictions of one coarse pane of prediction time, and what has become of them so far."""

    start_ms: int
    end_ms: int
    predictions: int
    labelled: int
    auc: Auc | Undefined | None  # None: a regression
    mae: float | Undefined | None  # None: a binary model

    @property
    def coverage(self) -> float | Undefined:
        """Share of the predictions that have their label."""
        return share(self.labelled, self.predictions)

    @property
    def value(self) -> float | Undefined:
        """Its AUC, or a regression's MAE."""
        if isinstance(self.auc, Auc):
            return self.auc.value
        found = self.mae if self.auc is None else self.auc
        return Undefined("empty") if found is None else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The predictions of one band of the score."""

    label: str
    predictions: int
    labelled: int

    @property
    def coverage(self) -> float | Undefined:
        """Share of the predictions that have their label."""
        return share(self.labelled, self.predictions)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCoverage:
    """Over all cohorts that are kept."""

    predictions: int
    labelled: int
    bands: tuple[Band, ...]  # by score; empty for a regression
    cohorts: tuple[Cohort, ...]  # the oldest first

    @property
    def ratio(self) -> float | Undefined:
        """Share of the predictions that have their label."""
        return share(self.labelled, self.predictions)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDelay:
    """How long labels take: of the pairs in a window; one bin of four an octave is the resolution."""

    p50_s: float | Undefined
    p95_s: float | Undefined


def coverage_of(
    cohort_sum: Counts, sections: Sections, cohorts: Sequence[Cohort], bands: ScoreBands | None
) -> LabelCoverage:
    """From the sum of all cohorts' counts, shape (width,), and each cohort's own summary."""
    predictions = cohort_sum[sections.predictions]
    found: tuple[Band, ...] = ()
    if bands is not None and len(predictions) == len(bands.of_bin):
        by_band = bands.coarsen(predictions)
        labelled_by_band = bands.coarsen(cohort_sum[sections.negatives] + cohort_sum[sections.positives])
        found = tuple(
            Band(label=label, predictions=n, labelled=m)
            for label, n, m in zip(bands.labels, by_band.tolist(), labelled_by_band.tolist(), strict=True)
        )
    return LabelCoverage(
        predictions=int(predictions.sum()), labelled=labelled(cohort_sum, sections), bands=found, cohorts=tuple(cohorts)
    )


def cohort_of(counts: Counts, sections: Sections, *, unit: float, start_ms: int, end_ms: int) -> Cohort:
    """One cohort's summary."""
    binary = sections.moments.start == sections.moments.stop
    area = auc(counts[sections.negatives], counts[sections.positives]) if binary else None
    values = None if binary else regression_metrics(sums_of(counts, sections), unit)
    return Cohort(
        start_ms=start_ms,
        end_ms=end_ms,
        predictions=int(counts[sections.predictions].sum()),
        labelled=labelled(counts, sections),
        auc=area,
        mae=values.mae if isinstance(values, RegressionMetrics) else values,
    )


def delay_of(counts: Counts, sections: Sections) -> LabelDelay:
    """Of one window's counts."""
    delays = counts[sections.delays]
    return LabelDelay(
        p50_s=histogram_quantile(delays, _DELAY_EDGES, 0.5, lowest=0.0),
        p95_s=histogram_quantile(delays, _DELAY_EDGES, 0.95, lowest=0.0),
    )


def sums_of(counts: Counts, sections: Sections) -> RegressionSums:
    """A regression's sums, as Python's integers; as int64 they fit below 2^29 pairs, see `registers.LARGEST_UNITS`."""
    by_name = dict(zip(MOMENTS, counts[sections.moments].tolist(), strict=True))
    return RegressionSums(
        n=by_name["labelled"],
        error=by_name["error"],
        absolute_error=by_name["absolute_error"],
        squared_error=by_name["squared_error"],
        label=by_name["label"],
        squared_label=by_name["squared_label"],
    )


def share(part: int, whole: int) -> float | Undefined:
    """part / whole.

    >>> share(1, 4), share(0, 0)
    (0.25, Undefined(reason='empty'))
    """
    return part / whole if whole > 0 else Undefined("empty")
