"""The keys of the false-alarm budget: how many false alarms, and what share of them each kind of check may spend."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from detectors.budget import DEFAULT_WEIGHTS, EXAMPLE, FalseAlarmBudget
from stream.config.key_types import NUMBER, Keys
from stream.config.refusals import Refused

BUDGET_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s+per\s+[0-9]+(m|h|d)\s*$"

Rule = Literal["budget", "threshold"]


def _budget(text: str) -> str:
    try:
        return str(FalseAlarmBudget.parse(text))
    except ValueError as problem:
        raise Refused(str(problem).partition(", got ")[0].partition("; try ")[0], fix=EXAMPLE) from None


def _as_section(value: object) -> object:
    """`false_alarms: 1 per 30d` is short for the section with nothing but the budget."""
    return {"budget": value} if isinstance(value, str) else value


class _TextAllowed:
    """In the JSON Schema the text alone stands for the section."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "pattern": BUDGET_PATTERN, "examples": [EXAMPLE]}, handler(core)]}


Weight = Annotated[float, Field(gt=0, allow_inf_nan=False), NUMBER]


class WeightKeys(Keys):
    """How the budget is shared out; what a model does not have gives its share to the others."""

    features: Weight = DEFAULT_WEIGHTS["features"]
    score: Weight = DEFAULT_WEIGHTS["score"]
    performance: Weight = DEFAULT_WEIGHTS["performance"]
    latency: Weight = DEFAULT_WEIGHTS["latency"]
    quality: Weight = DEFAULT_WEIGHTS["quality"]


class FalseAlarmKeys(Keys):
    """How many false alarms one model may make, over all of its checks."""

    budget: Annotated[
        str,
        AfterValidator(_budget),
        WithJsonSchema({"type": "string", "pattern": BUDGET_PATTERN, "examples": [EXAMPLE]}),
    ] = EXAMPLE
    weights: WeightKeys = WeightKeys()


FalseAlarmSection = Annotated[FalseAlarmKeys, BeforeValidator(_as_section), _TextAllowed()]
ModelFalseAlarmSection = Annotated[FalseAlarmKeys | None, BeforeValidator(_as_section), _TextAllowed()]
