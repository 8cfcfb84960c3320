"""`driftline verify`: is what an alert says what the topics hold?"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from stream.cli import EXIT_CALLER, EXIT_DRIFT, EXIT_FINE, config_option, json_option
from stream.config import Config
from stream.errors import InputError
from stream.records.settings import outcome_settings, segment_settings
from stream.service.kafka_log import KafkaLog
from stream.service.registry_tail import RegistryTail
from stream.service.topology import cached_settings, ingest_settings
from stream.verify.claim import LabelClaim, claim_of
from stream.verify.messages import chosen, read_alerts
from stream.verify.rejoin import Joins
from stream.verify.telling import as_plain, in_words, worst
from stream.verify.verifier import Result, Verified, Verifier

EXIT_OF: Final = {
    Result.EQUAL: EXIT_FINE,
    Result.NOTHING: EXIT_FINE,
    Result.CANNOT: EXIT_CALLER,
    Result.UNEQUAL: EXIT_DRIFT,
}


@click.command(name="verify")
@config_option
@click.argument("alerts", nargs=-1, metavar="ALERT_ID...")
@click.option("--all", "every", is_flag=True, help="Verify all alerts that the topic keeps.")
@json_option
def command(config: Config, alerts: tuple[str, ...], every: bool, as_json: bool) -> int:
    """Read, count and judge again what an alert says.

    The rows are read at the offsets that the alert cites, counted with the settings that it carries, and judged with
    the limits of the configuration; every message of the alert is made anew and compared field by field.
    An id may be shortened to what only it begins with.

    Exit code 0: equal; 1: something differs; 2: it cannot be verified, because retention has cut the rows, say.
    """
    if every == bool(alerts):
        raise InputError("give the ids of alerts, or --all")
    found = asyncio.run(_verify(config, alerts, every=every))
    click.echo(json.dumps(as_plain(found), indent=2) if as_json else in_words(found))
    return EXIT_OF[worst([one for messages in found.values() for one in messages])]


async def _verify(config: Config, wanted: Sequence[str], *, every: bool) -> dict[str, list[Verified]]:
    topics = config.topics
    async with KafkaLog.connect(config.kafka) as log:
        messages = await read_alerts(log, await log.sources(topics.alerts))
        if not every:
            messages = chosen(messages, wanted, topic=topics.alerts)
        registry = RegistryTail(log, await log.sources(topics.baselines))
        await registry.catch_up()
        in_order = sorted((one for of_one in messages.values() for one in of_one), key=_label_offsets)
        claims = (claim_of(one) for one in in_order)
        verifier = Verifier(
            log=log,
            joins=Joins(log, [claim for claim in claims if isinstance(claim, LabelClaim)]),
            find_baseline=registry.registry.get,
            settings_of=cached_settings(config),
            ingest=ingest_settings(config),
            segments_of=lambda model: segment_settings(config.model(model)),
            joins_labels=lambda model: outcome_settings(config.model(model)) is not None,
        )
        found = {(one["id"], one["seq"]): await verifier.verify(one) for one in in_order}
        return {alert_id: [found[alert_id, one["seq"]] for one in of_one] for alert_id, of_one in messages.items()}


def _label_offsets(alert: Mapping[str, Any]) -> int:
    """How far the join's log had been read: in this order it is read again once, and not for each alert."""
    return sum(alert["evidence"].get("outcomes", {}).values())
