"""`driftline topics`: the topics that the service needs."""

import asyncio
import dataclasses
import json

import click

from stream.cli import config_option, json_option
from stream.config import Config
from stream.durable.incarnation import recreated, start_incarnation
from stream.errors import InputError
from stream.records.source import Source
from stream.service.admin import DEFAULT_PARTITIONS, TopicState, check_topics, create_topics
from stream.service.kafka_log import KafkaLog
from stream.service.topics import changelogs


@click.group(name="topics")
def command() -> None:
    """Create the topics that the service needs; accept one that was recreated."""


@command.command(name="create")
@config_option
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    default=DEFAULT_PARTITIONS,
    show_default=True,
    help="Of predictions, labels, dead letters, outcomes and partials, where they are made. "
    "Bounds how many workers share the load.",
)
@json_option
def create(config: Config, partitions: int, as_json: bool) -> None:
    """Make what is missing, leave what is there."""
    states = asyncio.run(_create(config, partitions))
    click.echo(_json(states) if as_json else _text(states))


@command.command(name="accept-recreated")
@config_option
@click.argument("topic")
@json_option
def accept_recreated(config: Config, topic: str, as_json: bool) -> None:
    """Count TOPIC, which was deleted and made again, from its start as a new log. Stop the workers before.

    What was counted of the old one stays. Only partitions that are seen to be new are touched.
    """
    accepted = asyncio.run(_accept_recreated(config, topic))
    if as_json:
        click.echo(json.dumps({"accepted": {str(source): incarnation for source, incarnation in accepted.items()}}))
    elif accepted:
        click.echo("\n".join(f"{source}: from its start, as incarnation {n}" for source, n in accepted.items()))
    else:
        click.echo(f"{topic} is the log that was counted: nothing to do")


async def _accept_recreated(config: Config, topic: str) -> dict[Source, int]:
    homes_of = changelogs(config)
    # What was waiting is gone with it, and evaluate has counts of it up to offsets that come again.
    if topic == config.internal_topic("outcomes"):
        raise InputError(f"{topic} holds what waits for labels; restore it, or choose a new `app` name")
    if topic not in homes_of:
        raise InputError(f"{topic} is not read by this service; name one of {', '.join(homes_of)}")
    async with KafkaLog.connect(config.kafka) as log:
        await check_topics(config, log)  # as a worker's start does: a partition without a changelog would be waited for
        homes = {source: Source(homes_of[topic], source.partition) for source in await log.sources(topic)}
        new = {s: home for s, home in homes.items() if await recreated(log, s, home) is not None}
        return {source: await start_incarnation(log, home) for source, home in new.items()}


async def _create(config: Config, partitions: int) -> list[TopicState]:
    async with KafkaLog.connect(config.kafka) as log:
        return await create_topics(config, log, partitions=partitions)


def _json(states: list[TopicState]) -> str:
    return json.dumps({"topics": [dataclasses.asdict(state) for state in states]}, indent=2)


def _text(states: list[TopicState]) -> str:
    width = max(len(state.name) for state in states)
    return "\n".join(_line(state, width) for state in states)


def _line(state: TopicState, width: int) -> str:
    done = "created" if state.created else "exists "
    partitions = "1 partition" if state.partitions == 1 else f"{state.partitions} partitions"
    warning = f"; attention: {', '.join(state.differs)}" if state.differs else ""
    return f"{done}  {state.name:<{width}}  {partitions}{warning}"
