"""Where settings come from: a YAML file, the environment, the command line; later ones win.

All three become one tree of plain values, with a note of where each leaf that did not come
from the file was read, so that a refusal can name the variable that has to change.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from stream.errors import ABSENT, ConfigError, InputError

ENVIRONMENT_PREFIX: Final = "DRIFTLINE_"
ENVIRONMENT_SEPARATOR: Final = "__"

Tree = dict[str, Any]


@dataclass(frozen=True)
class Sources:
    """The settings as they were given, not yet checked."""

    tree: Tree = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)  # dotted key: variable or option that set it

    def put(self, path: list[str], value: str, origin: str) -> None:
        """Set one leaf; what it replaces is forgotten."""
        at = self.tree
        for step in path[:-1]:
            below = at.get(step)
            at[step] = at = below if isinstance(below, dict) else {}
        at[path[-1]] = value
        self.origins[".".join(path)] = origin

    def origin(self, key: str) -> str | None:
        """The variable or option that set a dotted key, or one below it; None for none."""
        below = (origin for name, origin in self.origins.items() if name.startswith(f"{key}."))
        return self.origins.get(key) or next(below, None)


def read_sources(
    path: Path | None, environment: Mapping[str, str], overrides: Mapping[str, str], sections: Iterable[str]
) -> Sources:
    """One tree of all settings.

    Args:
        path: YAML file, or None for none.
        environment: variables; those that begin with `DRIFTLINE_` and name a key count.
        overrides: dotted key -> text, from the command line.
        sections: the top-level keys; a variable without `__` is ours only if it names one.

    Raises:
        InputError: the file cannot be read or is not YAML.
    """
    sources = Sources(_read_yaml(path) if path else {})
    names = set(sections)
    for variable, value in sorted(environment.items()):
        keys = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split(ENVIRONMENT_SEPARATOR)
        if variable.startswith(ENVIRONMENT_PREFIX) and (len(keys) > 1 or keys[0] in names):
            sources.put(keys, value, variable)
    for key, value in overrides.items():
        sources.put(key.split("."), value, f"--set {key}")
    return sources


def _read_yaml(path: Path) -> Tree:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give a configuration with -c FILE") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    try:
        tree = yaml.load(text, Loader=_PlainLoader)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {_first_line(error)}; mend it there") from error
    except ConfigError as error:
        raise error.located(str(path)) from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise InputError(f"{path} holds no settings; write `key: value` lines, such as `app: driftline`")
    return tree


def _first_line(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    mark = getattr(error, "problem_mark", None)
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(problem)


_GUESSED_AWAY: Final = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")


class _PlainLoader(yaml.SafeLoader):
    """YAML with fewer surprises: names stay as written, and no key may come twice.

    YAML 1.1 reads `off` and `no` as false and `2024-01-01` as a date; a feature may be called `no`.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _GUESSED_AWAY]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _construct_map(loader: _PlainLoader, node: yaml.MappingNode) -> Tree:
    loader.flatten_mapping(node)
    tree: Tree = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)  # as it stands in the file: `1`, `no`, `2024-01-01`
        if key in tree:
            line = key_node.start_mark.line + 1
            raise ConfigError(key, ABSENT, f"is given twice (again in line {line})", fix="giving it once")
        tree[key] = loader.construct_object(value_node, deep=True)
    return tree


_PlainLoader.add_constructor("tag:yaml.org,2002:map", _construct_map)
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
