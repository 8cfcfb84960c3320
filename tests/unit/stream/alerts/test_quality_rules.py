"""What the configuration makes of the rules on data quality."""

from pathlib import Path

from stream.alerts.quality_rules import QUALITY_CHECKS, Limits, QualityRule, quality_rule_of
from stream.config import load_config


def rule(tmp_path: Path, text: str) -> QualityRule | None:
    path = tmp_path / "driftline.yaml"
    path.write_text(f"models: {{m: {{checks: {{quality: {text}}}}}}}", encoding="utf-8")
    return quality_rule_of(load_config(path, environment={}).model("m").checks)


def test_without_a_word_everything_is_checked(tmp_path: Path) -> None:
    assert rule(tmp_path, "{}") == QualityRule()
    assert set(QualityRule().limits) == set(QUALITY_CHECKS)


def test_off_switches_all_of_it_off(tmp_path: Path) -> None:
    assert rule(tmp_path, "off") is None


def test_limits_checks_and_features_are_set_one_by_one(tmp_path: Path) -> None:
    found = rule(
        tmp_path,
        "{missing: {warning: 0.05}, unseen: off, schema: {warning: 0.3}, rule: threshold, min_count: 7, "
        "features: {a: off, b: 'off'}}",
    )
    assert found is not None
    assert found.limits["missing"] == Limits(warning=0.05, critical=0.1)
    assert "unseen" not in found.limits
    assert found.limits["schema"] == Limits(warning=0.3, critical=0.9)
    assert (found.rule, found.min_count, found.off) == ("threshold", 7, frozenset({"a", "b"}))
