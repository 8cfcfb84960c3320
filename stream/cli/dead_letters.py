"""`driftline dead-letters`: the input that could not be counted, and why."""

import asyncio
import base64
import heapq
import json
from typing import Any, Final

import click

from stream.cli import config_option, json_option
from stream.config import Config
from stream.records.rejection import REJECTION_REASONS
from stream.records.source import Message, Source
from stream.records.times import rfc3339
from stream.service.kafka_log import KafkaLog

LONGEST_SHOWN: Final = 160  # characters of a value in the text form
NUMBERS: Final = ("size", "partition", "offset", "index")

Place = tuple[int, Source, int]  # in time, then by where it lies


@click.group(name="dead-letters")
def command() -> None:
    """List the input that could not be counted."""


@command.command(name="list")
@config_option
@click.option("--reason", type=click.Choice(sorted(REJECTION_REASONS)), help="Only those with this reason.")
@click.option("--last", type=click.IntRange(min=1), default=50, show_default=True, help="How many, the newest.")
@json_option
def list_dead_letters(config: Config, reason: str | None, last: int, as_json: bool) -> None:
    """Show the newest dead letters, oldest of them first."""
    letters = asyncio.run(_newest(config, reason, last))
    if as_json:
        click.echo(json.dumps({"dead_letters": [_as_json(letter) for letter in letters]}, indent=2))
    else:
        click.echo("\n".join(map(_line, letters)) or "no dead letters")


async def _newest(config: Config, reason: str | None, last: int) -> list[Message]:
    """Reads the whole topic and keeps `last` of it."""
    kept: list[tuple[Place, int, Message]] = []  # a heap, the oldest first; the int keeps messages from being compared
    async with KafkaLog.connect(config.kafka) as log:
        for source in await log.sources(config.topics.dead_letters):
            async for letter in log.read(source, 0):
                if reason is None or _headers(letter).get("reason") == reason:
                    heapq.heappush(kept, ((letter.timestamp_ms, source, letter.offset), len(kept), letter))
                    if len(kept) > last:
                        heapq.heappop(kept)
    return [letter for _, _, letter in sorted(kept)]


def _headers(letter: Message) -> dict[str, str]:
    return {name: value.decode("utf-8", "replace") for name, value in letter.headers}


def _as_json(letter: Message) -> dict[str, Any]:
    """The headers with numbers as numbers; the value as text, or in base64 where it is no UTF-8."""
    headers: dict[str, Any] = dict(_headers(letter))
    headers |= {name: int(headers[name]) if headers.get(name) else None for name in NUMBERS}
    return {"received": rfc3339(letter.timestamp_ms), **headers, **_value(letter.value)}


def _value(value: bytes | None) -> dict[str, str | None]:
    try:
        return {"value": None if value is None else value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"value_base64": base64.b64encode(value or b"").decode()}


def _line(letter: Message) -> str:
    headers = _headers(letter)
    where = f"{headers.get('topic')}/{headers.get('partition')}/{headers.get('offset')}"
    index = f"[{headers['index']}]" if headers.get("index") else ""
    received = rfc3339(letter.timestamp_ms)
    return f"{received}  {where}{index}  {headers.get('reason')}: {headers.get('detail')}  {_shown(letter.value)}"


def _shown(value: bytes | None) -> str:
    """On one line, cut, and harmless to a terminal."""
    if value is None:
        return "(no value)"
    text = value[: 4 * LONGEST_SHOWN].decode("utf-8", "replace")
    printable = "".join(c if c.isprintable() else "·" for c in text)
    return printable if len(printable) <= LONGEST_SHOWN else printable[:LONGEST_SHOWN] + "…"
