"""The JSON Schema for editors is the one that the code makes, and it accepts what the code accepts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stream.config import load_config
from stream.config.schema import config_schema
from stream.errors import ConfigError
from tests.unit.stream.config.test_load import CONTRACT

SCHEMA = config_schema()
COMMITTED = Path(__file__).parents[4] / "schemas" / "config.schema.json"


def test_the_committed_schema_is_up_to_date() -> None:
    """Made by `make golden`."""
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == SCHEMA


def loads(text: str, tmp_path: Path) -> bool:
    """Whether the service would start with it."""
    path = tmp_path / "driftline.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_config(path, environment={})
    except ConfigError:
        return False
    return True


def keys_below(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every key of the schema; what the user names is `score`, which may stand anywhere."""
    if "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    below = dict(node.get("properties", {}))
    if isinstance(named := node.get("additionalProperties"), dict):
        below["score"] = named
    for key, value in below.items():
        yield (*path, key)
        yield from keys_below(value, (*path, key))
    for alternative in node.get("anyOf", ()):
        yield from keys_below(alternative, path)


@pytest.mark.parametrize("path", sorted(set(keys_below(SCHEMA))), ids=".".join)
def test_a_key_with_nothing_behind_it_is_taken_by_both_or_by_neither(path: tuple[str, ...], tmp_path: Path) -> None:
    text = "".join(f"{{{key}: " for key in path) + "}" * len(path)
    fits = jsonschema.Draft202012Validator(SCHEMA).is_valid(yaml.safe_load(text))
    assert fits == loads(text, tmp_path)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


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
        "models: {m: {checks: {latency: {sla: 250ms, hard_limit: off}}}}",
        "models: {m: {checks: {errors: }}, n: }",
        "fields: {score: out.0, features.a: in.0, segment.origin: from}\nconstants: {model: m}",
    ],
)
def test_what_may_be_written_fits_the_schema(text: str, tmp_path: Path) -> None:
    assert loads(text, tmp_path)
    jsonschema.validate(yaml.safe_load(text), SCHEMA, cls=jsonschema.Draft202012Validator)


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
        "fields: {nope: x}",
        "fields: {score: ''}",
        "fields: {score: out..0}",
        "constants: {nope: x}",
        "models: {m: {checks: {latency: }}}",
        "models: {m: {checks: {psi: {features: {f: }}}}}",
    ],
)
def test_an_editor_marks_what_would_be_refused(text: str, tmp_path: Path) -> None:
    assert not loads(text, tmp_path)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), SCHEMA, cls=jsonschema.Draft202012Validator)
