"""`driftline topics create`, and what a worker's start refuses."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from stream.cli import EXIT_CALLER, EXIT_FINE, main
from stream.config import Config, TopicKeys
from stream.errors import CallerError, PartitionCountChanged, TopicMissing
from stream.service.admin import check_topics, create_topics
from stream.service.connection import client_arguments
from stream.service.kafka_log import KafkaLog
from stream.service.topics import TOPICS
from tests.brokers import Broker


@pytest.fixture
def config(broker: Broker, unique: str) -> Config:
    """A configuration whose topics nobody else has."""
    roles = TopicKeys.model_fields
    topics = TopicKeys(**{role: f"{unique}-{role}" for role in roles})
    return Config(app=unique, kafka=broker.kafka, topics=topics)


@pytest.fixture
async def admin(broker: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    """To do by hand what an operator does."""
    client = AIOKafkaAdminClient(**client_arguments(broker.kafka))
    await client.start()
    yield client
    await client.close()


async def test_what_is_missing_is_made_and_a_second_time_changes_nothing(config: Config, kafka_log: KafkaLog) -> None:
    first = await create_topics(config, kafka_log, partitions=3)
    second = await create_topics(config, kafka_log, partitions=7)

    assert [s.role for s in first] == [spec.role for spec in TOPICS]
    assert all(s.created for s in first)
    assert not any(s.created for s in second)
    assert [s.partitions for s in second] == [s.partitions for s in first]
    assert {s.role: s.partitions for s in first} == {
        "predictions": 3, "labels": 3, "baselines": 1, "alerts": 1, "reports": 1, "silences": 1, "dead_letters": 3,
        "outcomes": 3, "partials": 3, "count-changelog": 3, "labels-changelog": 3, "join-changelog": 3,
        "evaluate-changelog": 3, "partition-counts": 1,
    }  # fmt: skip
    assert [s.differs for s in second] == [()] * len(TOPICS)


async def test_changelogs_follow_the_topics_that_are_there(
    config: Config, kafka_log: KafkaLog, admin: AIOKafkaAdminClient
) -> None:
    await admin.create_topics([NewTopic(config.topics.predictions, 6, 1)])

    states = {s.role: s for s in await create_topics(config, kafka_log, partitions=2)}

    assert (states["predictions"].created, states["predictions"].partitions) == (False, 6)
    assert states["count-changelog"].partitions == 6
    assert states["evaluate-changelog"].partitions == states["partials"].partitions == 2


async def test_a_setting_that_would_lose_baselines_is_pointed_out(
    config: Config, kafka_log: KafkaLog, admin: AIOKafkaAdminClient
) -> None:
    settings = {"cleanup.policy": "delete"}
    await admin.create_topics([NewTopic(config.topics.baselines, 1, 1, topic_configs=settings)])

    states = {s.role: s for s in await create_topics(config, kafka_log)}

    assert states["baselines"].differs == ("cleanup.policy is delete, not compact",)


async def test_the_check_gives_the_partition_counts(config: Config, kafka_log: KafkaLog) -> None:
    await create_topics(config, kafka_log, partitions=2)

    counts = await check_topics(config, kafka_log)

    assert counts[config.topics.predictions] == 2
    assert counts[config.internal_topic("evaluate-changelog")] == 2
    assert len(counts) == len(TOPICS)


async def test_missing_topics_are_refused_with_the_command_that_makes_them(config: Config, kafka_log: KafkaLog) -> None:
    with pytest.raises(TopicMissing, match="driftline topics create") as refused:
        await check_topics(config, kafka_log)
    assert config.topics.predictions in str(refused.value)


@pytest.mark.kafka
async def test_the_input_may_grow_and_counts_changelog_grows_with_it(
    config: Config, kafka_log: KafkaLog, admin: AIOKafkaAdminClient
) -> None:
    await create_topics(config, kafka_log, partitions=2)
    await grow(admin, config.topics.predictions, 5)

    with pytest.raises(CallerError, match=r"grown to 5 partitions.*grow it with `driftline topics create"):
        await check_topics(config, kafka_log)
    await create_topics(config, kafka_log, partitions=2)
    counts = await check_topics(config, kafka_log)

    assert counts[config.topics.predictions] == 5
    assert counts[config.internal_topic("count-changelog")] == 5


@pytest.mark.kafka
@pytest.mark.parametrize("role", ["partials", "evaluate-changelog"])
async def test_an_internal_topic_that_grew_is_refused(
    role: str, config: Config, kafka_log: KafkaLog, admin: AIOKafkaAdminClient
) -> None:
    await create_topics(config, kafka_log, partitions=2)
    await grow(admin, config.internal_topic(role), 3)

    words = rf"topic {config.app}\.{role} has 3 partitions, its state was kept for 2"
    with pytest.raises(PartitionCountChanged, match=words):
        await check_topics(config, kafka_log)
    with pytest.raises(PartitionCountChanged, match=words):
        await create_topics(config, kafka_log, partitions=2)


@pytest.mark.parametrize(("role", "made_anew"), [("partials", 4), ("count-changelog", 1)])
async def test_an_internal_topic_that_was_made_anew_with_other_partitions_is_refused(
    role: str, made_anew: int, config: Config, kafka_log: KafkaLog, admin: AIOKafkaAdminClient
) -> None:
    """Also before it is grown to what it was: its state is gone all the same."""
    await create_topics(config, kafka_log, partitions=2)
    await make_anew(admin, kafka_log, config.internal_topic(role), partitions=made_anew)

    words = rf"has {made_anew} partitions, its state was kept for 2"
    with pytest.raises(PartitionCountChanged, match=words):
        await check_topics(config, kafka_log)
    with pytest.raises(PartitionCountChanged, match=words):
        await create_topics(config, kafka_log, partitions=2)


async def test_a_topic_that_would_forget_state_by_itself_is_refused(
    config: Config, kafka_log: KafkaLog, admin: AIOKafkaAdminClient
) -> None:
    outcomes = config.internal_topic("outcomes")
    await admin.create_topics([NewTopic(outcomes, 2, 1, topic_configs={"retention.ms": "604800000"})])
    await create_topics(config, kafka_log, partitions=2)

    with pytest.raises(CallerError, match=r"holds state and has retention.ms = 604800000; set it to -1"):
        await check_topics(config, kafka_log)


@pytest.mark.timeout(30)
async def test_an_input_that_was_made_anew_with_more_partitions_is_not_accepted_before_its_changelog_has_grown(
    config: Config, kafka_log: KafkaLog, admin: AIOKafkaAdminClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same words as a worker's, at once: the changelog's missing partitions are not waited for."""
    await create_topics(config, kafka_log, partitions=1)
    await make_anew(admin, kafka_log, config.topics.predictions, partitions=4)
    file = tmp_path / "driftline.yaml"
    file.write_text(config.model_dump_json(exclude={"kafka": {"sasl_password"}}))

    accept = ["topics", "accept-recreated", "-c", str(file), config.topics.predictions]
    assert await asyncio.to_thread(main, accept) == EXIT_CALLER

    said = capsys.readouterr().err
    assert f"has grown to 4 partitions, {config.app}.count-changelog has 1; grow it with `driftline topics cr" in said


async def make_anew(admin: AIOKafkaAdminClient, kafka_log: KafkaLog, topic: str, *, partitions: int) -> None:
    """Delete a topic and make it again."""
    await admin.delete_topics([topic])
    async with asyncio.timeout(30):
        while (await admin.create_topics([NewTopic(topic, partitions, 1)])).topic_errors[0][1]:
            await asyncio.sleep(0.05)  # Kafka deletes after it has answered
        while not await is_there(kafka_log, topic, partitions=partitions):
            await asyncio.sleep(0.05)


async def is_there(kafka_log: KafkaLog, topic: str, *, partitions: int) -> bool:
    """Whether the broker that answers has heard of the new topic."""
    try:
        return len(await kafka_log.sources(topic)) == partitions
    except TopicMissing:
        return False


async def grow(admin: AIOKafkaAdminClient, topic: str, partitions: int) -> None:
    """What `kafka-topics --alter --partitions` does."""
    await admin.create_partitions({topic: NewPartitions(total_count=partitions)})


def test_the_command_prints_what_it_did(config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "driftline.yaml"
    file.write_text(config.model_dump_json(exclude={"kafka": {"sasl_password"}}))

    assert main(["topics", "create", "-c", str(file), "--partitions", "2", "--json"]) == EXIT_FINE
    made = json.loads(capsys.readouterr().out)["topics"]
    assert main(["topics", "create", "-c", str(file)]) == EXIT_FINE
    lines = capsys.readouterr().out.splitlines()

    assert [(t["role"], t["created"]) for t in made] == [(spec.role, True) for spec in TOPICS]
    assert all(line.startswith("exists   ") for line in lines)
    assert len(lines) == len(TOPICS)


def test_without_a_broker_the_command_says_so_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "driftline.yaml"
    file.write_text("kafka: {bootstrap_servers: '127.0.0.1:9'}")

    assert main(["topics", "create", "-c", str(file)]) == EXIT_CALLER

    complaint = capsys.readouterr().err
    assert complaint.startswith("driftline: no Kafka broker answers at 127.0.0.1:9")
    assert len(complaint.splitlines()) == 1
