"""The fold under thousands of seeded schedules of everything that can go wrong; README.md says what.

`pytest tests/simulation --schedules 100000 --first-seed 20000` runs more of them, or others.
A seed that fails prints its schedule, decision by decision, and how to run it alone.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import pytest

from tests.simulation.oracle import check
from tests.simulation.recreated import what_becomes_of_a_recreated_input
from tests.simulation.world import World

SCHEDULES: Final = 7_500  # by default
BLOCK: Final = 500  # schedules of one test
RECREATED: Final = 500

W = TypeVar("W", bound=World)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each block of seeds."""
    spread_out(metafunc, SCHEDULES)


def spread_out(metafunc: pytest.Metafunc, schedules: int) -> None:
    """One test for each block of seeds, of so many schedules if nothing is said."""
    if "first_seed" in metafunc.fixturenames:
        first, count = metafunc.config.getoption("first_seed"), metafunc.config.getoption("schedules") or schedules
        metafunc.parametrize("first_seed, count", blocks(first, count))


def blocks(first: int, count: int) -> list[tuple[int, int]]:
    """First seed and number of seeds of each block."""
    return [(at, min(BLOCK, first + count - at)) for at in range(first, first + count, BLOCK)]


def test_every_state_count_report_and_alert_is_that_of_an_uncrashed_run(first_seed: int, count: int) -> None:
    for seed in range(first_seed, first_seed + count):
        judge(seed, run_and_check)


def test_a_recreated_input_is_refused_and_one_that_retention_has_cut_is_not() -> None:
    for seed in range(RECREATED):
        judge(seed, what_becomes_of_a_recreated_input)


def test_a_seed_makes_the_same_schedule_every_time() -> None:
    worlds = [World(7), World(7), World(8)]
    for world in worlds:
        world.run()
        world.close()
    assert worlds[0].schedule == worlds[1].schedule != worlds[2].schedule


def run_and_check(world: World) -> None:
    """Chaos, calm, verdict."""
    world.run()
    check(world)


def judge(seed: int, trial: Callable[[World], None]) -> None:
    """Run one seed; a failure shows its schedule."""
    judge_world(World(seed), trial, "test_schedules")


def judge_world(world: W, trial: Callable[[W], None], module: str) -> None:
    """Run one world; a failure shows its schedule."""
    seed = world.seed
    try:
        trial(world)
    except Exception as error:
        numbered = "\n".join(f"{n:5} {decision}" for n, decision in enumerate(world.schedule))
        pytest.fail(
            f"{world.shape}\n{numbered}\nseed {seed}: {type(error).__name__}: {error}\n"
            f"alone: pytest tests/simulation/{module}.py --first-seed {seed} --schedules 1",
            pytrace=not isinstance(error, AssertionError),
        )
    finally:
        world.close()
