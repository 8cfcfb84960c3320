"""`driftline ack`: what is over cannot be looked after."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from stream.cli import main
from stream.records.source import Source
from stream.service.kafka_log import KafkaLog
from tests.memory_log import MemoryLog

ALERTS = Source("alerts", 0)


class OnePartition(MemoryLog):
    """A log that answers which partitions a topic has."""

    async def sources(self, topic: str) -> list[Source]:
        return [Source(topic, 0)]


@pytest.mark.parametrize("status", ["resolved", "event"])
def test_an_alert_that_is_over_is_refused(
    status: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = OnePartition()
    alert: dict[str, Any] = {"id": "9f2c0a1b2c3d4e5f", "seq": 1, "status": status, "annotations": {"summary": "slow"}}
    log.put(ALERTS, orjson.dumps(alert))

    @asynccontextmanager
    async def connected(_: object) -> AsyncIterator[OnePartition]:
        yield log

    monkeypatch.setattr(KafkaLog, "connect", connected)
    assert main(["ack", "9f2c"]) == 2
    assert "alert 9f2c0a1b2c3d4e5f is over: slow" in capsys.readouterr().err
