"""`driftline alerts`: alerts as they come."""

import asyncio
from typing import Any, Final

import click
import orjson

from stream.cli import config_option
from stream.config import Config
from stream.durable.log import Log
from stream.records.source import Message, Source
from stream.service.kafka_log import KafkaLog

LOOK_EVERY_S: Final = 0.5


@click.group(name="alerts")
def command() -> None:
    """Show alerts as they come."""


@command.command(name="tail")
@config_option
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest alert that is kept.")
@click.option("--json", "as_json", is_flag=True, help="Print each alert as it is, one JSON object a line.")
def tail(config: Config, from_beginning: bool, as_json: bool) -> None:
    """Print alerts as they are published, until Ctrl-C."""
    asyncio.run(_tail(config, from_beginning=from_beginning, as_json=as_json))


async def _tail(config: Config, *, from_beginning: bool, as_json: bool) -> None:
    async with KafkaLog.connect(config.kafka) as log:
        positions = dict.fromkeys(await log.sources(config.topics.alerts), 0)
        if not from_beginning:
            for source in positions:
                positions[source] = await _end(log, source)
        while True:
            for source, position in positions.items():
                async for message in log.read(source, position):
                    positions[source] = message.offset + 1
                    click.echo(_as_json(message) if as_json else _line(message))
            await asyncio.sleep(LOOK_EVERY_S)


async def _end(log: Log, source: Source) -> int:
    """The true end: what `Log.end` says may be too low by a batch."""
    end = await log.end(source)
    async for message in log.read(source, max(end - 1, 0)):
        end = max(end, message.offset + 1)
    return end


def _as_json(message: Message) -> str:
    return (message.value or b"null").decode("utf-8", "replace")


def _line(message: Message) -> str:
    """One line of an alert, with the end of the window that it is about.

    >>> alert = {"status": "firing", "severity": "critical", "startsAt": "2013-10-02T00:00:00Z",
    ...          "labels": {"model": "flight-delay", "version": "3"}, "annotations": {"summary": "distance drifted"}}
    >>> _line(Message(offset=0, timestamp_ms=0, key=None, value=orjson.dumps(alert)))
    '2013-10-02T00:00:00Z  firing    critical  flight-delay@3  distance drifted'
    """
    try:
        alert: dict[str, Any] = orjson.loads(message.value or b"")
        model = f"{alert['labels']['model']}@{alert['labels']['version']}"
        window = alert.get("evidence", {}).get("window", {})
        when = window.get("end") or alert.get("endsAt") or alert["startsAt"]
        summary = alert["annotations"]["summary"]
        return f"{when}  {alert['status']:<8}  {alert['severity']:<8}  {model}  {summary}"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"offset {message.offset}: not an alert"
