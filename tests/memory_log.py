"""A `Log` in memory that can forget its beginning and fail a send: for tests that need no schedule."""

from collections.abc import AsyncGenerator, Callable, Sequence

import numpy as np

from stream.durable.log import Outgoing
from stream.records.source import Message, MessageBatch, Source


class SendFailed(Exception):
    """What `send` raises when a test wants it to."""


class MemoryLog:
    """Partitions as lists of messages; offsets go on when the beginning is cut away."""

    def __init__(self) -> None:
        self.records: dict[Source, list[Message]] = {}
        self.begins: dict[Source, int] = {}
        self.sends = 0
        self.fail_at: int | None = None  # the number of the send that raises, before it has written anything
        self.before_read_ends: Callable[[], None] = lambda: None  # where a zombie comes in

    def put(self, source: Source, value: bytes | None, *, timestamp_ms: int = 0, key: bytes | None = None) -> int:
        """Append one record; its offset."""
        held = self.records.setdefault(source, [])
        offset = held[-1].offset + 1 if held else self.begins.get(source, 0)
        held.append(Message(offset=offset, timestamp_ms=timestamp_ms, key=key, value=value))
        return offset

    def skip(self, source: Source, offset: int) -> None:
        """Let the log have no record at an offset, as where a transaction's marker lies."""
        self.records[source] = [m for m in self.records[source] if m.offset != offset]

    def recreate(self, source: Source) -> None:
        """Delete the topic and make it again."""
        self.records.pop(source, None)
        self.begins.pop(source, None)

    def values(self, source: Source) -> list[bytes]:
        """The values that are there."""
        return [m.value or b"" for m in self.records.get(source, [])]

    def batch(self, source: Source, start: int, stop: int, *, chained: bool = True) -> MessageBatch:
        """The records with offsets in [start, stop), as one fetch brings them."""
        messages = [m for m in self.records[source] if start <= m.offset < stop]
        return MessageBatch(
            source=source,
            begin=start if chained else messages[0].offset,
            chained=chained,
            offsets=np.array([m.offset for m in messages], np.int64),
            timestamps_ms=np.array([m.timestamp_ms for m in messages], np.int64),
            values=[m.value for m in messages],
        )

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Append all, unless it is the one that fails."""
        self.sends += 1
        if self.sends == self.fail_at:
            raise SendFailed
        for record in records:
            held = self.records.setdefault(record.to, [])
            offset = held[-1].offset + 1 if held else self.begins.get(record.to, 0)
            held.append(
                Message(offset=offset, timestamp_ms=0, key=record.key, value=record.value, headers=record.headers)
            )

    async def begin(self, source: Source) -> int:
        """The first offset kept."""
        return self.begins.get(source, 0)

    async def end(self, source: Source) -> int:
        """The offset after the last record."""
        held = self.records.get(source)
        return held[-1].offset + 1 if held else self.begins.get(source, 0)

    async def read(self, source: Source, start: int) -> AsyncGenerator[Message, None]:
        """What is there when it is called."""
        for message in [m for m in self.records.get(source, []) if m.offset >= start]:
            yield message
        self.before_read_ends()

    async def first_at(self, source: Source, offset: int) -> Message | None:
        """The first record at or after the offset."""
        return next((m for m in self.records.get(source, []) if m.offset >= offset), None)

    async def trim(self, source: Source, before: int) -> None:
        """Forget what lies below."""
        self.begins[source] = max(self.begins.get(source, 0), before)
        self.records[source] = [m for m in self.records.get(source, []) if m.offset >= before]
