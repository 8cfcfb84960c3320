"""Predictions in, reports and alerts out: one running worker, as its users see it."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.brokers import Broker
from tests.embedded import by_hand, contract
from tests.embedded.rows import Row, baseline_columns, between, feature, make_rows
from tests.embedded.service import LATENESS_MS, PANE_MS, Service, Worker, milliseconds

PARTITIONS = 3
WINDOW_PANES = 5
WINDOW_MS = WINDOW_PANES * PANE_MS
BASELINE = baseline_columns()
PER_PANE = 120
MIN_COUNT = 300
MODELS = [("fraud", "1"), ("fraud", "2"), ("spam", "0"), ("shifted", "0"), ("lonely", "0"), ("tardy", "0")]


@pytest.fixture(scope="module")
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one worker; each test has models and hours of its own."""
    folder = tmp_path_factory.mktemp("path")
    models = {
        name: {"checks": {"psi": {"rule": "threshold", "min_count": MIN_COUNT}}}
        for name, _ in [*MODELS, ("renewed", "0")]
    }
    settings = {"models": models, "unknown_models": "dead-letter"}
    with Service.deployed(broker, folder, partitions=PARTITIONS, **settings) as deployed:
        for model, version in MODELS:
            deployed.create_baseline(model, version, BASELINE)
        deployed.start_ready()
        yield deployed


@pytest.fixture(scope="module")
def worker(service: Service) -> Worker:
    """The one worker."""
    return service.workers[0]


def closing(model: str, at_ms: int) -> Row:
    """A row that moves the watermark past `at_ms`."""
    (row,) = make_rows(1, at_ms + LATENESS_MS, at_ms + LATENESS_MS + 1, model=model)
    return row


def check_of(report: dict[str, Any], subject: str) -> dict[str, Any]:
    """One check of a report."""
    return next(check for check in report["checks"] if check["subject"] == subject)


def assert_as_by_hand(report: dict[str, Any], rows: list[Row]) -> None:
    """Count and PSI of a report are those of the rows, computed with numpy."""
    start, end = (milliseconds(report["window"][edge]) for edge in ("start", "end"))
    current = between(rows, start, end)
    assert report["n"] == len(current)
    for subject, by in (("x", by_hand.psi_of_numbers), ("score", by_hand.psi_of_numbers)):
        assert check_of(report, subject)["value"] == pytest.approx(
            by(BASELINE[subject], feature(current, subject)), abs=1e-9
        )
    names = by_hand.psi_of_names(BASELINE["carrier"], feature(current, "carrier"))
    assert check_of(report, "carrier")["value"] == pytest.approx(names, abs=1e-9)


def test_every_pane_of_every_model_is_reported_as_numpy_has_it(service: Service) -> None:
    begin = service.next_hour()
    end = begin + 8 * PANE_MS
    models = MODELS[:3]
    rows = {(m, v): make_rows(8 * PER_PANE, begin, end, model=m, version=v, seed=n) for n, (m, v) in enumerate(models)}
    for row in rows["spam", "0"]:
        del row["version"]  # "0" unless it is said
    mixed = sorted((row for of_model in rows.values() for row in of_model), key=lambda row: row["ts"])
    for partition in range(PARTITIONS):
        mine = mixed[partition::PARTITIONS]
        arrays = [mine[i : i + 10] for i in range(0, len(mine), 10)]
        service.send(*(arrays if partition == 1 else mine), partition=partition, key=b"any" if partition else None)
    service.send(closing("spam", end))

    for model, version in models:
        reports = wait_for_report(service, end, model, version)
        expected_ends = [begin + (pane + 1) * PANE_MS for pane in range(8)]
        assert sorted(e for e in reports if begin < e <= end) == expected_ends
        for window_end in expected_ends:
            report = reports[window_end]
            assert milliseconds(report["window"]["start"]) == window_end - WINDOW_MS
            assert report["baseline"] == f"{model}@{version}#1"
            assert report["complete"] is (window_end >= begin + WINDOW_MS)
            assert_as_by_hand(report, rows[model, version])
        assert {c["verdict"] for c in reports[end]["checks"]} == {"ok"}


def wait_for_report(service: Service, end_ms: int, model: str, version: str = "0") -> dict[int, dict[str, Any]]:
    """All reports of the model, once the window that ends there is among them."""
    return service.wait_for(f"a report of {model}", lambda: _up_to(service.reports(model, version), end_ms))


def _up_to(reports: dict[int, dict[str, Any]], end_ms: int) -> dict[int, dict[str, Any]]:
    """The reports, once the window that ends there is among them."""
    return reports if end_ms in reports else {}


def test_a_drift_fires_one_alert_which_resolves_when_it_is_over(service: Service) -> None:
    #   panes 0..4 as the baseline   5..9 shifted by one deviation   10..19 as before
    begin = service.next_hour()
    shifts = [0.0] * 5 + [1.0] * 5 + [0.0] * 10
    rows = [
        row
        for pane, shift in enumerate(shifts)
        for row in make_rows(
            PER_PANE,
            begin + pane * PANE_MS,
            begin + (pane + 1) * PANE_MS,
            model="shifted",
            shift=shift,
            seed=100 + pane,
        )
    ]
    end = begin + len(shifts) * PANE_MS
    service.send(*rows, closing("shifted", end))

    wait_for_report(service, end, "shifted")
    alerts = [a for a in service.alerts("shifted") if (a["labels"]["check"], a["labels"]["subject"]) == ("psi", "x")]
    reports = service.reports("shifted")
    for report in reports.values():
        if milliseconds(report["window"]["end"]) <= end:
            assert_as_by_hand(report, rows)

    verdicts = {e: check_of(report, "x")["verdict"] for e, report in sorted(reports.items())}
    over = [e for e, verdict in verdicts.items() if verdict in ("warning", "critical")]
    first, back = over[0], next(e for e in sorted(verdicts) if e >= over[-1] + WINDOW_MS)  # the hold
    assert [a["seq"] for a in alerts] == list(range(1, len(alerts) + 1))
    assert {a["id"] for a in alerts} == {alert_id("shifted", "0", "psi", "x", "", first - PANE_MS)}
    assert [a["status"] for a in alerts] == ["firing"] * (len(alerts) - 1) + ["resolved"]
    assert (milliseconds(alerts[0]["startsAt"]), alerts[0]["endsAt"]) == (first, None)
    assert milliseconds(alerts[-1]["endsAt"]) == back
    assert "critical" in {a["severity"] for a in alerts}
    for alert in alerts:
        report = reports[milliseconds(alert["evidence"]["window"]["end"])]
        assert alert["value"] == check_of(report, "x")["value"]
        assert alert["evidence"]["n"] == report["n"]
        assert sum(alert["evidence"]["bins"]["current"]) == report["n"]
    assert {a["labels"]["subject"] for a in service.alerts("shifted")} == {"x"}


def alert_id(*identity: object) -> str:
    """16 hex digits of SHA-256 over model, version, check, subject, segment and the episode's first pane."""
    return hashlib.sha256(json.dumps(identity, separators=(",", ":")).encode()).hexdigest()[:16]


def test_a_model_of_one_partition_is_reported_although_the_others_are_silent(service: Service) -> None:
    begin = service.next_hour()
    end = begin + 6 * PANE_MS
    rows = make_rows(6 * PER_PANE, begin, end, model="lonely")
    service.send(*rows, closing("lonely", end), partition=2)

    reports = wait_for_report(service, end, "lonely")

    assert_as_by_hand(reports[end], rows)
    assert service.counter("sources_waited_for") == 0


def test_rows_behind_the_watermark_are_late_and_the_ledger_says_so(service: Service) -> None:
    begin = service.next_hour()
    end = begin + 6 * PANE_MS
    rows = make_rows(6 * PER_PANE, begin, end, model="tardy")
    #  pane 0: closed by rows of pane 1 + lateness        still open: the newest pane
    late = make_rows(7, begin, begin + PANE_MS, model="tardy", seed=8)
    in_time = make_rows(5, end - LATENESS_MS, end, model="tardy", seed=9)
    before = service.counter("predictions_late_total")
    service.send(*rows, *late, *in_time, closing("tardy", end), partition=1)

    reports = wait_for_report(service, end, "tardy")

    assert_as_by_hand(reports[end], rows + in_time)
    assert reports[begin + PANE_MS]["n"] == PER_PANE
    assert service.counter("predictions_late_total") - before == 7


def test_a_baseline_of_a_running_service_is_used_without_a_restart(service: Service) -> None:
    begin = service.next_hour()
    rows = make_rows(12 * PER_PANE, begin, begin + 12 * PANE_MS, model="renewed", seed=3)
    before = service.counter("dead_letters_total", reason="unknown_model")
    service.send(rows[0], partition=1)
    service.wait_for(
        "an unknown model", lambda: service.counter("dead_letters_total", reason="unknown_model") == before + 1
    )

    first = service.create_baseline("renewed", "0", BASELINE)
    _wait_until_active(service, first)
    service.send(*rows[PER_PANE:], partition=1)
    reports = wait_for_report(service, begin + 11 * PANE_MS, "renewed")

    assert {r["baseline"] for r in reports.values()} == {first}
    for end in range(begin + 2 * PANE_MS, begin + 12 * PANE_MS, PANE_MS):
        assert_as_by_hand(reports[end], rows[PER_PANE:])


def test_a_promotion_blinds_nobody_although_other_partitions_are_silent(service: Service) -> None:
    begin = service.next_hour()
    rows = make_rows(20 * PER_PANE, begin, begin + 20 * PANE_MS, model="renewed", seed=3)
    service.send(*rows[: 10 * PER_PANE], partition=1)
    wait_for_report(service, begin + 9 * PANE_MS, "renewed")
    second = service.create_baseline("renewed", "0", baseline_columns(seed=2))
    _wait_until_active(service, second)
    service.send(*rows[10 * PER_PANE :], partition=1)
    end = begin + 19 * PANE_MS
    reports = wait_for_report(service, end, "renewed")
    assert all(reports[e]["complete"] for e in range(begin + WINDOW_MS, end + 1, PANE_MS))


def _wait_until_active(service: Service, baseline: str) -> None:
    service.wait_for(baseline, partial(service.workers[0].has_read, baseline))


def test_what_the_service_writes_is_as_the_schemas_say(service: Service) -> None:
    topics = service.config.topics
    for topic, schema in ((topics.reports, "report"), (topics.alerts, "alert")):
        messages = service.read(topic)
        assert messages
        for message in messages:
            contract.validate(schema, message.value)
    keys = {message.key for message in service.read(topics.reports)}
    assert b"fraud@1" in keys
    assert all(json.loads(m.value)["id"].encode() == m.key for m in service.read(topics.alerts))


def test_every_row_is_one_of_counted_dead_late_and_ignored(service: Service) -> None:
    what = ("counted", "late", "ignored")
    accounted = sum(service.counter(f"predictions_{name}_total") for name in what)
    dead = service.counter("dead_letters_total")
    assert service.counter("predictions_received_total") == accounted + dead
    assert dead == len(service.dead_letters())


def test_the_metrics_are_those_of_the_contract(service: Service, worker: Worker) -> None:
    status, text = worker.get("/metrics")
    assert status == 200
    contract.check_metrics(text)
    samples, firing = worker.metrics(), 0
    for model, version in MODELS:
        _, last = max(service.reports(model, version).items())
        of_model = (("model", model), ("segment", ""), ("version", version))
        assert samples["driftline_window_predictions"][of_model] == last["n"]
        for check in last["checks"]:
            shown = samples["driftline_psi"].get((("feature", check["subject"]), *of_model))
            assert shown == check["value"], f"{model} {check['subject']}: an undefined PSI has no sample"
        firing += len(last["alerts_firing"])
    assert service.counter("alerts_firing") == firing


def test_what_the_group_has_committed_is_what_is_durable(service: Service) -> None:
    topic = service.config.topics.predictions
    ends = service.ends(topic)
    assert len(ends) == PARTITIONS
    service.wait_for("the committed offsets", lambda: service.committed(topic, PARTITIONS) == ends)
    service.wait_for("no lag", lambda: service.counter("consumer_lag_records", topic=topic) == 0)


def test_a_worker_says_that_it_is_alive_and_ready(worker: Worker) -> None:
    for path in ("/healthz", "/readyz"):
        status, text = worker.get(path)
        assert (status, json.loads(text)) == (200, {"ok": True, "waiting_for": []})
