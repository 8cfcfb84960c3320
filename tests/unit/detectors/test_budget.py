"""The budget: what is written, how it is split, and which ones are refused with a way out."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.budget import DEFAULT_WEIGHTS, FalseAlarmBudget, level_of_rows, shares

MINUTE_MS, DAY_MS = 60_000, 86_400_000


@pytest.mark.parametrize(("text", "alarms", "period_ms"), [
    ("1 per 30d", 1.0, 30 * DAY_MS),
    ("0.5 per 7d", 0.5, 7 * DAY_MS),
    (" 2  per 12h ", 2.0, DAY_MS // 2),
    ("1 per 90m", 1.0, 90 * MINUTE_MS),
])  # fmt: skip
def test_a_budget_is_read_as_it_is_written(text: str, alarms: float, period_ms: int) -> None:
    budget = FalseAlarmBudget.parse(text)
    assert budget == FalseAlarmBudget(alarms, period_ms)
    assert FalseAlarmBudget.parse(str(budget)) == budget


@pytest.mark.parametrize("text", ["", "1", "1 per", "30d", "one per 30d", "-1 per 30d", "1 per 30", "1 per 30w",
                                  "1 in 30d", "nan per 30d", "1e9 per 1d", "1 per 1.5d"])  # fmt: skip
def test_what_is_not_written_so_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("must be written as '1 per 30d'")):
        FalseAlarmBudget.parse(text)


@pytest.mark.parametrize("text", ["0 per 30d", "0.0 per 1d", "1 per 0d"])
def test_a_budget_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="try 1 per 30d"):
        FalseAlarmBudget.parse(text)


def test_levels_of_all_tests_and_evaluations_add_up_to_the_budget() -> None:
    budget = FalseAlarmBudget.parse("1 per 30d")
    evaluations = 30 * DAY_MS // MINUTE_MS
    tests = {"features": 20 * 3, "score": 3, "performance": 1, "latency": 2, "quality": 40}
    spent = sum(
        budget.level(share, MINUTE_MS, tests[kind]) * tests[kind] * evaluations
        for kind, share in shares(DEFAULT_WEIGHTS).items()
    )
    assert spent == pytest.approx(1.0)


def test_what_a_model_does_not_have_gives_its_share_to_the_others() -> None:
    assert shares({"features": 0.5, "score": 0.15, "latency": 0}) == pytest.approx(
        {"features": 0.5 / 0.65, "score": 0.15 / 0.65}
    )


@pytest.mark.parametrize("weights", [{}, {"score": 0}, {"score": -1, "features": 3}, {"score": float("nan")},
                                     {"score": float("inf")}])  # fmt: skip
def test_impossible_weights_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weight"):
        shares(weights)


@pytest.mark.parametrize(("text", "interval_ms", "tests"), [
    ("100 per 1d", DAY_MS, 10),           # ten alarms a test and evaluation
    ("1 per 1m", MINUTE_MS, 1),
    ("1 per 30d", 30 * DAY_MS, 1),        # one evaluation a period: a coin would do
    ("0.000001 per 1000d", 1_000, 1_000),
    ("0.001 per 300d", MINUTE_MS, 10_000_000),
])  # fmt: skip
def test_a_budget_that_cannot_be_met_is_refused_and_the_one_it_names_is_taken(
    text: str, interval_ms: int, tests: int
) -> None:
    budget = FalseAlarmBudget.parse(text)
    with pytest.raises(ValueError, match="; try ") as refusal:
        budget.level(1.0, interval_ms, tests)
    alarms, _, period = str(refusal.value).rpartition("; try ")[2].partition(" per ")
    other = FalseAlarmBudget(float(alarms), FalseAlarmBudget.parse(f"1 per {period}").period_ms)
    assert other.level(1.0, interval_ms, tests) == pytest.approx(0.01 if budget.alarms >= 1 else 1e-12, rel=0.95)


@pytest.mark.parametrize(("share", "interval_ms", "tests"), [(0.0, 1, 1), (1.1, 1, 1), (0.5, 0, 1), (0.5, 1, 0)])
def test_a_level_of_nothing_is_a_mistake_of_the_caller(share: float, interval_ms: int, tests: int) -> None:
    with pytest.raises(ValueError, match="share in"):
        FalseAlarmBudget.parse("1 per 30d").level(share, interval_ms, tests)


@given(st.integers(0, 2_000), st.integers(1, 40))
def test_below_twenty_rows_a_bin_the_level_is_a_quarter(rows: int, bins: int) -> None:
    found = level_of_rows(1e-6, np.array([float(rows)]), np.array([float(bins)]))
    assert found[0] == (0.25e-6 if rows / bins < 20 else 1e-6)
