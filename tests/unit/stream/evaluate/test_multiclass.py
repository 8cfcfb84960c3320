"""A multiclass model from its messages to its reports: every window is what scikit-learn says of its rows."""

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from prometheus_client.metrics_core import GaugeMetricFamily
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from detectors import psi
from stream.alerts.rules import PerformanceRules, WorseRule
from stream.baselines.create import Binning, create_baseline
from stream.baselines.roles import Roles
from stream.evaluate.class_courses import ClassCourses
from stream.records.outcome import Kind, decode_covering
from stream.service.performance_metrics import add_performance
from tests.unit.stream.evaluate.classes import BASELINE, CLASSES, UNTIL_S, Raw, Row, World, answers, multiclass_baseline
from tests.unit.stream.evaluate.test_performance_report import nulls, validator


@pytest.mark.parametrize("seed", range(3))
def test_every_window_is_what_scikit_learn_says_of_its_rows(seed: int) -> None:
    """AUC of each class within its bounds, accuracy to the row, log-loss but for the bins."""
    raw = Raw(seed)
    found = World().hears(raw).evaluate.newest()
    assert len(found) > 8
    assert any(report["revision"] for report in found.values())
    for end, report in found.items():
        rows = raw.inside(end)
        assert report["n"] == len(rows), end
        known = [row for row in rows if row.label in CLASSES]
        if len({row.label for row in known}) < len(CLASSES):
            continue
        check_metrics(report["metrics"], rows, known)


def check_metrics(metrics: dict[str, Any], rows: list[Row], known: list[Row]) -> None:
    truth = np.array([CLASSES.index(str(row.label)) for row in known])
    scores, of_all = np.array([row.scores for row in known]), np.array([row.scores for row in rows])
    assert metrics["unknown_labels"] == len(rows) - len(known)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(truth, scores.argmax(axis=1)), abs=1e-12)
    assert metrics["log_loss"] == pytest.approx(log_loss(truth, scores, labels=[0, 1, 2]), abs=0.005)
    for i, one in enumerate(metrics["classes"]):
        own = np.array([row.label == CLASSES[i] for row in rows])
        assert one["auc_low"] - 1e-12 <= roc_auc_score(own, of_all[:, i]) <= one["auc_high"] + 1e-12
        assert (one["class"], one["positives"]) == (CLASSES[i], int(own.sum()))
    assert metrics["macro_auc"] == pytest.approx(np.mean([one["auc"] for one in metrics["classes"]]))
    if len(rows) == len(known):
        area = roc_auc_score(truth, scores, multi_class="ovr")
        assert metrics["macro_auc_low"] - 1e-12 <= area <= metrics["macro_auc_high"] + 1e-12
    before = np.array([sum(one.positives or ()) for one in BASELINE.by_class])
    now = np.bincount(truth, minlength=3).astype(np.int64)
    assert metrics["prior_shift"] == pytest.approx(psi(before, now))


def test_crashes_of_joins_and_evaluate_change_nothing() -> None:
    """After every record of outcomes: counts and reports, bit for bit."""
    raw = Raw(1)
    whole, crashed = World().hears(raw), World()
    crashed.crashing = True
    crashed.hears(raw)
    assert crashed.evaluate.performance == whole.evaluate.performance
    assert [join.progress() for join in crashed.joins] == [join.progress() for join in whole.joins]


def test_the_join_counts_a_row_for_each_class() -> None:
    """Its ledger is of rows; the sources' are of messages."""
    raw = Raw(2)
    world = World().hears(raw)
    predictions = sum(join.ledger.predictions for join in world.joins)
    assert predictions == 3 * len(raw.rows) + 3
    assert world.labels.ledger.counted == world.labels.ledger.received
    unknown = sum(json.loads(value)["label"] == "wasp" for of_step in raw.labels.values() for _, value in of_step)
    assert world.labels.ledger.unknown_classes == unknown > 0


def test_all_classes_of_a_prediction_come_in_one_record_of_one_partition() -> None:
    """So that no watermark and no crash comes between them."""
    world = World().hears(Raw(0))
    told = 0
    for log in world.logs:
        for covering in (decode_covering(value or b"") for value in log):
            if covering.kind is Kind.PREDICTIONS and covering.rows:
                rows = covering.outcome_rows()
                offsets, counts = np.unique(rows.offset, return_counts=True)
                assert set(counts.tolist()) == {3}
                assert {d.category for d in covering.definitions} == set(CLASSES)
                told += len(offsets)
    assert told == 2_001


def test_reports_are_as_their_schema_says_and_explain_what_is_null() -> None:
    """Every null has its reason, there or beside it."""
    raw = Raw(1)
    for of in (BASELINE, multiclass_baseline(labelled=False)):
        reports = World(of).hears(raw).evaluate.performance
        assert {report["task"] for report in reports} == {"multiclass"}
        for report in reports:
            validator("performance").validate(report)
            explained = {path.split(".")[-1] for path in report["undefined"]}
            for path in nulls(report["metrics"]):
                name = path.split(".")[-1].removesuffix("_low").removesuffix("_high").removesuffix("_se")
                assert name in explained or "classes" in path, path


def test_a_model_that_got_worse_fires_one_alert_that_names_the_classes() -> None:
    """On the macro AUC; the classes are in its words. A healthy one is silent."""
    rules = PerformanceRules(auc=WorseRule(tolerance=0.05, min_samples=100))
    healthy = World(rules=rules).hears(Raw(1)).evaluate
    assert [alert for alert in healthy.alerts if alert["labels"]["check"] != "psi"] == []
    worse = World(rules=rules).hears(Raw(1, skill=0.5)).evaluate
    firing = [alert for alert in worse.alerts if alert["labels"]["check"] != "psi" and alert["status"] == "firing"]
    assert {(a["labels"]["check"], a["labels"]["subject"]) for a in firing} == {("auc", "macro")}
    assert "AUC against the rest" in firing[0]["annotations"]["description"]
    assert "cow" in firing[0]["annotations"]["description"]
    for alert in worse.alerts:
        validator("alert").validate(alert)
    during = [report for report in worse.performance if report["alerts_firing"]]
    assert {i for report in during for i in report["alerts_firing"]} == {firing[0]["id"]}
    for report in during:
        (check,) = report["checks"]
        assert check["reason"] or check["value"] == pytest.approx(report["metrics"]["macro_auc"])


def test_any_class_could_lead() -> None:
    """Each knows of alerts, windows and revisions what the first one knows, and forgets its panes with it."""
    rules = PerformanceRules(auc=WorseRule(tolerance=0.05, min_samples=100))
    world = World(rules=rules).hears(Raw(1, skill=0.5))
    (model,) = world.evaluate.fold.performance.models
    assert isinstance(model, ClassCourses)
    said = [
        (
            msgspec.structs.replace(course.progress, category="", tracks=[]),
            [sorted(track.arrivals.by_start) for track in course.tracks.values()],
            [sorted(track.cohorts.by_start) for track in course.tracks.values()],
        )
        for course in model.courses.values()
    ]
    assert said[0] == said[1] == said[2]
    assert said[0][0].episodes
    assert said[0][0].revise == []
    del model.courses["ant"]
    assert model.progress.episodes == said[0][0].episodes


def test_a_promotion_does_not_cut_a_window_in_two() -> None:
    """A later baseline has the grids of the one before it: what is counted stays, what it is compared with moves on."""
    raw = Raw(1)
    random = np.random.default_rng(9)
    truth = random.integers(0, 3, 6_000)
    scores = answers(truth, random, 1.0)
    table = {f"score_{c}": scores[:, i] for i, c in enumerate(CLASSES)} | {"label": [CLASSES[i] for i in truth]}
    made = create_baseline(
        table,
        model="m",
        version="0",
        roles=Roles(scores=tuple(table)[:3]),
        binning=Binning(classes=BASELINE.by_class),
    )
    alone, promoted = World().hears(raw), World().hears(raw, msgspec.structs.replace(made, number=2))
    before, after = alone.evaluate.newest(), promoted.evaluate.newest()
    assert {end: (r["n"], r["definition"]) for end, r in before.items()} == {
        end: (r["n"], r["definition"]) for end, r in after.items()
    }
    assert {end: r["metrics"]["macro_auc"] for end, r in before.items()} == {
        end: r["metrics"]["macro_auc"] for end, r in after.items()
    }
    assert [r["baseline"] for r in promoted.evaluate.performance][:: len(promoted.evaluate.performance) - 1] == [
        "m@0#1",
        "m@0#2",
    ]


def test_the_newest_window_is_shown_as_metrics_also_after_a_recovery() -> None:
    """Once for the model, not once for each class."""
    world = World().hears(Raw(1, far=UNTIL_S))
    names = ("auc", "auc_low", "auc_high", "auc_standard_error", "log_loss", "accuracy", "prior_shift_nats")
    others = ("window_labels", "performance_window_end_seconds", "label_coverage_ratio")
    shown = []
    for _ in range(2):
        families: Any = {
            name: GaugeMetricFamily(name, name, labels=("model", "version")) for name in (*names, *others)
        } | {"label_delay_seconds": GaugeMetricFamily("d", "d", labels=("model", "version", "quantile"))}
        (model,) = world.evaluate.fold.performance.models
        add_performance(families, model)
        shown.append({name: [s.value for s in family.samples] for name, family in families.items()})
        world.evaluate.crash()
    assert shown[0] == shown[1]
    assert all(len(values) == 1 for name, values in shown[0].items() if name != "label_delay_seconds")


def test_predictions_without_every_score_are_counted_and_not_waited_for() -> None:
    """Which class was the answer could not be told."""
    raw = Raw(0, rows=[])
    raw.predictions.clear()
    raw.labels.clear()
    raw._predicts(0, {"prediction_id": "a", "scores": {"ant": 0.5, "bee": 0.5}})
    raw._predicts(1, {"prediction_id": "b", "scores": [0.2, 0.3, 0.5]})
    world = World().hears(raw)
    assert world.count.ledger.counted == 2
    assert sum(join.ledger.predictions for join in world.joins) == 3
