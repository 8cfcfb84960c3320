"""Baselines by slot of a season: their mixture, and the evidence that is learned against it."""

import numpy as np
import pytest

from detectors.errors import ShapeMismatch
from detectors.evidence import EvidenceTable, judge
from detectors.evidence_learning import learn_evidence
from detectors.season import SlotShares
from detectors.season_frame import SeasonFrame

SLOTS = 6
DAYS = 60
PER_WINDOW = 4  # panes
ROWS = 100  # a pane
START = np.zeros(1, np.int64)
# Of five bins, by slot: what is usual in one is rare in another.
BY_SLOT = np.array([np.roll([0.4, 0.3, 0.15, 0.1, 0.05], k % 5) for k in range(SLOTS)])


def season(panes_a_slot: int = PER_WINDOW, days: int = DAYS) -> np.ndarray:
    """The slot of each pane."""
    return np.tile(np.repeat(np.arange(SLOTS), panes_a_slot), days)


def drawn(rng: np.random.Generator, slots: np.ndarray, clump: int = 1) -> np.ndarray:
    """Panes whose rows come `clump` at a time."""
    return np.array([clump * rng.multinomial(ROWS // clump, BY_SLOT[slot]) for slot in slots])


def by_slot(panes: np.ndarray, slots: np.ndarray) -> SlotShares:
    counts = np.array([panes[slots == k].sum(axis=0) for k in range(SLOTS)])
    return SlotShares.of(counts, counts.sum(axis=1))


def test_a_mixture_is_weighted_by_the_windows_rows_and_known_as_well_as_its_slots() -> None:
    known = SlotShares.of(np.array([[300, 100], [50, 150]]), np.array([400, 200]))
    mixed = known.mixed(np.array([30, 10]))
    assert (mixed / mixed.sum()).tolist() == pytest.approx([0.75 * 0.75 + 0.25 * 0.25, 0.75 * 0.25 + 0.25 * 0.75])
    assert mixed.sum() == pytest.approx(1 / (0.75**2 / 400 + 0.25**2 / 200))


def test_a_slot_with_hardly_a_row_is_compared_with_the_whole_baseline() -> None:
    known = SlotShares.of(np.array([[300, 100], [9, 0]]), np.array([400, 9]))
    assert known.mixed(np.array([0, 5])).tolist() == pytest.approx([309, 100])
    assert SlotShares.of(np.array([[300, 100], [10, 0]]), np.array([400, 10])).mixed(np.array([0, 5]))[1] == 0


def test_a_window_without_rows_has_the_whole_baseline() -> None:
    known = SlotShares.of(np.array([[300, 100], [50, 150]]), np.array([400, 200]))
    assert known.mixed(np.array([0, 0])).tolist() == pytest.approx([350, 250])


def test_a_season_is_no_wander_once_its_slots_are_known() -> None:
    slots = season()
    panes = drawn(np.random.default_rng(1), slots)
    [blind] = learn_evidence(panes, START, PER_WINDOW)
    [seeing] = learn_evidence(panes, START, PER_WINDOW, slots=slots)
    assert blind.spreads[0] > 0.1
    assert (seeing.spreads, seeing.overdispersion < 0.2 / seeing.block_rows) == ((), True)
    # Six shares were taken from 360 blocks, and each is the mean of 60 of them.
    assert (blind.blocks, seeing.blocks) == (SLOTS * DAYS, SLOTS * DAYS - SLOTS + 1)
    assert (blind.blocks_behind, seeing.blocks_behind) == (0, pytest.approx(DAYS))


def test_clumps_within_the_slots_are_the_overdispersion_that_they_are() -> None:
    slots = season()
    [found] = learn_evidence(drawn(np.random.default_rng(2), slots, clump=10), START, PER_WINDOW, slots=slots)
    assert found.overdispersion == pytest.approx(9 / (PER_WINDOW * ROWS), rel=0.2)


def test_few_repetitions_do_not_make_it_look_better_known_than_it_is() -> None:
    slots = season(days=4)
    found = [
        learn_evidence(drawn(np.random.default_rng(seed), slots, clump=10), START, PER_WINDOW, slots=slots)[0]
        for seed in range(20)
    ]
    # Of four blocks a slot, each is a quarter of its own baseline: that is made good.
    assert np.mean([one.overdispersion for one in found]) == pytest.approx(9 / (PER_WINDOW * ROWS), rel=0.2)
    assert {one.blocks for one in found} == {24 - 5}
    assert all(one.provisional for one in found)


def test_windows_over_several_slots_have_a_baseline_of_more_blocks() -> None:
    slots = season(panes_a_slot=2)
    [found] = learn_evidence(drawn(np.random.default_rng(3), slots), START, 2 * SLOTS, slots=slots)
    assert found.blocks_behind == pytest.approx(found.blocks, rel=0.01)  # every window has all slots


@pytest.mark.parametrize("clump", [1, 10])
def test_on_fresh_healthy_windows_the_level_holds_and_a_shift_that_a_season_hides_is_seen(clump: int) -> None:
    rng, slots = np.random.default_rng(4), season()
    panes = drawn(rng, slots, clump)
    known, table = by_slot(panes, slots), EvidenceTable(
        learn_evidence(panes, START, PER_WINDOW, slots=slots), panes.sum(axis=0), START
    )  # fmt: skip
    blind = EvidenceTable(learn_evidence(panes, START, PER_WINDOW), panes.sum(axis=0), START)
    healthy, hidden, usual = [], [], []
    for _ in range(500):
        slot = int(rng.integers(SLOTS))
        rows = np.bincount([slot], minlength=SLOTS) * PER_WINDOW * ROWS
        beside = table.against(known.mixed(rows))
        healthy.append(float(judge(beside, drawn(rng, np.full(PER_WINDOW, slot), clump).sum(axis=0)).p_value[0]))
        other = drawn(rng, np.full(PER_WINDOW, (slot + 2) % SLOTS), clump).sum(axis=0)
        hidden.append(float(judge(beside, other).p_value[0]))
        usual.append(float(judge(blind, other).p_value[0]))
    assert np.mean(np.array(healthy) < 0.01) <= 0.02
    assert np.mean(np.array(hidden) < 1e-5) > 0.8
    assert np.mean(np.array(usual) < 1e-5) < 0.05  # against the whole baseline it is an hour like any other


def test_a_table_beside_another_baseline_leaves_the_first_as_it_is() -> None:
    slots = season()
    panes = drawn(np.random.default_rng(5), slots)
    whole = panes.sum(axis=0)
    table = EvidenceTable(learn_evidence(panes, START, PER_WINDOW), whole, START)
    other = table.against(by_slot(panes, slots).mixed(np.eye(SLOTS, dtype=np.int64)[2]))
    assert other.shares.tolist() == pytest.approx((panes[slots == 2].sum(axis=0) / (DAYS * PER_WINDOW * ROWS)).tolist())
    assert table.baseline.tolist() == whole.tolist()
    with pytest.raises(ShapeMismatch):
        table.against(np.ones(4))


@pytest.mark.parametrize(("window_panes", "stride"), [(1, 1), (7, 1), (24, 2)])
def test_windows_and_how_much_of_them_is_their_own_baseline_as_counted_one_by_one(
    window_panes: int, stride: int
) -> None:
    rng = np.random.default_rng(6)
    slots = season(panes_a_slot=3, days=4)
    panes = rng.integers(0, 40, (len(slots), 3))
    rows = panes.sum(axis=1)
    frame = SeasonFrame.of(rows, slots, window_panes)
    of_slot = np.bincount(slots, weights=rows)
    windows, inside = [], []
    for begin in range(0, len(slots) - window_panes + 1, stride):
        here = slice(begin, begin + window_panes)
        windows.append(panes[here].sum(axis=0).tolist())
        in_slot = np.bincount(slots[here], weights=rows[here], minlength=SLOTS)
        inside.append(1 - (in_slot**2 / of_slot).sum() / in_slot.sum())
    assert frame.windows_of(panes).tolist() == windows
    assert frame.window_inside.tolist() == pytest.approx(inside)
    assert frame.block_inside.tolist() == pytest.approx(inside[:: window_panes // stride][: len(frame.block_rows)])
