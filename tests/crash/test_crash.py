"""A short crash run as a test, on real Kafka: `make crash` is the long one."""

from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.crash.__main__ import spoil_truth
from tests.crash.harness import crash_run
from tests.crash.scenario import Scenario, actions

SHORT = Scenario(events=80_000, models=8, kills=5, stops=1, seed=3, unknown_models="ignore")


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_sums_stay_exact_when_workers_are_killed_and_stopped(broker: Broker, tmp_path: Path) -> None:
    result = await crash_run(SHORT, broker.bootstrap_servers, tmp_path)

    assert result.findings.are_good, "\n".join(result.findings.lines())
    assert result.findings.numbers["alerts"] > 0


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_row_in_another_bin_is_noticed(broker: Broker, tmp_path: Path) -> None:
    """The comparison can fail: one row of 40,000 in another bin is found wherever it is counted."""
    calm = Scenario(events=40_000, models=4, kills=0, stops=0)

    result = await crash_run(calm, broker.bootstrap_servers, tmp_path, spoil=spoil_truth)

    assert {"parts", "counts of a window", "PSI", "uncrashed run: parts"} <= result.findings.problems.keys()
    assert "metrics" not in result.findings.problems  # the sums are what they were


def test_a_scenario_kills_as_often_as_it_says_and_in_every_way() -> None:
    moves = [action.move for action in actions(Scenario(kills=30, stops=5))]

    assert len(set(moves)) == 6
    assert actions(Scenario(seed=5)) == actions(Scenario(seed=5)) != actions(Scenario(seed=6))
