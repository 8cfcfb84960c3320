"""What it takes to count a window again from the topics: an alert carries it, `driftline verify` reads it.

A row is in the window by its own event time, and late by the newest event time of its partition before it.
So the offsets that hold the window's rows, what the partition had seen when it came to the first of them, and the
settings that it was counted with are all that a recount needs besides the baseline.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from stream.evaluate.panes import Span
from stream.records.settings import CountingSettings
from stream.records.times import rfc3339


def sources_evidence(settings: CountingSettings, spans: Mapping[str, Span]) -> dict[str, Any]:
    """As an alert's evidence has it.

    >>> counting = CountingSettings(pane_ms=60_000, allowed_lateness_ms=0, max_clock_skew_ms=0)
    >>> found = sources_evidence(counting, {"predictions/0": Span(3, 9, newest_ms=0)})
    >>> found["sources"], found["newest_events"], found["counting"]["pane_ms"]
    ({'predictions/0': [3, 9]}, {'predictions/0': '1970-01-01T00:00:00Z'}, 60000)
    """
    return {
        "counting": msgspec.json.decode(settings.identity()),
        "sources": {source: [span.first, span.next] for source, span in spans.items()},
        "newest_events": {source: rfc3339(span.newest_ms) for source, span in spans.items()},
    }
