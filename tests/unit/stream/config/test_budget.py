"""The false-alarm budget and the kind of rule, as the file gives them."""

from pathlib import Path

import pytest

from detectors import Threshold
from detectors.budget import DEFAULT_WEIGHTS
from stream.alerts.rules import BUDGET, THRESHOLD, budget_of, latency_rule_of, performance_rules_of, rules_of
from stream.config import Config, ModelConfig, load_config
from stream.errors import ConfigError


def load(tmp_path: Path, text: str = "") -> Config:
    path = tmp_path / "driftline.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environment={})


def model(tmp_path: Path, text: str, name: str = "m") -> ModelConfig:
    return load(tmp_path, text).model(name)


def test_one_a_month_is_the_default(tmp_path: Path) -> None:
    of = model(tmp_path, "")
    assert (of.rule, of.false_alarms.budget) == (BUDGET, "1 per 30d")
    assert dict(budget_of(of.false_alarms).weights) == dict(DEFAULT_WEIGHTS)
    assert rules_of(of.checks.psi, of.rule).rule == BUDGET


@pytest.mark.parametrize("text", [
    "models: {m: {false_alarms: 2 per 7d}}",
    "models: {m: {false_alarms: {budget: '2  per 7d'}}}",
    "false_alarms: 2 per 7d",
    "{false_alarms: {weights: {score: 1}}, models: {m: {false_alarms: 2 per 7d}}}",
])  # fmt: skip
def test_a_budget_is_a_text_or_a_section_of_one_model_or_of_all(tmp_path: Path, text: str) -> None:
    plan = budget_of(model(tmp_path, text).false_alarms)
    assert (plan.budget.alarms, plan.budget.period_ms) == (2, 7 * 86_400_000)


@pytest.mark.parametrize(("text", "key"), [
    ("", None),
    ("false_alarms: {weights: {score: 1}}", None),
    ("false_alarms: 1 per 30d", "false_alarms.budget"),
    ("{false_alarms: 1 per 30d, models: {m: {false_alarms: {weights: {score: 1}}}}}", "false_alarms.budget"),
    ("models: {m: {false_alarms: 2 per 7d}}", "models.m.false_alarms.budget"),
])  # fmt: skip
def test_which_key_gives_the_budget_is_known(tmp_path: Path, text: str, key: str | None) -> None:
    assert model(tmp_path, text).budget_key == key


def test_weights_are_of_one_model_or_of_all(tmp_path: Path) -> None:
    text = "{false_alarms: {weights: {score: 1}}, models: {m: {false_alarms: 2 per 7d}, n: {false_alarms: {weights: {latency: 3}}}}}"  # noqa: E501  # one document
    config = load(tmp_path, text)
    of_m, of_n = (budget_of(config.model(name).false_alarms).weights for name in "mn")
    assert (of_m["score"], of_m["features"]) == (1, DEFAULT_WEIGHTS["features"])
    assert (of_n["score"], of_n["latency"]) == (DEFAULT_WEIGHTS["score"], 3)


def test_a_rule_is_of_all_of_a_model_or_of_a_check(tmp_path: Path) -> None:
    text = """
rule: threshold
models:
  m: {checks: {latency: {sla: 1s}, auc: {rule: budget}}}
  n: {rule: budget, checks: {psi: {rule: threshold}, latency: {sla: 1s, rule: threshold, level: 0.01}}}
"""
    config = load(tmp_path, text)
    m, n = config.model("m"), config.model("n")
    assert (rules_of(m.checks.psi, m.rule).rule, rules_of(n.checks.psi, n.rule).rule) == (THRESHOLD, THRESHOLD)
    latency = [latency_rule_of(of.checks, of.rule) for of in (m, n)]
    assert [one and (one.rule, one.level) for one in latency] == [(THRESHOLD, None), (THRESHOLD, 0.01)]
    labels = [performance_rules_of(of.checks, of.rule) for of in (m, n)]
    assert [one.auc and one.auc.rule for one in labels] == [BUDGET, BUDGET]
    assert [one.brier and one.brier.rule for one in labels] == [THRESHOLD, BUDGET]


def test_the_plain_rule_tells_of_a_small_effect_only_if_the_file_says_so(tmp_path: Path) -> None:
    plain = model(tmp_path, "rule: threshold").checks.psi
    assert rules_of(plain, THRESHOLD).default == Threshold(warning=0.1, critical=0.25, min_count=200)
    assert rules_of(plain, BUDGET).default.notice == 0.02
    said = model(tmp_path, "models: {m: {rule: threshold, checks: {psi: {notice: 0.05}}}}").checks.psi
    assert rules_of(said, THRESHOLD).default.notice == 0.05
    one = model(tmp_path, "models: {m: {checks: {psi: {features: {f: {notice: 0.07}}}}}}").checks.psi
    assert rules_of(one, THRESHOLD).limits("f").notice == 0.07
    assert rules_of(one, THRESHOLD).limits("g").notice is None


def test_the_default_notice_gives_way_to_lower_limits(tmp_path: Path) -> None:
    psi = model(tmp_path, "models: {m: {checks: {psi: {warning: 0.01, features: {f: {notice: off}}}}}}").checks.psi
    assert psi.default_limits.notice == 0.01
    limits = psi.limits_of("f")
    assert limits is not None
    assert limits.notice is None


@pytest.mark.parametrize(("text", "key", "says"), [
    ("false_alarms: often", "false_alarms.budget", "= 'often': a false-alarm budget must be written as '1 per 30d'"),
    ("false_alarms: 0 per 30d", "false_alarms.budget", "a budget must allow more than 0 alarms; try 1 per 30d"),
    ("models: {m: {false_alarms: {weights: {score: 0}}}}", "models.m.false_alarms.weights.score", "greater than 0"),
    ("models: {m: {false_alarms: {weights: {scores: 1}}}}", "models.m.false_alarms.weights.scores", "try score"),
    ("models: {m: {rule: strict}}", "models.m.rule", "must be one of budget, threshold"),
    ("models: {m: {checks: {psi: {notice: 0.2}}}}", "models.m.checks.psi.warning", "at least the notice limit (0.2)"),
    ("models: {m: {checks: {psi: {features: {f: {notice: 0.3, warning: off}}}}}}",
     "models.m.checks.psi.features.f.critical", "= 0.25: must be at least the notice limit (0.3)"),
    ("false_alarms: 1 per 1m", "false_alarms.budget", "= '1 per 1m': allows a false alarm at every evaluation"),
    ("{windows: {pane: 1h}, models: {m: {false_alarms: 24 per 1d}}}", "models.m.false_alarms.budget", "of 1h: that"),
    ("models: {m: {windows: {pane: 1h}, false_alarms: 25 per 1d}}", "models.m.false_alarms.budget", "try 1 per 30d"),
    ("false_alarms: 0.00000001 per 365d", "false_alarms.budget", "cannot be met with panes of 1m: no data can show"),
])  # fmt: skip
def test_a_budget_that_cannot_be_used_is_refused(tmp_path: Path, text: str, key: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    assert refused.value.key == key
    assert says in str(refused.value)


def test_a_budget_that_one_test_could_meet_is_taken(tmp_path: Path) -> None:
    """How many tests there will be, a baseline says; a generous budget is not used up then."""
    assert load(tmp_path, "{false_alarms: 23 per 1d, windows: {pane: 1h}}").false_alarms.budget == "23 per 1d"
    assert load(tmp_path, "{false_alarms: 1 per 365d, windows: {pane: 1s, length: 1m}}").false_alarms.budget
