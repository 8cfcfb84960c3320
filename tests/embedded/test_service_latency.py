"""The latency SLA on a running service: exact counts, quantiles and one alert, although the worker is killed."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from tests.brokers import Broker
from tests.embedded import contract
from tests.embedded.rows import Row, baseline_columns, between, make_rows
from tests.embedded.service import PANE_MS, Service, milliseconds

PARTITIONS = 2
WINDOW_PANES = 5
PANES = 10
PER_PANE = 200
SLOW_FROM = 6  # pane from which on one answer in twenty takes a second
SLA_MS = 250


@pytest.fixture
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Nobody is called idle here: what is reported when depends on the logs alone."""
    checks = {"latency": {"sla": f"{SLA_MS}ms"}}
    settings = {"windows": {"idle": "10m"}, "models": {"m": {"checks": checks, "labels": "off"}}}
    with Service.deployed(broker, tmp_path_factory.mktemp("latency"), partitions=PARTITIONS, **settings) as deployed:
        deployed.create_baseline("m", "0", baseline_columns())
        yield deployed


def rows_with_latencies(begin_ms: int) -> list[Row]:
    dice = np.random.default_rng(3)
    rows = make_rows(PANES * PER_PANE, begin_ms, begin_ms + PANES * PANE_MS, model="m")
    for i, row in enumerate(rows):
        is_slow = row["ts"] >= begin_ms + SLOW_FROM * PANE_MS and i % 20 == 0
        row["latency_ms"] = 1_000 if is_slow else float(dice.lognormal(3, 0.3))
    rows[7]["latency_ms"], rows[11]["latency_ms"], rows[13]["latency_ms"] = SLA_MS, "fast", None
    return rows


def usable(rows: list[Row]) -> list[float]:
    return [row["latency_ms"] for row in rows if isinstance(row["latency_ms"], int | float)]


def test_every_answer_over_the_sla_is_counted_once_and_the_alert_comes_when_it_can(service: Service) -> None:
    begin = service.next_hour()
    rows = rows_with_latencies(begin)
    first = service.start_ready()
    half = len(rows) // 2
    for partition in range(PARTITIONS):
        service.send(*rows[:half][partition::PARTITIONS], partition=partition)
    service.wait_for("rows", lambda: service.counter("predictions_counted_total") > 0)
    first.kill()
    service.start()
    for partition in range(PARTITIONS):
        service.send(*rows[half:][partition::PARTITIONS], partition=partition)
    end = begin + PANES * PANE_MS
    service.close_windows(end, PARTITIONS)
    reports = service.reports("m")

    for window_end, report in reports.items():
        contract.validate("report", json.dumps(report).encode())
        told = report["latency"]
        within = between(rows, window_end - WINDOW_PANES * PANE_MS, window_end)
        values = usable(within)
        assert (told["n"], told["violations"]) == (len(values), sum(v > SLA_MS for v in values))
        assert told["missing"] + told["bad"] == len(within) - len(values)
        for name, level in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
            assert told[name] == pytest.approx(np.quantile(values, level, method="inverted_cdf"), rel=0.01)
    (alert,) = service.wait_for(
        "the alert", lambda: [a for a in service.alerts("m") if a["labels"]["check"] == "latency_sla" and a["seq"] == 1]
    )
    contract.validate("alert", json.dumps(alert).encode())
    assert alert["labels"]["alertname"] == "DriftlineLatencySLA"
    assert milliseconds(alert["startsAt"]) > begin + SLOW_FROM * PANE_MS
    last = reports[end]["latency"]
    slow = sum(v > SLA_MS for v in usable(rows))
    assert service.counter("latency_sla_violations_total", model="m", version="0") == slow
    assert service.counter("latency_seconds", quantile="0.99") == pytest.approx(last["p99_ms"] / 1_000)
