"""How a model's budget is shared out."""

import pytest

from detectors.budget import FalseAlarmBudget
from stream.alerts.budget_plan import KINDS, BudgetPlan

MINUTE, DAY = 60_000, 86_400_000
PER_MONTH = 30 * DAY // MINUTE  # evaluations


def test_all_tests_of_a_period_spend_the_budget_and_no_more() -> None:
    tests = {"features": 20, "score": 1, "performance": 2, "latency": 1, "quality": 60}
    levels = BudgetPlan().levels(tests, MINUTE)
    assert set(levels) == set(KINDS)
    assert sum(levels[kind] * tests[kind] for kind in tests) * PER_MONTH == pytest.approx(1.0)
    assert levels["features"] * 20 == pytest.approx(0.5 / PER_MONTH)
    assert levels["latency"] == pytest.approx(0.1 / PER_MONTH)


def test_what_a_model_does_not_have_gives_its_share_to_the_rest() -> None:
    levels = BudgetPlan().levels({"features": 4, "score": 1, "latency": 0}, MINUTE)
    assert set(levels) == {"features", "score"}
    assert levels["features"] == pytest.approx(0.5 / 0.65 / 4 / PER_MONTH)
    assert levels["score"] == pytest.approx(0.15 / 0.65 / PER_MONTH)
    assert BudgetPlan().levels({"features": 0}, MINUTE) == {}


def test_weights_and_budget_are_the_users() -> None:
    plan = BudgetPlan(budget=FalseAlarmBudget.parse("3 per 7d"), weights={"features": 1, "score": 3})
    levels = plan.levels({"features": 2, "score": 1}, 3_600_000)
    assert levels == {"features": pytest.approx(3 / 4 / 168 / 2), "score": 0.01}  # 3 * 3/4 / 168 = 0.0134 is capped


def test_a_budget_that_is_no_evidence_is_refused_with_one_that_would_do() -> None:
    generous = BudgetPlan(budget=FalseAlarmBudget.parse("100 per 1h"))
    with pytest.raises(ValueError, match=r"for features, 100 per 1h is a chance of .* no evidence .* try 0\.6 per 1h"):
        generous.refuse({"features": 1}, MINUTE)
    assert generous.levels({"features": 1}, MINUTE) == {"features": 0.01}


def test_a_budget_that_no_data_can_meet_is_refused() -> None:
    strict = BudgetPlan(budget=FalseAlarmBudget.parse("0.0000001 per 365d"))
    with pytest.raises(ValueError, match=r"for score, .* which no data can show .* try "):
        strict.refuse({"score": 1}, MINUTE)
    BudgetPlan().refuse({"features": 500, "score": 1, "performance": 2, "latency": 1}, MINUTE)


def test_what_is_not_refused_when_it_cannot_be_known_is_not_used_up() -> None:
    generous = BudgetPlan(budget=FalseAlarmBudget.parse("100 per 1h"))
    assert generous.levels({"features": 1}, MINUTE) == {"features": 0.01}
