"""A kernel for coroutines in which every await is a choice: no event loop, no clock, no thread.

A coroutine gives up control only at `pause` (or at an asyncio lock that somebody else holds). The
scheduler resumes whichever task it likes, or never again: that is a crash. About 2 us a step.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, cast


class Pause:
    """One await: what is done next, and whether it can be done yet."""

    __slots__ = ("label", "ready")

    def __init__(self, label: str, ready: Callable[[], bool] | None) -> None:
        self.label = label
        self.ready = ready


@coroutine
def pause(label: str, ready: Callable[[], bool] | None = None) -> Generator[Pause, None, None]:
    """Let the scheduler do whatever it likes before what `label` says is done."""
    yield Pause(label, ready)


class Task:
    """One coroutine under the scheduler."""

    def __init__(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        self.name = name
        self.over = False
        self._work = work
        self._waits_for: Pause | asyncio.Future[Any] | None = None  # None: not begun

    @property
    def label(self) -> str:
        """What it would do next."""
        waits_for = self._waits_for
        return f"{self.name}: {waits_for.label if isinstance(waits_for, Pause) else 'go on'}"

    def runnable(self) -> bool:
        """Whether a step would bring it on."""
        waits_for = self._waits_for
        if waits_for is None:
            return True
        if isinstance(waits_for, Pause):
            return waits_for.ready is None or waits_for.ready()
        return waits_for.done()

    def step(self) -> None:
        """Run to the next await; what the coroutine raises comes out here."""
        asyncio._set_running_loop(cast(asyncio.AbstractEventLoop, _LOOP))
        try:
            self._waits_for = self._work.send(None)
        except StopIteration:
            self.over = True
        except BaseException:
            self.over = True
            raise
        finally:
            asyncio._set_running_loop(None)

    def crash(self) -> None:
        """Never come back, as after `kill -9`."""
        if not self.over:
            self.over = True
            self._work.close()


class _Loop:
    """As much of an event loop as an uncontended asyncio.Lock and its waiters ask for."""

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=cast(asyncio.AbstractEventLoop, self))

    def call_soon(self, *_: object, **__: object) -> None:
        """Nothing waits by callback here."""

    def get_debug(self) -> bool:
        return False


_LOOP = _Loop()
