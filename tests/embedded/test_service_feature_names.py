"""A feature that gets another name, through the whole service: told as renamed, verified, and back again."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stream.cli import EXIT_FINE
from tests.brokers import Broker
from tests.embedded import contract
from tests.embedded.rows import Row, baseline_columns, make_rows
from tests.embedded.service import PANE_MS, Service

PARTITIONS = 2
PER_PANE = 400
RENAMED = range(6, 12)  # panes in which x comes as x_scaled
PANES = 20
WINDOW_PANES = 5


@pytest.fixture
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Nobody is called idle here: what is reported when depends on the logs alone."""
    settings: dict[str, Any] = {"windows": {"idle": "10m"}, "models": {"m": {"labels": "off"}}}
    with Service.deployed(broker, tmp_path_factory.mktemp("names"), partitions=PARTITIONS, **settings) as deployed:
        deployed.create_baseline("m", "0", baseline_columns())
        yield deployed


def rows_of(begin_ms: int, panes: range) -> list[Row]:
    rows: list[Row] = []
    for pane in panes:
        start_ms = begin_ms + pane * PANE_MS
        for row in make_rows(PER_PANE, start_ms, start_ms + PANE_MS, model="m", seed=pane):
            features = row["features"] | {"request": "r"}
            if pane in RENAMED:
                features["x_scaled"] = features.pop("x")
            rows.append(row | {"features": features})
    return rows


def send(service: Service, rows: list[Row]) -> None:
    for partition in range(PARTITIONS):
        service.send(*rows[partition::PARTITIONS], partition=partition)


def of_names(service: Service) -> list[dict[str, Any]]:
    return [alert for alert in service.alerts("m") if alert["labels"]["check"] == "schema"]


def test_a_feature_that_was_renamed_is_named_verified_and_comes_back(service: Service) -> None:
    begin = service.next_hour()
    first = service.start_ready()
    send(service, rows_of(begin, range(9)))
    service.wait_for("rows", lambda: service.counter("predictions_counted_total") > 0)
    first.kill()
    service.start()
    send(service, rows_of(begin, range(9, PANES)))
    end = begin + PANES * PANE_MS
    service.close_windows(end, PARTITIONS)
    service.wait_for("an end", lambda: any(a["status"] == "resolved" for a in of_names(service)))

    alerts = of_names(service)
    for alert in alerts:
        contract.validate("alert", json.dumps(alert).encode())
    assert {(a["labels"]["alertname"], a["labels"]["subject"]) for a in alerts} == {("DriftlineSchema", "x")}
    worst = next(a for a in alerts if a["severity"] == "critical" and a["status"] == "firing")
    assert (worst["evidence"]["change"], worst["evidence"]["renamed_to"]) == ("renamed", "x_scaled")
    assert worst["evidence"]["usual_names"] == ["request"]
    assert "probably renamed to x_scaled" in worst["annotations"]["summary"]
    reports = service.reports("m")
    for report in reports.values():
        contract.validate("report", json.dumps(report).encode())
    last = reports[end]["feature_names"]
    assert last["looked"] == pytest.approx(WINDOW_PANES * PER_PANE / 64, abs=PARTITIONS)  # one of each 64 offsets
    assert (last["usual"], last["beside"], last["checks"]) == (["request"], [], [])

    told = service.driftline("verify", "--all")
    assert told.code == EXIT_FINE, told.out + told.err
