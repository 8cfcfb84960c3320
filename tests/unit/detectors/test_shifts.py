"""The smallest shifts of all series at once are those that each series alone is found to show."""

import numpy as np
import pytest

from detectors.detectable import smallest_mean_shift, smallest_share
from detectors.evidence import INDEPENDENT_ROWS, Evidence, EvidenceTable
from detectors.outcome import Undefined
from detectors.shifts import smallest_mean_shifts, smallest_shares

WANDERING = Evidence(
    overdispersion=0.002, spreads=(0.05,), directions=((0.5, 0.5, -0.5, -0.5, 0.0),), blocks=100, block_rows=600.0,
    tail_start=2.3, tail_scale=1.3, guard=9.0,
)  # fmt: skip
SERIES = [  # evidence, counts, ordered bins, the bin of missing values
    (INDEPENDENT_ROWS, [10_000] * 10 + [0, 0], 10, 10),
    (WANDERING, [20_000, 30_000, 30_000, 19_000, 1_000], 4, 4),
    (INDEPENDENT_ROWS, [40_000, 60_000, 500], 0, 2),  # categories
    (INDEPENDENT_ROWS, [0, 0, 100_000], 2, 2),  # always missing
]
STARTS = np.cumsum([0, *(len(counts) for _, counts, _, _ in SERIES[:-1])])
TABLE = EvidenceTable([e for e, *_ in SERIES], np.array([n for _, counts, _, _ in SERIES for n in counts]), STARTS)
LEVELS = np.array([1e-6, 2e-6, 1e-6, 1e-6])


def alone(i: int) -> EvidenceTable:
    evidence, counts, _, _ = SERIES[i]
    return EvidenceTable([evidence], np.array(counts), np.zeros(1, np.int64))


@pytest.mark.parametrize("rows", [600, 20_000])
def test_mean_shifts_are_those_of_each_series_alone(rows: int) -> None:
    found = smallest_mean_shifts(TABLE, rows, LEVELS, 0.02, np.array([ordered for _, _, ordered, _ in SERIES]))
    for i in (0, 1):
        one = smallest_mean_shift(alone(i), rows, float(LEVELS[i]), 0.02, SERIES[i][2])
        assert found[i] == pytest.approx(one, rel=0.04)
    assert np.isnan(found[2])
    assert np.isnan(found[3]), "a series without a value has no mean"


@pytest.mark.parametrize("rows", [600, 20_000])
def test_shares_are_those_of_each_series_alone(rows: int) -> None:
    found = smallest_shares(TABLE, rows, LEVELS, 0.02, np.array([missing for *_, missing in SERIES]))
    for i in range(3):
        one = smallest_share(alone(i), rows, float(LEVELS[i]), 0.02, SERIES[i][3])
        assert found[i] == pytest.approx(one, rel=0.1, abs=1 / rows)  # there whole rows only
    assert np.isnan(found[3]), "what is all missing cannot go missing"


def test_what_cannot_be_seen_is_not_named() -> None:
    few = smallest_mean_shifts(TABLE, 3, LEVELS, 0.02, np.array([10, 4, 0, 2]))
    assert isinstance(smallest_mean_shift(alone(0), 3, 1e-6, 0.02, 10), Undefined)
    assert np.isnan(few).all()
    never = smallest_shares(TABLE, 600, LEVELS, np.inf, np.array([10, 4, 2, 2]))
    assert np.isnan(never).all(), "a series that is switched off alarms at nothing"
