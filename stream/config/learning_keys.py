"""The keys of `learning`: how a baseline is made of a model that nobody has registered, and how many there may be."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from stream.config.durations import format_duration
from stream.config.key_types import NUMBER, DurationMs, Keys
from stream.errors import ConfigError

if TYPE_CHECKING:
    from stream.config import Config


class LearningKeys(Keys):
    """Learned baselines; only with `unknown_models: learn`."""

    span: DurationMs | None = None  # of a model's first panes; None: one window
    rows: Annotated[int, Field(ge=200, le=5_000), NUMBER] = 1_000  # drawn from them at most
    models: Annotated[int, Field(ge=1, le=1_000), NUMBER] = 50  # model versions, learned or being learned
    features: Annotated[int, Field(ge=1, le=1_000), NUMBER] = 200  # of a model; of more the most frequent ones


def learning_rules(config: "Config") -> Iterator[ConfigError]:
    """What needs another key to be judged."""
    span, pane = config.learning.span, config.windows.pane
    if span is not None and (span < pane or span % pane):
        rule = f"must be a whole number of panes ({format_duration(pane)})"
        nearest = format_duration(max(1, round(span / pane)) * pane)
        yield ConfigError("learning.span", format_duration(span), rule, fix=nearest)
