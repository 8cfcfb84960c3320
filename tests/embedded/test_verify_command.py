"""`driftline verify` on alerts of a service that was killed in between: equal, unequal, and what cannot be said."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stream.cli import EXIT_CALLER, EXIT_DRIFT, EXIT_FINE
from tests.brokers import Broker
from tests.embedded.rows import Row, baseline_columns, make_rows
from tests.embedded.service import PANE_MS, Service

PARTITIONS = 2
PER_PANE = 120
SHIFTED = range(6, 12)  # panes in which x is one deviation up and answers are slow
PANES = 20


@pytest.fixture
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Nobody is called idle here: what is reported when depends on the logs alone."""
    of_m = {"rule": "threshold", "labels": "off", "checks": {"psi": {"min_count": 100}, "latency": {"sla": "250ms"}}}
    settings: dict[str, Any] = {"windows": {"idle": "10m"}, "models": {"m": of_m}}
    with Service.deployed(broker, tmp_path_factory.mktemp("verify"), partitions=PARTITIONS, **settings) as deployed:
        deployed.create_baseline("m", "0", baseline_columns())
        yield deployed


def rows_of(begin_ms: int, panes: range) -> list[Row]:
    rows = []
    for pane in panes:
        start_ms, shifted = begin_ms + pane * PANE_MS, pane in SHIFTED
        for row in make_rows(PER_PANE, start_ms, start_ms + PANE_MS, model="m", shift=float(shifted), seed=pane):
            rows.append(row | {"latency_ms": 900 if shifted else 20})
    return rows


def messy(rows: list[Row]) -> list[Any]:
    """The rows as producers send them: some in arrays, between broken ones, unknown ones and late ones."""
    sent: list[Any] = []
    for i in range(0, len(rows), 4):
        sent += [rows[i], [rows[i + 1], {"model": "m", "ts": "yesterday", "score": 1}, rows[i + 2]], rows[i + 3]]
        if i % 100 == 0:
            late = rows[i] | {"ts": rows[i]["ts"] - 3 * PANE_MS}
            sent += [b"{oops", late, [late | {"model": "nobody"}], late | {"score": 7}]
    return sent


def send(service: Service, rows: list[Row]) -> None:
    for partition in range(PARTITIONS):
        service.send(*messy(rows[partition::PARTITIONS]), partition=partition)


def with_alerts(service: Service) -> list[dict[str, Any]]:
    """All messages, after a `kill -9` among the rows that alert."""
    begin = service.next_hour()
    first = service.start_ready()
    send(service, rows_of(begin, range(9)))
    service.wait_for("an alert", lambda: service.alerts("m"))
    first.kill()
    service.start()
    send(service, rows_of(begin, range(9, PANES)))
    service.close_windows(begin + PANES * PANE_MS, PARTITIONS)
    service.wait_for("a resolved alert", lambda: any(a["status"] == "resolved" for a in service.alerts("m")))
    return service.alerts("m")


def status(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(service.run("status", "--json"))
    return found


def test_every_alert_is_equal_and_what_was_changed_or_cut_is_not(service: Service) -> None:
    alerts = with_alerts(service)
    ids = {alert["id"] for alert in alerts}
    assert {alert["labels"]["check"] for alert in alerts} == {"psi", "latency_sla", "missing", "positive_share"}

    told = service.driftline("verify", "--all")
    assert told.code == EXIT_FINE, told.out + told.err
    messages = len({(alert["id"], alert["seq"]) for alert in alerts})
    assert told.out.splitlines()[-1] == f"equal: {len(ids)} alerts, {messages} messages ({messages} equal)"
    assert " more came too late)" in told.out

    one = service.driftline("verify", alerts[0]["id"][:10], "--json")
    assert one.code == EXIT_FINE, one.err
    (found,) = json.loads(one.out)["alerts"]
    assert (found["id"], found["result"]) == (alerts[0]["id"], "equal")
    recount, evidence = found["messages"][0]["recount"], alerts[0]["evidence"]
    assert (recount["rows"], recount["sources"]) == (evidence["n"], evidence["sources"])
    assert len(evidence["sources"]) == PARTITIONS

    service.wait_for("no lag", lambda: not sum(at["records"] for at in status(service)["lag"]))
    standing = status(service)
    assert [(m["model"], m["version"], m["of"], m["n"]) for m in standing["models"]] == [("m", "0", "predictions", 600)]
    newest = {a["id"]: a for a in sorted(alerts, key=lambda a: a["seq"])}
    assert {a["id"] for a in standing["alerts_firing"]} == {i for i, a in newest.items() if a["status"] == "firing"}
    shown = service.run("status")
    assert f"m@0    600   {standing['models'][0]['window']['start']} to" in shown

    forged = alerts[0] | {"id": "f" * 16, "evidence": alerts[0]["evidence"] | {"n": alerts[0]["evidence"]["n"] + 1}}
    service.send(forged, topic=service.config.topics.alerts)
    unequal = service.driftline("verify", "ffff")
    assert unequal.code == EXIT_DRIFT
    assert f"unequal: evidence.n: the alert says {forged['evidence']['n']}" in unequal.out

    nobody = service.driftline("verify", "0123456789abcdef")
    assert (nobody.code, "no alert 0123456789abcdef in topic" in nobody.complaint) == (EXIT_CALLER, True)
    assert service.driftline("verify").complaint == "driftline: give the ids of alerts, or --all"

    service.running[0].kill()  # asking for a topic may make it
    service.delete_topic(service.config.topics.predictions)
    service.make_topic(service.config.topics.predictions, PARTITIONS)
    gone = service.driftline("verify", alerts[0]["id"])
    assert gone.code == EXIT_CALLER
    assert "cannot be verified: " in gone.out
