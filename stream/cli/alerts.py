"""`driftline alerts`: alerts as they come."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import click
import orjson

from detectors import Verdict
from stream.cli import config_option
from stream.config import Config
from stream.records.source import Message
from stream.records.violation import EVENT
from stream.service.kafka_log import KafkaLog, true_end

LOOK_EVERY_S: Final = 0.5
STATUSES: Final = ("pending", "firing", "resolved", EVENT)
SEVERITIES: Final = (str(Verdict.NOTICE), str(Verdict.WARNING), str(Verdict.CRITICAL))  # ascending


@click.group(name="alerts")
def command() -> None:
    """Show alerts as they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which alerts are shown."""

    statuses: tuple[str, ...] = ()  # none: all
    severity: str | None = None  # this one or a worse one
    model: str | None = None

    def takes(self, alert: Mapping[str, Any] | None) -> bool:
        """Whether it is one of them; what is no alert is shown unless something is asked for.

        >>> alert = {"status": "firing", "severity": "warning", "labels": {"model": "fraud"}}
        >>> Wanted(statuses=("firing",), model="fraud").takes(alert), Wanted(severity="critical").takes(alert)
        (True, False)
        """
        if alert is None:
            return self == Wanted()
        return (
            (not self.statuses or alert["status"] in self.statuses)
            and (self.severity is None or _rank(alert["severity"]) >= _rank(self.severity))
            and (self.model is None or alert["labels"]["model"] == self.model)
        )


@command.command(name="tail")
@config_option
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest alert that is kept.")
@click.option("--once", is_flag=True, help="End where the topic ends, instead of waiting for more.")
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="Only these; may be repeated.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only this severity and worse ones.")
@click.option("--model", metavar="NAME", help="Only those of one model.")
@click.option("--json", "as_json", is_flag=True, help="Print each alert as it is, one JSON object a line.")
def tail(config: Config, from_beginning: bool, once: bool, as_json: bool, **wanted: Any) -> None:
    """Print alerts as they are published, until Ctrl-C.

    One line each: the end of the window, what became of the alert, how bad it is, its id, its model, and what was seen.
    """
    asyncio.run(_tail(config, Wanted(**wanted), from_beginning=from_beginning, once=once, as_json=as_json))


async def _tail(config: Config, wanted: Wanted, *, from_beginning: bool, once: bool, as_json: bool) -> None:
    async with KafkaLog.connect(config.kafka) as log:
        positions = dict.fromkeys(await log.sources(config.topics.alerts), 0)
        if not from_beginning:
            for source in positions:
                positions[source] = await true_end(log, source)
        while True:
            for source, position in positions.items():
                async for message in log.read(source, position):
                    positions[source] = message.offset + 1
                    if wanted.takes(_alert(message)):
                        click.echo(_as_json(message) if as_json else _line(message))
            if once:
                return
            await asyncio.sleep(LOOK_EVERY_S)


def _rank(severity: str) -> int:
    """How bad; a severity that we do not know is the worst."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _as_json(message: Message) -> str:
    return (message.value or b"null").decode("utf-8", "replace")


def _alert(message: Message) -> dict[str, Any] | None:
    """The alert in a message, if it has what is shown and chosen by; None otherwise."""
    try:
        alert: dict[str, Any] = orjson.loads(message.value or b"")
        told = (alert["id"], alert["status"], alert["severity"], _when(alert), alert["annotations"]["summary"])
        of_model = alert["labels"]["model"], alert["labels"]["version"]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    return alert if all(isinstance(one, str) for one in (*told, *of_model)) else None


def _when(alert: Mapping[str, Any]) -> str:
    """The end of its window; `-` where it has no time, as when input was lost before any was read."""
    window = alert.get("evidence", {}).get("window", {})
    return window.get("end") or alert.get("endsAt") or alert["startsAt"] or "-"


def _line(message: Message) -> str:
    """One line of an alert, with the end of the window that it is about.

    >>> alert = {"id": "9f2c0a1b2c3d4e5f", "status": "firing", "severity": "critical",
    ...          "startsAt": "2013-10-02T00:00:00Z", "labels": {"model": "flight-delay", "version": "3"},
    ...          "annotations": {"summary": "distance drifted"}}
    >>> _line(Message(offset=0, timestamp_ms=0, key=None, value=orjson.dumps(alert)))
    '2013-10-02T00:00:00Z  firing    critical  9f2c0a1b2c3d4e5f  flight-delay@3  distance drifted'
    """
    alert = _alert(message)
    if alert is None:
        return f"offset {message.offset}: not an alert"
    labels = alert["labels"]
    about = f"{labels['model']}@{labels['version']}" if labels["model"] else "-"
    about += f"/{labels['segment']}" if labels.get("segment") else ""
    what = f"{alert['status']:<8}  {alert['severity']:<8}  {alert['id']}"
    line = f"{_when(alert)}  {what}  {about}  {alert['annotations']['summary']}"
    return "".join(c if c.isprintable() else "·" for c in line)  # names come from producers
