"""Segments, silences and learned models under thousands of seeded schedules; README.md says what is compared.

`pytest tests/simulation/test_full_schedules.py --schedules 20000 --first-seed 5000` runs more, or others.
"""

from typing import Final

import pytest

from tests.simulation.full_oracle import check_full
from tests.simulation.full_world import FullWorld
from tests.simulation.test_schedules import judge_world, spread_out

SCHEDULES: Final = 2_000  # by default


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each block of seeds."""
    spread_out(metafunc, SCHEDULES)


def test_segments_silences_and_learned_models_are_those_of_an_uncrashed_run(first_seed: int, count: int) -> None:
    for seed in range(first_seed, first_seed + count):
        judge_world(FullWorld(seed), run_and_check, "test_full_schedules")


def run_and_check(world: FullWorld) -> None:
    """Chaos, calm, verdict."""
    world.run()
    check_full(world)
