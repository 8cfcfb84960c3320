"""What the labels said, read back: AUC with its bounds, the estimate beside it, coverage.

One report a window of label arrival. What a report does not determine is NaN here, and a gap in the
picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.records.times import epoch_ms

AUC: Final = "auc"
BRIER: Final = "brier"
OF_LABELS: Final = (AUC, BRIER)  # the checks of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The predictions of one day, and how many of them had their label when that was last said."""

    start_ms: int
    end_ms: int
    predictions: int
    labelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What the labels that arrived in one window said; numbers that are not defined are NaN."""

    window_start_ms: int
    window_end_ms: int
    n: int  # labels
    complete: bool  # False: labels began to arrive inside the window
    auc: float
    auc_low: float  # hard bounds: the exact AUC of the rows lies in [low, high]
    auc_high: float
    auc_se: float  # standard error by sampling
    estimated: float  # AUC of the same rows, by their scores alone
    reliable: bool | None  # False: the estimate is off by more than sampling explains; None: too few labels to tell
    baseline: float  # AUC
    warning: float  # limit of the alert
    critical: float
    coverage: float  # share of the predictions of all days that the service keeps that have their label by now
    delay_p50_s: float
    delay_p95_s: float
    cohorts: tuple[Cohort, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceSeries:
    """Complete windows in order of time; every array has shape (windows,)."""

    window_end_ms: npt.NDArray[np.int64]
    n: npt.NDArray[np.int64]
    auc: npt.NDArray[np.float64]
    auc_low: npt.NDArray[np.float64]
    auc_high: npt.NDArray[np.float64]
    auc_se: npt.NDArray[np.float64]
    estimated: npt.NDArray[np.float64]
    doubted: npt.NDArray[np.bool_]  # the estimate was not reliable
    coverage: npt.NDArray[np.float64]

    def ending(self, start_ms: int, end_ms: int) -> npt.NDArray[np.bool_]:
        """Which windows end in (start_ms, end_ms], shape (windows,)."""
        return (self.window_end_ms > start_ms) & (self.window_end_ms <= end_ms)


@dataclass(slots=True)
class PerformanceResults:
    """All reports of labels so far."""

    windows: dict[int, Performance] = field(default_factory=dict)  # by the window's end; a revision replaces
    cohorts: dict[int, Cohort] = field(default_factory=dict)  # by start, as last said
    revised: int = 0

    def add(self, found: Performance) -> None:
        """Take the next report."""
        self.revised += found.window_end_ms in self.windows
        self.windows[found.window_end_ms] = found
        for cohort in found.cohorts:
            self.cohorts[cohort.start_ms] = cohort

    def complete_windows(self) -> list[Performance]:
        """The newest report of each window that labels filled from its start, in order of time."""
        return [self.windows[end_ms] for end_ms in sorted(self.windows) if self.windows[end_ms].complete]

    def settled_cohorts(self, after_ms: int) -> list[Cohort]:
        """The days, in order, that had been over for so long when the last window ended: no label is still to come."""
        last_ms = max(self.windows, default=0)
        return [self.cohorts[at] for at in sorted(self.cohorts) if self.cohorts[at].end_ms + after_ms <= last_ms]

    def series(self) -> PerformanceSeries:
        """The complete windows as columns."""
        return performance_series(self.complete_windows())


def performance_series(windows: Sequence[Performance]) -> PerformanceSeries:
    """Windows as columns."""
    return PerformanceSeries(
        window_end_ms=np.array([w.window_end_ms for w in windows], np.int64),
        n=np.array([w.n for w in windows], np.int64),
        auc=np.array([w.auc for w in windows], np.float64),
        auc_low=np.array([w.auc_low for w in windows], np.float64),
        auc_high=np.array([w.auc_high for w in windows], np.float64),
        auc_se=np.array([w.auc_se for w in windows], np.float64),
        estimated=np.array([w.estimated for w in windows], np.float64),
        doubted=np.array([w.reliable is False for w in windows], np.bool_),
        coverage=np.array([w.coverage for w in windows], np.float64),
    )


def parse_performance(message: dict[str, Any]) -> Performance:
    """The part of a report of labels that the demo shows."""
    metrics, estimate = message["metrics"], message["estimate"] or {}
    (check,) = (c for c in message["checks"] if c["check"] == AUC)
    return Performance(
        window_start_ms=epoch_ms(message["window"]["start"]),
        window_end_ms=epoch_ms(message["window"]["end"]),
        n=message["n"],
        complete=message["complete"],
        auc=_number(metrics["auc"]),
        auc_low=_number(metrics["auc_low"]),
        auc_high=_number(metrics["auc_high"]),
        auc_se=_number(metrics["auc_se"]),
        estimated=_number(estimate["auc"]["estimated"]) if estimate else np.nan,
        reliable=estimate["reliable"] if estimate else None,
        baseline=_number(check["baseline"]),
        warning=_number(check["threshold"]["warning"]),
        critical=_number(check["threshold"]["critical"]),
        coverage=_number(message["coverage"]["ratio"]),
        delay_p50_s=_number(message["label_delay"]["p50_s"]),
        delay_p95_s=_number(message["label_delay"]["p95_s"]),
        cohorts=tuple(
            Cohort(
                start_ms=epoch_ms(cohort["start"]),
                end_ms=epoch_ms(cohort["end"]),
                predictions=cohort["predictions"],
                labelled=cohort["labelled"],
            )
            for cohort in message["cohorts"]
        ),
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else value
