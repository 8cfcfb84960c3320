"""Making the topics of a configuration, and checking them before a worker starts.

Promise: `create_topics` is idempotent and changes nothing that is there, but for one thing: where
predictions or labels have grown, their changelog grows with them. `check_topics` refuses a start that
would lose state: a missing topic, or an internal one whose number of partitions is not the one
that its state was kept for.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from stream.config import Config
from stream.durable.log import Log, Outgoing
from stream.errors import CallerError, PartitionCountChanged, TopicMissing
from stream.records.source import Source
from stream.service.connection import broker_unavailable, client_arguments, reason_of
from stream.service.kafka_log import KafkaLog
from stream.service.topics import (
    FOR_EVER,
    LARGE_MESSAGE_BYTES,
    SMALLEST_MESSAGE_BYTES,
    TOPICS,
    TopicSpec,
    changelogs,
    wanted_partitions,
    wanted_replicas,
    wanted_settings,
)

DEFAULT_PARTITIONS: Final = 4
DEFAULT_MESSAGE_BYTES: Final = 1_048_588  # Kafka's own `max.message.bytes`, where a broker does not tell a topic's
SEEN_LIMIT_S: Final = 30.0  # a cluster tells all its brokers of a new topic in milliseconds
_LOOK_EVERY_S: Final = 0.05
_NO_ERROR: Final = 0
_READ_ONLY: Final = ("predictions", "labels", "baselines", "partition-counts")  # of a worker


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """One topic of the configuration, as it is now."""

    role: str
    name: str
    partitions: int
    created: bool
    differs: tuple[str, ...] = ()  # settings that are not as they should be: "cleanup.policy is delete, not compact"


async def create_topics(config: Config, log: KafkaLog, *, partitions: int = DEFAULT_PARTITIONS) -> list[TopicState]:
    """Make what is missing, leave what is there, record the partition counts that state depends on.

    Args:
        config: says the names.
        log: connected to the same Kafka.
        partitions: of the topics that are made and do not follow another's number.

    Raises:
        PartitionCountChanged: an internal topic has another number than was recorded.
        CallerError: Kafka refuses to make a topic.
    """
    async with _admin(config) as admin:
        brokers = len((await admin.describe_cluster())["brokers"])
        states = []
        await _refuse_lost_state(config, log, await _partition_counts(admin))
        for spec in TOPICS:
            existing = await _partition_counts(admin)
            name = spec.name(config)
            created = name not in existing
            if created:
                count = wanted_partitions(spec, config, existing, partitions)
                await _create(admin, _new_topic(spec, name, count, brokers))
                existing = await _seen(admin, name)
            elif spec.may_grow and existing[name] < (wanted := wanted_partitions(spec, config, existing, partitions)):
                existing = await _grown(admin, name, wanted)
            states.append(
                TopicState(
                    role=spec.role,
                    name=name,
                    partitions=existing[name],
                    created=created,
                    differs=() if created else await _differences(admin, name, wanted_settings(spec, 1)),
                )
            )
    await _record_counts(config, log, {state.name: state.partitions for state in states})
    return states


async def check_topics(config: Config, log: KafkaLog) -> dict[str, int]:
    """The number of partitions of every topic of the configuration, by its name.

    Numbers that nobody has recorded yet, because the topics were made by other means, are recorded.

    Raises:
        TopicMissing: some are not there; `driftline topics create` makes them.
        PartitionCountChanged: an internal topic has another number than its state was kept for.
        CallerError: a topic has outgrown its changelog, or would forget state by itself.
    """
    async with _admin(config) as admin:
        existing = await _partition_counts(admin)
        names = [spec.name(config) for spec in TOPICS]
        missing = [name for name in names if name not in existing]
        if missing:
            raise TopicMissing(*missing)
        counts = {name: existing[name] for name in names}
        await _record_counts(config, log, counts)
        _refuse_outgrown(config, counts)
        await _refuse_forgetful(config, admin)
    return counts


async def message_limits(config: Config) -> dict[str, int]:
    """How many bytes a message, or a batch of them, may have in each topic that a worker writes; by its name.

    Raises:
        CallerError: a topic of our own takes less than the records that we pack.
    """
    async with _admin(config) as admin:
        limits = {
            name: int((await _settings(admin, name)).get("max.message.bytes", DEFAULT_MESSAGE_BYTES))
            for name in (spec.name(config) for spec in TOPICS if spec.role not in _READ_ONLY)
        }
    for name in (spec.name(config) for spec in TOPICS if spec.message_bytes is not None):
        if limits.get(name, SMALLEST_MESSAGE_BYTES) < SMALLEST_MESSAGE_BYTES:
            raise CallerError(
                f"topic {name} takes messages of {limits[name]} bytes at most; "
                f"set its max.message.bytes to {LARGE_MESSAGE_BYTES}, or leave it to `driftline topics create`"
            )
    return limits


@asynccontextmanager
async def _admin(config: Config) -> AsyncIterator[AIOKafkaAdminClient]:
    with broker_unavailable(config.kafka):
        admin = AIOKafkaAdminClient(**client_arguments(config.kafka))
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    # All topics: asking for one may create it.
    return {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics() if t["partitions"]}


def _new_topic(spec: TopicSpec, name: str, partitions: int, brokers: int) -> NewTopic:
    settings = wanted_settings(spec, brokers)
    return NewTopic(name, partitions, wanted_replicas(brokers), topic_configs=settings)


async def _create(admin: AIOKafkaAdminClient, topic: NewTopic) -> None:
    answer = await admin.create_topics([topic])
    for name, code, message in answer.topic_errors:
        if code not in (_NO_ERROR, TopicAlreadyExistsError.errno):
            why = message or for_code(code).__name__
            raise CallerError(f"Kafka refuses to make topic {name} ({why}); ask its operator, or make it yourself")


async def _seen(admin: AIOKafkaAdminClient, name: str) -> dict[str, int]:
    """All topics, once the new one is among them."""
    async with asyncio.timeout(SEEN_LIMIT_S):
        while name not in (existing := await _partition_counts(admin)):
            await asyncio.sleep(_LOOK_EVERY_S)
    return existing


async def _grown(admin: AIOKafkaAdminClient, name: str, partitions: int) -> dict[str, int]:
    """All topics, once this one has its new partitions."""
    try:
        await admin.create_partitions({name: NewPartitions(total_count=partitions)})
    except KafkaError as error:
        why = reason_of(error)
        raise CallerError(f"Kafka refuses to grow topic {name} to {partitions} partitions ({why})") from error
    async with asyncio.timeout(SEEN_LIMIT_S):
        while (existing := await _partition_counts(admin))[name] < partitions:
            await asyncio.sleep(_LOOK_EVERY_S)
    return existing


async def _differences(admin: AIOKafkaAdminClient, name: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
    found = await _settings(admin, name)
    return tuple(
        f"{setting} is {found[setting]}, not {value}"
        for setting, value in wanted.items()
        if setting in found and found[setting] != value
    )


async def _settings(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    """What the broker tells of a topic's settings; nothing, if it tells nothing."""
    try:
        answers: Sequence[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    except KafkaError:
        return {}
    return {entry[0]: entry[1] for answer in answers for resource in answer.resources for entry in resource[4]}


def _counts_source(config: Config) -> Source:
    return Source(config.internal_topic("partition-counts"), 0)


async def _recorded_counts(config: Config, log: Log) -> dict[str, int]:
    """What was recorded, by topic; the first entry under a name counts."""
    counts: dict[str, int] = {}
    async for message in log.read(_counts_source(config), 0):
        if message.key and message.value:
            counts.setdefault(message.key.decode(), int(json.loads(message.value)["partitions"]))
    return counts


async def _record_counts(config: Config, log: Log, counts: Mapping[str, int]) -> None:
    """Compare with what is recorded, and record what is not."""
    recorded = await _recorded_counts(config, log)
    following = {changelog: counts[topic] for topic, changelog in changelogs(config).items()}
    may_grow = {spec.name(config) for spec in TOPICS if spec.may_grow}
    _refuse_changed(counts, {n: c for n, c in following.items() if n not in may_grow} | recorded, may_grow)
    new = [name for spec in TOPICS if spec.recorded and (name := spec.name(config)) not in recorded]
    await log.send(
        [
            Outgoing(
                to=_counts_source(config),
                key=name.encode(),
                value=json.dumps({"partitions": counts[name]}).encode(),
            )
            for name in new
        ]
    )


async def _refuse_lost_state(config: Config, log: Log, existing: Mapping[str, int]) -> None:
    """Before anything is grown: a topic that was made anew, and smaller, has lost what was kept for it."""
    if _counts_source(config).topic in existing:
        may_grow = {spec.name(config) for spec in TOPICS if spec.may_grow}
        _refuse_changed(existing, await _recorded_counts(config, log), may_grow)


def _refuse_changed(counts: Mapping[str, int], recorded: Mapping[str, int], may_grow: Collection[str]) -> None:
    for name, partitions in recorded.items():
        found = counts.get(name, partitions)
        if found < partitions or (found > partitions and name not in may_grow):
            raise PartitionCountChanged(name, recorded=partitions, found=found)


async def _refuse_forgetful(config: Config, admin: AIOKafkaAdminClient) -> None:
    """What state is kept in must not be deleted by age or size: its owner trims it, and nobody else."""
    for name in (spec.name(config) for spec in TOPICS if spec.retention_ms == FOR_EVER):
        found = await _settings(admin, name)
        for setting in ("retention.ms", "retention.bytes"):
            if found.get(setting, str(FOR_EVER)) != str(FOR_EVER):
                raise CallerError(
                    f"topic {name} holds state and has {setting} = {found[setting]}; set it to {FOR_EVER}, "
                    "or leave the topic to `driftline topics create`"
                )


def _refuse_outgrown(config: Config, counts: Mapping[str, int]) -> None:
    for topic, changelog in changelogs(config).items():
        if counts[changelog] < counts[topic]:
            raise CallerError(
                f"topic {topic} has grown to {counts[topic]} partitions, {changelog} has "
                f"{counts[changelog]}; grow it with `driftline topics create -c FILE`"
            )
