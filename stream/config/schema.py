"""The configuration's JSON Schema (2020-12), for editors: `python -m stream.config.schema`."""

import json
from typing import Any

from stream.config import Config


def config_schema() -> dict[str, Any]:
    """The schema of the YAML file; what it cannot say (rules of several keys) `driftline check` says."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Driftline configuration"}
    keys: dict[str, Any] = _without_noise(Config.model_json_schema(mode="validation"))
    return head | keys


def _without_noise(schema: Any) -> Any:
    """Without the titles that repeat each key's name, and without defaults that say nothing."""
    if isinstance(schema, list):
        return [_without_noise(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    names = {k: v for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
    if names.get("default", 0) is None or isinstance(names.get("default"), dict):
        del names["default"]
    return {name: _without_noise(value) for name, value in names.items()}


if __name__ == "__main__":
    print(json.dumps(config_schema(), indent=2))
