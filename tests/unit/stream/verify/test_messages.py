"""Alerts found in their topic, by id or by the beginning of one."""

from typing import Any

import orjson
import pytest

from stream.errors import InputError
from stream.records.source import Source
from stream.verify.messages import chosen, read_alerts
from tests.memory_log import MemoryLog

ALERTS = [Source("alerts", 0), Source("alerts", 1)]


def message(alert_id: str, seq: int) -> dict[str, Any]:
    return {"id": alert_id, "seq": seq}


def log_of(*messages: tuple[int, Any]) -> MemoryLog:
    log = MemoryLog()
    for partition, said in messages:
        log.put(ALERTS[partition], said if isinstance(said, bytes) else orjson.dumps(said))
    return log


async def test_the_messages_of_an_alert_are_in_their_order_and_a_repeated_one_is_there_once() -> None:
    log = log_of((1, message("aaaa0001", 2)), (1, message("aaaa0001", 1)), (1, message("aaaa0001", 2)))
    assert await read_alerts(log, ALERTS) == {"aaaa0001": [message("aaaa0001", 1), message("aaaa0001", 2)]}


async def test_what_is_no_alert_is_passed_over() -> None:
    log = log_of((0, b"{oops"), (0, b""), (1, b"[]"), (0, {"id": 3, "seq": 1}), (1, message("bbbb", 1)))
    assert list(await read_alerts(log, ALERTS)) == ["bbbb"]


def test_an_id_may_be_shortened_to_what_only_it_begins_with() -> None:
    messages = {i: [message(i, 1)] for i in ("aaaa000000000001", "aaaa000000000002", "bbbb000000000001")}
    assert list(chosen(messages, ["bbbb", "aaaa000000000002"], topic="alerts")) == [
        "bbbb000000000001",
        "aaaa000000000002",
    ]


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ("cccc", "no alert cccc in topic alerts; `driftline alerts tail --from-beginning` lists them"),
        ("aaaa", "2 alerts begin with aaaa: aaaa000000000001, aaaa000000000002; give more digits"),
        ("aaa", "'aaa' is no alert's id: 16 hex digits, or at least the first 4 of them"),
        ("distance", "'distance' is no alert's id: 16 hex digits, or at least the first 4 of them"),
    ],
)
def test_an_id_that_is_none_or_not_enough_is_refused(wanted: str, complaint: str) -> None:
    messages = {i: [message(i, 1)] for i in ("aaaa000000000001", "aaaa000000000002")}
    with pytest.raises(InputError) as refusal:
        chosen(messages, [wanted], topic="alerts")
    assert str(refusal.value) == complaint
