"""Which limits count for which subject."""

from detectors import Threshold, Verdict
from stream.alerts.rules import (
    NEVER,
    LatencyRule,
    PerformanceRules,
    Rules,
    WorseRule,
    latency_rule_of,
    performance_rules_of,
)
from stream.config import CheckKeys

DEFAULT = Threshold(warning=0.1, critical=0.25, min_count=200)
WIND = Threshold(warning=0.1, critical=0.5, min_count=200)


def test_a_subject_has_its_own_limits_or_the_default() -> None:
    rules = Rules(default=DEFAULT, subjects={"wind_speed": WIND, "note": NEVER})
    assert rules.limits("wind_speed") is WIND
    assert rules.limits("note") is NEVER
    assert rules.limits("distance") is DEFAULT


def test_what_is_switched_off_never_breaches() -> None:
    assert NEVER.judge(1e9, 10) is Verdict.OK


def test_the_defaults_of_the_configuration_are_those_of_the_rules() -> None:
    assert performance_rules_of(CheckKeys()) == PerformanceRules()


def test_a_check_of_labels_is_configured_or_off() -> None:
    keys = CheckKeys.model_validate({"auc": {"tolerance": 0.1, "min_samples": 50, "level": 0.01}, "brier": "off"})
    rules = performance_rules_of(keys)
    assert rules.auc == WorseRule(tolerance=0.1, min_samples=50, level=0.01)
    assert rules.brier is None
    assert rules.mae == WorseRule(tolerance=0.1)


def test_latency_is_not_checked_unless_somebody_says_what_is_promised() -> None:
    assert latency_rule_of(CheckKeys()) is None
    assert latency_rule_of(CheckKeys.model_validate({"latency": "off"})) is None
    assert latency_rule_of(CheckKeys.model_validate({"latency": {"sla": "250ms"}})) == LatencyRule()
