"""What the values of the configuration can be: durations, limits, names, `off`; and what a section is.

A value that its type refuses is refused with the rule and a fix; the sections are in `keys.py` and beside it.
"""

import re
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from stream.config.durations import DURATION_PATTERN, UNITS, format_duration, parse_duration_ms
from stream.config.refusals import Refused

TOPIC_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
SMOOTHING: Final = re.compile(r"half|epsilon:[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?")
LONGEST_APP_NAME: Final = 200  # Kafka's 249 for a topic, less the longest suffix of ours
LONGEST_LATENCY_MS: Final = 3_600_000  # latencies from here on are counted together
ENVELOPE: Final = ("prediction_id", "model", "version", "ts", "score", "value", "scores", "features", "latency_ms",
                   "segment", "status", "role", "request_id")  # fmt: skip
"""The fields of a prediction, as a producer names them (schemas/prediction.schema.json)."""
BELOW: Final = r"(features|segment)\.\S+"  # a single one of theirs
PATH: Final = r"[^.]+(\.[^.]+)*"  # where a message of another shape has a field


def _duration(value: object) -> object:
    return _duration_ms(value, "s", "30s")


def _latency(value: object) -> object:
    """Latencies are short: a number without a unit was meant in milliseconds."""
    return _duration_ms(value, "ms", "250ms")


def _duration_ms(value: object, unit: str, example: str) -> int:
    """The milliseconds; what has no unit is refused with the unit that was probably meant."""
    if not isinstance(value, str):
        raise Refused(f"needs a unit: {UNITS}", fix=f"{value}{unit}" if type(value) is int else example)
    try:
        return parse_duration_ms(value)
    except ValueError as error:
        raise Refused(str(error), fix=f"{value.strip()}{unit}" if value.strip().isdigit() else example) from None


def _not_a_bool(value: object) -> object:
    if isinstance(value, bool):
        raise Refused("must be a number", fix="digits")
    return value


def _topic(name: str) -> str:
    if not TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
        raise Refused(
            "must be a name that Kafka allows: 1 to 249 letters, digits, '.', '_' or '-'",
            fix=re.sub(r"[^a-zA-Z0-9._-]+", "-", name).strip(".-")[:249] or "another name",
        )
    return name


def _app(name: str) -> str:
    if len(name) > LONGEST_APP_NAME:
        raise Refused(f"must be at most {LONGEST_APP_NAME} characters long", fix=name[:20])
    return _topic(name)


def _smoothing(text: str) -> str:
    kind, _, epsilon = text.partition(":")
    if not SMOOTHING.fullmatch(text) or (kind == "epsilon" and not 0 < float(epsilon) < 1):
        raise Refused("must be half, or epsilon: with a number between 0 and 1", fix="half or epsilon:1e-8")
    return text


def _field_names(names: dict[str, str]) -> dict[str, str]:
    for name in names:
        if name not in ENVELOPE and not re.fullmatch(BELOW, name):
            raise Refused(f"{name} is no field of a prediction", fix=f"one of {', '.join(ENVELOPE)}, features.NAME")
    return names


def _paths(paths: dict[str, str]) -> dict[str, str]:
    for name, path in paths.items():
        if not re.fullmatch(PATH, path):
            raise Refused(
                f"the path of {name} ({path!r}) must be keys and list positions with dots between",
                fix="outputs.0.data.0",
            )
    return paths


def off(value: object) -> object:
    """`off`, however the reader of the file understood it, switches a check off."""
    if value is None:
        raise Refused("is empty", fix="off, or a limit")
    return None if value is False or value == "off" else value


def section_or_off(value: object) -> object:
    """A section that may be switched off as a whole; with nothing below it, it has its defaults."""
    return {} if value is None else off(value)


def _sla(sla_ms: int) -> int:
    if not 1 <= sla_ms < LONGEST_LATENCY_MS:
        raise Refused("must be at least 1ms and shorter than 1h", fix="250ms")
    return sla_ms


class OffAllowed:
    """In the JSON Schema `null` stands for the word `off`."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        schema["anyOf"] = [s for s in schema["anyOf"] if s.get("type") != "null"] + [{"enum": ["off", False]}]
        return schema


_IN_WORDS: Final = PlainSerializer(format_duration, return_type=str, when_used="json")
_DURATION_SCHEMA: Final = WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "24h"]})
DurationMs = Annotated[int, BeforeValidator(_duration), _IN_WORDS, _DURATION_SCHEMA]
SlaMs = Annotated[int, BeforeValidator(_latency), AfterValidator(_sla), _IN_WORDS, _DURATION_SCHEMA]
NUMBER: Final = BeforeValidator(_not_a_bool)
Limit = Annotated[
    Annotated[float, Field(gt=0, allow_inf_nan=False), NUMBER] | None,
    BeforeValidator(off),
    OffAllowed(),
]
Topic = Annotated[str, AfterValidator(_topic)]
AppName = Annotated[str, AfterValidator(_app)]
UnknownModels = Literal["dead-letter", "ignore", "learn"]
SmoothingName = Annotated[str, AfterValidator(_smoothing)]
FieldName = Annotated[
    str, WithJsonSchema({"type": "string", "anyOf": [{"enum": list(ENVELOPE)}, {"pattern": f"^{BELOW}$"}]})
]
Path = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^{PATH}$"})]
FieldPaths = Annotated[dict[FieldName, Path], AfterValidator(_field_names), AfterValidator(_paths)]
FieldConstants = Annotated[dict[FieldName, str], AfterValidator(_field_names)]
PANE_MINIMUM_MS: Final = 1_000


def default(value: str) -> Any:
    """A default in the words of the file, read like them."""
    return Field(default=value, validate_default=True)


class Keys(BaseModel):
    """A section of the configuration: frozen, and it knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    may_be_empty: ClassVar[bool] = True  # False: what holds it refuses a section with nothing below it

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, value: object) -> object:
        return {} if value is None else value  # `web:` with nothing below it

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        if cls.may_be_empty:
            handler.resolve_ref_schema(schema)["type"] = ["object", "null"]
        return schema
