"""`driftline ack`: somebody looks after an alert."""

import asyncio
import json
import time

import click

from stream.alerts.silences import Acknowledgement, acknowledgement_record
from stream.cli import config_option, json_option
from stream.cli.silence import by_option, say
from stream.config import Config
from stream.errors import InputError
from stream.records.violation import EVENT
from stream.service.kafka_log import KafkaLog
from stream.verify.messages import chosen, read_alerts


@click.command(name="ack")
@click.argument("alert", metavar="ALERT_ID")
@by_option
@config_option
@json_option
def command(config: Config, as_json: bool, alert: str, author: str, comment: str) -> None:
    """Say that you look after an alert; its next message, with the model's next window, tells everybody.

    The id may be shortened to what only it begins with.
    """
    now_ms = int(time.time() * 1_000)
    ack = asyncio.run(_ack(config, alert, author=author, comment=comment, now_ms=now_ms))
    record = acknowledgement_record(ack)
    click.echo(json.dumps(record) if as_json else f"acknowledged: alert {ack.alert}, by {ack.author}")


async def _ack(config: Config, alert: str, *, author: str, comment: str, now_ms: int) -> Acknowledgement:
    topics = config.topics
    async with KafkaLog.connect(config.kafka) as log:
        messages = await read_alerts(log, await log.sources(topics.alerts))
        ((alert_id, of_alert),) = chosen(messages, [alert], topic=topics.alerts).items()
        if of_alert[-1]["status"] in ("resolved", EVENT):
            raise InputError(f"alert {alert_id} is over: {of_alert[-1]['annotations']['summary']}")
        ack = Acknowledgement(alert_id, author, now_ms, comment)
        await say(log, config, f"ack/{alert_id}", acknowledgement_record(ack))
    return ack
