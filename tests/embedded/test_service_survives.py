"""What a promotion, kill -9 and SIGTERM leave behind: the same numbers as if nothing had happened."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from stream.durable.changelog import read_changelog
from stream.durable.log import Log
from stream.records.source import Source
from tests.brokers import Broker
from tests.embedded.rows import Row, baseline_columns, between, make_rows
from tests.embedded.service import LATENESS_MS, PANE_MS, Service, Worker

PARTITIONS = 2
WINDOW_PANES = 5
PER_PANE = 120
QUICKLY_S = 10.0  # a last checkpoint takes milliseconds; leaving the group some more
BASELINE = baseline_columns()
OTHER = "n"  # its home is another partition of the partials than that of "m"


@pytest.fixture
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Nobody is called idle here: what is reported when depends on the logs alone."""
    folder = tmp_path_factory.mktemp("survives")
    limits = {"checks": {"psi": {"min_count": 300}}}
    with Service.deployed(
        broker, folder, partitions=PARTITIONS, windows={"idle": "10m"}, models={"m": limits}
    ) as deployed:
        deployed.create_baseline("m", "0", BASELINE)
        yield deployed


def in_panes(begin: int, panes: range, *, shift: float = 0.0, seed: int = 0) -> list[Row]:
    """Rows of some panes, in order of time."""
    start, end = begin + panes.start * PANE_MS, begin + panes.stop * PANE_MS
    return make_rows(len(panes) * PER_PANE, start, end, model="m", shift=shift, seed=seed)


def send(service: Service, rows: list[Row]) -> None:
    """To all partitions in turn."""
    for partition in range(PARTITIONS):
        service.send(*rows[partition::PARTITIONS], partition=partition)


def close(service: Service, at_ms: int) -> None:
    """Move every partition's watermark to `at_ms`."""
    for partition in range(PARTITIONS):
        service.send(*make_rows(1, at_ms + LATENESS_MS, at_ms + LATENESS_MS + 1, model="m"), partition=partition)


def wait_for_report(service: Service, end_ms: int) -> dict[int, dict[str, Any]]:
    """All reports, once the window that ends there is among them."""
    service.wait_for("the last report", lambda: end_ms in service.reports("m"))
    return service.reports("m")


def test_a_promotion_blinds_nobody(service: Service) -> None:
    service.start_ready()
    begin = service.next_hour()
    send(service, in_panes(begin, range(12)))
    wait_for_report(service, begin + 10 * PANE_MS)

    promoted = service.create_baseline("m", "0", baseline_columns(seed=2))
    service.wait_for("the baseline", lambda: service.workers[0].has_read(promoted))
    send(service, in_panes(begin, range(12, 40)))
    close(service, end := begin + 40 * PANE_MS)
    reports = wait_for_report(service, end)

    ends = sorted(reports)
    told = [(reports[e]["baseline"], reports[e]["complete"], reports[e]["n"]) for e in ends]
    assert {b - a for a, b in pairwise(ends)} == {PANE_MS}, "a report every pane"
    assert [complete for _, complete, _ in told] == [False] * (WINDOW_PANES - 1) + [True] * (40 - WINDOW_PANES + 1), (
        told
    )
    assert all(n == WINDOW_PANES * PER_PANE for _, complete, n in told if complete), told
    baselines = [baseline for baseline, _, _ in told]
    assert baselines == sorted(baselines)
    assert (baselines[0], baselines[-1]) == ("m@0#1", "m@0#2")


def test_after_kill_9_of_one_of_two_workers_every_number_is_that_of_an_uncrashed_run(service: Service) -> None:
    begin = service.next_hour()
    early = [*in_panes(begin, range(6)), *in_panes(begin, range(6, 12), shift=1.0, seed=1)]
    later = [*in_panes(begin, range(12, 26), seed=2)]
    end = begin + 26 * PANE_MS
    first, second = service.start(), service.start()
    service.wait_for("readiness", lambda: first.is_ready() and second.is_ready())
    send(service, early[: len(early) // 2])
    service.wait_for("the first report", lambda: bool(service.reports("m")))
    send(service, early[len(early) // 2 :])  # and in the middle of it
    first.kill()
    send(service, later)
    close(service, end)
    reports = wait_for_report(service, end)
    received = len(early) + len(later) + PARTITIONS
    service.wait_for("all rows", lambda: service.counter("predictions_received_total") == received)

    for window_end, report in reports.items():
        rows = between(early + later, window_end - WINDOW_PANES * PANE_MS, window_end)
        assert report["n"] == len(rows)
    assert service.counter("predictions_counted_total") == received
    crashed = published(service)
    second.kill()
    twin = Service(service.broker, service.folder, uncrashed(service))
    try:
        twin.run("topics", "create")
        twin.start_ready()
        wait_for_report(twin, end)
        assert published(twin) == crashed
    finally:
        twin.close()
    statuses = [status for status, *_ in sorted(crashed["alerts"].values())]
    assert {"firing", "resolved"} <= set(statuses)


def uncrashed(service: Service) -> dict[str, Any]:
    """Settings of another app that reads the same predictions and baselines."""
    settings = service.settings
    shared = {role: settings["topics"][role] for role in ("predictions", "baselines")}
    return {"topics": shared, "windows": settings["windows"], "models": settings["models"]}


def published(service: Service) -> dict[str, dict[Any, Any]]:
    """Reports by window, alerts by id and number; a repeat must be the same message, byte for byte."""
    found: dict[str, dict[Any, Any]] = {"reports": {}, "alerts": {}}
    for message in service.read(service.config.topics.reports):
        report = json.loads(message.value or b"{}")
        key = (report["window"]["end"], report["revision"])
        assert found["reports"].setdefault(key, message.value) == message.value
    for message in service.read(service.config.topics.alerts):
        alert = json.loads(message.value or b"{}")
        told = (alert["status"], message.value)
        assert found["alerts"].setdefault((alert["id"], alert["seq"]), told) == told
    return found


def test_sigterm_ends_with_a_last_checkpoint_so_that_nothing_is_replayed(service: Service) -> None:
    service.write_config(checkpoint={"interval": "10m"})  # the last one is the only one
    worker = service.start_ready()
    begin = service.next_hour()
    rows = in_panes(begin, range(3))
    send(service, rows)
    service.wait_for("all rows", lambda: service.counter("predictions_counted_total") == len(rows))

    asked_s = time.monotonic()
    assert worker.stop() == 0, worker.log_tail()
    assert time.monotonic() - asked_s < QUICKLY_S
    assert "Traceback" not in worker.text()

    ends = service.ends(service.config.topics.predictions)
    assert service.run_async(progress(service)) == ends
    again = service.start_ready()
    recovered = [event["offsets"].items() for event in again.log() if event["event"] == "recovered"]
    started = {source: at for offsets in recovered for source, at in offsets if "predictions" in source}
    assert sorted(started.values()) == sorted(ends.values())
    assert service.counter("predictions_counted_total") == len(rows)


async def progress(service: Service) -> dict[int, int]:
    """By partition, the offset that is durable."""
    log: Log = await service.connected()
    changelog = service.config.internal_topic("count-changelog")
    found = {p: (await read_changelog(log, Source(changelog, p))).progress for p in range(PARTITIONS)}
    return {p: at.next_offset for p, at in found.items() if at is not None}


def test_the_gauges_of_a_model_move_with_it(service: Service) -> None:
    first = service.start_ready()
    service.create_baseline(OTHER, "0", BASELINE)
    service.wait_for("the baseline", lambda: first.has_read(f"{OTHER}@0#1"))
    begin = service.next_hour()
    both = [row | {"model": model} for row in in_panes(begin, range(4)) for model in ("m", OTHER)]
    send(service, both)
    service.wait_for("both", lambda: models_shown(first) == {"m", OTHER})

    second = service.start()
    one_each = ([{"m"}, {OTHER}], [{OTHER}, {"m"}])
    service.wait_for("a model each", lambda: [models_shown(first), models_shown(second)] in one_each)

    first.kill()
    service.wait_for("both at the other one", lambda: models_shown(second) == {"m", OTHER})


def models_shown(worker: Worker) -> set[str]:
    """The models whose gauges a worker shows, once it is ready."""
    samples = worker.metrics().get("driftline_window_predictions", {}) if worker.is_ready() else {}
    return {dict(labels)["model"] for labels in samples}
