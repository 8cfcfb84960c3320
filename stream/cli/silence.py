"""`driftline silence add | list | expire`: alerts that are not told for a while."""

import asyncio
import getpass
import hashlib
import json
import time
from collections.abc import Sequence
from typing import Any, Final

import click
import msgspec
import orjson

from stream.alerts.narrowing import silence_narrows
from stream.alerts.request_book import RequestBook
from stream.alerts.silences import LONGEST_TEXT, MOST_MATCHERS, Silence, matcher_of, silence_record
from stream.cli import config_option, json_option
from stream.cli.options import duration
from stream.config import Config
from stream.durable.log import Outgoing
from stream.errors import InputError
from stream.records.times import epoch_ms, rfc3339
from stream.service.kafka_log import KafkaLog

STATES: Final = ("active", "pending", "expired")
IN_THE_PAST: Final = (
    "its end is past, so it keeps nothing from being told now; windows that end within it do count in a replay"
)


@click.group(name="silence")
def command() -> None:
    """Keep alerts from being told for a while; list and end what does."""


def by_option(wrapped: Any) -> Any:
    """`--by` and `--comment`: who says it, and why."""
    why = click.option("--comment", default="", callback=short_text, help="Why, for whoever reads it later.")
    who = click.option("--by", "author", default=getpass.getuser, callback=short_text, help="Who. Default: you.")
    return who(why(wrapped))


def short_text(context: click.Context, option: click.Parameter, value: str) -> str:
    """A text that a message may have."""
    if len(value) > LONGEST_TEXT:
        raise click.BadParameter(f"must be at most {LONGEST_TEXT} characters long", context, option)
    return value


def moment(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """An RFC 3339 time with its zone, in milliseconds."""
    try:
        return None if value is None else epoch_ms(value)
    except (ValueError, TypeError) as problem:
        wrong = f"{value!r} is no time with a zone; write 2013-10-02T06:00:00Z"
        raise click.BadParameter(wrong, context, option) from problem


@command.command(name="add")
@click.argument("matchers", nargs=-1, metavar="[LABEL=TEXT | LABEL!=TEXT]...")
@click.option("--for", "lasts_ms", metavar="2h", callback=duration, help="How long it lasts.")
@click.option("--start", "start_ms", metavar="TIME", callback=moment, help="When it begins. Default: now.")
@click.option("--end", "end_ms", metavar="TIME", callback=moment, help="When it ends, instead of --for.")
@click.option("--all", "everything", is_flag=True, help="Yes, silence every alert, or all but those named.")
@by_option
@config_option
@json_option
def add(config: Config, as_json: bool, everything: bool, **given: Any) -> None:
    """Silence the alerts whose labels match all of the matchers; `*` stands for any text.

    `driftline silence add model=fraud "subject=wind_*" --for 2h`. Times are event time: of the windows that are not
    told. One that starts later is a maintenance window.
    """
    silence = _new(given, now_ms=int(time.time() * 1_000))
    if not silence_narrows(silence) and not everything:
        raise InputError(
            "this would silence every alert, or all but a few; name a label, such as model=NAME, or say --all"
        )
    asyncio.run(_write(config, silence))
    state = state_at(silence, int(time.time() * 1_000))
    click.echo(json.dumps(silence_record(silence)) if as_json else _line(silence, state))
    if state == "expired" and not as_json:
        click.echo(IN_THE_PAST)


@command.command(name="list")
@click.option("--expired", is_flag=True, help="Those that are over as well.")
@config_option
@json_option
def list_(config: Config, as_json: bool, expired: bool) -> None:
    """List the silences that are active or still to come."""
    now_ms = int(time.time() * 1_000)
    held = asyncio.run(_read(config))
    shown = [(silence, state) for silence in held if (state := state_at(silence, now_ms)) != "expired" or expired]
    if as_json:
        click.echo(json.dumps([{**silence_record(silence), "state": state} for silence, state in shown], indent=2))
        return
    for silence, state in shown:
        click.echo(_line(silence, state))
    if not shown:
        click.echo("no silence is active or to come")


@command.command(name="expire")
@click.argument("silence_id", metavar="ID")
@config_option
@json_option
def expire(config: Config, as_json: bool, silence_id: str) -> None:
    """End a silence, whatever its times; what still fires is told with the next window."""
    ended = asyncio.run(_expire(config, silence_id))
    click.echo(json.dumps(silence_record(ended)) if as_json else _line(ended, "expired"))


def state_at(silence: Silence, now_ms: int) -> str:
    """One of STATES.

    >>> state_at(Silence("a", (), 1_000, 2_000, "ann", ""), 2_000)
    'expired'
    """
    if silence.ends_at_ms <= now_ms:
        return "expired"
    return "active" if silence.starts_at_ms <= now_ms else "pending"


def _new(given: dict[str, Any], now_ms: int) -> Silence:
    start_ms = now_ms if given["start_ms"] is None else given["start_ms"]
    if (given["lasts_ms"] is None) == (given["end_ms"] is None):
        raise InputError("say how long it lasts: --for 2h, or --end TIME")
    end_ms = given["end_ms"] if given["lasts_ms"] is None else start_ms + given["lasts_ms"]
    if end_ms <= start_ms:
        raise InputError(f"the silence would end at {rfc3339(end_ms)}, before it starts at {rfc3339(start_ms)}")
    if len(given["matchers"]) > MOST_MATCHERS:
        raise InputError(f"a silence has at most {MOST_MATCHERS} matchers, got {len(given['matchers'])}")
    matchers = tuple(matcher_of(text) for text in given["matchers"])
    said = Silence("", matchers, start_ms, end_ms, given["author"], given["comment"])
    identity = hashlib.sha256(msgspec.json.encode((said, now_ms))).hexdigest()[:16]
    return msgspec.structs.replace(said, id=identity)


async def _expire(config: Config, silence_id: str) -> Silence:
    async with KafkaLog.connect(config.kafka) as log:
        found = _only(list((await read_book(log, config)).silences()), silence_id)
        # Not "now": the windows of a replay end long before. Those that were judged under it stay as they were told.
        ended = msgspec.structs.replace(found, ends_at_ms=found.starts_at_ms)
        await say(log, config, f"silence/{ended.id}", silence_record(ended))
    return ended


def _only(held: Sequence[Silence], silence_id: str) -> Silence:
    matching = [silence for silence in held if silence_id and silence.id.startswith(silence_id)]
    if len(matching) != 1:
        known = "no silence" if not matching else f"{len(matching)} silences"
        raise InputError(f"{known} with an id that begins with {silence_id!r}; `driftline silence list` shows them")
    return matching[0]


async def _write(config: Config, silence: Silence) -> None:
    async with KafkaLog.connect(config.kafka) as log:
        await say(log, config, f"silence/{silence.id}", silence_record(silence))


async def _read(config: Config) -> list[Silence]:
    async with KafkaLog.connect(config.kafka) as log:
        return sorted((await read_book(log, config)).silences(), key=lambda s: (s.starts_at_ms, s.id))


async def read_book(log: KafkaLog, config: Config) -> RequestBook:
    """The topic as it is now; what cannot be read is passed over, as workers do."""
    book, (home, *_) = RequestBook(), await log.sources(config.topics.silences)
    async for message in log.read(home, 0):
        book.add(message)
    return book


async def say(log: KafkaLog, config: Config, key: str, record: dict[str, Any]) -> None:
    """Write into the topic; refused if it has not been made."""
    home, *_ = await log.sources(config.topics.silences)
    await log.send([Outgoing(to=home, key=key.encode(), value=orjson.dumps(record))])


def _line(silence: Silence, state: str) -> str:
    """One line of a silence.

    >>> _line(Silence("5c1d", (matcher_of("model=fraud"),), 0, 60_000, "ann", "feed"), "active")
    '5c1d  active   1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z  model=fraud  (ann: feed)'
    """
    about = " ".join(map(str, silence.matchers)) or "every alert"
    why = f"{silence.author}: {silence.comment}" if silence.comment else silence.author
    times = f"{rfc3339(silence.starts_at_ms)} to {rfc3339(silence.ends_at_ms)}"
    line = f"{silence.id}  {state:<7}  {times}  {about}  ({why})"
    return "".join(c if c.isprintable() else "·" for c in line)
