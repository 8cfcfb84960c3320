"""A plain reader that keeps every record of some topics from their first one on.

It reads along while the service runs, so that it also has what the service trims later.
"""

import asyncio
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.config import KafkaKeys
from stream.records.source import Message, Source
from stream.service.connection import client_arguments

_POLL_MS = 200


class Tail:
    """All records so far, by source; use as `async with Tail(kafka, sources) as tail`."""

    def __init__(self, kafka: KafkaKeys, sources: list[Source]) -> None:
        self.records: dict[Source, list[Message]] = {source: [] for source in sources}
        self._consumer = AIOKafkaConsumer(
            **client_arguments(kafka),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        partitions = [TopicPartition(*source) for source in self.records]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_beginning(*partitions)
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._following:
            self._following.cancel()
            await asyncio.wait([self._following])
        await self._consumer.stop()

    async def is_complete(self) -> bool:
        """Whether it has everything that the topics hold now."""
        if self._following and self._following.done():
            self._following.result()  # raises what ended it
        ends = await self._consumer.end_offsets([TopicPartition(*source) for source in self.records])
        return all(len(records) == ends[TopicPartition(*source)] for source, records in self.records.items())

    def gaps(self) -> list[str]:
        """Sources of which a record is missing: trimmed before it was read."""
        return [
            str(source)
            for source, records in self.records.items()
            if [r.offset for r in records] != list(range(len(records)))
        ]

    def of(self, topic: str) -> dict[int, list[Message]]:
        """The records of a topic, by partition."""
        return {source.partition: records for source, records in sorted(self.records.items()) if source.topic == topic}

    async def _follow(self) -> None:
        while True:
            fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
            for partition, records in fetched.items():
                self.records[Source(*partition)] += map(_message, records)


def _message(record: Any) -> Message:
    return Message(
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
