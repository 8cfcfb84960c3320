"""The Faust edge: packed batches, seeks that stick, rebalances, hints, and how a worker ends."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from stream.config import Config
from stream.durable.log import Outgoing
from stream.records.source import Source
from stream.service import app as app_module
from stream.service.app import EXIT_BUG, EXIT_CALLER, add_agent, make_app
from stream.service.connection import client_arguments
from stream.service.kafka_log import KafkaLog
from tests.brokers import Broker
from tests.conditions import eventually
from tests.conftest import MakeTopic
from tests.embedded.edge_worker import QUICK_SESSION_S, OffsetOwner

PARTITIONS = 4
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def quick_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded broker waits half the session timeout before it lets a group begin."""
    monkeypatch.setattr(app_module, "SESSION_TIMEOUT_S", QUICK_SESSION_S)


@asynccontextmanager
async def working(broker: Broker, group: str, topic: str, log: KafkaLog) -> AsyncIterator[OffsetOwner]:
    """An app in this process, whose owner has taken its partitions."""
    app = make_app(Config(app=group, kafka=broker.kafka), [topic])
    owner = OffsetOwner(app, topic, log)
    add_agent(app, "offsets", topic, owner.handle)
    await app.start()
    try:
        await eventually(lambda: bool(owner.next_offset), "partitions")
        yield owner
    finally:
        await app.stop()


async def fill(log: KafkaLog, topic: str, count: int) -> None:
    """`count` records in each partition; a value says its partition and offset."""
    for p in range(PARTITIONS):
        await log.send([Outgoing(to=Source(topic, p), value=b"%d %d" % (p, n)) for n in range(count)])


async def test_a_fetch_is_one_batch_and_every_record_is_in_one(
    broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str
) -> None:
    topic = await make_topic(partitions=PARTITIONS)
    await fill(kafka_log, topic, 5_000)

    async with working(broker, unique, topic, kafka_log) as owner:
        await eventually(lambda: sum(owner.next_offset.values()) == PARTITIONS * 5_000, "all records")

    assert {s.partition: offsets for s, offsets in owner.folded.items()} == {
        p: list(range(5_000)) for p in range(PARTITIONS)
    }
    assert len(owner.batches) < 200
    for batch in owner.batches:
        partition = batch.source.partition
        assert batch.values == [b"%d %d" % (partition, n) for n in batch.offsets.tolist()]
        assert batch.begin == batch.offsets[0]
        assert (batch.timestamps_ms > 1_600_000_000_000).all()


async def test_a_seek_back_sticks_and_the_same_records_come_again(
    broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str
) -> None:
    topic = await make_topic(partitions=PARTITIONS)
    await fill(kafka_log, topic, 300)
    source = Source(topic, 2)

    async with working(broker, unique, topic, kafka_log) as owner:
        await eventually(lambda: sum(owner.next_offset.values()) == PARTITIONS * 300, "all records")
        owner.next_offset[source] = 100
        await owner.partitions.seek({source: 100})
        await eventually(lambda: owner.next_offset[source] == 300, "the records again")
        owner.next_offset[source] = 0
        await owner.partitions.seek({source: 0})
        await eventually(lambda: owner.next_offset[source] == 300, "all of them again")

    assert owner.folded[source] == [*range(300), *range(100, 300), *range(300)]


async def test_a_batch_under_way_during_a_seek_is_noticed_and_costs_nothing(
    broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str
) -> None:
    # The owner goes back to 0 while newer batches flow: whatever comes stale, the chain heals without a new record.
    topic = await make_topic(partitions=PARTITIONS)
    source = Source(topic, 0)

    async with working(broker, unique, topic, kafka_log) as owner:
        for _ in range(20):
            await kafka_log.send([Outgoing(to=source, value=b"x") for _ in range(50)])
            owner.next_offset[source] = 0
            owner.folded[source] = []
            await owner.partitions.seek({source: 0})
        await eventually(lambda: owner.next_offset[source] == 1_000, "the end")

    assert owner.folded[source] == list(range(1_000))


async def test_a_paused_partition_is_silent_and_goes_on_where_its_owner_says(
    broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str
) -> None:
    topic = await make_topic(partitions=PARTITIONS)
    paused, other = Source(topic, 1), Source(topic, 3)

    async with working(broker, unique, topic, kafka_log) as owner:
        owner.partitions.pause(paused)
        await fill(kafka_log, topic, 100)
        await eventually(lambda: owner.next_offset[other] == 100, "the other partition")
        assert owner.next_offset[paused] == 0
        await owner.partitions.resume(paused, 0)
        await eventually(lambda: owner.next_offset[paused] == 100, "the resumed partition")


async def test_the_hint_is_what_kafka_shows_and_faust_commits_nothing(
    broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str
) -> None:
    topic = await make_topic(partitions=PARTITIONS)
    await fill(kafka_log, topic, 10)

    async with working(broker, unique, topic, kafka_log) as owner:
        await eventually(lambda: sum(owner.next_offset.values()) == PARTITIONS * 10, "all records")
        await owner.partitions.commit_hint({Source(topic, 0): 7, Source(topic, 3): 10})

    assert await committed(broker, unique, topic) == {0: 7, 3: 10}


async def committed(broker: Broker, group: str, topic: str) -> dict[int, int]:
    """What the group has committed, by partition."""
    admin = AIOKafkaAdminClient(**client_arguments(broker.kafka))
    await admin.start()
    partitions = [TopicPartition(topic, p) for p in range(PARTITIONS)]
    found = await admin.list_consumer_group_offsets(group, partitions=partitions)
    await admin.close()
    return {tp.partition: at.offset for tp, at in found.items() if at.offset >= 0}


@pytest.mark.kafka
async def test_aborted_records_are_not_handed_out_and_markers_do_not_break_the_chain(
    broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str
) -> None:
    topic = await make_topic(partitions=PARTITIONS)
    source = Source(topic, 0)
    async with (
        AIOKafkaProducer(**client_arguments(broker.kafka), transactional_id=unique) as producer,
        working(broker, unique, topic, kafka_log) as owner,
    ):
        for n in range(6):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"%d" % n, partition=0)
            await (producer.abort_transaction() if n % 2 else producer.commit_transaction())
        await eventually(lambda: len(owner.folded.get(source, ())) == 3, "three committed records")

        values = [v for batch in owner.batches if batch.source == source for v in batch.values]
        assert set(values) == {b"0", b"2", b"4"}
        assert owner.folded[source] == [0, 4, 8]  # 1, 3, 5, 7 are markers; 2 and 6 were aborted


class Worker:
    """edge_worker.py in a process of its own, and what it has said."""

    def __init__(self, broker: Broker, group: str, topic: str) -> None:
        program = [sys.executable, "-m", "tests.embedded.edge_worker", broker.bootstrap_servers, group, topic]
        self.process = subprocess.Popen(program, cwd=REPOSITORY, stdout=subprocess.PIPE)
        self.said: list[dict[str, Any]] = []
        self._listening = asyncio.get_running_loop().run_in_executor(None, self._listen)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    @property
    def has(self) -> set[int]:
        """The partitions that it took last, unless it has given them up since."""
        moves = [(kind, told[kind]) for told in self.said for kind in ("taken", "given_up") if kind in told]
        return set(moves[-1][1]) if moves and moves[-1][0] == "taken" else set()

    @property
    def folded(self) -> dict[int, int]:
        """The end of the last batch that it folded, by partition."""
        return {told["folded"][0]: told["folded"][2] for told in self.said if "folded" in told}

    async def ended(self) -> int:
        """Its exit code, once it has ended and everything it said is here."""
        await self._listening
        return self.process.wait()

    def kill(self) -> None:
        """End it; harmless if it has ended."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def workers() -> Iterator[ExitStack]:
    """Ends every worker of a test."""
    with ExitStack() as stack:
        yield stack


async def test_two_workers_share_the_partitions_and_one_takes_over_when_the_other_stops(
    broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str, workers: ExitStack
) -> None:
    topic = await make_topic(partitions=PARTITIONS)
    await fill(kafka_log, topic, 50)
    everything = set(range(PARTITIONS))
    first = Worker(broker, unique, topic)
    workers.callback(first.kill)
    await eventually(lambda: first.has == everything, "all partitions at the first worker")
    second = Worker(broker, unique, topic)
    workers.callback(second.kill)
    await eventually(
        lambda: first.has | second.has == everything and len(first.has) == len(second.has) == 2, "an even share"
    )

    first.process.send_signal(signal.SIGTERM)

    assert await first.ended() == 0
    assert "last_checkpoint" in first.said[-1]
    await eventually(lambda: second.has == everything, "all partitions at the second worker")
    await eventually(lambda: second.folded == dict.fromkeys(everything, 50), "all records at the second worker")


BROKEN_WORKER = """
import asyncio, sys
from stream.config import Config, KafkaKeys
from stream.errors import TopicRecreated
from stream.service import app as app_module
from stream.service.app import add_agent, make_app, run

async def a_bug(batch):
    raise ZeroDivisionError("a bug")

async def a_mistake_of_the_caller(batch):
    raise TopicRecreated("in", 0, next_offset=5, found="the log ends at 3")

async def a_crash_of_faust(batch):
    await app.crash(RuntimeError("a crash of Faust"))

async def main(servers, group, topic, ending):
    global app
    app_module.SESSION_TIMEOUT_S = 6.0
    app = make_app(Config(app=group, kafka=KafkaKeys(bootstrap_servers=servers)), [topic])
    add_agent(app, "broken", topic, globals()[ending])
    await run(app, before_stop=main)

asyncio.run(main(*sys.argv[1:]))
"""

ENDINGS = {
    "a_bug": (EXIT_BUG, "ZeroDivisionError: a bug"),
    "a_crash_of_faust": (EXIT_BUG, "RuntimeError: a crash of Faust"),
    "a_mistake_of_the_caller": (EXIT_CALLER, "driftline: in/0 is not the log"),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_what_escapes_an_agent_ends_the_process_with_the_right_code(
    ending: str, broker: Broker, kafka_log: KafkaLog, make_topic: MakeTopic, unique: str
) -> None:
    code, words = ENDINGS[ending]
    topic = await make_topic()
    await kafka_log.send([Outgoing(to=Source(topic, 0), value=b"1")])
    program = [sys.executable, "-c", BROKEN_WORKER, broker.bootstrap_servers, unique, topic, ending]

    ended = await asyncio.to_thread(
        subprocess.run, program, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == code, ended.stderr
    assert words in ended.stderr
