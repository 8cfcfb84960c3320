"""Faust's Kafka transport with three things mended, by subclassing and Faust's public setter `app.transport`.

* The worker's consumer reads with the configured isolation level: Faust's always reads
  `read_uncommitted` (except under its own exactly_once), and would count aborted predictions.
* Security settings reach consumer and producer as they reach every other client of ours.
* Faust's memory of offsets that it has handed out is switched off (`_NoMemory`). Faust compares
  each message with it and drops what lies below; a batch that was under way during a seek moves
  it on, so that the batch which the seek fetches again is dropped, and a quiet partition stalls.
  It also makes "gaps" of it, which with packed messages commit offsets that nobody has counted.

Faust commits nothing for the topics that we pack (`acks=False`); `commit_hint` does.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, ClassVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT
from faust.types.transports import ConsumerT, ProducerT

from stream.config import KafkaKeys
from stream.service.connection import client_arguments, reason_of

log = logging.getLogger("driftline.kafka")


class WorkerConsumer(driver.Consumer):
    """Faust's consumer without its memory of offsets, with our reader below it."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._read_offset = _NoMemory(lambda: None)

    def _new_consumer_thread(self) -> "WorkerConsumerThread":
        self._worker_thread = WorkerConsumerThread(self, loop=self.loop, beacon=self.beacon)
        return self._worker_thread

    def on_buffer_drop(self, tp: TP) -> None:
        """An agent's buffer has room again: Faust would resume the partition even if it was paused."""
        if tp in self._paused_partitions:
            self._buffered_partitions.discard(tp)
        else:
            super().on_buffer_drop(tp)

    async def create_topic(self, *_: Any, **__: Any) -> None:
        """Topics are made by `driftline topics create` only."""

    async def commit_hint(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group how far the owners are; a failure is logged and means nothing."""
        await self._worker_thread.commit_hint(offsets)


class WorkerConsumerThread(driver.AIOKafkaConsumerThread):
    """Where Faust keeps the aiokafka consumer: a thread with an event loop of its own."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = RoundRobinPartitionAssignor
        return AIOKafkaConsumer(
            **client_arguments(_kafka(transport)),
            client_id=conf.broker_client_id,
            group_id=conf.id,
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            isolation_level=_kafka(transport).isolation_level,
            enable_auto_commit=False,
            auto_offset_reset=conf.consumer_auto_offset_reset,
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1_000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            request_timeout_ms=int(conf.broker_request_timeout * 1_000),
            session_timeout_ms=int(conf.broker_session_timeout * 1_000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1_000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1_000),
        )

    async def commit_hint(self, offsets: Mapping[TP, int]) -> None:
        """Commit, in this thread, what is still assigned."""
        await self.call_thread(self._commit_hint, offsets)

    async def _commit_hint(self, offsets: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        asked = {TopicPartition(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
        assigned = {tp: offset for tp, offset in asked.items() if tp in consumer.assignment()}
        try:
            if assigned:
                await consumer.commit(assigned)
        except KafkaError as error:  # a rebalance that has just begun, most of the time
            log.debug("hint not committed", extra={"error": reason_of(error)})


class WorkerProducer(driver.Producer):
    """Faust's producer, which starts with the app and sends nothing: owners send with `KafkaLog`."""

    def _settings_auth(self) -> Mapping[str, Any]:
        return client_arguments(_kafka(self.transport))

    async def create_topic(self, *_: Any, **__: Any) -> None:
        """Topics are made by `driftline topics create` only."""


class _NoMemory(defaultdict[TP, int | None]):
    """A mapping that forgets: nothing was read, so nothing that comes is old and nothing is a gap."""

    def __getitem__(self, partition: TP) -> None:
        return None

    def __setitem__(self, partition: TP, offset: int | None) -> None:
        pass


class WorkerTransport(driver.Transport):
    """Faust's transport that makes our consumer and producer."""

    Consumer: ClassVar[type[ConsumerT]] = WorkerConsumer
    Producer: ClassVar[type[ProducerT]] = WorkerProducer

    def __init__(self, app: AppT, kafka: KafkaKeys) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.kafka = kafka


def _kafka(transport: Any) -> KafkaKeys:
    """The settings of our transport, which Faust hands around as one of its own."""
    assert isinstance(transport, WorkerTransport)
    return transport.kafka
