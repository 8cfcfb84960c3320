"""A `Log` in memory, for the registry and for live predictions."""

from collections.abc import AsyncGenerator, Callable, Sequence

from stream.durable.log import Outgoing
from stream.records.source import Message, Source


class MemoryLog:
    """Partitions as lists. `before_send` runs before each send: that is where another writer comes in."""

    def __init__(self) -> None:
        self.records: dict[Source, list[Message]] = {}
        self.reads: list[tuple[Source, int]] = []  # what was asked for
        self.before_send: Callable[[Sequence[Outgoing]], None] = lambda records: None

    def put(
        self,
        source: Source,
        value: bytes | None,
        key: bytes | None = None,
        timestamp_ms: int = 0,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        held = self.records.setdefault(source, [])
        held.append(Message(offset=len(held), timestamp_ms=timestamp_ms, key=key, value=value, headers=headers))

    async def send(self, records: Sequence[Outgoing]) -> None:
        self.before_send(records)
        for record in records:
            self.put(record.to, record.value, record.key)

    async def sources(self, topic: str) -> list[Source]:
        return sorted(source for source in self.records if source.topic == topic)

    async def begin(self, source: Source) -> int:
        return 0

    async def end(self, source: Source) -> int:
        return len(self.records.get(source, []))

    async def read(self, source: Source, start: int) -> AsyncGenerator[Message, None]:
        self.reads.append((source, start))
        for message in list(self.records.get(source, []))[start:]:
            yield message

    async def first_at(self, source: Source, offset: int) -> Message | None:
        return next((m for m in self.records.get(source, []) if m.offset >= offset), None)

    async def trim(self, source: Source, before: int) -> None:
        """Nothing is ever forgotten."""
