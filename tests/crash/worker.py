"""`driftline worker` with the gaps between its sends widened: python -m tests.crash.worker -c FILE ...

A kill falls between two numbered steps of a checkpoint only if there is time between them, and on
one machine a send takes two milliseconds. So before each send the worker waits up to CRASH_GAP_MS,
at random. Nothing else differs from what users run, unless CRASH_FAULT names a fault: the negative
control, which the harness must notice.
"""

import asyncio
import os
import random
import sys
from collections.abc import Callable, Sequence
from typing import Final

from stream.cli import main
from stream.count.counter import CountFold
from stream.durable import changelog
from stream.durable.log import Outgoing
from stream.service.kafka_log import KafkaLog

_background: set[asyncio.Task[None]] = set()


def widen_gaps(longest_s: float) -> None:
    """Wait before each send, at random."""
    send = KafkaLog.send

    async def send_later(self: KafkaLog, records: Sequence[Outgoing]) -> None:
        await asyncio.sleep(random.uniform(0.0, longest_s))
        await send(self, records)

    KafkaLog.send = send_later  # type: ignore[method-assign]


def sends_not_awaited() -> None:
    """`send` returns before anything is acknowledged, as a plain Faust table's does."""
    send = KafkaLog.send

    async def send_some_time(self: KafkaLog, records: Sequence[Outgoing]) -> None:
        task = asyncio.create_task(send(self, records))
        _background.add(task)
        task.add_done_callback(_background.discard)

    KafkaLog.send = send_some_time  # type: ignore[method-assign]


def newest_registers() -> None:
    """Recovery takes the newest copy of each register, also what lies beyond `@`: at least once."""
    as_of = changelog._as_of
    changelog._as_of = lambda next_offset, deltas: as_of(sys.maxsize, deltas)


def registers_forgotten() -> None:
    """Recovery takes `@` and leaves the registers."""
    restore = CountFold.restore

    def restore_progress(self: CountFold, next_offset: int, progress: bytes, _: object) -> None:
        restore(self, next_offset, progress, [])

    CountFold.restore = restore_progress  # type: ignore[method-assign, assignment]


FAULTS: Final[dict[str, Callable[[], None]]] = {
    "none": lambda: None,
    "sends-not-awaited": sends_not_awaited,
    "newest-registers": newest_registers,
    "registers-forgotten": registers_forgotten,
}

if __name__ == "__main__":
    widen_gaps(float(os.environ.get("CRASH_GAP_MS", "0")) / 1_000)
    FAULTS[os.environ.get("CRASH_FAULT", "none")]()
    sys.exit(main(["worker", *sys.argv[1:]]))
