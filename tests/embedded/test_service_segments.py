"""Segments through the whole service: the one that drifts alerts by its name, its neighbours do not."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from stream.cli import EXIT_FINE
from tests.brokers import Broker
from tests.embedded import contract
from tests.embedded.rows import BASELINE_ROWS, Row, baseline_columns, make_rows
from tests.embedded.service import PANE_MS, Service

PARTITIONS = 2
PER_PANE = 240
SHIFTED = range(6, 12)  # panes in which x of the free plan is one deviation up
PANES = 20
PLANS = ("free", "pro", "gold")  # gold has no segment of its own


@pytest.fixture
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Nobody is called idle here: what is reported when depends on the logs alone."""
    of_m = {
        "rule": "threshold",
        "labels": "off",
        "checks": {"psi": {"min_count": 100}},
        "segments": {"plan": {"values": ["free", "pro"]}},
    }
    settings: dict[str, Any] = {"windows": {"idle": "10m"}, "models": {"m": of_m}}
    with Service.deployed(broker, tmp_path_factory.mktemp("segments"), partitions=PARTITIONS, **settings) as deployed:
        plans = np.random.default_rng(3).choice(PLANS, BASELINE_ROWS).tolist()
        deployed.create_baseline("m", "0", baseline_columns() | {"segment.plan": plans})
        yield deployed


def rows_of(begin_ms: int, panes: range) -> list[Row]:
    rows: list[Row] = []
    for pane in panes:
        start_ms = begin_ms + pane * PANE_MS
        for number, plan in enumerate(PLANS):
            shift = float(plan == "free" and pane in SHIFTED)
            seed = pane * len(PLANS) + number
            of_plan = make_rows(PER_PANE, start_ms, start_ms + PANE_MS, model="m", shift=shift, seed=seed)
            rows += [row | {"segment": {"plan": plan}} for row in of_plan]
    return sorted(rows, key=lambda row: int(row["ts"]))


def send(service: Service, rows: list[Row]) -> None:
    for partition in range(PARTITIONS):
        service.send(*rows[partition::PARTITIONS], partition=partition)


def test_the_segment_that_drifts_alerts_and_can_be_verified(service: Service) -> None:
    begin = service.next_hour()
    first = service.start_ready()
    send(service, rows_of(begin, range(9)))
    service.wait_for("an alert", lambda: service.alerts("m"))
    first.kill()
    second = service.start()
    send(service, rows_of(begin, range(9, PANES)))
    service.close_windows(begin + PANES * PANE_MS, PARTITIONS)
    service.wait_for("an end", lambda: any(a["status"] == "resolved" for a in service.alerts("m")))

    alerts = service.alerts("m")
    of_segments = {(a["labels"]["segment"], a["labels"]["subject"]) for a in alerts if a["labels"]["segment"]}
    assert of_segments == {("plan=free", "x")}
    newest: dict[bytes | None, dict[str, Any]] = {}
    for message in service.read(service.config.topics.reports):
        contract.validate("report", message.value)
        newest[message.key] = json.loads(message.value or b"{}")
    assert {b"m@0/plan=free", b"m@0/plan=pro", b"m@0/plan=other"} < set(newest)
    parts = [newest[f"m@0/plan={plan}".encode()]["n"] for plan in ("free", "pro", "other")]
    assert newest[b"m@0"]["n"] == sum(parts) == 5 * len(PLANS) * PER_PANE

    told = service.driftline("verify", "--all")
    assert told.code == EXIT_FINE, told.out + told.err
    shown = second.metrics()["driftline_segment_other_total"]
    assert sum(shown.values()) == PANES * PER_PANE + PARTITIONS  # gold, and what closed the last pane
