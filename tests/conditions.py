"""Waiting for what must come, without guessing how long it takes."""

import asyncio
import time
from collections.abc import Callable

GENEROUS_S = 120.0


async def eventually(condition: Callable[[], bool], what: str) -> None:
    """Return when the condition holds; fail with `what` if it has not come within a generous limit."""
    deadline_s = time.monotonic() + GENEROUS_S
    while not condition():
        assert time.monotonic() < deadline_s, f"never came: {what}"
        await asyncio.sleep(0.02)
