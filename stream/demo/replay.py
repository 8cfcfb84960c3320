"""Published flights: the year's messages, in order of event time, into the predictions topic.

Promise: the partitions are never further apart in event time than one chunk (at most 1,000
messages, about a day of flights): a chunk is acknowledged by all partitions before the next one is
sent. Each record's timestamp is its event time, so that the rules about clocks hold as on the day.
Cost: as fast as it goes, about 10 s for 250,000 messages on the embedded broker.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from stream.demo.flights import Integers

CHUNK_MESSAGES: Final = 1_000
STEP_S: Final = 0.25  # a slowed replay publishes this often
AS_FAST_AS_IT_GOES: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Messages that are ready to be sent, in order of event time."""

    event_time_ms: Integers  # shape (messages,), ascending
    keys: Sequence[bytes]
    values: Sequence[bytes]


async def replay(
    bootstrap_servers: str,
    topic: str,
    published: Published,
    *,
    speed: float,
    on_progress: Callable[[int], None],
) -> None:
    """Send all messages; returns when every one is acknowledged.

    Args:
        bootstrap_servers: the broker.
        topic: an existing topic; the key chooses the partition as Kafka's own producer does.
        published: what to send.
        speed: seconds of event time per second of wall time; AS_FAST_AS_IT_GOES for no pacing.
        on_progress: called with the number of messages sent so far.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")
    await producer.start()
    try:
        partition_of = _partitions(published.keys, sorted(await producer.partitions_for(topic)))
        started_s = time.monotonic()
        for begin, end in chunks(published.event_time_ms, speed):
            await asyncio.sleep(started_s + _due_s(published.event_time_ms, begin, speed) - time.monotonic())
            await _send(producer, topic, published, partition_of[begin:end], begin)
            on_progress(end)
    finally:
        await producer.stop()


def chunks(event_time_ms: Integers, speed: float) -> Iterator[tuple[int, int]]:
    """What is sent together, as [begin, end): not too many messages, and not too much wall time.

    >>> list(chunks(np.array([0, 100, 900, 2_000]), speed=1.0))
    [(0, 2), (2, 3), (3, 4)]
    >>> list(chunks(np.zeros(1_500, np.int64), speed=AS_FAST_AS_IT_GOES))
    [(0, 1000), (1000, 1500)]
    """
    begin = 0
    while begin < len(event_time_ms):
        end = min(begin + CHUNK_MESSAGES, len(event_time_ms))
        if speed != AS_FAST_AS_IT_GOES:
            together_until_ms = int(event_time_ms[begin]) + speed * STEP_S * 1_000
            end = min(end, int(np.searchsorted(event_time_ms, together_until_ms, side="right")))
        yield begin, end
        begin = end


def _due_s(event_time_ms: Integers, begin: int, speed: float) -> float:
    """When the chunk is due, in seconds after the replay began."""
    return (int(event_time_ms[begin]) - int(event_time_ms[0])) / 1_000 / speed


def _partitions(keys: Sequence[bytes], partitions: list[int]) -> Integers:
    """The partition of each message, shape (messages,)."""
    choose = DefaultPartitioner()
    chosen = {key: choose(key, partitions, partitions) for key in set(keys)}
    return np.array([chosen[key] for key in keys], np.int64)


async def _send(
    producer: AIOKafkaProducer, topic: str, published: Published, partition_of: Integers, begin: int
) -> None:
    """One batch per partition, all of them acknowledged before this returns."""
    acknowledgements = []
    for partition in np.unique(partition_of).tolist():
        batch = producer.create_batch()
        for i in (begin + np.flatnonzero(partition_of == partition)).tolist():
            at_ms = int(published.event_time_ms[i])
            if batch.append(key=published.keys[i], value=published.values[i], timestamp=at_ms) is None:
                acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=published.keys[i], value=published.values[i], timestamp=at_ms)
        acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*acknowledgements)
