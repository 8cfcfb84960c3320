"""What a baseline says of performance, as arrays: the score grid, how good the model was, what scores meant."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors import BinaryMetrics, Undefined, binary_metrics
from stream.alerts.evidence import bin_labels, coarse_edges
from stream.baselines.baseline import Baseline, NumericSeries
from stream.baselines.grid import ScoreGrid
from stream.records.performance import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreBands:
    """The bins that PSI compares, as groups of grid bins: one belongs to the band that holds its mean score."""

    labels: tuple[str, ...]
    edges: tuple[float, ...]  # with the infinite outer ones, shape (bands + 1,)
    of_bin: npt.NDArray[np.int64]  # shape (grid bins,)

    def coarsen(self, counts: Counts) -> Counts:
        """Counts per grid bin, summed to the bands."""
        sums = np.bincount(self.of_bin, weights=counts, minlength=len(self.labels))
        return sums.astype(np.int64)  # exact: counts stay far below 2^53


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLabels:
    """The labels that a baseline was made with."""

    negatives: Counts  # shape (grid bins,)
    positives: Counts
    calibrated: npt.NDArray[np.float64]  # P(positive) by bin
    metrics: BinaryMetrics  # how good the model was


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledBaseline:
    """A binary model's baseline over its score grid."""

    grid: ScoreGrid
    bands: ScoreBands | None  # None: the baseline has no series of the score
    known: KnownLabels | None  # None: it was made without labels


def labelled_baseline(baseline: Baseline) -> LabelledBaseline | None:
    """A binary model's; None for a baseline without a score grid."""
    grid = baseline.grid
    if grid is None:
        return None
    return LabelledBaseline(grid=grid, bands=_bands(baseline, grid), known=_known(baseline, grid))


def _known(baseline: Baseline, grid: ScoreGrid) -> KnownLabels | None:
    if baseline.labelled is None:
        return None
    negatives = np.array(baseline.labelled.negatives, np.int64)
    positives = np.array(baseline.labelled.positives, np.int64)
    metrics = binary_metrics(negatives, positives, grid.representatives, grid.first_positive)
    if isinstance(metrics, Undefined):
        return None
    return KnownLabels(
        negatives=negatives,
        positives=positives,
        calibrated=np.array(baseline.labelled.calibration, np.float64),
        metrics=metrics,
    )


def _bands(baseline: Baseline, grid: ScoreGrid) -> ScoreBands | None:
    series = baseline.series[-1] if baseline.answer is not None and baseline.series else None
    if not isinstance(series, NumericSeries):
        return None
    edges = tuple(coarse_edges(series))
    return ScoreBands(
        labels=tuple(bin_labels(series)[: len(edges) - 1]),
        edges=edges,
        of_bin=np.searchsorted(np.array(edges[1:-1]), grid.representatives, side="right").astype(np.int64),
    )
