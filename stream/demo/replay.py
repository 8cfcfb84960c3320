"""Published flights: the year's predictions and labels as one stream, in order of event time, into Kafka.

Promise: the partitions of both topics are never further apart in event time than one chunk (at most
1,000 messages, about half a day of flights): a chunk is acknowledged by all partitions before the next
one is sent. So a label is never in Kafka before its prediction. Each record's timestamp is its event
time, so that the rules about clocks hold as on the day.
Cost: as fast as it goes, about 20 s for 250,000 predictions and their labels on the embedded broker.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from stream.demo.flights import Integers
from stream.demo.messages import Messages

CHUNK_MESSAGES: Final = 1_000
STEP_S: Final = 0.25  # a slowed replay publishes this often
AS_FAST_AS_IT_GOES: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Messages that are ready to be sent, in order of event time; all of shape (messages,)."""

    event_time_ms: Integers  # ascending
    is_label: npt.NDArray[np.bool_]  # of the labels' topic; the others are predictions
    keys: Sequence[bytes]
    values: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def predicted_ms(self) -> Integers:
        """Event times of the predictions, ascending."""
        return self.event_time_ms[~self.is_label]

    @property
    def labelled_ms(self) -> Integers:
        """Event times of the labels, ascending."""
        return self.event_time_ms[self.is_label]


def merged(predictions: Messages, labels: Messages) -> Published:
    """Both as one stream in order of event time; at equal times predictions come first.

    >>> def at(*times: int) -> Messages:
    ...     return Messages(event_time_ms=np.array(times), keys=[b""] * len(times), values=[b""] * len(times))
    >>> merged(at(1, 5, 9), at(5, 7)).is_label.tolist()
    [False, False, True, True, False]
    """
    event_time_ms = np.concatenate([predictions.event_time_ms, labels.event_time_ms])
    order = np.argsort(event_time_ms, kind="stable")
    keys, values = [*predictions.keys, *labels.keys], [*predictions.values, *labels.values]
    return Published(
        event_time_ms=event_time_ms[order],
        is_label=order >= len(predictions),
        keys=[keys[i] for i in order.tolist()],
        values=[values[i] for i in order.tolist()],
    )


async def replay(
    bootstrap_servers: str,
    topics: tuple[str, str],
    published: Published,
    *,
    speed: float,
    on_progress: Callable[[int], None],
) -> None:
    """Send all messages; returns when every one is acknowledged.

    Args:
        bootstrap_servers: the broker.
        topics: of the predictions and of the labels, both existing; the key chooses the partition as
            Kafka's own producer does.
        published: what to send.
        speed: seconds of event time per second of wall time; AS_FAST_AS_IT_GOES for no pacing.
        on_progress: called with the number of messages sent so far.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")
    await producer.start()
    try:
        partitions = [sorted(await producer.partitions_for(topic)) for topic in topics]
        to = _Destination(topics, _partitions(published, partitions))
        started_s = time.monotonic()
        for begin, end in chunks(published.event_time_ms, speed):
            await asyncio.sleep(started_s + _due_s(published.event_time_ms, begin, speed) - time.monotonic())
            await _send(producer, to, published, begin, end)
            on_progress(end)
    finally:
        await producer.stop()


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where each message goes."""

    topics: tuple[str, str]  # of the predictions and of the labels
    partition_of: Integers  # in its topic, shape (messages,)


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


def _partitions(published: Published, partitions: Sequence[list[int]]) -> Integers:
    """The partition of each message in its topic, shape (messages,); `partitions` of the two topics."""
    choose = DefaultPartitioner()
    places = list(zip(published.keys, published.is_label.astype(int).tolist(), strict=True))
    chosen = {(key, topic): choose(key, partitions[topic], partitions[topic]) for key, topic in set(places)}
    return np.array([chosen[place] for place in places], np.int64)


async def _send(producer: AIOKafkaProducer, to: _Destination, published: Published, begin: int, end: int) -> None:
    """One batch per topic and partition, all of them acknowledged before this returns."""
    acknowledgements = []
    for is_label, topic in zip((False, True), to.topics, strict=True):
        rows = begin + np.flatnonzero(published.is_label[begin:end] == is_label)
        for partition in np.unique(to.partition_of[rows]).tolist():
            batch = producer.create_batch()
            for i in rows[to.partition_of[rows] == partition].tolist():
                at_ms = int(published.event_time_ms[i])
                if batch.append(key=published.keys[i], value=published.values[i], timestamp=at_ms) is None:
                    acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
                    batch = producer.create_batch()
                    batch.append(key=published.keys[i], value=published.values[i], timestamp=at_ms)
            acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*acknowledgements)
