"""The control: what PSI and AUC read on healthy days of one season, without any fault.

The odd days of January to March are compared, one by one, with all the even days of the same
months, in the bins that a baseline of the even days gets, by the functions that the service uses. A
series that passes its limits here wanders by itself: its alerts say that a day is not a sample of
a quarter, and little else. Weather does so: a day is warm or cold as a whole. So does AUC, and what
a score means: on a stormy day flights that left in time arrive late.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors import BinaryMetrics, Undefined, binary_metrics
from detectors.divergence import divergences
from stream.baselines.baseline import Baseline, CategoricalSeries
from stream.baselines.create import create_baseline, read_columns
from stream.baselines.layout import Layout
from stream.baselines.learning import Windows, learn
from stream.baselines.roles import Roles, assign_roles
from stream.demo.delay_model import DAY_MS, DAY_START_MS, days
from stream.demo.flights import CATEGORICAL, NUMERIC, Flights, Floats, Integers, Words
from stream.demo.messages import MODEL, VERSION
from stream.demo.results import PsiSeries
from stream.evaluate.labelled_baseline import LabelledBaseline, labelled_baseline
from stream.evaluate.score_estimate import EstimateGaps, gaps_of
from stream.records.prediction import CODE_UNSEEN, ModelColumns

SCORE: Final = "score"
LABEL: Final = "label"
TIME: Final = "ts"
ROLES: Final = Roles(score=SCORE, label=LABEL, time=TIME, features=(*NUMERIC, *CATEGORICAL))


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlDay:
    """What the labels of one healthy day say."""

    end_ms: int
    auc: float
    doubted: bool  # whether the estimate missed it by more than sampling explains


def baseline(flights: Flights, scores: Floats) -> Baseline:
    """The baseline of these flights, their scores and labels, as `driftline baseline create` makes it."""
    return create_baseline(_table(flights, scores), model=MODEL, version=VERSION, roles=ROLES)


def with_evidence(flights: Flights, scores: Floats, windows: Windows) -> Baseline:
    """The same, and how much their windows differ, as `driftline baseline create --time` learns it."""
    table = _table(flights, scores)
    return learn(baseline(flights, scores), read_columns(table, assign_roles(table, ROLES)), windows).baseline


def _table(flights: Flights, scores: Floats) -> pa.Table:
    columns = {name: flights.numeric[name] for name in NUMERIC} | {"carrier": flights.carrier.tolist(), SCORE: scores}
    labels = pa.array(flights.arrived_late, from_pandas=True)  # diverted: null, not NaN
    return pa.table(columns | {TIME: pa.array(flights.event_time_ms, pa.timestamp("ms")), LABEL: labels})


def odd_days_against_even(flights: Flights, scores: Floats) -> list[PsiSeries]:
    """PSI of each odd day against all even days, per series."""
    day = days(flights.event_time_ms)
    even, odd = np.flatnonzero(day % 2 == 0), np.flatnonzero(day % 2 == 1)
    return daily_psi(baseline(flights.rows(even), scores[even]), flights.rows(odd), scores[odd])


def labels_of_odd_days(flights: Flights, scores: Floats) -> list[ControlDay]:
    """What the labels of each odd day say, beside the even days'; days of one class are left out."""
    day = days(flights.event_time_ms)
    even = np.flatnonzero(day % 2 == 0)
    against = labelled_baseline(baseline(flights.rows(even), scores[even]))
    if against is None:
        return []
    found = []
    for odd in np.unique(day[day % 2 == 1]).tolist():
        rows = np.flatnonzero((day == odd) & ~np.isnan(flights.arrived_late))
        metrics, counts = _metrics(against, flights.arrived_late[rows] == 1, scores[rows])
        if isinstance(metrics, Undefined) or isinstance(metrics.auc, Undefined):
            continue
        gaps = gaps_of(metrics, counts, against)
        doubted = isinstance(gaps, EstimateGaps) and gaps.reliable is False
        found.append(ControlDay(end_ms=(odd + 1) * DAY_MS + DAY_START_MS, auc=metrics.auc.value, doubted=doubted))
    return found


def _metrics(
    against: LabelledBaseline, positive: npt.NDArray[np.bool_], scores: Floats
) -> tuple[BinaryMetrics | Undefined, Integers]:
    """What the service would say of these rows, and their number per bin of the score grid."""
    grid = against.grid
    bins = grid.index(scores)
    negatives, positives = (np.bincount(bins[positive == is_positive], minlength=grid.bins) for is_positive in (0, 1))
    return binary_metrics(negatives, positives, grid.representatives, grid.first_positive), negatives + positives


def daily_psi(against: Baseline, flights: Flights, scores: Floats) -> list[PsiSeries]:
    """PSI of each day's flights against a baseline, per series; days without flights are left out."""
    layout = Layout(against)
    bins = layout.flat_bins(_columns(against, flights, scores))
    day, row_day = np.unique(days(flights.event_time_ms), return_inverse=True)
    flat = (row_day[:, np.newaxis] * layout.width + bins).ravel()
    counts = np.bincount(flat, minlength=len(day) * layout.width).reshape(len(day), layout.width)
    coarse = np.add.reduceat(counts, layout.coarse_starts, axis=1)
    psi = divergences(layout.baseline_coarse, coarse, layout.series_coarse_starts).psi
    end_ms = (day + 1) * DAY_MS + DAY_START_MS
    n = np.bincount(row_day)
    return [PsiSeries(name=s, window_end_ms=end_ms, psi=psi[:, j], n=n) for j, s in enumerate(layout.names)]


def _columns(against: Baseline, flights: Flights, scores: Floats) -> ModelColumns:
    carriers = next(s for s in against.series if isinstance(s, CategoricalSeries))
    return ModelColumns(
        row=np.arange(len(flights)),
        numeric=np.column_stack([*(flights.numeric[name] for name in NUMERIC), scores]),
        categorical=_codes(carriers.categories + carriers.other_categories, flights.carrier)[:, np.newaxis].astype(
            np.int32
        ),
    )


def _codes(categories: tuple[str, ...], values: Words) -> Integers:
    code_of = {category: code for code, category in enumerate(categories)}
    return np.array([code_of.get(value, CODE_UNSEEN) for value in values.tolist()], np.int64)
