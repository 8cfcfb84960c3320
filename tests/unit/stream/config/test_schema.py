"""The JSON Schema for editors is the one that the code makes, and it accepts what the code accepts."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from stream.config.schema import config_schema
from tests.unit.stream.config.test_load import CONTRACT

COMMITTED = Path(__file__).parents[4] / "schemas" / "config.schema.json"


def test_the_committed_schema_is_up_to_date() -> None:
    """Made by `make golden`."""
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == config_schema()


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(config_schema())


@pytest.mark.parametrize(
    "text",
    [
        CONTRACT,
        "{}",
        "kafka: {bootstrap_servers: ['a:1']}",
        "labels: off",
        "labels: {ttl: 7d, sample: 0.1}",
        "models: {m: {labels: off, checks: {auc: off, mae: {tolerance: 2}}}}",
        "models: {m: {checks: {quality: off}}, n: {checks: {quality: {stuck: off, features: {note: off}}}}}",
        "models: {m: {checks: {latency: off}}, n: {checks: {latency: {sla: 250ms, rule: threshold}}}}",
    ],
)
def test_what_may_be_written_fits_the_schema(text: str) -> None:
    jsonschema.validate(yaml.safe_load(text), config_schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "text",
    [
        "web: {port: 70000}",
        "windows: {pane: 30}",
        "modls: {}",
        "unknown_models: guess",
        "learning: {rows: 10}",
        "limits: {max_panes: 0}",
        "labels: {sample: 0}",
        "models: {m: {checks: {auc: {level: 0.5}}}}",
        "models: {m: {checks: {latency: {quantile: 0.99}}}}",
    ],
)
def test_an_editor_marks_what_would_be_refused(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), config_schema(), cls=jsonschema.Draft202012Validator)
