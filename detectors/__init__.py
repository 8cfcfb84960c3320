"""The front door of the arithmetic: pure functions and values; no clock, no log, no I/O."""

from detectors.bins import BinEdges, FineBins, fine_bins, quantile_edges
from detectors.divergence import Divergences, Smoothing, divergences, jensen_shannon, kl, psi
from detectors.errors import DriftlineError, ShapeMismatch, SnapshotError
from detectors.outcome import Undefined, Verdict
from detectors.threshold import Threshold

__all__ = [
    "BinEdges",
    "Divergences",
    "DriftlineError",
    "FineBins",
    "ShapeMismatch",
    "Smoothing",
    "SnapshotError",
    "Threshold",
    "Undefined",
    "Verdict",
    "divergences",
    "fine_bins",
    "jensen_shannon",
    "kl",
    "psi",
    "quantile_edges",
]
