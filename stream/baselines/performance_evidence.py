"""How good the model was in the windows of a baseline: by how much healthy performance differs from window to window.

Windows are those of the labelled rows by the time of their predictions, since a baseline does not know when a label
came. Those with too few labels to say anything are left out.
Cost: about 0.1 ms a window of a binary model; at most 4,000 are read, the newest ones.
"""

import math
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import Auc, Undefined
from detectors.auc import auc
from detectors.drop import FEWEST_OF_A_CLASS
from detectors.evidence import ENOUGH_BLOCKS
from detectors.multiclass import comparable
from detectors.score_metrics import brier_score
from detectors.wander import Reading, Wander, auc_of, auc_reading, error_reading, learn_wander
from stream.baselines.baseline import Baseline
from stream.baselines.class_metrics import baseline_metrics
from stream.baselines.create import PredictionColumns
from stream.baselines.evidence import PerformanceEvidence
from stream.baselines.grid import ScoreGrid
from stream.records.prediction import Answer

FEWEST_LABELS: Final = 50  # of a window whose mean error is read
MOST_WINDOWS: Final = 4_000

AUC: Final = "auc"
BRIER: Final = "brier"
MAE: Final = "mae"
WORDS: Final = {AUC: "AUC", BRIER: "Brier score", MAE: "MAE"}

Integers = npt.NDArray[np.int64]
Readings = dict[str, Reading]
Read = Callable[[slice], Readings]  # the statistics of a stretch of the labelled rows


def performance_evidence(
    baseline: Baseline, columns: PredictionColumns, order: Integers, pane: Integers, window_panes: int
) -> tuple[PerformanceEvidence, ...]:
    """Of each statistic by which labels are judged; empty without labels, or where no two windows can be read.

    Args:
        baseline: of the rows, with its score grids.
        columns: the rows.
        order: of the rows used by time, shape (rows,).
        pane: of each of them, ascending, from 0.
        window_panes: panes of a window.
    """
    if columns.labels is None:
        return ()
    labelled = ~np.isnan(columns.labels[order])
    order, pane = order[labelled], pane[labelled]
    read = _reader(baseline, columns, order)
    if read is None or not order.size:
        return ()
    rounds: dict[str, list[list[Reading]]] = {}
    for ends in _rounds(int(pane[-1]) + 1, window_panes):
        found: dict[str, list[Reading]] = {}
        begins = np.searchsorted(pane, ends - window_panes).tolist()
        for begin, end in zip(begins, np.searchsorted(pane, ends).tolist(), strict=True):
            for check, reading in read(slice(begin, end)).items():
                if math.isfinite(reading.badness) and math.isfinite(reading.se):
                    found.setdefault(check, []).append(reading)
        for check, readings in found.items():
            rounds.setdefault(check, []).append(readings)
    learned = {check: learn_wander(readings) for check, readings in rounds.items()}
    return tuple(PerformanceEvidence.of(check, one) for check, one in sorted(learned.items()) if one is not None)


def in_own_unit(check: str, badness: float) -> float:
    """A reading as the statistic itself: AUC, Brier score, MAE.

    >>> in_own_unit("auc", 0.0), in_own_unit("brier", 0.0)
    (0.5, 1.0)
    """
    return auc_of(badness) if check == AUC else math.exp(badness)


def healthy_words(check: str, known: Wander) -> str:
    """What healthy windows read.

    >>> healthy_words("auc", Wander(mean=-2.4, deviation=0.42, mean_se=0.05, windows=88, worst=2.6))
    'AUC 0.917, 0.829 to 0.962 in 19 of 20; known from 88 windows'
    """
    low, high = sorted(in_own_unit(check, one) for one in known.usual)
    unsure = f", provisional (below {ENOUGH_BLOCKS})" if known.windows < ENOUGH_BLOCKS else ""
    mean = in_own_unit(check, known.mean)
    return (
        f"{WORDS[check]} {mean:.3g}, {low:.3g} to {high:.3g} in 19 of 20; known from {known.windows:,} windows{unsure}"
    )


def _rounds(panes: int, window_panes: int) -> Iterator[Integers]:
    """The ends of windows that do not overlap, for several beginnings; each of shape (windows,)."""
    whole = min(panes // window_panes, MOST_WINDOWS)
    number = next(
        k for k in range(window_panes, 0, -1) if window_panes % k == 0 and (k * whole <= MOST_WINDOWS or k == 1)
    )
    for k in range(number):
        last = panes - k * (window_panes // number)
        yield last - np.arange(min(last // window_panes, MOST_WINDOWS))[::-1] * window_panes


def _reader(baseline: Baseline, columns: PredictionColumns, order: Integers) -> Read | None:
    """What reads the labelled rows, in this order; None: the baseline has nothing to count them by."""
    assert columns.labels is not None
    labels = columns.labels[order]
    if columns.answer == Answer.SCORE and baseline.grid is not None and columns.answer_column is not None:
        return _scores(baseline, columns.answer_column.values[order], labels)
    if baseline.labelled_values is not None and columns.answer_column is not None:
        return _values(columns.answer_column.values[order], labels)
    if columns.class_columns and baseline.by_class:
        return _classes(baseline, np.array([one.values[order] for one in columns.class_columns]), labels)
    return None


def _scores(baseline: Baseline, scores: npt.NDArray[np.float64], labels: npt.NDArray[np.float64]) -> Read:
    grid = baseline.grid
    assert grid is not None
    of_row = np.where(np.isfinite(scores), grid.index(np.nan_to_num(scores)) + grid.bins * (labels == 1), 2 * grid.bins)

    def read(rows: slice) -> Readings:
        counts = np.bincount(of_row[rows], minlength=2 * grid.bins)[: 2 * grid.bins]
        return binary_readings(counts[: grid.bins], counts[grid.bins :], grid)

    return read


def binary_readings(negatives: Integers, positives: Integers, grid: ScoreGrid) -> Readings:
    """Of labelled rows by bin of the grid; what so few rows do not tell is left out."""
    found: Readings = {}
    area = auc(negatives, positives)
    if isinstance(area, Auc) and min(area.negatives, area.positives) >= FEWEST_OF_A_CLASS:
        found[AUC] = auc_reading(area)
    if negatives.sum() + positives.sum() >= FEWEST_LABELS:
        _put(found, BRIER, *brier_score(negatives, positives, grid.representatives))
    return found


def _values(values: npt.NDArray[np.float64], labels: npt.NDArray[np.float64]) -> Read:
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.abs(values - labels)

    def read(rows: slice) -> Readings:
        here = errors[rows]
        here = here[np.isfinite(here)]
        found: Readings = {}
        if here.size >= FEWEST_LABELS:
            _put(found, MAE, float(here.mean()), float(here.std(ddof=1)) / here.size**0.5)
        return found

    return read


def _classes(baseline: Baseline, scores: npt.NDArray[np.float64], labels: npt.NDArray[np.float64]) -> Read | None:
    before = baseline_metrics(baseline.by_class)
    if isinstance(before, Undefined):
        return None
    grids = [one.grid for one in baseline.by_class]
    whole: npt.NDArray[np.bool_] = np.asarray(np.isfinite(scores).all(axis=0))
    bins = [grid.index(np.nan_to_num(of_class)) for grid, of_class in zip(grids, scores, strict=True)]

    def read(rows: slice) -> Readings:
        usable, truth = whole[rows], labels[rows]
        areas = []
        for place, (grid, of_row) in enumerate(zip(grids, bins, strict=True)):
            is_mine = truth == place
            areas.append(auc(*(_counts(of_row[rows], usable & one, grid.bins) for one in (~is_mine, is_mine))))
        macro, _ = comparable(areas, before.auc, FEWEST_OF_A_CLASS)
        return {AUC: auc_reading(macro)} if isinstance(macro, Auc) else {}

    return read


def _counts(bins: Integers, wanted: npt.NDArray[np.bool_], number: int) -> Integers:
    return np.bincount(bins[wanted], minlength=number)


def _put(found: Readings, check: str, error: float, se: float) -> None:
    reading = error_reading(error, se)
    if isinstance(reading, Reading):
        found[check] = reading
