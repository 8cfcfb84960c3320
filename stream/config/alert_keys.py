"""The keys below `alerts`: how long things must last before an alert moves, and when many become one."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from stream.config.key_types import NUMBER, DurationMs, Keys, OffAllowed, default, off

MOST_TOLD_APART = 5
GroupAbove = Annotated[Annotated[int, Field(ge=1), NUMBER] | None, BeforeValidator(off), OffAllowed()]


class AlertKeys(Keys):
    """The life of every model's alerts; durations are event time, whole panes."""

    pending: DurationMs = default("0s")  # in breach for so long before it fires
    resolve: DurationMs | None = None  # without a breach for so long before it ends; None: the window's length
    cooldown: DurationMs = default("0s")  # after the end: a breach goes on with the same episode
    group_above: GroupAbove = MOST_TOLD_APART  # more subjects of one check that fire at once are one alert


class ModelAlertKeys(Keys):
    """What one model has otherwise than `alerts`."""

    pending: DurationMs | None = None
    resolve: DurationMs | None = None
    cooldown: DurationMs | None = None
    group_above: GroupAbove = MOST_TOLD_APART

    def over(self, common: AlertKeys) -> AlertKeys:
        """The common settings with what this model says instead.

        >>> ModelAlertKeys.model_validate({"pending": "2m", "group_above": "off"}).over(AlertKeys()).group_above is None
        True
        """
        return common.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})
