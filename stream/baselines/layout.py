"""Where each series' bins lie in a register's flat vector of counts.

A register of one pane is one int64 vector; per series it holds the bins and then, for a
numeric series, `missing, invalid`, for a categorical one `other, missing, unseen, invalid`. The outer bins of a numeric
series are each cut in two where the baseline's own values end: so what lies out of their range is counted
exactly, for two more edges and no more time; PSI compares the halves together. Behind them all lie
the counters of latency and of errors, where the model is checked for them, which are compared with no baseline, and
of a multiclass model how often each class was the answer, with the rows of which that is not known last.
Adding two panes is adding two vectors, and all series of a batch are counted by one `bincount`.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.baselines.baseline import Baseline, CategoricalSeries, NumericSeries
from stream.baselines.classes import top_classes
from stream.baselines.latency_counters import LatencyCounters
from stream.baselines.quality_counters import QualityCounters
from stream.baselines.status_counters import COUNTERS as STATUS_COUNTERS
from stream.records.prediction import CODE_INVALID, CODE_MISSING, CODE_UNSEEN, Answer, ModelColumns, Schema

Counts = npt.NDArray[np.int64]
Series = NumericSeries | CategoricalSeries

LAYOUT_VERSION: Final = b"2"  # of the order of the counters; another one begins new registers
OUTER_BINS: Final = 2  # of a numeric series: below the baseline's smallest value, above its largest
NUMERIC_EXTRAS: Final = ("missing", "invalid")
CATEGORICAL_EXTRAS: Final = ("other", "missing", "unseen", "invalid")


@dataclass(frozen=True)
class Layout:
    """The flat vector of one baseline: series by series, in the baseline's order, then latency, errors, classes."""

    baseline: Baseline
    latency_sla_ms: float | None = None  # None: latencies are not counted
    compared_with: Counts | None = field(default=None, compare=False)  # a segment's coarse counts; None: all rows'
    judges: bool = True  # False: it is not known what is normal here, so a comparison is shown and gives no verdict
    errors: bool = False  # whether answers that failed are counted
    hard_limit_ms: float | None = None  # of single latencies; None: there is none

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """The features in column order, the answers last."""
        return self.baseline.series

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The series' names, as in reports, metrics and alerts."""
        return tuple(s.name for s in self.series)

    @cached_property
    def features(self) -> frozenset[str]:
        """The names of the features, without the answers."""
        return frozenset(self.names[: len(self.names) - self.baseline.answers])

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Shape (series + 1,): where each series begins; at the last one latency does, if it is counted."""
        return np.concatenate([[0], np.cumsum([_width(s) for s in self.series])]).astype(np.int64)

    @property
    def width(self) -> int:
        """How many counters a register has."""
        return self._behind_errors + (len(self.class_baseline) + 1 if len(self.class_baseline) else 0)

    @property
    def _behind_latency(self) -> int:
        return int(self.starts[-1]) + (0 if self.latency is None else self.latency.width)

    @cached_property
    def latency(self) -> LatencyCounters | None:
        """What counts latencies; None: nothing does."""
        return None if self.latency_sla_ms is None else LatencyCounters(self.latency_sla_ms, self.hard_limit_ms)

    @cached_property
    def quality(self) -> QualityCounters:
        """Which of its counters tell of data quality."""
        return QualityCounters(self)

    def latency_counts(self, counts: Counts) -> Counts:
        """The part of counts, shape (width,), that is about latency; empty where it is not counted."""
        return counts[self.starts[-1] : self._behind_latency]

    def status_counts(self, counts: Counts) -> Counts:
        """The part that is about errors; empty where they are not counted."""
        return counts[self._behind_latency : self._behind_errors]

    @property
    def _behind_errors(self) -> int:
        return self._behind_latency + (STATUS_COUNTERS if self.errors else 0)

    @cached_property
    def class_baseline(self) -> Counts:
        """Shape (classes,): how often each class is the answer in the baseline; (0,) where that is not known."""
        return np.array(self.baseline.tops, np.int64)

    def class_counts(self, counts: Counts) -> Counts:
        """The same of a window, shape (classes,) or (0,)."""
        return counts[self._behind_errors : self._behind_errors + len(self.class_baseline)]

    @cached_property
    def coarse_starts(self) -> npt.NDArray[np.int64]:
        """Shape (coarse bins,): where each bin that PSI compares begins in the flat vector."""
        return np.array([at + g for at, s in self._placed() for g in _groups(s)], np.int64)

    @cached_property
    def series_coarse_starts(self) -> npt.NDArray[np.int64]:
        """Shape (series,): where each series begins among the coarse bins."""
        return np.searchsorted(self.coarse_starts, self.starts[:-1]).astype(np.int64)

    @cached_property
    def series_widths(self) -> list[int]:
        """How many coarse bins each series has."""
        return [len(_groups(s)) for s in self.series]

    @cached_property
    def baseline_counts(self) -> Counts:
        """Shape (starts[-1],): the baseline's own counts; it knows of no latencies."""
        return np.concatenate([np.array(_counts(s), np.int64) for s in self.series])

    @cached_property
    def baseline_coarse(self) -> Counts:
        """Shape (coarse bins,): what is normal, in the bins that PSI compares."""
        return self.compared_with if self.compared_with is not None else self.coarsen(self.baseline_counts)

    def coarsen(self, counts: Counts) -> Counts:
        """Fine counts, shape (width,) or without latency, summed to the bins that PSI compares."""
        return np.add.reduceat(counts[: self.starts[-1]], self.coarse_starts)

    @cached_property
    def schema(self) -> Schema:
        """What decoding must know."""
        features = self.series[: len(self.series) - self.baseline.answers]
        numeric = tuple(s.name for s in features if isinstance(s, NumericSeries))
        categorical = [s for s in self.series if isinstance(s, CategoricalSeries)]
        return Schema(
            numeric=numeric,
            categorical=tuple(s.name for s in categorical),
            categories=tuple(s.categories + s.other_categories for s in categorical),
            answer=Answer(self.baseline.answer) if self.baseline.answer else None,
            classes=self.baseline.classes,
            latency=self.latency is not None,
            status=self.errors,
        )

    @cached_property
    def grid_bins(self) -> npt.NDArray[np.int64]:
        """Shape (fine bins of the score, the outer ones too): the grid's bin that each is in; (0,) without a grid."""
        grid, score = self.baseline.grid, self.series[-1]
        if grid is None or not isinstance(score, NumericSeries):
            return np.empty(0, np.int64)
        inside = np.searchsorted(grid.inner_edges, np.array([-np.inf, *score.inner_edges]), side="right")
        return np.concatenate([inside[:1], inside, inside[-1:]])

    @cached_property
    def calibrated(self) -> npt.NDArray[np.float64] | None:
        """Shape (bins of the grid,): P(positive) in each; None where the baseline has no labels of a binary model."""
        known = self.baseline.labelled
        return None if known is None else np.array(known.calibration, np.float64)

    def flat_bins(self, columns: ModelColumns) -> npt.NDArray[np.int64]:
        """The counter that each value of each row falls into, shape (rows, series); behind them those of the rest."""
        behind = self._behind_series(columns)
        out = np.empty((len(columns.row), len(self.series) + len(behind)), np.int64)
        for j, counters in enumerate(behind, len(self.series)):
            out[:, j] = counters
        next_numeric = next_categorical = 0
        for at, (j, s) in zip(self.starts.tolist(), enumerate(self.series), strict=False):
            if isinstance(s, NumericSeries):
                out[:, j] = at + _numeric_bins(self._cuts[j], columns.numeric[:, next_numeric])
                next_numeric += 1
            else:
                out[:, j] = at + _categorical_bins(s, columns.categorical[:, next_categorical])
                next_categorical += 1
        return out

    def _behind_series(self, columns: ModelColumns) -> list[npt.NDArray[np.int64]]:
        """The counters of each row behind the series, shape (rows,) each."""
        found = []
        if self.latency is not None:
            found.append(self.starts[-1] + self.latency.index(columns.latency_ms))
        if self.errors:
            found.append(self._behind_latency + columns.status.astype(np.int64))
        if len(self.class_baseline):
            found.append(self._behind_errors + top_classes(columns.numeric[:, -len(self.class_baseline) :]))
        return found

    def compared_bins(self, j: int, values: npt.NDArray[np.float64] | npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """Of series j, which of its bins that PSI compares each value lies in, shape (rows,).

        Values of a numeric series are numbers, of a categorical one codes of its categories.
        """
        s = self.series[j]
        if isinstance(s, NumericSeries):
            fine = _numeric_bins(self._cuts[j], np.asarray(values, np.float64))
        else:
            fine = _categorical_bins(s, np.asarray(values, np.int32))
        coarse_of = np.searchsorted(_groups(s), np.arange(_width(s)), side="right") - 1
        return np.asarray(coarse_of[fine], np.int64)

    @cached_property
    def _cuts(self) -> list[npt.NDArray[np.float64]]:
        return [np.array(_cuts(s) if isinstance(s, NumericSeries) else (), np.float64) for s in self.series]

    def _placed(self) -> list[tuple[int, Series]]:
        return list(zip(self.starts[:-1].tolist(), self.series, strict=True))


def _width(series: Series) -> int:
    if isinstance(series, NumericSeries):
        return series.bins + OUTER_BINS + len(NUMERIC_EXTRAS)
    return series.bins + len(CATEGORICAL_EXTRAS)


def _groups(series: Series) -> list[int]:
    """Where each bin that PSI compares begins within the series; the outermost hold what is out of range, too."""
    if isinstance(series, NumericSeries):
        missing = series.bins + OUTER_BINS
        return [0, *(start + 1 for start in series.coarse_starts[1:]), missing, missing + 1]
    return list(range(_width(series)))


def _counts(series: Series) -> tuple[int, ...]:
    if isinstance(series, NumericSeries):
        return (0, *series.counts, 0, series.missing, series.invalid)  # nothing of it lies out of its own range
    return (*series.counts, series.other, series.missing, 0, series.invalid)


def _cuts(series: NumericSeries) -> list[float]:
    """The inner edges, and where the baseline's values end: [smallest, ..., just above the largest).

    A score's grid may have edges beyond every score: then the range ends there.
    """
    smallest = -math.inf if series.minimum is None else series.minimum
    beyond_largest = math.inf if series.maximum is None else math.nextafter(series.maximum, math.inf)
    inner = series.inner_edges
    return [min([smallest, *inner[:1]]), *inner, max([beyond_largest, *inner[-1:]])]


def _numeric_bins(cuts: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    # [a, b): a value on an edge belongs to the bin that begins there.
    bins = np.searchsorted(cuts, values, side="right")
    usual = np.isfinite(values)
    if not usual.all():
        missing = len(cuts) + 1
        bins[np.isnan(values)] = missing
        bins[np.isinf(values)] = missing + 1
    return bins


def _categorical_bins(series: CategoricalSeries, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    kept = series.bins
    bins = np.minimum(codes, kept).astype(np.int64)  # beyond the kept ones: `other`
    for code, extra in ((CODE_MISSING, 1), (CODE_UNSEEN, 2), (CODE_INVALID, 3)):
        bins[codes == code] = kept + extra
    return bins
