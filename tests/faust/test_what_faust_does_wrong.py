"""Proofs of what faust-streaming does wrong, and why this service does it otherwise.

Each asserts the FAULT. When one fails, a newer Faust has mended it: read the message, reconsider
what was built around it, and delete the proof.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaTimeoutError
from faust.transport.consumer import Consumer
from faust.types import TP
from intervaltree import IntervalTree  # type: ignore[import-untyped]
from mode import Service

from stream.config import KafkaKeys
from stream.durable.log import Outgoing
from stream.records.source import Source
from stream.service.connection import client_arguments
from stream.service.kafka_log import KafkaLog
from stream.service.transport import WorkerTransport
from tests.brokers import Broker
from tests.conftest import MakeTopic

pytestmark = pytest.mark.faust

LIMIT_S = 30.0
INPUT = TP("in", 0)


def mended(what: str, reconsider: str) -> str:
    """The message of a proof that fails."""
    return f"Faust mended this: {what}. Reconsider {reconsider}, then delete this proof."


# -- Faust's tables: input is committed although the changelog was not written


def failed_send() -> "asyncio.Future[Any]":
    """What a producer hands out for a record that it could not send."""
    future = asyncio.get_running_loop().create_future()
    future.set_exception(KafkaTimeoutError())
    return future


async def never_sent() -> "asyncio.Future[Any]":
    """A send that is still under way whenever one looks."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets the event")


async def refused() -> "asyncio.Future[Any]":
    """A send that has failed."""
    return failed_send()


SENDS: dict[str, Callable[[], Awaitable[Any]]] = {"failed": refused, "still under way": never_sent}


@pytest.mark.parametrize("fate", SENDS)
@pytest.mark.filterwarnings("ignore")
async def test_faust_commits_input_although_the_changelog_send_has(
    fate: str, broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str, tmp_path: Path
) -> None:
    topic = await make_topic("in")
    await make_topic("app-counts-changelog")
    await kafka_log.send([Outgoing(to=Source(topic, 0), value=b"1") for _ in range(3)])
    tried: list[str] = []

    async def changelog_send() -> Any:
        tried.append(fate)
        return await SENDS[fate]()

    app = app_with_a_table(broker, f"{unique}-app", topic, changelog_send)
    app.conf.datadir = tmp_path
    await app.start()
    try:
        offset = await committed_within(LIMIT_S, broker, f"{unique}-app", topic)
    finally:
        await asyncio.wait({asyncio.ensure_future(app.stop())}, timeout=LIMIT_S)
    assert tried, "the table was never written to its changelog, so this proves nothing"
    assert offset, mended(
        f"a table's changelog send that has {fate} holds the input's commit back",
        "DESIGN's 'no faust.Table' (stream/durable is our own table)",
    )


def app_with_a_table(broker: Broker, group: str, topic: str, changelog_send: Callable[[], Awaitable[Any]]) -> faust.App:
    """A plain Faust app that counts into a table whose changelog is never written."""
    app = faust.App(
        group,
        broker=f"kafka://{broker.bootstrap_servers}",
        store="memory://",
        topic_partitions=1,
        topic_replication_factor=1,
        topic_disable_leader=True,
        table_standby_replicas=0,
        web_enabled=False,
        broker_session_timeout=6,
        broker_heartbeat_interval=2,
        broker_commit_interval=0.3,
    )
    source = app.topic(topic, value_serializer="raw", key_serializer="raw")
    counts = app.Table("counts", partitions=1, default=int)

    @app.agent(source, name="count")
    async def count(stream: Any) -> None:
        async for _ in stream:
            counts["all"] += 1

    send = app.producer.send

    async def send_or_not(to: str, *arguments: Any, **settings: Any) -> Any:
        return await (changelog_send() if to.endswith("changelog") else send(to, *arguments, **settings))

    app.producer.send = send_or_not  # type: ignore[method-assign,assignment]
    return app


async def committed_within(limit_s: float, broker: Broker, group: str, topic: str) -> int:
    """The group's committed offset of partition 0 as Kafka knows it; 0 if none came within the limit."""
    partition = TopicPartition(topic, 0)
    admin = AIOKafkaAdminClient(**client_arguments(broker.kafka))
    await admin.start()
    try:
        async with asyncio.timeout(limit_s):
            while True:
                found = await admin.list_consumer_group_offsets(group, partitions=[partition])
                if found[partition].offset > 0:
                    return int(found[partition].offset)
                await asyncio.sleep(0.2)
    except TimeoutError:
        return 0
    finally:
        await admin.close()


# -- packed messages: Faust commits over a batch that nobody has acknowledged


class Ledger(Consumer):
    """Faust's book-keeping of offsets without a broker: `committed` at 100, nothing read beyond."""

    def __init__(self) -> None:
        self._gap = defaultdict(IntervalTree)
        self._acked = defaultdict(list)
        self._acked_index = defaultdict(set)
        self._committed_offset = defaultdict(lambda: None)
        self._read_offset = defaultdict(lambda: None)
        self._committed_offset[INPUT] = self._read_offset[INPUT] = 100

    async def receive(self, offset: int) -> None:
        """As `Consumer._drain_messages` books a message."""
        read = self._read_offset[INPUT] or 0
        if offset - read > 1:
            await self._add_gap(INPUT, read + 1, offset)
        self._read_offset[INPUT] = offset

    def acknowledge(self, offset: int) -> None:
        """As `Consumer.ack` books it."""
        self._acked[INPUT].append(offset)
        self._acked_index[INPUT].add(offset)


Ledger.__abstractmethods__ = frozenset()


async def test_faust_commits_over_a_packed_batch_that_was_not_acknowledged() -> None:
    # [100 ..... 199][200 ..... 299]   one message each, with its last offset
    #   not acked        acked
    ledger: Any = Ledger()  # type: ignore[abstract]  # what is abstract is not touched
    for offset in (199, 299):
        await ledger.receive(offset)
    ledger.acknowledge(299)

    assert ledger._new_offset(INPUT) == 300, mended(
        "the gap before a message does not include the message", "`acks=False` and our own `commit_hint`"
    )


async def test_without_packing_the_same_ledger_is_right() -> None:
    ledger: Any = Ledger()  # type: ignore[abstract]  # what is abstract is not touched
    for offset in range(101, 105):
        await ledger.receive(offset)
    ledger.acknowledge(103)
    ledger.acknowledge(104)

    assert ledger._new_offset(INPUT) is None


# -- seeks: Faust drops what a seek fetched again


class Fetched:
    """A message, as far as `_drain_messages` looks at it."""

    topic, key, value = INPUT.topic, None, None

    def __init__(self, offset: int) -> None:
        self.offset = offset


def app_with(transport: Callable[[faust.App], Any] | None = None) -> faust.App:
    """An app that is never started."""
    app = faust.App("proof", broker="kafka://127.0.0.1:9", store="memory://", topic_disable_leader=True)
    if transport:
        app.transport = transport(app)
    return app


async def delivered(app: faust.App, offsets: list[int]) -> list[int]:
    """Which messages Faust's fetch loop passes on of those that its consumer hands it, a fetch each."""
    passed_on: list[int] = []

    async def pass_on(message: Any) -> None:
        passed_on.append(message.offset)

    async def rebalanced(*_: Any) -> None:
        raise AssertionError("no group, no rebalance")

    consumer: Any = app.transport.create_consumer(
        callback=pass_on, on_partitions_revoked=rebalanced, on_partitions_assigned=rebalanced
    )
    fetcher = Service()
    fetches = iter(offsets)

    async def getmany(timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        offset = next(fetches, None)
        if offset is None:
            fetcher._stopped.set()
        else:
            yield INPUT, Fetched(offset)

    consumer.getmany = getmany
    await consumer._drain_messages(fetcher)
    consumer._thread.thread_loop.close()  # made for a thread that was never started
    return passed_on


STALE, FETCHED_AGAIN = 299, 199  # last offsets: a batch that was under way during a seek to 100, and what it brought


@pytest.mark.filterwarnings("ignore")
async def test_faust_drops_what_a_seek_fetched_again_after_a_stale_batch() -> None:
    assert await delivered(app_with(), [STALE, FETCHED_AGAIN]) == [STALE], mended(
        "a batch below `_read_offset` is no longer dropped", "`_NoMemory` in stream/service/transport.py"
    )


@pytest.mark.filterwarnings("ignore")
async def test_our_consumer_passes_both_on() -> None:
    app = app_with(lambda app: WorkerTransport(app, KafkaKeys()))
    assert await delivered(app, [STALE, FETCHED_AGAIN]) == [STALE, FETCHED_AGAIN]


# -- isolation: Faust hands out aborted records


async def isolation_level(app: faust.App) -> str:
    """What the worker's consumer is made with."""

    async def nothing(*_: Any) -> None:
        raise AssertionError("never started")

    consumer: Any = app.transport.create_consumer(
        callback=nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing
    )
    reader = consumer._thread._create_worker_consumer(app.transport)
    await reader.stop()
    consumer._thread.thread_loop.close()  # made for a thread that was never started
    return str(reader._isolation_level)


@pytest.mark.filterwarnings("ignore")
async def test_faust_reads_records_of_aborted_transactions() -> None:
    assert await isolation_level(app_with()) == "read_uncommitted", mended(
        "its consumer reads committed records only, or can be told to", "`WorkerConsumerThread`"
    )


@pytest.mark.filterwarnings("ignore")
async def test_our_consumer_reads_as_configured() -> None:
    for level in ("read_committed", "read_uncommitted"):
        app = app_with(lambda app, level=level: WorkerTransport(app, KafkaKeys(isolation_level=level)))  # type: ignore[misc]
        assert await isolation_level(app) == level
