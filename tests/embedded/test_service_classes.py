"""A model of several classes through one running worker: scores and class names in, one report out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from tests.brokers import Broker
from tests.embedded import contract
from tests.embedded.service import LATENESS_MS, PANE_MS, Service

CLASSES = ("ant", "bee", "cow")
PARTITIONS = 2
ROWS = 600
PERFORMANCE = "driftline.performance/1"


def scores_of(truth: npt.NDArray[np.int64], random: np.random.Generator) -> npt.NDArray[np.float64]:
    """A model that is right in four of five."""
    logits = random.normal(size=(len(truth), 3))
    logits[np.arange(len(truth)), truth] += 2
    found: npt.NDArray[np.float64] = np.exp(logits)
    found /= found.sum(axis=1, keepdims=True)
    return found


@pytest.fixture
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("classes")
    settings = {"windows": {"idle": "10m"}, "labels": {"ttl": "1h", "cohort": "5m", "early": "1m", "revision": "10m"}}
    with Service.deployed(broker, folder, partitions=PARTITIONS, **settings) as deployed:
        register(deployed, folder)
        yield deployed


def register(service: Service, folder: Path) -> None:
    """By the command, from a file with a column for each class."""
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, 3_000)
    lines = ["score_ant,score_bee,score_cow,label"]
    for row, i in zip(scores_of(truth, random).tolist(), truth.tolist(), strict=True):
        lines.append(",".join([*map(str, row), CLASSES[i]]))
    file = folder / "classes.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns = "score_ant,score_bee,score_cow"
    service.run("baseline", "create", "--model", "k", "--version", "0", "--scores", columns, str(file))


def send_round(service: Service, messages: list[Any], topic: str = "") -> None:
    for partition in range(PARTITIONS):
        service.send(*messages[partition::PARTITIONS], partition=partition, topic=topic)


def test_the_report_is_that_of_the_rows_although_the_worker_dies_between(service: Service) -> None:
    """Predictions before the kill, labels after it."""
    begin, labels_topic = service.next_hour(), service.config.topics.labels
    random = np.random.default_rng(2)
    truth = random.integers(0, 3, ROWS)
    scores = scores_of(truth, random)
    times = np.linspace(begin, begin + PANE_MS, ROWS, endpoint=False).astype(int).tolist()
    first = service.start_ready()
    said = [dict(zip(CLASSES, row, strict=True)) if i % 2 else row for i, row in enumerate(scores.tolist())]
    send_round(
        service,
        [
            {"model": "k", "prediction_id": i, "ts": ts, "scores": row}
            for i, (ts, row) in enumerate(zip(times, said, strict=True))
        ],
    )
    service.wait_for("waiting predictions", lambda: service.counter("join_waiting", model="k") == 3 * ROWS)
    first.kill()
    service.start()
    send_round(
        service,
        [{"model": "k", "prediction_id": str(i), "ts": times[i], "label": CLASSES[truth[i]]} for i in range(ROWS)],
        labels_topic,
    )
    end = begin + 2 * PANE_MS + LATENESS_MS
    for partition in range(PARTITIONS):
        service.send({"model": "k", "ts": end, "prediction_id": "last", "scores": [1, 0, 0]}, partition=partition)
        late = {"model": "k", "ts": end, "prediction_id": f"nobody-{partition}", "label": "wasp"}
        service.send(late, partition=partition, topic=labels_topic)

    reports = service.wait_for("a report", lambda: service.reports("k", schema=PERFORMANCE))
    report = reports[min(reports)]
    contract.validate("performance", json.dumps(report).encode())
    metrics = report["metrics"]
    assert (report["task"], report["n"], metrics["unknown_labels"]) == ("multiclass", ROWS, 0)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(truth, scores.argmax(axis=1)))
    assert metrics["log_loss"] == pytest.approx(log_loss(truth, scores), abs=0.01)
    area = roc_auc_score(truth, scores, multi_class="ovr")
    assert metrics["macro_auc_low"] <= area <= metrics["macro_auc_high"]
    assert service.counter("auc", model="k") == metrics["macro_auc"]
    assert service.counter("join_predictions", fate="joined") == 3 * ROWS
    assert service.counter("labels_unknown_class_total") == PARTITIONS
    drift = service.reports("k")
    assert {check["subject"] for r in drift.values() for check in r["checks"]} == {f"scores.{c}" for c in CLASSES}
