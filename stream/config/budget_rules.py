"""Budgets that no rule can meet: refused with the reason, for what evaluates every pane."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detectors.budget import EXAMPLE, LOWEST_LEVEL, FalseAlarmBudget
from stream.config.durations import format_duration
from stream.errors import ConfigError

if TYPE_CHECKING:
    from stream.config import Config


def budget_rules(config: "Config") -> Iterator[ConfigError]:
    """Of all models, and of each that has a budget or a pane of its own."""
    broken = _broken(config.false_alarms.budget, config.windows.pane)
    if broken:
        yield ConfigError("false_alarms.budget", config.false_alarms.budget, broken, fix=EXAMPLE)
    for name, own in config.models.items():
        if own.false_alarms is None and own.windows.pane is None:
            continue
        model = config.model(name)
        of_model = _broken(model.false_alarms.budget, model.windows.pane)
        if of_model and of_model != broken:
            yield ConfigError(f"models.{name}.false_alarms.budget", model.false_alarms.budget, of_model, fix=EXAMPLE)


def _broken(text: str, pane_ms: int) -> str | None:
    """The rule that is broken; None where one test alone could meet the budget."""
    budget, pane = FalseAlarmBudget.parse(text), format_duration(pane_ms)
    if budget.alarms * pane_ms >= budget.period_ms:
        return f"allows a false alarm at every evaluation, each pane of {pane}: that asks for no evidence"
    if budget.chance(1.0, pane_ms) < LOWEST_LEVEL:
        return f"cannot be met with panes of {pane}: no data can show so little chance in one of them"
    return None
