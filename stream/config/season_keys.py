"""Whether a model's windows are compared with the same hours of its baseline, and by whose clock."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator

from stream.config.durations import format_duration
from stream.config.refusals import Refused
from stream.errors import ConfigError

if TYPE_CHECKING:
    from stream.config.keys import WindowKeys

HOUR_MS: Final = 3_600_000
SEASONS: Final = ("none", "hour-of-day", "hour-of-week")


def _season(value: object) -> object:
    if value is False or value in ("off", "daily", "weekly"):
        fix = {"daily": "hour-of-day", "weekly": "hour-of-week"}.get(str(value), "none")
        raise Refused(f"must be one of {', '.join(SEASONS)}", fix=fix)
    return value


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused("is no time zone that this machine knows", fix="Europe/Berlin, or UTC") from None
    return name


SeasonName = Annotated[Literal["none", "hour-of-day", "hour-of-week"], BeforeValidator(_season)]
TimeZone = Annotated[str, AfterValidator(_timezone)]


def season_rules(model: str, season: str | None, windows: "WindowKeys") -> Iterator[ConfigError]:
    """A pane must lie within one hour, or its rows have no hour of their own."""
    if season not in (None, "none") and windows.pane > 0 and HOUR_MS % windows.pane:
        rule = f"needs panes that divide an hour, not {format_duration(windows.pane)}"
        yield ConfigError(f"models.{model}.season", season, rule, fix=f"models.{model}.windows.pane of 1m, or none")
