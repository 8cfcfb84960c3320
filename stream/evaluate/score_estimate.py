"""The label-free estimate (CBPE): what performance should be if scores still mean what they meant.

It sees a change of the scores and is blind to a change of what they mean (concept drift), so where
labels have come it is compared with the truth: further off than sampling explains, and it is not to be
relied upon until labels say so again.

Measured on a healthy model: none of 720 windows of 1,000 to 200,000 labels was called unreliable, against
baselines of 500 to 50,000 labels (largest |z| 2.9): the map's own sampling error is in the test.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors import Auc, BinaryMetrics, EstimatedPerformance, Undefined, estimate_performance, gap_z
from detectors.drop import FEWEST_OF_A_CLASS
from stream.baselines.layout import Layout
from stream.evaluate.labelled_baseline import KnownLabels, LabelledBaseline
from stream.records.performance import Counts

MOST_Z: Final = 3.29  # two-sided 0.001: one healthy window in a thousand is called unreliable
UNTESTED: Final = Undefined("not tested")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One statistic of the rows that have labels: as it came, and as it was estimated without them."""

    realised: float | Undefined
    estimated: float | Undefined
    z: float | Undefined = UNTESTED  # (realised - estimated) in standard errors

    @property
    def gap(self) -> float | Undefined:
        """realised - estimated."""
        if isinstance(self.realised, Undefined):
            return self.realised
        return self.estimated if isinstance(self.estimated, Undefined) else self.realised - self.estimated


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateGaps:
    """The estimate held against the labels."""

    auc: Gap
    precision: Gap
    recall: Gap
    brier: Gap
    base_rate: Gap

    @property
    def reliable(self) -> bool | None:
        """Whether every gap that is tested is one of sampling; None: too few labels to tell."""
        tested = [gap.z for gap in (self.auc, self.brier) if not isinstance(gap.z, Undefined)]
        return all(abs(z) <= MOST_Z for z in tested) if tested else None


def estimate_window(layout: Layout, counts: Counts) -> EstimatedPerformance | Undefined | None:
    """The estimate for all predictions of a drift window; None: the baseline cannot tell.

    Args:
        layout: of the baseline that the counts were cut with.
        counts: the window's sum, shape (layout.width,).
    """
    grid, calibrated = layout.baseline.grid, layout.calibrated
    if grid is None or calibrated is None:
        return None
    scores = counts[layout.starts[-2] :][: len(layout.grid_bins)]
    by_grid_bin = np.bincount(layout.grid_bins, weights=scores, minlength=grid.bins).astype(np.int64)
    return estimate_performance(by_grid_bin, calibrated, grid.first_positive, grid.representatives)


def gaps_of(realised: BinaryMetrics, counts: Counts, baseline: LabelledBaseline) -> EstimateGaps | Undefined:
    """The estimate for the labelled rows of a window beside what their labels say.

    Args:
        realised: of the window.
        counts: its labelled rows by grid bin, shape (bins,).
        baseline: whose calibration map the estimate goes by.
    """
    known, grid = baseline.known, baseline.grid
    if known is None:
        return Undefined("no labelled baseline")
    found = estimate_performance(counts, known.calibrated, grid.first_positive, grid.representatives)
    if isinstance(found, Undefined):
        return found
    area = realised.auc.value if isinstance(realised.auc, Auc) else realised.auc
    return EstimateGaps(
        auc=Gap(realised=area, estimated=found.auc, z=_auc_z(realised, found, known)),
        precision=Gap(realised=realised.precision, estimated=found.precision),
        recall=Gap(realised=realised.recall, estimated=found.recall),
        brier=Gap(realised=realised.brier, estimated=found.brier, z=_brier_z(realised, found, known)),
        base_rate=Gap(realised=realised.base_rate, estimated=found.base_rate),
    )


def _auc_z(realised: BinaryMetrics, found: EstimatedPerformance, known: KnownLabels) -> float | Undefined:
    area, before = realised.auc, known.metrics.auc
    if isinstance(area, Undefined):
        return area
    if isinstance(before, Undefined) or isinstance(found.auc, Undefined):
        return Undefined("one class")
    if min(area.negatives, area.positives) < FEWEST_OF_A_CLASS:
        return Undefined("too few")
    # The map was made from finitely many labels too: their standard error is the estimate's.
    return gap_z(area, found.auc, before.se)


def _brier_z(realised: BinaryMetrics, found: EstimatedPerformance, known: KnownLabels) -> float | Undefined:
    if realised.n < FEWEST_OF_A_CLASS:
        return Undefined("too few")
    deviation = math.hypot(realised.brier_se, known.metrics.brier_se)
    return (realised.brier - found.brier) / deviation if deviation > 0 else Undefined("too few")
