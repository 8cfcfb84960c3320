"""`KafkaLog` keeps the promises of `Log` on whatever broker the ladder gives."""

import asyncio
import socket

import pytest
from aiokafka import AIOKafkaProducer

from stream.config import KafkaKeys
from stream.durable.log import Outgoing
from stream.errors import BrokerUnavailable, TopicMissing
from stream.records.source import Message, Source
from stream.service import kafka_log as kafka_log_module
from stream.service.connection import client_arguments
from stream.service.embedded import EmbeddedBroker
from stream.service.kafka_log import KafkaLog
from tests.brokers import Broker
from tests.conftest import MakeTopic


async def read_all(log: KafkaLog, source: Source, start: int = 0) -> list[Message]:
    """What a read hands out."""
    return [message async for message in log.read(source, start)]


def numbered(to: Source, count: int, *, size: int = 4, start: int = 0) -> list[Outgoing]:
    """Records whose value begins with their number."""
    return [Outgoing(to=to, value=b"%d" % n + b" " * size) for n in range(start, start + count)]


async def test_what_was_sent_is_read_back_in_order_with_key_value_and_headers(
    kafka_log: KafkaLog, make_topic: MakeTopic
) -> None:
    source = Source(await make_topic(), 0)
    await kafka_log.send([Outgoing(to=source, key=b"k", value=b"v", headers=(("reason", b"future"),))])
    await kafka_log.send([Outgoing(to=source, value=b"second"), Outgoing(to=source, key=b"gone", value=None)])

    messages = await read_all(kafka_log, source)

    assert [(m.offset, m.key, m.value) for m in messages] == [(0, b"k", b"v"), (1, None, b"second"), (2, b"gone", None)]
    assert messages[0].headers == (("reason", b"future"),)
    assert messages[0].timestamp_ms > 1_600_000_000_000


async def test_partitions_are_apart(kafka_log: KafkaLog, make_topic: MakeTopic) -> None:
    topic = await make_topic(partitions=3)
    await kafka_log.send([Outgoing(to=Source(topic, p), value=b"%d" % p) for p in (2, 0, 2)])

    assert [m.value for m in await read_all(kafka_log, Source(topic, 2))] == [b"2", b"2"]
    assert await read_all(kafka_log, Source(topic, 1)) == []
    assert await kafka_log.sources(topic) == [Source(topic, 0), Source(topic, 1), Source(topic, 2)]


async def test_one_send_of_many_records_is_read_to_its_last_one(kafka_log: KafkaLog, make_topic: MakeTopic) -> None:
    # The embedded broker's ListOffsets says the last batch's base + 1: a whole batch less.
    source = Source(await make_topic(), 0)
    await kafka_log.send(numbered(source, 20_000, size=100))

    messages = await read_all(kafka_log, source)

    assert [m.offset for m in messages] == list(range(20_000))
    assert messages[-1].value is not None
    assert messages[-1].value.split() == [b"19999"]


async def test_a_record_of_nearly_a_megabyte_passes(kafka_log: KafkaLog, make_topic: MakeTopic) -> None:
    source = Source(await make_topic(), 0)
    big = bytes(range(256)) * 4_000
    await kafka_log.send([Outgoing(to=source, value=b"small"), Outgoing(to=source, value=big)])

    assert [m.value for m in await read_all(kafka_log, source)] == [b"small", big]


async def test_reading_starts_in_the_middle_and_ends_beyond_the_end(kafka_log: KafkaLog, make_topic: MakeTopic) -> None:
    source = Source(await make_topic(), 0)
    await kafka_log.send(numbered(source, 10))

    assert [m.offset for m in await read_all(kafka_log, source, start=7)] == [7, 8, 9]
    assert await read_all(kafka_log, source, start=10) == []
    assert await read_all(kafka_log, source, start=50) == []


async def test_a_read_ends_although_the_log_keeps_growing(kafka_log: KafkaLog, make_topic: MakeTopic) -> None:
    source = Source(await make_topic(), 0)
    await kafka_log.send(numbered(source, 100))

    offsets = []
    async for message in kafka_log.read(source, 0):
        offsets.append(message.offset)
        await kafka_log.send([Outgoing(to=source, value=b"later")])

    assert offsets == list(range(100))


async def test_first_at_finds_the_next_record_or_none(kafka_log: KafkaLog, make_topic: MakeTopic) -> None:
    source = Source(await make_topic(), 0)
    assert await kafka_log.first_at(source, 0) is None
    await kafka_log.send(numbered(source, 3))

    found = await kafka_log.first_at(source, 1)

    assert found is not None
    assert found.offset == 1
    assert await kafka_log.first_at(source, 3) is None


async def test_begin_and_end_of_a_log(kafka_log: KafkaLog, make_topic: MakeTopic) -> None:
    source = Source(await make_topic(), 0)
    assert (await kafka_log.begin(source), await kafka_log.end(source)) == (0, 0)
    await kafka_log.send(numbered(source, 1))
    assert (await kafka_log.begin(source), await kafka_log.end(source)) == (0, 1)


async def test_many_reads_at_once_do_not_disturb_each_other(kafka_log: KafkaLog, make_topic: MakeTopic) -> None:
    topic = await make_topic(partitions=4)
    for partition in range(4):
        await kafka_log.send(numbered(Source(topic, partition), 500, start=partition * 1_000))

    reads = await asyncio.gather(*(read_all(kafka_log, Source(topic, p % 4)) for p in range(8)))

    for index, messages in enumerate(reads):
        first = index % 4 * 1_000
        assert [int(m.value or b"") for m in messages] == list(range(first, first + 500))


async def test_a_topic_that_is_missing_is_named(kafka_log: KafkaLog, unique: str) -> None:
    with pytest.raises(TopicMissing, match=f"topic {unique} does not exist; make it with `driftline topics create"):
        await kafka_log.sources(unique)


async def test_no_broker_is_one_sentence() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(BrokerUnavailable, match=f"^no Kafka broker answers at {address} "):
        await KafkaLog.open(KafkaKeys(bootstrap_servers=address))


async def test_trimming_is_a_hint_that_never_raises(broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic) -> None:
    source = Source(await make_topic(), 0)
    await kafka_log.send(numbered(source, 10))

    for _ in range(2):
        await kafka_log.trim(source, before=4)

    first = 4 if broker.is_real else 0
    assert await kafka_log.begin(source) == first
    assert await kafka_log.sources(source.topic) == [source]
    assert [m.offset for m in await read_all(kafka_log, source)] == list(range(first, 10))


@pytest.mark.kafka
async def test_an_aborted_transaction_is_not_read_and_does_not_hang_the_read(
    broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str
) -> None:
    # offsets: 0 1 | 2 3 aborted, 4 marker | 5 | 6 aborted, 7 marker
    source = Source(await make_topic(), 0)
    await kafka_log.send(numbered(source, 2))
    async with AIOKafkaProducer(**client_arguments(broker.kafka), transactional_id=unique) as producer:
        await abort(producer, source, [b"a", b"b"])
        await stable_up_to(5, kafka_log, source)
        await kafka_log.send([Outgoing(to=source, value=b"between")])
        await abort(producer, source, [b"c"])
        await stable_up_to(8, kafka_log, source)

        assert [(m.offset, m.value) for m in await read_all(kafka_log, source)][2:] == [(5, b"between")]
        found = await kafka_log.first_at(source, 2)
        assert found is not None
        assert found.offset == 5
        assert await kafka_log.first_at(source, 6) is None
        assert await read_all(kafka_log, source, start=7) == []


@pytest.mark.kafka
async def test_an_open_transaction_ends_the_read_before_it(
    broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str
) -> None:
    source = Source(await make_topic(), 0)
    await kafka_log.send(numbered(source, 1))
    async with AIOKafkaProducer(**client_arguments(broker.kafka), transactional_id=unique) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(source.topic, b"open", partition=0)
        await kafka_log.send([Outgoing(to=source, value=b"behind the open one")])

        assert [m.offset for m in await read_all(kafka_log, source)] == [0]
        await producer.commit_transaction()
        await stable_up_to(4, kafka_log, source)
        assert [m.offset for m in await read_all(kafka_log, source)] == [0, 1, 2]


async def stable_up_to(offset: int, log: KafkaLog, source: Source) -> None:
    """Until the transaction's marker is written: the broker does that after it has answered the producer."""
    async with asyncio.timeout(30):
        while await log.end(source) < offset:
            await asyncio.sleep(0.01)


async def abort(producer: AIOKafkaProducer, to: Source, values: list[bytes]) -> None:
    """One transaction that comes to nothing."""
    await producer.begin_transaction()
    for value in values:
        await producer.send_and_wait(to.topic, value, partition=to.partition)
    await producer.abort_transaction()


async def test_a_broker_that_dies_ends_reading_sending_and_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_log_module, "SILENCE_LIMIT_S", 0.5)
    monkeypatch.setattr(kafka_log_module, "CLOSE_LIMIT_S", 0.5)
    broker = EmbeddedBroker().start()
    kafka = KafkaKeys(bootstrap_servers=broker.bootstrap_servers)
    source = Source("log", 0)
    async with KafkaLog.connect(kafka) as log:
        await log.send(numbered(source, 3))  # the embedded broker makes topics as they are asked for
        reading = log.read(source, 0)
        await anext(reading)
        broker.stop()

        with pytest.raises(BrokerUnavailable):
            await read_all(log, source)
        with pytest.raises(BrokerUnavailable):
            await log.send(numbered(source, 1))
        await reading.aclose()
