"""`driftline worker` with the gaps between its sends widened: python -m tests.crash.worker -c FILE ...

A kill falls between two numbered steps of a checkpoint only if there is time between them, and on
one machine a send takes two milliseconds. So before each send the worker waits up to CRASH_GAP_MS,
at random. Nothing else differs from what users run, unless CRASH_FAULT names a fault: the negative
control, which the harness must notice.
"""

import asyncio
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from stream.cli import main
from stream.count.counter import CountFold
from stream.durable import changelog, owner
from stream.durable import read_back as reading
from stream.durable.fold import Fold
from stream.durable.log import Log, Outgoing
from stream.join.fold import JoinFold
from stream.records.outcome import Covering
from stream.records.source import Source
from stream.service.kafka_log import KafkaLog

_background: set[asyncio.Task[None]] = set()


def widen_gaps(longest_s: float) -> None:
    """Wait before each send, at random."""
    send = KafkaLog.send

    async def send_later(self: KafkaLog, records: Sequence[Outgoing]) -> None:
        await asyncio.sleep(random.uniform(0.0, longest_s))
        await send(self, records)

    KafkaLog.send = send_later  # type: ignore[method-assign]


def tell_of_reading_back() -> None:
    """A log line for each join that has read its source back."""

    async def read_back(log: Log, source: Source, fold: Fold) -> None:
        started_s = time.perf_counter()
        await reading.read_back(log, source, fold)
        if isinstance(fold, JoinFold):
            seconds = round(time.perf_counter() - started_s, 4)
            extra = {"source": str(source), "rows": fold.reread_rows, "seconds": seconds}
            logging.getLogger("driftline.crash").info("read back", extra=extra)

    owner.read_back = read_back  # type: ignore[attr-defined]


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


def pairs_forgotten() -> None:
    """A join's recovery takes `@` and the rows that wait, and leaves its panes."""
    restore = JoinFold.restore

    def restore_progress(self: JoinFold, next_offset: int, progress: bytes, _: object) -> None:
        restore(self, next_offset, progress, [])

    JoinFold.restore = restore_progress  # type: ignore[method-assign, assignment]


def rows_joined_again() -> None:
    """A join takes whatever a source repeats, as if it had not been seen."""
    may_be_taken = JoinFold._may_be_taken

    def may_always(self: JoinFold, covering: Covering) -> bool:
        taken = may_be_taken(self, covering)
        self.heard.of(covering).seen = min(self.heard.of(covering).seen, covering.begin)
        return taken

    JoinFold._may_be_taken = may_always  # type: ignore[method-assign]


FAULTS: Final[dict[str, Callable[[], None]]] = {
    "none": lambda: None,
    "sends-not-awaited": sends_not_awaited,
    "newest-registers": newest_registers,
    "registers-forgotten": registers_forgotten,
    "pairs-forgotten": pairs_forgotten,
    "rows-joined-again": rows_joined_again,
}

if __name__ == "__main__":
    widen_gaps(float(os.environ.get("CRASH_GAP_MS", "0")) / 1_000)
    tell_of_reading_back()
    FAULTS[os.environ.get("CRASH_FAULT", "none")]()
    sys.exit(main(["worker", *sys.argv[1:]]))
