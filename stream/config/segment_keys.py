"""The keys below `models.NAME.segments`: the parts of a model's traffic that are watched beside the whole."""

from typing import Annotated, Final

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from stream.config.key_types import NUMBER, Keys
from stream.config.refusals import Refused

OTHER: Final = "other"  # every value that has no segment of its own
MOST_VALUES: Final = 100  # of one key
LONGEST: Final = 200  # characters of a key or a value: they are part of keys of topics and labels of metrics
VALUES_SCHEMA: Final = {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1,
                        "maxItems": MOST_VALUES, "uniqueItems": True}  # fmt: skip
EXAMPLE: Final = "{values: [a, b]}, or {top: 10}"


def _value(value: object) -> str:
    """One value as its text, as the messages' numbers and booleans are read."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    if not isinstance(value, str | int | float):
        raise Refused("must hold texts or numbers", fix="a text for each value")
    text = str(value)
    if not 0 < len(text) <= LONGEST or not text.isprintable():
        raise Refused(f"must hold texts of 1 to {LONGEST} printable characters", fix="without it: it counts as other")
    if text == OTHER:
        raise Refused(f"must not hold {OTHER!r}: that is every value without a segment of its own", fix="without it")
    return text


def _values(values: object) -> object:
    if not isinstance(values, list | tuple) or not values:
        raise Refused("must be a list of at least one value", fix="[a, b]")
    texts = tuple(map(_value, values))
    twice = sorted({text for text in texts if texts.count(text) > 1})
    if twice:
        raise Refused(f"holds {twice[0]!r} twice", fix="each value once")
    if len(texts) > MOST_VALUES:
        raise Refused(
            f"holds {len(texts)} values, more than {MOST_VALUES}", fix="those that matter: others count together"
        )
    return texts


class SegmentKeys(Keys):
    """Which values of one key have a segment of their own: one of the two is given."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["values"]}, {"required": ["top"]}]})

    values: Annotated[tuple[str, ...], BeforeValidator(_values), WithJsonSchema(VALUES_SCHEMA)] = ()  # these
    top: Annotated[int, Field(ge=1, le=MOST_VALUES), NUMBER] = 0  # so many of the most frequent ones in the baseline

    @model_validator(mode="before")
    @classmethod
    def _one_of_the_two(cls, section: object) -> object:
        given = section or {}
        if isinstance(given, dict) and ("values" in given) == ("top" in given):
            raise Refused("needs one of `values` and `top`", fix=EXAMPLE)
        return section

    @property
    def most(self) -> int:
        """How many segments it makes at most, `other` included.

        >>> SegmentKeys(top=10).most, SegmentKeys(values=("EWR", "JFK")).most
        (11, 3)
        """
        return (self.top or len(self.values)) + 1


def _names(sections: object) -> object:
    for name in sections if isinstance(sections, dict) else ():
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST or not name.isprintable() or "=" in name:
            raise Refused(
                f"the key {str(name)[:20]!r} must have 1 to {LONGEST} printable characters and no '='",
                fix="a field of the messages' `segment`, or a categorical feature",
            )
    return sections


SegmentSections = Annotated[dict[str, SegmentKeys], BeforeValidator(_names)]
