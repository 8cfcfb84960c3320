"""Judging windows: against scipy and brute force where rows are independent, then null, power and edges."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2, chi2_contingency, f

from detectors.divergence import psi
from detectors.errors import ShapeMismatch
from detectors.evidence import INDEPENDENT_ROWS, Evidence, EvidenceTable, judge, minimum_detectable_psi
from detectors.evidence_learning import learn_evidence
from tests.unit.detectors.windows import BINS, SERIES, SHARES, STARTS, independent_panes

ONE = np.zeros(1, np.int64)
WANDERING = Evidence(
    overdispersion=0.002,
    spreads=(0.05,),
    directions=((math.sqrt(0.5), -math.sqrt(0.5), 0.0, 0.0),),
    blocks=100,
    block_rows=500.0,
    tail_start=2.0,
    tail_scale=1.5,
    guard=4.0,
)


def table_of(evidence: Evidence, baseline: list[int]) -> EvidenceTable:
    return EvidenceTable([evidence], np.array(baseline), ONE)


@given(arrays(np.int64, 5, elements=st.integers(0, 300)), arrays(np.int64, 5, elements=st.integers(1, 3_000)))
def test_with_independent_rows_it_is_scipys_two_sample_g_test(current: np.ndarray, baseline: np.ndarray) -> None:
    if current.sum() == 0:
        return
    exact = chi2_contingency(np.stack([current, baseline]), correction=False, lambda_="log-likelihood")
    if exact.statistic > 1_000:
        return  # scipy's p is 0 there
    # One factor apart: G * (1/N + 1/M) is set against 1/N + 1/M.
    found = judge(table_of(INDEPENDENT_ROWS, baseline.tolist()), current)
    assert found.x[0] == pytest.approx(-chi2.logsf(exact.statistic, 4), rel=1e-3, abs=1e-6)


def by_hand(evidence: Evidence, baseline: np.ndarray, current: np.ndarray) -> float:
    """x' of one series with one direction, written down once more, bin by bin."""
    n, m = current.sum(), baseline.sum()
    g, toward = 0.0, []
    for a, b in zip(current.tolist(), baseline.tolist(), strict=True):
        pool = (a + b) / (n + m)
        g += 2 * (a * math.log(a / n / pool) if a else 0.0) + 2 * (b * math.log(b / m / pool) if b else 0.0)
        toward.append((a / n - b / m) / math.sqrt(pool))
    distance = g * (1 / n + 1 / m)
    cosine = sum(z * u for z, u in zip(toward, evidence.directions[0], strict=True)) ** 2 / sum(z * z for z in toward)
    along, spread, blocks = distance * cosine, evidence.spreads[0], evidence.blocks
    rest = max(0.0, math.sqrt(distance * (1 - cosine)) - along) ** 2
    q_along = along / (1 / n + spread + (1 / evidence.block_rows + spread) / blocks)
    learned = (1 / evidence.block_rows + evidence.overdispersion) / blocks
    q_rest = rest / (1 / n + evidence.overdispersion + max(learned, 1 / m))
    p_rest, p_along = f.sf(q_rest / 2, 2, 2 * (blocks - 1)), f.sf(q_along, 1, blocks / 3 - 1)
    x = -math.log(min(1.0, 2 * min(p_rest, p_along)))
    bound = math.log(10) + max(0.0, x - evidence.tail_start) / evidence.tail_scale
    return min(x, bound)


@given(arrays(np.int64, 4, elements=st.integers(0, 200)), arrays(np.int64, 4, elements=st.integers(50, 3_000)))
def test_with_a_direction_it_is_the_formula_by_hand(current: np.ndarray, baseline: np.ndarray) -> None:
    if current.sum() and not np.array_equal(current * baseline.sum(), baseline * current.sum()):
        found = judge(table_of(WANDERING, baseline.tolist()), current)
        assert found.x_scaled[0] == pytest.approx(by_hand(WANDERING, baseline, current), rel=1e-6, abs=1e-9)


def test_many_series_of_different_bins_are_judged_as_each_alone() -> None:
    rng = np.random.default_rng(3)
    sizes = [4, 2, 9]
    starts = np.array([0, 4, 6])
    evidence = [WANDERING, INDEPENDENT_ROWS, replace(WANDERING, spreads=(), directions=())]
    baseline = rng.integers(100, 900, sum(sizes))
    current = rng.integers(0, 50, (7, sum(sizes)))
    together = judge(EvidenceTable(evidence, baseline, starts), current)
    for i, (start, size) in enumerate(zip(starts.tolist(), sizes, strict=True)):
        here = slice(start, start + size)
        alone = judge(EvidenceTable([evidence[i]], baseline[here], ONE), current[:, here])
        assert together.x_scaled[:, i] == pytest.approx(alone.x_scaled[:, 0])
        assert together.psi_corrected[:, i] == pytest.approx(alone.psi_corrected[:, 0])


def test_independent_healthy_windows_have_p_values_as_uniform_ones() -> None:
    rng = np.random.default_rng(11)
    baseline = independent_panes(rng, 5_000).sum(axis=0)
    windows = rng.multinomial(600, SHARES, size=(20_000, SERIES)).reshape(20_000, -1)
    p = judge(EvidenceTable([INDEPENDENT_ROWS] * SERIES, baseline, STARTS), windows).p_value.ravel()
    for level in (0.1, 0.01, 0.001):
        assert 0.7 * level <= (p <= level).mean() <= 1.5 * level


def test_the_evidence_grows_with_the_rows_and_with_the_shift() -> None:
    table = table_of(INDEPENDENT_ROWS, [2_000] * 5)

    def x_of(n: int, percent: int) -> float:
        moved = percent * n // 100
        return float(judge(table, np.array([n + moved, n - moved, n, n, n])).x[0])

    x = [[x_of(n, percent) for n in (20, 100, 500)] for percent in (10, 20, 40)]
    assert np.all(np.diff(x, axis=0) > 0)
    assert np.all(np.diff(x, axis=1) > 0)


def test_healthy_wander_hides_a_shift_along_it_and_no_other() -> None:
    table = table_of(replace(WANDERING, guard=0.0), [5_000] * 4)
    along, across = np.array([200, 100, 150, 150]), np.array([150, 150, 230, 70])
    assert judge(table, along).p_value[0] > 0.1
    assert judge(table, across).p_value[0] < 1e-4


def test_a_breach_needs_evidence_effect_and_more_than_any_healthy_window() -> None:
    table = table_of(replace(INDEPENDENT_ROWS, guard=5.0), [50_000, 50_000])
    found = judge(table, np.array([[420, 580], [4_750, 5_250], [300, 700]]))
    assert found.x_scaled[:, 0].round(1).tolist() == [14.6, 13.2, 84.3]
    assert found.breaches(0.003, 0.02, table.guard)[:, 0].tolist() == [True, False, True]  # the second: no effect
    assert found.breaches(0.003, 0.02, table.guard + 12)[:, 0].tolist() == [False, False, True]
    assert found.breaches(1e-9, 0.02, table.guard)[:, 0].tolist() == [False, False, True]


def test_corrected_psi_is_near_nothing_on_healthy_windows_and_near_psi_on_large_ones() -> None:
    rng = np.random.default_rng(5)
    table = table_of(INDEPENDENT_ROWS, [10_000] * 10)
    healthy = judge(table, rng.multinomial(300, [0.1] * 10, size=2_000)).psi_corrected
    assert healthy.mean() < 0.01  # PSI itself reads 0.03
    moved = np.array([30_000, 10_000] + [20_000] * 8)
    raw = psi(table.baseline, moved)
    assert judge(table, moved).psi_corrected[0] == pytest.approx(raw, abs=0.0002)


def test_a_psi_that_the_caller_has_is_used() -> None:
    found = judge(table_of(INDEPENDENT_ROWS, [100, 100]), np.array([50, 50]), np.array([9.0]))
    assert found.psi_corrected[0] == pytest.approx(9.0 - (1 / 100 + 1 / 200))


@pytest.mark.parametrize(("baseline", "current"), [([10, 10], [0, 0]), ([0, 0], [3, 4]), ([0, 0], [0, 0])])
def test_an_empty_side_says_nothing(baseline: list[int], current: list[int]) -> None:
    table = table_of(INDEPENDENT_ROWS, baseline)
    found = judge(table, np.array(current))
    assert np.isnan([found.p_value, found.x_scaled, found.psi_corrected]).all()
    assert not found.breaches(0.5, 0.0, table.guard).any()


def test_one_bin_never_alarms() -> None:
    found = judge(table_of(INDEPENDENT_ROWS, [1_000]), np.array([50]))
    assert (found.p_value[0], found.psi_corrected[0]) == (1.0, 0.0)


def test_a_constant_feature_that_stays_is_quiet_and_one_that_leaves_is_seen() -> None:
    table = table_of(INDEPENDENT_ROWS, [0, 10_000, 0])
    quiet, left, gone = judge(table, np.array([[0, 600, 0], [0, 590, 10], [0, 0, 600]])).p_value[:, 0]
    assert quiet == 1.0
    assert left < 1e-9
    assert gone < 1e-100


def test_a_bin_that_the_baseline_has_never_seen_counts() -> None:
    table = table_of(INDEPENDENT_ROWS, [50_000, 50_000, 0])
    one, many = judge(table, np.array([[300, 300, 1], [300, 300, 30]])).p_value[:, 0]
    assert one > 0.001  # one row in 600 of something new
    assert many < 1e-30


def test_a_direction_of_another_number_of_bins_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ShapeMismatch):
        table_of(WANDERING, [1, 2, 3])
    with pytest.raises(ShapeMismatch):
        EvidenceTable([], np.array([1, 2]), ONE)
    with pytest.raises(ShapeMismatch):
        judge(table_of(INDEPENDENT_ROWS, [1, 2]), np.array([1, 2, 3]))


def test_half_of_the_windows_with_the_minimum_detectable_psi_alarm() -> None:
    rng = np.random.default_rng(8)
    rows, level = 2_000, 1e-4
    learned = replace(INDEPENDENT_ROWS, overdispersion=0.001, blocks=150, block_rows=2_000.0)
    table = table_of(replace(learned, tail_start=2.3, tail_scale=1.2), [100_000] * 10)
    smallest, along = minimum_detectable_psi(table, np.array([float(rows)]), level, 0.001)
    assert along[0] == smallest[0]  # it has no direction of its own
    move = math.sqrt(smallest[0] / 20)  # PSI of +m and -m on two of ten bins is 20 m^2, a little more as m grows
    size = 1 / (1 + rows * 0.001)  # the same overdispersion as a share that is drawn anew for each window
    shares = np.full(10, 0.1)
    shares[:2] += move, -move
    drawn = rng.dirichlet(shares * size * rows, 4_000)
    seen = judge(table, np.stack([rng.multinomial(rows, s) for s in drawn])).p_value[:, 0] <= level
    assert 0.35 <= seen.mean() <= 0.65


def test_the_minimum_detectable_psi_is_never_below_the_effect_and_larger_along_wander() -> None:
    table = table_of(WANDERING, [50_000] * 4)
    few, many = (minimum_detectable_psi(table, np.array([n]), 1e-6, 0.02) for n in (200.0, 1e6))
    assert few[0][0] > many[0][0] >= 0.02
    assert many[1][0] > 10 * many[0][0]


def test_bins_of_the_test_data_are_as_many_as_said() -> None:
    assert len(SHARES) == BINS


def test_a_baseline_of_one_window_is_uncertain_by_a_window_however_many_others_the_evidence_is_from() -> None:
    rng, starts, rows = np.random.default_rng(5), np.zeros(1, np.int64), 6_000
    clumped = np.array([rng.multinomial(rows, rng.dirichlet(np.full(10, 20.0))) for _ in range(768)])  # rho 1/201
    evidence = learn_evidence(clumped[:168], starts, 1)
    alarms = []
    for blocks in (None, 1.0):
        judged = [judge(EvidenceTable(evidence, one, starts, blocks), clumped[468:]) for one in clumped[168:268]]
        alarms.append(np.mean([(j.p_value < 0.001).mean() for j in judged]))
    assert alarms[0] > 0.01  # ten times the level: as if the hour were the truth
    assert alarms[1] <= 0.001


@pytest.mark.parametrize(("panes", "share"), [(3, 0.25), (6, 1.0)])
def test_clumps_of_rows_are_worth_as_many_rows_as_there_are_clumps(panes: int, share: float) -> None:
    """Twenty clumps of five rows a pane, four bins: the 60 in three panes are too few, the 120 in six enough."""
    clumps = 5 * np.random.default_rng(1).multinomial(20, [0.25] * 4, size=7 * 1_440)
    table = EvidenceTable(learn_evidence(clumps, ONE, panes), clumps.sum(axis=0), ONE)
    assert table.level(1e-6, np.array([100.0 * panes])).tolist() == [share * 1e-6]
    alone = table_of(INDEPENDENT_ROWS, [500] * 4)
    assert alone.level(1e-6, np.array([20.0 * panes])).tolist() == [share * 1e-6]
