"""The settings of one model that decide what is counted where."""

import msgspec


class CountingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one model that affect counting."""

    pane_ms: int
    allowed_lateness_ms: int
    max_clock_skew_ms: int
    fields: dict[str, str] = {}  # foreign shapes: our field -> path in the message
    constants: dict[str, str] = {}
