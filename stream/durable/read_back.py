"""Reading the source again: for a fold whose state is not all in its changelog.

Promise: the fold gets every record in [reread_from, next_offset), in order, once; or `Trimmed` is
raised, because the log no longer has them all. Never some of them in silence.
"""

import asyncio

from stream.durable.fold import Fold, ReadsBack
from stream.durable.log import Log
from stream.records.source import Message, MessageBatch, Source

BATCH_BYTES = 256 << 10  # handed over at a time: heartbeats, and the other partitions, wait meanwhile


class Trimmed(Exception):
    """The log begins after what must be read again."""

    def __init__(self, begin: int, needed: int) -> None:
        super().__init__(f"the log begins at {begin}, and what waits since {needed} must be read again")


async def read_back(log: Log, source: Source, fold: Fold) -> None:
    """Let a restored fold read again what it needs; nothing if it needs nothing."""
    if not isinstance(fold, ReadsBack):
        return
    start, end = fold.reread_from(), fold.next_offset
    if start < end:
        messages: list[Message] = []
        size = 0
        async for message in log.read(source, start):
            if message.offset >= end:
                break
            messages.append(message)
            size += len(message.value or b"")
            if size >= BATCH_BYTES:
                fold.reread(MessageBatch.of(source, messages, chained=True))
                messages, size = [], 0
                await asyncio.sleep(0)  # reading what has been fetched waits for nothing
        # Asked afterwards: what was cut while we read is missing, too.
        if (begin := await log.begin(source)) > start:
            raise Trimmed(begin, start)
        if messages:
            fold.reread(MessageBatch.of(source, messages, chained=True))
    fold.end_reread()
