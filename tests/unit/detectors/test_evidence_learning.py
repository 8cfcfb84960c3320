"""What is learned from a baseline's panes: the structure that was put in, and a level that then holds."""

import numpy as np
import pytest

from detectors.evidence import INDEPENDENT_ROWS, EvidenceTable, judge
from detectors.evidence_learning import learn_evidence
from tests.unit.detectors.windows import (
    BINS,
    SERIES,
    SHARES,
    STARTS,
    WINDOW,
    blocks_of,
    clumped_panes,
    independent_panes,
    rolled,
    wandering_panes,
)

PANES = WINDOW * 150


def test_independent_rows_show_no_direction_and_next_to_no_overdispersion() -> None:
    learned = learn_evidence(independent_panes(np.random.default_rng(1), PANES), STARTS, WINDOW)
    assert [len(one.directions) for one in learned] == [0] * SERIES
    assert all(one.overdispersion < 0.2 / one.block_rows for one in learned)
    assert all(1 <= one.tail_scale < 1.5 for one in learned)
    assert [(one.blocks, one.block_rows, one.provisional) for one in learned] == [(150, 600.0, False)] * SERIES


def test_clumps_are_overdispersion() -> None:
    learned = learn_evidence(clumped_panes(np.random.default_rng(2), PANES), STARTS, WINDOW)
    # Sessions of ten rows: variance of a share ten times p / N.
    assert all(one.overdispersion == pytest.approx(9 / 600, rel=0.3) for one in learned)
    assert [len(one.directions) for one in learned] == [0] * SERIES


def test_wander_is_found_as_the_direction_that_it_has() -> None:
    learned = learn_evidence(wandering_panes(np.random.default_rng(3), PANES), STARTS, WINDOW)
    # A share that leaves bin 1 for bin 0 moves (share - p) / sqrt(p) along (1 / sqrt(.3), -1 / sqrt(.25)).
    expected = np.array([1 / np.sqrt(0.3), -1 / np.sqrt(0.25), 0, 0, 0, 0])
    expected /= np.linalg.norm(expected)
    for one in learned:
        assert len(one.directions) >= 1
        assert abs(np.array(one.directions[0]) @ expected) > 0.99
        assert one.spreads[0] == pytest.approx(0.08**2 * (1 / 0.3 + 1 / 0.25), rel=0.5)
        assert one.overdispersion < 0.05 * one.spreads[0]


@pytest.mark.parametrize("panes", [independent_panes, clumped_panes, wandering_panes])
def test_on_fresh_healthy_windows_the_level_holds(panes) -> None:
    rng = np.random.default_rng(4)
    at_most = {0.05: 0, 0.01: 0, 0.001: 0}
    windows = 0
    for _ in range(8):
        baseline = panes(rng, PANES)
        table = EvidenceTable(learn_evidence(baseline, STARTS, WINDOW), baseline.sum(axis=0), STARTS)
        p = judge(table, blocks_of(panes(rng, WINDOW * 500))).p_value
        windows += p.size
        for level in at_most:
            at_most[level] += int((p <= level).sum())
    assert windows == 8 * 500 * SERIES
    for level, count in at_most.items():
        assert count <= 1.2 * level * windows + 3 * np.sqrt(level * windows)


def test_the_plain_g_test_would_alarm_on_most_windows_of_clumps() -> None:
    rng = np.random.default_rng(5)
    baseline = clumped_panes(rng, PANES)
    plain = EvidenceTable([INDEPENDENT_ROWS] * SERIES, baseline.sum(axis=0), STARTS)
    assert (judge(plain, blocks_of(clumped_panes(rng, PANES))).p_value < 0.001).mean() > 0.5


def test_no_window_of_the_baseline_itself_is_beyond_its_guard() -> None:
    panes = clumped_panes(np.random.default_rng(6), PANES)
    learned = learn_evidence(panes, STARTS, WINDOW)
    table = EvidenceTable(learned, panes.sum(axis=0), STARTS)
    found = judge(table, rolled(panes)[:: WINDOW // 12])
    assert not found.breaches(0.5, 0.0, table.guard).any()
    assert all(one.guard > 1 for one in learned)


def test_a_shift_is_seen_after_learning() -> None:
    rng = np.random.default_rng(7)
    panes = independent_panes(rng, PANES)
    table = EvidenceTable(learn_evidence(panes, STARTS, WINDOW), panes.sum(axis=0), STARTS)
    moved = SHARES + np.array([-0.1, 0.1, 0, 0, 0, 0])
    missing = SHARES * 0.97 + np.array([0, 0, 0, 0, 0, 0.03])
    for shares in (moved, missing):
        windows = rng.multinomial(600, shares, size=(200, SERIES)).reshape(200, -1)
        assert (judge(table, windows).p_value < 1e-5).mean() > 0.5


def test_the_order_of_series_does_not_matter_and_repeating_gives_the_same() -> None:
    panes = wandering_panes(np.random.default_rng(8), PANES)
    turned = panes.reshape(PANES, SERIES, BINS)[:, ::-1].reshape(PANES, -1)
    first = learn_evidence(panes, STARTS, WINDOW)
    assert learn_evidence(panes, STARTS, WINDOW) == first
    for one, other in zip(first, reversed(learn_evidence(turned, STARTS, WINDOW)), strict=True):
        assert one.overdispersion == other.overdispersion
        assert one.tail_scale == pytest.approx(other.tail_scale)


@pytest.mark.parametrize("panes", [0, 1, WINDOW - 1, WINDOW, 2 * WINDOW - 1])
def test_fewer_than_two_blocks_teach_nothing(panes: int) -> None:
    few = independent_panes(np.random.default_rng(9), panes)
    assert learn_evidence(few, STARTS, WINDOW) == (INDEPENDENT_ROWS,) * SERIES
    assert INDEPENDENT_ROWS.provisional


def test_few_blocks_are_provisional_and_claim_less() -> None:
    panes = wandering_panes(np.random.default_rng(10), PANES)
    few = learn_evidence(panes[: 10 * WINDOW], STARTS, WINDOW)
    assert all(one.provisional and one.directions == () for one in few)
    window = rolled(panes[-WINDOW:])
    moved = window + np.tile([0, 0, -300, 300, 0, 0], SERIES)
    tables = [EvidenceTable(e, panes.sum(axis=0), STARTS) for e in (few, learn_evidence(panes, STARTS, WINDOW))]
    unsure, sure = (judge(table, moved).x_scaled for table in tables)
    assert (unsure < sure).all()


def test_thin_blocks_are_left_out() -> None:
    panes = independent_panes(np.random.default_rng(11), PANES)
    panes[: 50 * WINDOW] = 0
    panes[: 50 * WINDOW : WINDOW, STARTS] = 3
    learned = learn_evidence(panes, STARTS, WINDOW)
    assert [one.blocks for one in learned] == [100] * SERIES


@pytest.mark.parametrize("shares", [[1.0], [0.0, 1.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
def test_one_bin_a_constant_and_two_bins_are_learned(shares: list[float]) -> None:
    rng = np.random.default_rng(12)
    panes = rng.multinomial(20, shares, size=PANES)
    [one] = learn_evidence(panes, np.array([0]), WINDOW)
    table = EvidenceTable([one], panes.sum(axis=0), np.array([0]))
    p = judge(table, blocks_of(rng.multinomial(20, shares, size=PANES))).p_value
    assert one.directions == ()
    assert np.isfinite(p).all()
    assert (p < 0.001).mean() <= 0.01


def test_series_of_no_rows_at_all_do_not_disturb_the_others() -> None:
    panes = independent_panes(np.random.default_rng(13), PANES)
    alone = learn_evidence(panes, STARTS, WINDOW)
    panes_and_empty = np.concatenate([panes, np.zeros((PANES, 3), np.int64)], axis=1)
    both = learn_evidence(panes_and_empty, np.append(STARTS, SERIES * BINS), WINDOW)
    assert both == (*alone, INDEPENDENT_ROWS)


@pytest.mark.parametrize(("window", "rows"), [(0, 10), (-1, 10), (30, 0)])
def test_an_impossible_window_is_refused(window: int, rows: int) -> None:
    with pytest.raises(ValueError, match="must be >= 1"):
        learn_evidence(independent_panes(np.random.default_rng(14), 60), STARTS, window, rows)
