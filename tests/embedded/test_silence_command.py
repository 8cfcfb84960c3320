"""`driftline silence` and `driftline ack` on a service that runs: what is silenced is not told, and then it is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stream.cli import EXIT_CALLER
from tests.brokers import Broker
from tests.embedded.contract import validate
from tests.embedded.rows import baseline_columns, make_rows
from tests.embedded.service import PANE_MS, Service

PER_PANE = 120


@pytest.fixture
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    of_m = {"rule": "threshold", "labels": "off", "checks": {"psi": {"min_count": 100}}}
    settings: dict[str, Any] = {"windows": {"idle": "10m"}, "models": {"m": of_m}}
    with Service.deployed(broker, tmp_path_factory.mktemp("silence"), partitions=1, **settings) as deployed:
        deployed.create_baseline("m", "0", baseline_columns())
        yield deployed


def told(service: Service, *command: str) -> Any:
    """What a command says with --json."""
    return json.loads(service.run(*command, "--json"))


def send(service: Service, begin: int, panes: range) -> int:
    """Rows that have drifted, the same in each pane, so that all full windows tell the same alerts; the last end."""
    for pane in panes:
        start = begin + pane * PANE_MS
        service.send(*make_rows(PER_PANE, start, start + PANE_MS, model="m", shift=1.0), partition=0)
    end = begin + panes.stop * PANE_MS
    service.close_windows(end, partitions=1)
    return end


def test_what_is_silenced_is_told_when_the_silence_has_ended_and_may_be_acknowledged(service: Service) -> None:
    refused = service.driftline("silence", "add", "subject=*", "--for", "1h")
    assert (refused.code, "--all" in refused.complaint) == (EXIT_CALLER, True)
    assert "no silence is active" in service.run("silence", "list")

    silence = told(service, "silence", "add", "model=m", "--start", "2013-01-01T00:00:00Z", "--for", "365d")
    validate("silence", json.dumps(silence).encode())
    assert [(s["id"], s["state"]) for s in told(service, "silence", "list", "--expired")] == [
        (silence["id"], "expired")
    ]

    begin = service.next_hour()
    service.start_ready()
    end = send(service, begin, range(8))
    silenced = service.reports("m")[end]["alerts_silenced"]
    assert set(silenced.values()) == {silence["id"]}
    assert service.alerts("m") == []

    told(service, "silence", "expire", silence["id"][:6])
    service.wait_for("the end of the silence", lambda: _next_window(service, begin) and service.alerts("m"))
    fired = service.alerts("m")
    assert {a["id"] for a in fired} == set(silenced)

    missing = service.driftline("ack", "0" * 16)
    assert (missing.code, "no alert" in missing.complaint) == (EXIT_CALLER, True)
    ack = told(service, "ack", fired[0]["id"][:8], "--by", "ann", "--comment", "kilometres since the release")
    validate("silence", json.dumps(ack).encode())
    service.wait_for("the next message", lambda: _next_window(service, begin) and _acknowledged(service))
    (alert,) = _acknowledged(service)
    assert (alert["id"], alert["seq"], alert["acknowledged"]["by"]) == (fired[0]["id"], 2, "ann")
    validate("alert", json.dumps(alert).encode())


_panes = iter(range(8, 60))


def _next_window(service: Service, begin: int) -> bool:
    """One more window: a worker heeds what it has read, and reads every second."""
    pane = next(_panes)
    send(service, begin, range(pane, pane + 1))
    return True


def _acknowledged(service: Service) -> list[dict[str, Any]]:
    return [alert for alert in service.alerts("m") if alert["acknowledged"] is not None]
