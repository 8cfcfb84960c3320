"""New messages of some topics as they come, from the beginning."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from stream.records.source import Source
from stream.service.kafka_log import KafkaLog

PAUSE_S: Final = 0.1  # between two looks that found nothing


async def tail(log: KafkaLog, topics: Sequence[str]) -> AsyncIterator[list[tuple[str, bytes]]]:
    """What has arrived since the last look, as (topic, value); an empty list when nothing has.

    Messages of one partition come in its order. The iteration has no end of its own.
    """
    next_offset: dict[Source, int] = {source: 0 for topic in topics for source in await log.sources(topic)}
    while True:
        arrived: list[tuple[str, bytes]] = []
        for source in next_offset:
            async for message in log.read(source, next_offset[source]):
                next_offset[source] = message.offset + 1
                if message.value is not None:
                    arrived.append((source.topic, message.value))
        yield arrived
        if not arrived:
            await asyncio.sleep(PAUSE_S)
