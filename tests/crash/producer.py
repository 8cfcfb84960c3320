"""Sends the traffic so that it lasts while workers die, and as fast as it goes after that."""

import asyncio
import time

from aiokafka import AIOKafkaProducer

from stream.config import Config
from stream.service.connection import client_arguments
from tests.crash.traffic import Slice, Traffic

_BATCH_BYTES = 1024 * 1024
RESERVE = 0.1  # of the traffic is kept for after the last death
SLOW = 6  # how many times slower it goes when it is ahead of the deaths: never so slow that a source falls silent


class Producer:
    """The only writer of the predictions and of the labels, so that it knows the offset of each."""

    def __init__(self, config: Config, traffic: Traffic) -> None:
        self.sent_slices = 0
        self.hurry = asyncio.Event()  # set when nobody will be killed any more
        self._allowed = 1 - RESERVE
        self._traffic = traffic
        self._topics = config.topics
        self._producer = AIOKafkaProducer(
            **client_arguments(config.kafka),
            acks="all",
            enable_idempotence=True,
            max_batch_size=_BATCH_BYTES,
        )

    @property
    def sent_share(self) -> float:
        """How much of the traffic has been sent."""
        return self.sent_slices / self._traffic.slice_count

    async def run(self, duration_s: float) -> None:
        """Send everything; most of it within `duration_s`, evenly, or as long as the deaths take if that is longer."""
        step_s = duration_s / self._traffic.slice_count
        async with self._producer:
            due_s = time.monotonic()
            for piece in self._traffic.slices():
                await self._send(piece)
                self.sent_slices += 1
                is_ahead = self.sent_slices > self._allowed * self._traffic.slice_count
                due_s = max(due_s, time.monotonic() - step_s) + step_s * (SLOW if is_ahead else 1)
                await self._until(due_s)

    def deaths_have_come(self, share: float) -> None:
        """So much of them is done: there is to be traffic until the last one, however long they take."""
        self._allowed = share * (1 - RESERVE)

    async def _until(self, due_s: float) -> None:
        wait_s = due_s - time.monotonic()
        if wait_s > 0 and not self.hurry.is_set():
            waiting = asyncio.create_task(self.hurry.wait())
            await asyncio.wait([waiting], timeout=wait_s)
            waiting.cancel()
        await asyncio.sleep(0)

    async def _send(self, piece: Slice) -> None:
        acknowledged = []
        messages = [(self._topics.predictions, p, values) for p, values in enumerate(piece.values)]
        messages += [(self._topics.labels, p, values) for p, values in enumerate(piece.labels)]
        for topic, partition, values in messages:
            batch = self._producer.create_batch()
            for value in values:
                # A key, since Kafka's client takes no record without both; it may be any.
                appended = batch.append(key=b"any", value=value, timestamp=None)
                assert appended is not None, "a slice is larger than a batch may be"
            if values:
                acknowledged.append(await self._producer.send_batch(batch, topic, partition=partition))
        for outcome in acknowledged:
            await outcome
