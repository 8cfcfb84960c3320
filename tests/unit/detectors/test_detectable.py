"""The smallest shift that is seen: windows of that size do alarm, half of it do not, and wander hides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from detectors.detectable import expected_counts, smallest_mean_shift, smallest_share
from detectors.evidence import INDEPENDENT_ROWS, Evidence, EvidenceTable, judge
from detectors.outcome import Undefined

ONE = np.zeros(1, np.int64)
CUTS = norm.ppf(np.arange(1, 10) / 10)
LEVEL, EFFECT = 1e-6, 0.02


def table_of(baseline: list[int], evidence: Evidence = INDEPENDENT_ROWS) -> EvidenceTable:
    return EvidenceTable([evidence], np.array(baseline), ONE)


def alarms(table: EvidenceTable, shares: np.ndarray, rows: int) -> float:
    """The share of 2,000 windows that alarm."""
    windows = np.random.default_rng(5).multinomial(rows, shares, size=2_000)
    return float(judge(table, windows).breaches(LEVEL, EFFECT, table.guard).mean())


def number(found: float | Undefined) -> float:
    assert isinstance(found, float)
    return found


def moved(size: float) -> np.ndarray:
    return np.append(np.diff(norm.cdf(np.concatenate([[-np.inf], CUTS, [np.inf]]) - size)), 0.0)


@pytest.mark.parametrize("rows", [300, 600, 6_000])
def test_half_of_the_windows_with_the_smallest_mean_shift_alarm_and_few_with_half_of_it(rows: int) -> None:
    table = table_of([100_000] * 10 + [0])
    size = smallest_mean_shift(table, rows, LEVEL, EFFECT, value_bins=10)
    assert isinstance(size, float)
    assert 0.4 <= alarms(table, moved(size), rows) <= 0.95
    assert alarms(table, moved(size / 2), rows) < 0.05


@pytest.mark.parametrize("rows", [300, 600, 6_000])
def test_half_of_the_windows_with_the_smallest_share_alarm(rows: int) -> None:
    table = table_of([100_000] * 10 + [0])
    size = smallest_share(table, rows, LEVEL, EFFECT, bin_index=10)
    assert isinstance(size, float)
    shares = np.append(np.full(10, (1 - size) / 10), size)
    assert 0.4 <= alarms(table, shares, rows) <= 0.95


def test_more_rows_show_less_and_a_stricter_level_more() -> None:
    table = table_of([100_000] * 10)
    sizes = [number(smallest_mean_shift(table, rows, LEVEL, 0.0, 10)) for rows in (100, 1_000, 10_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert number(smallest_mean_shift(table, 1_000, 1e-9, 0.0, 10)) > sizes[1]


def test_with_all_the_rows_of_the_world_the_effect_decides() -> None:
    table = table_of([10**9] * 10)
    assert smallest_mean_shift(table, 10**8, LEVEL, 0.09, 10) == pytest.approx(0.31, abs=0.02)  # PSI is s^2 or so


def test_a_shift_along_healthy_wander_is_seen_late_and_the_other_is_not() -> None:
    up = moved(0.01)[:10] - 0.1
    direction = up / np.linalg.norm(up)
    wander = Evidence(
        overdispersion=0.0005,
        spreads=(0.01,),
        directions=(tuple(direction.tolist()),),
        blocks=168,
        block_rows=600.0,
        tail_start=2.3,
        tail_scale=1.2,
        guard=5.0,
    )
    plain, hidden = table_of([100_000] * 10), table_of([100_000] * 10, wander)
    along, at_best = (number(smallest_mean_shift(table, 600, LEVEL, EFFECT, 10)) for table in (hidden, plain))
    assert along > 2.5 * at_best
    one_bin, at_best = (number(smallest_share(table, 600, LEVEL, EFFECT, 4)) for table in (hidden, plain))
    assert one_bin < 1.8 * at_best


def test_what_a_few_rows_cannot_show_is_undefined() -> None:
    table = table_of([100_000] * 10)
    assert smallest_mean_shift(table, 3, LEVEL, EFFECT, 10) == Undefined("too few")
    assert smallest_share(table, 3, LEVEL, EFFECT, 0) == Undefined("too few")
    assert smallest_mean_shift(table_of([0, 0, 50]), 600, LEVEL, EFFECT, 2) == Undefined("empty")


def test_a_constant_can_only_leave_its_bin() -> None:
    table = table_of([0, 100_000, 0])
    assert smallest_mean_shift(table, 600, LEVEL, EFFECT, 3) == Undefined("too few")  # a mean has nowhere to go
    assert number(smallest_share(table, 600, LEVEL, EFFECT, 2)) < 0.02


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=20), st.integers(0, 5_000))
def test_expected_counts_sum_to_the_rows_and_are_off_by_less_than_one(weights: list[float], rows: int) -> None:
    shares = np.array(weights) / sum(weights)
    counts = expected_counts(shares, rows)
    assert counts.sum() == rows
    assert (np.abs(counts - shares * rows) < 1 + 1e-6).all()
