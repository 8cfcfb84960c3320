"""A short crash run as a test, on real Kafka: `make crash` is the long one."""

from collections import Counter
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.crash.__main__ import spoil_truth
from tests.crash.harness import crash_run
from tests.crash.join_truth import RETRACTED, Prediction, Said, settle
from tests.crash.scenario import Scenario, actions
from tests.crash.traffic import Traffic

SHORT = Scenario(events=80_000, models=8, kills=4, stops=1, seed=3)

PREDICTION_FATES = ("joined", "waiting", "expired", "duplicates")
LABEL_FATES = ("inline", "waiting_labels", "duplicate_labels", "revised", "retracted", "orphans")


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_sums_stay_exact_when_workers_are_killed_and_stopped(broker: Broker, tmp_path: Path) -> None:
    result = await crash_run(SHORT, broker.bootstrap_servers, tmp_path)

    assert result.findings.are_good, "\n".join(result.findings.lines())
    numbers = result.findings.numbers
    assert numbers["alerts"] > 0
    assert numbers["alerts on errors"] > 0
    assert numbers["single slow answers told"] > 0
    assert numbers["performance alerts"] > 0
    assert numbers["performance revisions"] > 0  # labels did correct windows that had been reported
    assert numbers["alerts of segments"] > 0
    assert numbers["verdicts by the budget: critical"] > 0
    assert numbers["complete windows of the learned model"] > 0


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_row_in_another_bin_and_a_label_turned_round_are_noticed(broker: Broker, tmp_path: Path) -> None:
    """The comparison can fail: one row of 20,000, and one label, is found wherever it is counted."""
    calm = Scenario(events=20_000, models=4, kills=0, stops=0, unknown_models="ignore")

    result = await crash_run(calm, broker.bootstrap_servers, tmp_path, spoil=spoil_truth)

    problems = result.findings.problems.keys()
    assert {"parts", "counts of a window", "PSI", "uncrashed run: parts"} <= problems
    assert {"latency of a window", "errors of a window", "metrics of answers"} <= problems
    assert {"slow and failed answers at every @", "single slow answers not told"} <= problems
    assert {"panes of pairs", "positives of a window", "AUC", "uncrashed run: panes of pairs"} <= problems
    assert not {"metrics", "fates in the last ledger of joins"} & problems  # the sums are what they were


def test_the_truth_of_labels_balances_and_knows_every_fate() -> None:
    traffic = Traffic(Scenario(events=40_000, models=8))
    for _ in traffic.slices():
        pass

    found = sum(traffic.joins.settled(traffic.truth.watermark_ms()).ledgers, start=Counter[str]())

    assert min(found[fate] for fate in (*PREDICTION_FATES, *LABEL_FATES)) > 0
    assert found["predictions"] == sum(found[fate] for fate in PREDICTION_FATES)
    assert found["labels"] == found["joined"] + sum(found[fate] for fate in LABEL_FATES)


def test_a_label_counts_as_the_rules_say_in_whatever_order_it_came() -> None:
    prediction, late = [Prediction(100, 0, 3)], 10_000
    said = {
        "newest": [Said(101, 0), Said(104, 1)],
        "after a while": [Said(101, 0), Said(120, 1)],
        "of one time": [Said(101, 1), Said(101, 0)],
        "taken back": [Said(101, 0), Said(103, RETRACTED), Said(120, 1)],
        "out of its time": [Said(79, 0), Said(121, 0), Said(120, 1)],
    }

    for what, labels in said.items():
        found = settle(prediction, labels, late).label
        assert found is not None, what
        assert found.value == 1, what
        assert settle(prediction, labels[::-1], late).label == found, what
    assert settle(prediction, [Said(101, 1), Said(103, RETRACTED)], late).label is None


def test_a_scenario_kills_as_often_as_it_says_and_in_every_way() -> None:
    moves = [action.move for action in actions(Scenario(kills=30, stops=5))]

    assert len(set(moves)) == 6
    assert actions(Scenario(seed=5)) == actions(Scenario(seed=5)) != actions(Scenario(seed=6))
