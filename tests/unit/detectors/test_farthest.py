"""A complete shift of a feature that wanders: seen by its size, and no healthy window is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from detectors.detectable import smallest_mean_shift
from detectors.divergence import Smoothing, psi_of_series
from detectors.evidence import Evidence, EvidenceTable, judge, minimum_detectable_psi
from detectors.evidence_learning import learn_evidence
from detectors.shifts import smallest_mean_shifts
from tests.unit.detectors.windows import WINDOW, blocks_of, rolled, shifting_panes

ONE = np.zeros(1, np.int64)
LEVEL, EFFECT, ROWS = 1e-6, 0.02, 600
BLOCKS = 168


def learned(wander: float, seed: int = 1, windows: int = BLOCKS) -> tuple[EvidenceTable, Evidence, np.ndarray]:
    panes = shifting_panes(np.random.default_rng(seed), windows, wander)
    [evidence] = learn_evidence(panes, ONE, WINDOW)
    return EvidenceTable([evidence], panes.sum(axis=0), ONE), evidence, panes


def share_seen(table: EvidenceTable, windows: np.ndarray) -> float:
    return float(judge(table, windows).breaches(LEVEL, EFFECT, table.guard).mean())


def without_farthest(table: EvidenceTable, evidence: Evidence) -> EvidenceTable:
    return EvidenceTable([replace(evidence, farthest_psi=np.inf)], table.baseline.astype(np.int64), ONE)


@pytest.mark.parametrize("wander", [0.3, 0.4])
@pytest.mark.parametrize("shift", [3.0, 5.0, 10.0])
def test_a_shift_is_found_that_the_allowance_for_wander_takes_for_healthy(wander: float, shift: float) -> None:
    table, evidence, _ = learned(wander)
    moved = blocks_of(shifting_panes(np.random.default_rng(2), 100, wander, shift))
    assert share_seen(table, moved) > 0.9
    assert share_seen(without_farthest(table, evidence), moved) < 0.1
    assert (judge(table, moved).p_value > 10 * LEVEL).mean() > 0.9  # what is reported as p stays what it is


@pytest.mark.parametrize("wander", [0.2, 0.3, 0.6])
def test_once_a_move_into_one_bin_is_beyond_more_of_it_is_too(wander: float) -> None:
    table, _, _ = learned(wander)
    for taker in range(10):
        moved = np.full((101, 10), 0.1) * (1 - np.linspace(0, 1, 101)[:, None])
        moved[:, taker] += np.linspace(0, 1, 101)
        far = judge(table, moved * ROWS).far(LEVEL)[:, 0]
        assert far[-1]
        assert (np.diff(far.astype(int)) >= 0).all()


@pytest.mark.parametrize("wander", [0.0, 0.2, 0.4, 1.0])
def test_no_window_that_it_was_learned_from_is_far(wander: float) -> None:
    table, evidence, panes = learned(wander, windows=60)
    found = judge(table, rolled(panes)[:: max(1, WINDOW // 12)])
    assert not found.far(0.5).any()
    assert found.times_farthest.max() == pytest.approx(1.0, abs=1e-6)
    assert found.psi_corrected.max() == pytest.approx(evidence.farthest_psi, abs=1e-6)


def test_healthy_windows_that_were_not_learned_from_are_hardly_ever_far() -> None:
    far = [
        judge(learned(wander, seed)[0], blocks_of(shifting_panes(np.random.default_rng(1_000 + seed), 720, wander)))
        .far(LEVEL)
        .sum()
        for wander in (0.1, 0.3, 0.6)
        for seed in range(20)
    ]
    assert sum(far) <= 2  # of 43,200 windows


def test_evidence_that_does_not_know_the_farthest_or_too_few_windows_calls_nothing_far() -> None:
    table, evidence, _ = learned(0.3)
    everything = np.array([0] * 9 + [ROWS])
    assert judge(table, everything).far(LEVEL)[0]
    for unknown in (replace(evidence, farthest_psi=np.inf), replace(evidence, blocks=19), replace(evidence, blocks=0)):
        found = judge(EvidenceTable([unknown], table.baseline.astype(np.int64), ONE), everything)
        assert not found.far(0.5)[0]
        assert found.times_farthest[0] == 0.0


def test_few_windows_prove_less_than_many() -> None:
    table, evidence, _ = learned(0.3)
    moved = blocks_of(shifting_panes(np.random.default_rng(3), 200, 0.3, 2.0))
    few = EvidenceTable([replace(evidence, blocks=24)], table.baseline.astype(np.int64), ONE)
    assert judge(table, moved).far(LEVEL).mean() > 0.7
    assert judge(few, moved).far(LEVEL).mean() < 0.1


def test_windows_of_few_rows_are_noisy_and_not_far() -> None:
    table, evidence, _ = learned(0.0)
    few = np.random.default_rng(4).multinomial(20, [0.1] * 10, size=20_000)
    assert judge(table, few).psi_corrected.max() > max(0.25, 5 * evidence.farthest_psi)  # which 600 rows made
    assert not judge(table, few).far(1e-5).any()


def test_a_slot_that_came_a_few_times_allows_for_more() -> None:
    """Its baseline is the mean of four: a window may lie on the one side of what is normal, and they on the other."""
    table, evidence, _ = learned(0.3)
    slots = EvidenceTable([replace(evidence, blocks_behind=4.0)], table.baseline.astype(np.int64), ONE)
    windows = np.array([0] * 9 + [ROWS])
    assert judge(slots, windows).times_farthest[0] == pytest.approx(
        judge(table, windows).times_farthest[0] / 1.5**2, rel=0.01
    )


def test_it_is_measured_with_half_a_count_whatever_psi_has() -> None:
    """A floor of 1e-8 makes the PSI of a window with an empty bin many times larger; it is no farther for that."""
    table, _, _ = learned(0.3)
    healthy = np.array([0, 40, 50, 60, 70, 70, 70, 80, 80, 80])
    floored = psi_of_series(table.baseline, healthy, ONE, Smoothing.parse("epsilon:1e-8"))
    assert floored[0] > 1.5
    assert judge(table, healthy, floored).far(0.5).tolist() == judge(table, healthy).far(0.5).tolist() == [False]


def test_what_is_not_the_panes_own_sum_is_measured_against_what_windows_are_judged_by() -> None:
    panes = shifting_panes(np.random.default_rng(5), 60, 0.2)
    other = np.array([10_000, *[1_000] * 9])
    [own], [against] = learn_evidence(panes, ONE, WINDOW), learn_evidence(panes, ONE, WINDOW, baseline=other)
    assert replace(own, farthest_psi=0.0) == replace(against, farthest_psi=0.0)
    table = EvidenceTable([against], other, ONE)
    found = judge(table, rolled(panes)[:: max(1, WINDOW // 12)])
    assert found.times_farthest.max() == pytest.approx(1.0, abs=1e-6)
    assert against.farthest_psi > 2 * own.farthest_psi


def test_what_can_be_seen_takes_it_into_account() -> None:
    table, evidence, _ = learned(0.4)
    blind = without_farthest(table, evidence)
    seen, hidden = (smallest_mean_shift(one, ROWS, LEVEL, EFFECT, 10) for one in (table, blind))
    assert isinstance(seen, float)
    assert seen < 3
    assert not isinstance(hidden, float)  # not even five deviations
    assert smallest_mean_shifts(table, ROWS, LEVEL, EFFECT, np.array([10]))[0] == pytest.approx(seen, rel=0.03)
    size = np.array([float(ROWS)])
    (_, named), (_, before) = (minimum_detectable_psi(one, size, LEVEL, EFFECT) for one in (table, blind))
    assert named[0] < before[0]
    shifts = np.linspace(0, 5, 500)
    psi = np.array([judge(table, one).psi_corrected[0] for one in expected(shifts, 0.4)])
    assert named[0] == pytest.approx(float(np.interp(seen, shifts, psi)), rel=0.15)


def expected(shifts: np.ndarray, wander: float) -> np.ndarray:
    """Windows that hold exactly what a shift of a normal feature gives, shape (shifts, bins)."""
    cuts = norm.ppf(np.arange(1, 10) / 10) * np.sqrt(1 + wander**2)
    below = np.concatenate([[[0.0]] * len(shifts), norm.cdf(cuts - shifts[:, None]), [[1.0]] * len(shifts)], axis=1)
    return np.asarray(np.diff(below, axis=1) * ROWS)
