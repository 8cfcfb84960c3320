"""What is cut, drawn or waited for in portions is so in small ones, so that a short schedule comes to it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from unittest.mock import patch

from stream.count import counter
from stream.durable import changelog
from stream.evaluate import live_latency, live_numbers, schema_evaluator
from stream.ingest import feature_looks

BLOCK_BITS: Final = 1  # one row in two is looked at


@contextmanager
def in_small(max_record_bytes: int) -> Iterator[None]:
    """While it lasts; `max_record_bytes`: of deltas and partials, before they are cut."""
    values = (
        (counter, "MAX_PARTIAL_BYTES", max_record_bytes),
        (changelog, "MAX_DELTA_BYTES", max_record_bytes),
        (feature_looks, "BLOCK_BITS", BLOCK_BITS),
        (schema_evaluator, "FEWEST_LOOKED", 2),
        (schema_evaluator, "FEWEST_USUAL", 2),
        (live_latency, "LEAST_ROWS", 1),
        (live_latency, "FEWEST", 1),
        (live_numbers, "MILESTONES", (1, 2)),
    )
    with ExitStack() as stack:
        for module, name, value in values:
            stack.enter_context(patch.object(module, name, value))
        yield
