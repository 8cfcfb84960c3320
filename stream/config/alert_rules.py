"""Rules of the alerts' keys that need the windows as well."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stream.config.durations import format_duration
from stream.errors import ConfigError

if TYPE_CHECKING:
    from stream.config import Config


def alert_rules(config: "Config") -> Iterator[ConfigError]:
    """Every hold that is no whole number of panes: windows end with panes, so it could not be kept."""
    yield from _whole_panes("alerts", config, "")
    for name, own in config.models.items():
        if not own.alerts.model_fields_set and own.windows.pane is None:
            continue  # as all the others: told once
        key = f"models.{name}.alerts" if own.alerts.model_fields_set else "alerts"
        yield from _whole_panes(key, config, name)


def _whole_panes(key: str, config: "Config", model: str) -> Iterator[ConfigError]:
    of_model = config.model(model)
    pane = of_model.windows.pane
    for name in ("pending", "resolve", "cooldown"):
        value = getattr(of_model.alerts, name)
        if value is not None and pane > 0 and value % pane:
            whose = f", which are {format_duration(pane)} long" + (f" for model {model}" if model else "")
            rule = f"must be a whole number of panes{whose}"
            nearest = format_duration(-(-value // pane) * pane)
            yield ConfigError(f"{key}.{name}", format_duration(value), rule, fix=nearest)
