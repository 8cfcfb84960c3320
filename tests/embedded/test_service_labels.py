"""Predictions and labels in, performance out: one running worker, killed while labels are waited for."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from tests.brokers import Broker
from tests.embedded import contract
from tests.embedded.rows import Row, baseline_columns, make_rows
from tests.embedded.service import LATENESS_MS, PANE_MS, Service, milliseconds

PARTITIONS = 2
WINDOW_PANES = 5
PANES = 12
PER_PANE = 200
PERFORMANCE = "driftline.performance/1"
DELAY_MS = 2 * PANE_MS
FALSE = 7  # panes from which on the label no longer follows the score


@pytest.fixture
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Nobody is called idle here: what is reported when depends on the logs alone."""
    folder = tmp_path_factory.mktemp("labels")
    settings = {"windows": {"idle": "10m"}, "labels": {"ttl": "1h", "cohort": "5m", "early": "1m", "revision": "10m"}}
    with Service.deployed(broker, folder, partitions=PARTITIONS, **settings) as deployed:
        columns = baseline_columns()
        labels = labels_of(np.array(columns["score"]), np.random.default_rng(5))
        deployed.create_baseline("m", "0", columns | {"label": labels.tolist()})
        yield deployed


def labels_of(scores: np.ndarray[Any, Any], dice: np.random.Generator) -> np.ndarray[Any, Any]:
    """A calibrated model: positive as often as the score says."""
    return (dice.random(len(scores)) < scores).astype(int)


class Sent:
    """Predictions with ids and their labels, by event time."""

    def __init__(self, begin_ms: int) -> None:
        dice = np.random.default_rng(11)
        rows = make_rows(PANES * PER_PANE, begin_ms, begin_ms + PANES * PANE_MS, model="m")
        self.predictions: list[Row] = [row | {"prediction_id": f"p-{i}"} for i, row in enumerate(rows)]
        scores = np.array([row["score"] for row in rows])
        true = labels_of(scores, dice)
        broken = np.array([row["ts"] >= begin_ms + FALSE * PANE_MS for row in rows])
        self.label = np.where(broken, dice.integers(0, 2, len(rows)), true)
        self.label_ms = np.array([row["ts"] for row in rows]) + DELAY_MS
        self.score = scores
        self.labelled = dice.random(len(rows)) < 0.9

    def labels(self) -> list[dict[str, Any]]:
        """Nine in ten, in order of time."""
        return [
            {"prediction_id": f"p-{i}", "model": "m", "label": int(self.label[i]), "ts": int(self.label_ms[i])}
            for i in np.flatnonzero(self.labelled).tolist()
        ]

    def in_window(self, end_ms: int) -> np.ndarray[Any, Any]:
        """The rows whose label arrived in the window that ends there."""
        start_ms = end_ms - WINDOW_PANES * PANE_MS
        return self.labelled & (self.label_ms >= start_ms) & (self.label_ms < end_ms)


def send_round(service: Service, messages: list[Any], topic: str = "") -> None:
    for partition in range(PARTITIONS):
        service.send(*messages[partition::PARTITIONS], partition=partition, topic=topic)


def close(service: Service, at_ms: int) -> None:
    """Move every watermark, of predictions and of labels, past `at_ms`."""
    end = at_ms + LATENESS_MS
    (row,) = make_rows(1, end, end + 1, model="m")
    for partition in range(PARTITIONS):
        service.send(row, partition=partition)
        late = {"prediction_id": f"nobody-{partition}", "model": "m", "label": 1, "ts": end}
        service.send(late, partition=partition, topic=service.config.topics.labels)


def test_performance_is_that_of_the_rows_although_the_worker_dies_while_labels_are_waited_for(
    service: Service,
) -> None:
    begin = service.next_hour()
    sent, labels_topic = Sent(begin), service.config.topics.labels
    first = service.start_ready()
    labels = sent.labels()
    half = len(labels) // 2
    bad = [b"{oops", {"prediction_id": "p-1", "model": "m", "label": "maybe"}, {"model": "m", "label": 1}]
    send_round(service, [*labels[:half], *bad], labels_topic)  # most of them before their prediction
    send_round(service, sent.predictions[: half + 300])
    service.wait_for("a join", lambda: service.counter("join_predictions", fate="joined") > 0)
    first.kill()
    service.start()
    send_round(service, sent.predictions[half + 300 :])
    send_round(service, sent.predictions[:50])  # a producer that sends again
    send_round(service, labels[half:], labels_topic)
    send_round(service, labels[:20], labels_topic)
    end = begin + PANES * PANE_MS + DELAY_MS
    close(service, end)
    reports = service.wait_for("the last report", lambda: found(service, end))

    for window_end, report in reports.items():
        assert_as_scikit_learn(report, sent, window_end)
    last = reports[end]
    assert last["coverage"]["labelled"] == sent.labelled.sum()
    assert last["coverage"]["predictions"] == len(sent.predictions)
    assert last["label_delay"]["p50_s"] == pytest.approx(DELAY_MS / 1_000, rel=0.2)
    assert last["estimate"]["reliable"] is False
    assert service.counter("auc") == last["metrics"]["auc"]
    assert service.counter("label_coverage_ratio") == pytest.approx(0.9, abs=0.02)
    assert_nothing_vanished(service, sent, labels_received=len(labels) + len(bad) + 20 + PARTITIONS)
    assert_the_alert_says_why(service, begin + FALSE * PANE_MS + DELAY_MS)


def assert_as_scikit_learn(report: dict[str, Any], sent: Sent, window_end: int) -> None:
    """A report's numbers are those of its rows."""
    rows = sent.in_window(window_end)
    y, score = sent.label[rows], sent.score[rows]
    metrics = report["metrics"]
    assert (report["n"], metrics["positives"]) == (rows.sum(), y.sum())
    assert metrics["auc_low"] <= roc_auc_score(y, score) <= metrics["auc_high"]
    assert metrics["auc_high"] - metrics["auc_low"] < 0.002
    assert metrics["brier"] == pytest.approx(brier_score_loss(y, score), abs=1e-3)
    contract.validate("performance", json.dumps(report).encode())


def assert_nothing_vanished(service: Service, sent: Sent, *, labels_received: int) -> None:
    """What became of every prediction and of every label."""
    fates = {f: service.counter("join_predictions", fate=f) for f in ("joined", "waiting", "duplicates", "expired")}
    assert fates == {
        "joined": sent.labelled.sum(),
        "waiting": (~sent.labelled).sum(),
        "duplicates": 50,
        "expired": 0,
    }
    assert service.counter("join_labels", fate="duplicates") == 20
    assert service.counter("join_below_watermark_total") == 0
    assert service.counter("labels_received_total") == labels_received
    reasons = sorted(dict(m.headers)["reason"].decode() for m in service.dead_letters())
    assert reasons == ["bad_label", "missing_id", "not_json"]


def assert_the_alert_says_why(service: Service, not_before_ms: int) -> None:
    """AUC fell, by more than chance explains, and not before it could."""
    (alert,) = [a for a in service.alerts("m") if a["labels"]["check"] == "auc" and a["seq"] == 1]
    contract.validate("alert", json.dumps(alert).encode())
    assert alert["status"] == "firing"
    assert alert["value"] < alert["threshold"]
    assert alert["evidence"]["p_value"] < 0.001
    assert milliseconds(alert["startsAt"]) > not_before_ms
    verified = service.driftline("verify", alert["id"])
    assert verified.code == 0, verified.out + verified.err
    assert verified.out.splitlines()[-1].startswith("equal: 1 alert, ")


def found(service: Service, end_ms: int) -> dict[int, dict[str, Any]]:
    """The reports of performance, once the window that ends there is among them."""
    reports = service.reports("m", schema=PERFORMANCE)
    return reports if end_ms in reports else {}


def test_a_label_that_is_taken_back_or_corrected_corrects_what_was_reported(service: Service) -> None:
    begin = service.next_hour()
    labels_topic = service.config.topics.labels
    service.start_ready()
    rows = make_rows(100, begin, begin + PANE_MS, model="m")
    send_round(service, [row | {"prediction_id": i} for i, row in enumerate(rows)])  # ids that are numbers
    label_ms = begin + PANE_MS

    def label(i: int, value: int | None, later_ms: int) -> dict[str, Any]:
        return {"prediction_id": str(i), "model": "m", "label": value, "ts": label_ms + i + later_ms}

    send_round(service, [label(i, i % 2, 0) for i in range(100)], labels_topic)
    close(service, begin + 3 * PANE_MS)
    reports = service.wait_for("the first report", lambda: found(service, begin + 3 * PANE_MS))
    assert reports[begin + 3 * PANE_MS]["n"] == 100

    send_round(service, [label(i, 1, 3 * PANE_MS) for i in range(0, 20, 2)], labels_topic)  # ten become positive
    send_round(service, [label(i, None, 3 * PANE_MS) for i in range(1, 11, 2)], labels_topic)  # five are taken back
    close(service, begin + 5 * PANE_MS)
    reports = service.wait_for("the last report", lambda: found(service, begin + 5 * PANE_MS))

    revised, last = reports[begin + 3 * PANE_MS], reports[begin + 5 * PANE_MS]
    assert (revised["revision"], revised["n"], revised["metrics"]["positives"]) == (1, 85, 45)
    assert (last["n"], last["metrics"]["positives"]) == (95, 55)
    labels = {f: service.counter("join_labels", fate=f) for f in ("joined", "revised", "retracted")}
    assert labels == {"joined": 95, "revised": 15, "retracted": 5}
    assert service.counter("join_predictions", fate="waiting") == 5
