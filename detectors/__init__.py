"""The front door of the arithmetic: pure functions and values; no clock, no log, no I/O.

What only some callers need is behind it, in its module: `detectors.multiclass`, PR-AUC and KS alone
in `detectors.auc`, the parts of a BinaryMetrics in `detectors.score_metrics`.
"""

from detectors.auc import Auc, auc
from detectors.bins import BinEdges, FineBins, fine_bins, quantile_edges
from detectors.calibration import EstimatedPerformance, estimate_performance, isotonic_map
from detectors.divergence import Divergences, Smoothing, divergences, jensen_shannon, kl, psi
from detectors.drop import auc_drop_p_value, gap_z, rise_p_value
from detectors.errors import DriftlineError, ShapeMismatch, SnapshotError
from detectors.histogram_quantile import histogram_quantile
from detectors.outcome import Undefined, Verdict
from detectors.regression import RegressionMetrics, RegressionSums, regression_metrics
from detectors.score_metrics import BinaryMetrics, binary_metrics
from detectors.threshold import Threshold

__all__ = [
    "Auc",
    "BinEdges",
    "BinaryMetrics",
    "Divergences",
    "DriftlineError",
    "EstimatedPerformance",
    "FineBins",
    "RegressionMetrics",
    "RegressionSums",
    "ShapeMismatch",
    "Smoothing",
    "SnapshotError",
    "Threshold",
    "Undefined",
    "Verdict",
    "auc",
    "auc_drop_p_value",
    "binary_metrics",
    "divergences",
    "estimate_performance",
    "fine_bins",
    "gap_z",
    "histogram_quantile",
    "isotonic_map",
    "jensen_shannon",
    "kl",
    "psi",
    "quantile_edges",
    "regression_metrics",
    "rise_p_value",
]
