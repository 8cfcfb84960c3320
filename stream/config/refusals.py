"""What pydantic refuses, said in the configuration's own words: key, value, rule, fix."""

import difflib
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stream.errors import ABSENT, ConfigError

MASK: Final = "**********"
SECRET_KEYS: Final = frozenset({"sasl_password"})


class Refused(ValueError):
    """A rule of one key, broken: raised by the validators of the keys, which do not know the key's path."""

    def __init__(self, rule: str, *, fix: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.fix = fix


def refusals(error: ValidationError, keys: type[BaseModel], other_names: Mapping[str, str]) -> list[ConfigError]:
    """One ConfigError per key that pydantic refused, in the order of the file.

    Args:
        error: what pydantic raised.
        keys: the class of the whole configuration, to look up the names that exist.
        other_names: names that people use for a key -> what is written instead.
    """
    return [_refusal(details, keys, other_names) for details in error.errors(include_url=False)]


def closest(word: str, words: Iterable[str]) -> str | None:
    """The word that was probably meant.

    >>> closest("bootstrap_server", ["bootstrap_servers", "sasl_username"])
    'bootstrap_servers'
    """
    return next(iter(difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)), None)


def _refusal(details: ErrorDetails, keys: type[BaseModel], other_names: Mapping[str, str]) -> ConfigError:
    path = [str(step) for step in details["loc"] if step != "[key]"]
    key = ".".join(path) or "the configuration"
    if details["type"] == "extra_forbidden":
        return _unknown_key(path, keys, other_names)
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, Refused):
        return ConfigError(key, _shown(path, details["input"]), cause.rule, fix=cause.fix)
    rule, fix = _rule_and_fix(details)
    return ConfigError(key, _shown(path, details["input"]), rule, fix=fix)


def _unknown_key(path: list[str], keys: type[BaseModel], other_names: Mapping[str, str]) -> ConfigError:
    # The value is not shown: a misspelt password key would print the password.
    key = ".".join(path)
    if path[-1] in other_names:
        return ConfigError(key, ABSENT, "there is no such key", fix=other_names[path[-1]])
    known = sorted(_keys_at(keys, path[:-1]))
    meant = closest(path[-1], known)
    return ConfigError(key, ABSENT, "there is no such key", fix=meant or f"one of {', '.join(known)}")


def _keys_at(keys: type[BaseModel], path: list[str]) -> list[str]:
    """Names that exist below `path`."""
    at: Any = keys
    for step in path:
        section = _section(at)
        is_chosen = not section or typing.get_origin(at) is dict  # by the user: a model's name, a feature's
        at = section if is_chosen else _fields(section).get(step)
    section = _section(at)
    return list(_fields(section)) if section else []


def _fields(section: type[BaseModel]) -> dict[str, Any]:
    """What stands below each key of a section, by the key as a file has it."""
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}


def _section(annotation: Any) -> Any:
    """The class of keys behind an annotation: of `X | None`, `dict[str, X]`, or X itself."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    candidates = (_section(inner) for inner in typing.get_args(annotation))
    return next((c for c in candidates if c is not None), None)


def _shown(path: list[str], value: object) -> object:
    if path and path[-1] in SECRET_KEYS:
        return MASK
    return ABSENT if isinstance(value, dict | list) else value


def _rule_and_fix(details: ErrorDetails) -> tuple[str, str]:
    kind, context = details["type"], details.get("ctx", {})
    wording = WORDINGS.get(kind) or WORDINGS.get(kind.removesuffix("_parsing").removesuffix("_type"))
    return wording(details["input"], context) if wording else ("this value cannot be used here", "the documented form")


Wording = Callable[[Any, dict[str, Any]], tuple[str, str]]


def _choice(value: Any, context: dict[str, Any]) -> tuple[str, str]:
    expected = context["expected"].replace(" or ", ", ").replace("'", "")
    return f"must be one of {expected}", closest(str(value), expected.split(", ")) or expected.split(", ")[0]


def _limit(words: str, name: str) -> Wording:
    return lambda _, context: (f"must be {words} {context[name]}", _inside(words, context[name]))


def _inside(words: str, bound: float) -> str:
    return f"{bound}" if words.startswith("at ") else f"a number {words} {bound}"


WORDINGS: Final[dict[str, Wording]] = {
    "string": lambda value, _: ("must be text", "the same in quotes" if _is_scalar(value) else "text"),
    "int": lambda _v, _c: ("must be a whole number", "digits only"),
    "int_from_float": lambda value, _: ("must be a whole number", f"{round(value)}"),
    "float": lambda _v, _c: ("must be a number", "a number such as 0.25"),
    "finite_number": lambda _v, _c: ("must be a finite number", "a number such as 0.25"),
    "bool": lambda _v, _c: ("must be true or false", "true or false"),
    "model": lambda _v, _c: ("must be a section with keys of its own", "`key: value` lines below it"),
    "dict": lambda _v, _c: ("must be a section with keys of its own", "`key: value` lines below it"),
    "literal_error": _choice,
    "enum": _choice,
    "greater_than_equal": _limit("at least", "ge"),
    "greater_than": _limit("greater than", "gt"),
    "less_than_equal": _limit("at most", "le"),
    "less_than": _limit("less than", "lt"),
}
"""Kind of refusal (pydantic's name, without `_type` and `_parsing`): rule and fix in our words."""


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list | type(None))
