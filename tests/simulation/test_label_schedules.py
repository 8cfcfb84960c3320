"""Predictions and labels that meet, under thousands of seeded schedules; README.md says what is compared.

`pytest tests/simulation/test_label_schedules.py --schedules 20000 --first-seed 5000` runs more, or others.
"""

from collections import Counter
from typing import Final

import pytest

from tests.simulation.label_oracle import check_labels, final_panes, truth_of, uncrashed_join
from tests.simulation.label_truth import PaneOf
from tests.simulation.label_world import LabelWorld
from tests.simulation.test_schedules import judge_world, spread_out

SCHEDULES: Final = 1_500  # by default
INTERLEAVED: Final = 100  # pairs of schedules


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each block of seeds."""
    spread_out(metafunc, SCHEDULES)


def test_every_join_is_that_of_an_uncrashed_run_and_of_brute_force(first_seed: int, count: int) -> None:
    for seed in range(first_seed, first_seed + count):
        judge_world(LabelWorld(seed), run_and_check, "test_label_schedules")


def test_two_interleavings_of_the_same_predictions_and_labels_give_the_same_panes() -> None:
    """Where every id is settled: `label_truth` says what that leaves out and why; and every pane is kept."""
    compared = 0
    for seed in range(INTERLEAVED):
        panes = [panes_of(seed, order) for order in (2 * seed, 2 * seed + 1)]
        assert panes[0] == panes[1], f"seed {seed}"
        compared += len(panes[0])
    assert compared > 5 * INTERLEAVED


def test_a_seed_makes_the_same_schedule_every_time() -> None:
    worlds = [LabelWorld(7), LabelWorld(7), LabelWorld(7, order=1)]
    for world in worlds:
        world.run()
        world.close()
    assert worlds[0].schedule == worlds[1].schedule != worlds[2].schedule
    assert worlds[1].inputs_of_labelled == worlds[2].inputs_of_labelled


def run_and_check(world: LabelWorld) -> None:
    """Chaos, calm, verdict."""
    world.run()
    check_labels(world)


def panes_of(seed: int, order: int) -> dict[PaneOf, Counter[int]]:
    """All panes of performance that a schedule ends with."""
    shape = {"tame": True, "dedupe": True, "idle": False, "retention": False, "max_waiting": 10_000}
    world = LabelWorld(seed, order=order, **shape, window_ms=600_000, revision_s=600)
    assert truth_of(world).everything_is_settled
    try:
        world.run()
        with world.limits():
            return final_panes([uncrashed_join(world, source) for source in world.outcomes])
    finally:
        world.close()
