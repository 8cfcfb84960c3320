"""The keys below `models.NAME.checks.quality`: how much worse a feature's data may become."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from stream.config.key_types import NUMBER, Keys, OffAllowed, section_or_off
from stream.config.refusals import Refused

Share = Annotated[float, Field(gt=0, le=1), NUMBER]


class RiseKeys(Keys):
    """By how much the share of the rows may exceed the baseline's."""

    warning: Share = 0.01
    critical: Share = 0.1

    @model_validator(mode="after")
    def _ordered(self) -> "RiseKeys":
        if self.warning > self.critical:
            raise Refused(
                f"must have a warning limit ({self.warning:g}) of at most the critical one ({self.critical:g})",
                fix=f"{{warning: {self.critical:g}, critical: {self.warning:g}}}",
            )
        return self


class StuckKeys(RiseKeys):
    """Which share of the values may lie in one bin, if the baseline's do not."""

    warning: Share = 0.99
    critical: Share = 1.0


class CardinalityKeys(RiseKeys):
    """Which share of the different values that a window should have may be gone."""

    warning: Share = 0.5
    critical: Share = 0.75


class SchemaKeys(RiseKeys):
    """Which share of the rows may have lost a feature; a name that is new in so many (`warning`) is told, too."""

    warning: Share = 0.5
    critical: Share = 0.9


class ThroughputKeys(RiseKeys):
    """Which share of the rows of a healthy window may be gone; on unless it is `off`."""

    warning: Share = 0.5
    critical: Share = 0.9
    level: Annotated[float, Field(gt=0, lt=0.5), NUMBER] | None = None  # of the test; None: as the budget says
    rule: Literal["budget", "threshold"] | None = None  # None: the model's; threshold: the limits alone


class ErrorKeys(RiseKeys):
    """Which share of the answers may have a `status` other than `ok`; without the section they are not counted."""

    warning: Share = 0.01
    critical: Share = 0.05
    min_count: Annotated[int, Field(ge=1), NUMBER] = 50  # answers in the window; with fewer it does not judge
    level: Annotated[float, Field(gt=0, lt=0.5), NUMBER] | None = None  # of the test; None: as the budget says
    rule: Literal["budget", "threshold"] | None = None  # None: the model's; threshold: the limits alone


class MoveKeys(RiseKeys):
    """By how much a mean over the answers of a binary model may move, up or down."""

    warning: Share = 0.05
    critical: Share = 0.15


Move = Annotated[MoveKeys | None, BeforeValidator(section_or_off), OffAllowed()]
Rise = Annotated[RiseKeys | None, BeforeValidator(section_or_off), OffAllowed()]


def _only_off(value: object) -> object:
    if value is False or value == "off":  # however the reader of the file understood it
        return "off"
    raise Refused("a feature can be switched off, and nothing else", fix="off")


Unwatched = Annotated[Literal["off"], BeforeValidator(_only_off), WithJsonSchema({"enum": ["off", False]})]


class QualityKeys(Keys):
    """Data quality, feature by feature, against the baseline; on unless it is `off`."""

    missing: Rise = RiseKeys()
    invalid: Rise = RiseKeys()  # of a wrong type, or not finite
    out_of_range: Rise = RiseKeys()  # beyond the baseline's smallest and largest value
    unseen: Rise = RiseKeys()  # categories that the baseline has not
    stuck: Annotated[StuckKeys | None, BeforeValidator(section_or_off), OffAllowed()] = StuckKeys()
    cardinality: Annotated[CardinalityKeys | None, BeforeValidator(section_or_off), OffAllowed()] = CardinalityKeys()
    positive_share: Move = MoveKeys()
    confidence: Move = MoveKeys()
    entropy: Move = MoveKeys()  # in nats
    class_share: Move = MoveKeys()  # of a multiclass model, of each class
    feature_names: Annotated[SchemaKeys | None, BeforeValidator(section_or_off), OffAllowed()] = Field(
        default=SchemaKeys(), alias="schema"
    )
    min_count: Annotated[int, Field(ge=1), NUMBER] = 50  # rows in the window; with fewer it does not judge
    level: Annotated[float, Field(gt=0, lt=0.5), NUMBER] | None = None  # of one test; None: as the budget says
    rule: Literal["budget", "threshold"] | None = None  # None: the model's; threshold: the limits alone
    features: dict[str, Unwatched] = Field(default_factory=dict)
