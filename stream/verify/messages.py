"""The messages of an alert, found in the alerts topic by the alert's id or the beginning of it."""

import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

from stream.durable.log import Log
from stream.errors import InputError
from stream.records.source import Source

FEWEST_DIGITS: Final = 4
_ID: Final = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},16}}")

Messages = dict[str, list[dict[str, Any]]]  # by alert id, by `seq` ascending


async def read_alerts(log: Log, sources: Sequence[Source]) -> Messages:
    """Every alert that the topic keeps; of a message that was sent again, once."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for source in sources:
        async for message in log.read(source, 0):
            alert = _alert(message.value)
            if alert is not None:
                found.setdefault(alert["id"], {})[alert["seq"]] = alert
    return {alert_id: [by_seq[seq] for seq in sorted(by_seq)] for alert_id, by_seq in sorted(found.items())}


def chosen(messages: Messages, wanted: Sequence[str], *, topic: str) -> Messages:
    """Those of some alerts, named by their ids or by what only theirs begins with.

    Raises:
        InputError: there is no such alert, or there are several.
    """
    return {alert_id: messages[alert_id] for alert_id in (_only(messages, one, topic) for one in wanted)}


def _only(messages: Messages, wanted: str, topic: str) -> str:
    if not _ID.fullmatch(wanted):
        raise InputError(f"{wanted!r} is no alert's id: 16 hex digits, or at least the first {FEWEST_DIGITS} of them")
    matching = [alert_id for alert_id in messages if alert_id.startswith(wanted)]
    if not matching:
        raise InputError(f"no alert {wanted} in topic {topic}; `driftline alerts tail --from-beginning` lists them")
    if len(matching) > 1:
        raise InputError(f"{len(matching)} alerts begin with {wanted}: {', '.join(matching[:5])}; give more digits")
    return matching[0]


def _alert(value: bytes | None) -> dict[str, Any] | None:
    try:
        alert = orjson.loads(value or b"")
        return alert if isinstance(alert["id"], str) and isinstance(alert["seq"], int) else None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
