"""A `Log` on Kafka: what the fold, the command line and the tests send and read with.

Promises:
* `send` returns when every record is acknowledged by all in-sync replicas (acks=all;
  idempotent, so that the client's own retries append nothing twice, where the broker can).
* `read` ends. It goes up to the end as the broker stated it after the call began, moves past
  transaction markers and compacted offsets, and raises BrokerUnavailable when a broker has
  been silent for `SILENCE_LIMIT_S`. Under `read_committed` the end is the last stable offset:
  an open transaction ends the read before it, it does not hang it.
* `trim` is a hint: the embedded broker, which does not know DeleteRecords, is not asked.

The end: `ListOffsets(latest)` of the embedded broker says the last batch's base + 1, so the
end is the larger of that and of what the first fetch's answer says.
Cost: one TCP connection per concurrent reader, kept in a pool; an empty read takes about 30 ms.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from stream.config import KafkaKeys
from stream.durable.log import Log, Outgoing
from stream.errors import BrokerUnavailable, TopicMissing
from stream.records.source import Message, Source
from stream.service.connection import broker_unavailable, client_arguments, reason_of
from stream.service.embedded import EMBEDDED_CLUSTER_ID

log = logging.getLogger("driftline.kafka")

SILENCE_LIMIT_S: Final = 60.0  # a leader election takes seconds; a minute without an answer is a broker that is gone
CLOSE_LIMIT_S: Final = 10.0
_POLL_MS: Final = 20  # how long one look for fetched records takes when there are none
_FETCH_WAIT_MS: Final = 20  # how long the broker may hold an answer without records
_FETCH_BYTES: Final = 8 * 1024 * 1024  # per partition
_BATCH_BYTES: Final = 256 * 1024  # per partition; changelog records are up to twice that and travel alone
_REQUEST_BYTES: Final = 16 * 1024 * 1024  # the broker's own limit (message.max.bytes) is the one that counts


class KafkaLog:
    """Append-only partitions on Kafka; use as `async with KafkaLog.connect(config.kafka) as log`."""

    def __init__(
        self, kafka: KafkaKeys, producer: AIOKafkaProducer, admin: AIOKafkaAdminClient, *, trims: bool = True
    ) -> None:
        self._kafka = kafka
        self._producer = producer
        self._admin = admin
        self._idle_readers: list[AIOKafkaConsumer] = []
        self._readers: set[AIOKafkaConsumer] = set()
        self._trims = trims
        self.heard_at_s = time.monotonic()  # when Kafka last did what it was asked for

    @classmethod
    @asynccontextmanager
    async def connect(cls, kafka: KafkaKeys, *, batch_bytes: int = _BATCH_BYTES) -> AsyncIterator[Self]:
        """Connected, and closed at the end; `batch_bytes`: what the topics take at once, if that is less than ours.

        Raises:
            BrokerUnavailable: nobody answers at `kafka.bootstrap_servers`.
        """
        self = await cls.open(kafka, batch_bytes=batch_bytes)
        try:
            yield self
        finally:
            await self.close()

    @classmethod
    async def open(cls, kafka: KafkaKeys, *, batch_bytes: int = _BATCH_BYTES) -> Self:
        """Connected; the caller closes it."""
        with broker_unavailable(kafka):
            admin = AIOKafkaAdminClient(**client_arguments(kafka))
            try:
                await admin.start()
                whole = await _is_whole_kafka(admin)
                producer = await _started_producer(kafka, whole, min(batch_bytes, _BATCH_BYTES))
            except BaseException:
                await admin.close()
                raise
        return cls(kafka, producer, admin, trims=whole)

    async def close(self) -> None:
        """Send what is under way, then end all connections."""
        await _stopped(self._producer.stop())
        await _stopped(self._admin.close())
        for reader in list(self._readers):
            await self._discard(reader)

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Append all and return when every one is acknowledged; raises if any may not have been written."""
        try:
            # An idempotent producer of aiokafka retries without end, so the limit is ours.
            async with asyncio.timeout(SILENCE_LIMIT_S):
                await self._send(records)
        except TimeoutError as error:
            raise self.silent() from error

    async def _send(self, records: Sequence[Outgoing]) -> None:
        with broker_unavailable(self._kafka):
            under_way = [
                await self._producer.send(
                    r.to.topic, r.value, key=r.key, partition=r.to.partition, headers=list(r.headers)
                )
                for r in records
            ]
            for outcome in await asyncio.gather(*under_way, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
        self.heard_at_s = time.monotonic()

    def silent(self) -> BrokerUnavailable:
        """What to end with when nobody has answered for SILENCE_LIMIT_S."""
        return BrokerUnavailable(self._kafka.bootstrap_servers, f"silent for {SILENCE_LIMIT_S:.0f} s")

    async def begin(self, source: Source) -> int:
        """The first offset that is still kept."""
        partition = TopicPartition(*source)
        async with self._reader() as reader:
            return int((await reader.beginning_offsets([partition]))[partition])

    async def end(self, source: Source) -> int:
        """The offset after the last record; on the embedded broker too low by up to a batch (see `read`)."""
        partition = TopicPartition(*source)
        async with self._reader() as reader:
            return int((await reader.end_offsets([partition]))[partition])

    async def read(self, source: Source, start: int) -> AsyncGenerator[Message, None]:
        """Every record from `start`, or from the first one kept, up to the end at the time of the call."""
        async with self._reader() as reader:
            reading = _Reading(reader, TopicPartition(*source), self._kafka)
            await reading.begin_at(start)
            while not reading.at_end():
                for record in await reading.next_records():
                    yield _message(record)

    async def first_at(self, source: Source, offset: int) -> Message | None:
        """The first record at or after `offset`; None if there is none yet."""
        async with aclosing(self.read(source, offset)) as messages:
            async for message in messages:
                return message
        return None

    async def trim(self, source: Source, before: int) -> None:
        """Allow the broker to forget what lies below `before`; never raises."""
        if not self._trims:
            return
        try:
            await self._admin.delete_records({TopicPartition(*source): RecordsToDelete(before)})
        except KafkaError as error:  # a leader election, say: it is asked again when there is more to forget
            log.info("trimming failed", extra={"source": str(source), "error": reason_of(error)})

    async def sources(self, topic: str) -> list[Source]:
        """The partitions of a topic, in order.

        Raises:
            TopicMissing: there is no such topic. (Asking for all topics, since asking for one may create it.)
        """
        with broker_unavailable(self._kafka):
            topics = {t["topic"]: t for t in await self._admin.describe_topics()}
        if topic not in topics:
            raise TopicMissing(topic)
        return [Source(topic, p) for p in sorted(p["partition"] for p in topics[topic]["partitions"])]

    async def committed(self, group: str, sources: Sequence[Source]) -> dict[Source, int]:
        """What a consumer group has committed; without those of which it has committed nothing.

        By a consumer of the group that never joins it: the embedded broker does not know the admin's question.
        """
        with broker_unavailable(self._kafka):
            asking = AIOKafkaConsumer(**client_arguments(self._kafka), group_id=group, enable_auto_commit=False)
            try:
                await asking.start()
                found = {source: await asking.committed(TopicPartition(*source)) for source in sources}
            finally:
                await _stopped(asking.stop())
        return {source: int(offset) for source, offset in found.items() if offset is not None}

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        """A connected consumer that nobody else uses meanwhile."""
        with broker_unavailable(self._kafka):
            reader = self._idle_readers.pop() if self._idle_readers else await self._started_reader()
            try:
                yield reader
            except GeneratorExit:  # the reader of `read` has seen enough
                self._put_back(reader)
                raise
            except BaseException:
                await self._discard(reader)
                raise
            self._put_back(reader)
            self.heard_at_s = time.monotonic()

    def _put_back(self, reader: AIOKafkaConsumer) -> None:
        reader.unsubscribe()  # else it goes on fetching, 50 times a second, and holds what it has fetched
        self._idle_readers.append(reader)

    async def _started_reader(self) -> AIOKafkaConsumer:
        reader = AIOKafkaConsumer(
            **client_arguments(self._kafka),
            isolation_level=self._kafka.isolation_level,
            enable_auto_commit=False,
            auto_offset_reset="none",  # an offset that is gone is our decision, not the client's
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            max_partition_fetch_bytes=_FETCH_BYTES,
        )
        self._readers.add(reader)
        try:
            await reader.start()
        except BaseException:
            await self._discard(reader)
            raise
        return reader

    async def _discard(self, reader: AIOKafkaConsumer) -> None:
        self._readers.discard(reader)
        if not await _stopped(reader.stop()):
            await _stopped(reader._client.close())  # what the interrupted stop has left open


class _Reading:
    """One read of one partition, from an offset to the end that the broker states after it began."""

    def __init__(self, reader: AIOKafkaConsumer, partition: TopicPartition, kafka: KafkaKeys) -> None:
        self._reader = reader
        self._partition = partition
        self._kafka = kafka
        self._position = 0
        self._stated_end = 0  # what ListOffsets said
        self._end: int | None = None  # known after the first answer to a fetch
        self._silent_s = 0.0  # how long we have waited in vain; the time that our caller takes does not count

    async def begin_at(self, start: int) -> None:
        """Place the reader at `start`, or at the first record that is kept."""
        self._reader.assign([self._partition])
        first = (await self._reader.beginning_offsets([self._partition]))[self._partition]
        self._stated_end = (await self._reader.end_offsets([self._partition]))[self._partition]
        self._seek(max(start, first))

    def at_end(self) -> bool:
        """Whether every record up to the end has been handed out."""
        return self._end is not None and self._position >= self._end

    async def next_records(self) -> list[Any]:
        """The next records of the partition that lie before the end; may be none."""
        asked_at_s = time.monotonic()
        try:
            fetched = await self._reader.getmany(self._partition, timeout_ms=_POLL_MS)
        except OffsetOutOfRangeError:
            await self._move_into_range()
            return []
        records = fetched.get(self._partition, [])
        position = await self._reader.position(self._partition)
        heard = bool(records) or position != self._position
        self._count_silence(0.0 if heard else time.monotonic() - asked_at_s)
        self._position = position
        if self._end is None:
            self._end = self._end_by_fetch()
        return [r for r in records if self._end is None or r.offset < self._end]

    def _end_by_fetch(self) -> int | None:
        """The end as of the first answer to a fetch; None while there was none."""
        highwater = self._reader.highwater(self._partition)
        if highwater is None:
            return None
        if self._kafka.isolation_level == "read_committed":
            stable = self._reader.last_stable_offset(self._partition)
            highwater = highwater if stable is None or stable < 0 else stable
        return max(self._stated_end, int(highwater))

    async def _move_into_range(self) -> None:
        """The log does not hold our position: go to its first record, or stop if it ends before us."""
        first = (await self._reader.beginning_offsets([self._partition]))[self._partition]
        if first > self._position:
            self._seek(first)
        else:
            self._end = self._position

    def _seek(self, offset: int) -> None:
        self._reader.seek(self._partition, offset)
        self._position = offset

    def _count_silence(self, waited_s: float) -> None:
        self._silent_s = self._silent_s + waited_s if waited_s else 0.0
        if self._silent_s > SILENCE_LIMIT_S:
            raise BrokerUnavailable(self._kafka.bootstrap_servers, f"silent for {SILENCE_LIMIT_S:.0f} s")


async def true_end(log: Log, source: Source) -> int:
    """The offset after the last record: what `Log.end` says may be too low by a batch."""
    end = await log.end(source)
    async for message in log.read(source, max(end - 1, 0)):
        end = max(end, message.offset + 1)
    return end


async def _stopped(stop: Coroutine[Any, Any, None]) -> bool:
    """Whether a client has stopped in order, within CLOSE_LIMIT_S.

    In a task of its own: an unreachable broker would hold us for ever, and a consumer that stops
    while a fetch fails lets its inner CancelledError out (aiokafka 0.14), as if we were cancelled.
    """
    stopping = asyncio.ensure_future(stop)
    await asyncio.wait([stopping], timeout=CLOSE_LIMIT_S)
    stopping.cancel()
    return stopping.done() and not stopping.cancelled() and stopping.exception() is None


async def _is_whole_kafka(admin: AIOKafkaAdminClient) -> bool:
    """Whether producers can be idempotent and logs be trimmed: the embedded one hangs up on both."""
    cluster = await admin.describe_cluster()
    return bool(cluster["cluster_id"] != EMBEDDED_CLUSTER_ID)


async def _started_producer(kafka: KafkaKeys, idempotent: bool, batch_bytes: int) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        **client_arguments(kafka),
        acks="all",
        enable_idempotence=idempotent,
        max_batch_size=batch_bytes,
        max_request_size=_REQUEST_BYTES,
    )
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


def _message(record: Any) -> Message:
    return Message(
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
