"""`checks.errors`: off unless it is there, and what it decides in counting and in judging."""

from pathlib import Path

import pytest

from stream.alerts.error_rule import ErrorRule, error_rule_of
from stream.config import Config, load_config


def config_of(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "driftline.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environment={})


@pytest.mark.parametrize(
    ("section", "rule"),
    [
        ("{}", None),
        ("{errors: off}", None),
        ("{errors: }", ErrorRule()),  # with nothing below it, it has its defaults
        ("{errors: {critical: 0.5, min_count: 9, level: 0.001}}", ErrorRule(critical=0.5, min_count=9, level=0.001)),
        ("{errors: {rule: threshold}}", ErrorRule(rule="threshold")),
    ],
)
def test_the_section_becomes_a_rule(tmp_path: Path, section: str, rule: ErrorRule | None) -> None:
    model = config_of(tmp_path, f"models: {{m: {{checks: {section}}}}}").model("m")
    assert error_rule_of(model.checks, model.rule) == rule


def test_the_rule_of_the_model_is_taken_where_the_check_has_none(tmp_path: Path) -> None:
    model = config_of(tmp_path, "models: {m: {rule: threshold, checks: {errors: {}}}}").model("m")
    found = error_rule_of(model.checks, model.rule)
    assert found is not None
    assert (found.rule, found.tested) == ("threshold", False)
