"""Reports and alerts of what the labels say: JSON that keeps its schema, and what is null says why."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError

from stream.alerts.rules import PerformanceRules, WorseRule
from stream.baselines.baseline import Baseline
from stream.evaluate.performance_report import MOST_COHORTS, performance_key
from stream.records.prediction import ModelKey
from tests.unit.stream.evaluate.labels import (
    BINS,
    MEANS,
    Join,
    Labels,
    Pair,
    binary_baseline,
    definition,
    healthy_pairs,
    seconds,
    value_baseline,
)
from tests.unit.stream.evaluate.partials import Speaker, part

ROOT = Path(__file__).parents[4]
NAMES = ("performance", "alert", "report")
SCHEMAS = {name: json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text()) for name in NAMES}
REVERSED = tuple(1 - share for share in MEANS)


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMAS[name])


def run(*known: Baseline, rules: PerformanceRules | None = None) -> Labels:
    """Pane by pane: well, well, the other way round, the other way round, nothing for long, well."""
    labels, join, random = Labels(*known, rules=rules), Join(), np.random.default_rng(1)
    for at, shares in ((0, MEANS), (10, MEANS), (20, REVERSED), (30, REVERSED), (200, MEANS)):
        for pair in healthy_pairs(400, at, random, shares):
            join.predicts(pair.bin, at)
            join.joins(pair)
        labels.hears_of(join.says(at + 10))
    return labels


def regression() -> Labels:
    by = value_baseline()
    labels, join, random = Labels(by), Join(of=definition(by)), np.random.default_rng(1)
    for at, deviation in ((0, 5.0), (10, 5.0), (20, 15.0), (30, 15.0), (60, 5.0), (200, 5.0)):
        join.predicts(0, at, 500)
        join.sums((random.normal(0, deviation, 500)).tolist(), random.normal(100, 15, 500).tolist(), at)
        labels.hears_of(join.says(at + 10))
    return labels


def nulls(record: Any, path: str = "") -> Iterator[str]:
    """The paths of what is null."""
    if isinstance(record, dict):
        for name, value in record.items():
            yield from nulls(value, f"{path}.{name}" if path else name)
    elif record is None:
        yield path


def test_the_schema_is_one_and_its_examples_keep_it() -> None:
    Draft202012Validator.check_schema(SCHEMAS["performance"])
    assert SCHEMAS["performance"]["examples"]
    for example in SCHEMAS["performance"]["examples"]:
        validator("performance").validate(example)


@pytest.mark.parametrize(
    "labels",
    [run(), run(binary_baseline(labelled=False)), regression()],
    ids=["binary", "binary without labels in the baseline", "regression"],
)
def test_reports_and_alerts_of_a_run_keep_their_schemas(labels: Labels) -> None:
    assert len(labels.performance) >= 5
    for name, records in (("performance", labels.performance), ("alert", labels.alerts)):
        for record in records:
            validator(name).validate(record)


def test_a_field_that_the_schema_does_not_know_is_refused() -> None:
    report, alert = run().performance[-1], run().alerts[0]
    for name, record in (("performance", report), ("alert", alert)):
        with pytest.raises(ValidationError):
            validator(name).validate({**record, "new_field": 1})
    with pytest.raises(ValidationError):
        validator("alert").validate({**alert, "evidence": {**alert["evidence"], "new_field": 1}})


@pytest.mark.parametrize("labels", [run(), regression()], ids=["binary", "regression"])
def test_what_is_null_has_its_reason_beside_it(labels: Labels) -> None:
    bounds = {"metrics.auc_low", "metrics.auc_high", "metrics.auc_se"}  # as the AUC itself
    for report in labels.performance:
        statistics = {part: report[part] for part in ("metrics", "label_delay", "coverage", "estimate")}
        unexplained = set(nulls(statistics)) - report["undefined"].keys() - bounds
        assert unexplained <= ({"metrics.confusion"} if report["n"] == 0 else set()) | (
            {"estimate"} if report["task"] == "regression" else set()
        )


def test_an_empty_window_reports_null_and_never_nought() -> None:
    (empty,) = [r for r in run().performance if r["n"] == 0]
    assert {empty["metrics"][name] for name in ("auc", "brier", "base_rate", "precision", "ece")} == {None}
    assert empty["undefined"]["metrics.auc"] == "empty"
    assert empty["estimate"] is None
    assert empty["undefined"]["estimate"] == "empty"


def test_an_auc_that_fell_fires_once_and_ends_when_it_is_back() -> None:
    labels = run()
    of_auc = [a for a in labels.alerts if a["labels"]["check"] == "auc"]
    assert [(a["status"], a["severity"], a["seq"]) for a in of_auc] == [
        ("firing", "critical", 1),
        ("resolved", "critical", 2),
    ]
    fired, resolved = of_auc
    assert fired["id"] == resolved["id"]
    assert fired["labels"] == {
        "alertname": "DriftlineAUC", "model": "m", "version": "0", "check": "auc", "subject": "score", "segment": "",
    }  # fmt: skip
    assert fired["annotations"]["runbook_url"] == "docs/runbook.md#driftlineauc"
    assert fired["annotations"]["summary"].startswith("score got worse: AUC 0.")
    assert "baseline 0.83" in fired["annotations"]["summary"]
    assert resolved["annotations"]["summary"].startswith("score is back: AUC 0.")
    firing = [r["alerts_firing"] for r in labels.performance]
    assert fired["id"] in firing[2]
    assert firing[-1] == []


def test_a_window_without_labels_ends_no_alert() -> None:
    labels = run()
    at_empty = next(r for r in labels.performance if r["n"] == 0)
    assert len(at_empty["alerts_firing"]) == 2  # AUC and Brier


def test_an_alert_carries_the_evidence_of_both_classes() -> None:
    labels = run()
    fired = next(a for a in labels.alerts if a["labels"]["check"] == "auc")
    report = next(r for r in labels.performance if r["window"] == fired["evidence"]["window"])
    evidence = fired["evidence"]
    assert evidence["n"] == report["n"] == sum(evidence["bins"]["negatives"]) + sum(evidence["bins"]["positives"])
    assert evidence["positives"] == sum(evidence["bins"]["positives"])
    assert evidence["bins"]["edges"] == [None, 0.25, 0.5, 0.75, None]
    assert len(evidence["bins"]["baseline_positives"]) == 4
    assert evidence["low"] <= fired["value"] <= evidence["high"]
    assert evidence["p_value"] < 0.001
    assert fired["threshold"] == report["checks"][0]["threshold"]["critical"]
    assert list(evidence["outcomes"]) == ["outcomes/0"]
    assert "of the rows" not in fired["annotations"]["description"]
    assert "rows positive" in fired["annotations"]["description"]


def test_sampling_noise_fires_nothing_at_small_n() -> None:
    labels, join, random = Labels(), Join(), np.random.default_rng(2)
    for at in range(0, 3_000, 10):
        for pair in healthy_pairs(80, at, random):  # 240 in a window: the standard error of AUC is 0.027
            join.joins(pair)
        labels.hears_of(join.says(at + 10))
    verdicts = {c["reason"] for r in labels.performance for c in r["checks"]}
    assert "sampling noise" in verdicts
    assert not labels.alerts


def test_a_regression_fires_by_its_mae_and_says_to_which_side() -> None:
    labels = regression()
    assert [(a["labels"]["alertname"], a["labels"]["subject"], a["status"]) for a in labels.alerts] == [
        ("DriftlineMAE", "value", "firing"),
        ("DriftlineMAE", "value", "resolved"),
    ]
    assert "root mean squared error" in labels.alerts[0]["annotations"]["description"]
    assert labels.alerts[0]["evidence"]["bins"] is None


def test_a_check_that_is_switched_off_while_it_fires_ends_its_alert() -> None:
    labels, join, random = Labels(), Join(), np.random.default_rng(1)
    for pair in healthy_pairs(1_000, 0, random, REVERSED):
        join.joins(pair)
    labels.hears_of(join.says(10))
    labels.rules = PerformanceRules(auc=None, brier=WorseRule(tolerance=0.02))
    labels.crash()
    join.joins(Pair(3, True, 11, 11))
    labels.hears_of(join.says(20))
    ended = [a for a in labels.alerts if a["status"] == "resolved"]
    assert [a["labels"]["check"] for a in ended] == ["auc"]
    assert ended[0]["threshold"] is None
    validator("alert").validate(ended[0])


def test_alerts_of_checks_that_the_model_does_not_have_any_more_end() -> None:
    by = msgspec.structs.replace(value_baseline(2))
    labels, join, random = Labels(binary_baseline(), by), Join(), np.random.default_rng(1)
    for pair in healthy_pairs(1_000, 0, random, REVERSED):
        join.joins(pair)
    labels.hears_of(join.says(10))
    other = Join(of=definition(by))
    other.next_offset = 10_000
    for at in range(20, 100, 10):
        other.sums([1.0] * 10, [100.0] * 10, at)
        other.predicts(0, 70)
        labels.hears_of(other.says(at + 10))
    ended = [a for a in labels.alerts if a["status"] == "resolved"]
    assert {a["labels"]["check"] for a in ended} == {"auc", "brier"}
    assert "not watched any more" in ended[0]["annotations"]["summary"]
    for alert in ended:
        validator("alert").validate(alert)


def test_a_report_lists_the_newest_cohorts_with_their_coverage() -> None:
    labels, join = Labels(), Join(of=definition(ttl_ms=100_000_000))
    for at in range(0, 60 * (MOST_COHORTS + 5), 60):
        join.predicts(3, at, 2)
        join.joins(Pair(3, True, at, at))
    labels.hears_of(join.says(60 * (MOST_COHORTS + 5)))
    report = labels.performance[-1]
    starts = [seconds(cohort["start"]) for cohort in report["cohorts"]]
    assert starts == list(range(5 * 60, 60 * (MOST_COHORTS + 5), 60))
    assert report["cohorts"][-1] == {
        "start": report["cohorts"][-1]["start"], "end": report["cohorts"][-1]["end"],
        "predictions": 2, "labelled": 1, "coverage": 0.5, "auc": None, "reason": "one class",
    }  # fmt: skip
    assert report["coverage"]["predictions"] == 2 * (MOST_COHORTS + 5)
    validator("performance").validate(report)


def test_a_report_has_its_own_key_beside_the_models_other_one() -> None:
    labels = run()
    keys = {o.key for o in labels.sent if o.to.topic == "reports"}
    assert keys == {b"m@0/performance"}
    assert performance_key(ModelKey("m", "0"), "red") == b"m@0/performance/red"


# -- estimates in the drift report


def drift(labels: Labels, at: int, source: Speaker, panes: int = 1) -> dict[str, Any]:
    """One more drift window; its report."""
    of = source.counts_with(labels.worker.known["m@0#1"])
    parts = [part(of, at + 1_000 * i, 40 + i, next_offset=10, bin_of=i % BINS) for i in range(panes)]
    labels.hears(source.says(at + 1_000 * panes, parts))
    return labels.reports[-1]


def test_a_drift_report_has_the_estimates_of_all_its_predictions() -> None:
    labels = Labels()
    report = drift(labels, 0, Speaker(), panes=BINS)
    validator("report").validate(report)
    counts = np.arange(40, 40 + BINS)
    expected = (counts * np.array(MEANS)).sum() / counts.sum()
    assert report["estimates"]["base_rate"] == pytest.approx(expected, abs=0.002)
    assert report["estimates"]["auc"] == pytest.approx(0.83, abs=0.01)
    assert report["estimates"]["recall"] is not None


def test_a_drift_report_without_rows_has_estimates_that_are_null() -> None:
    labels, source = Labels(), Speaker()
    drift(labels, 0, source)
    labels.hears(source.says(60_000))
    report = labels.reports[-1]
    assert report["n"] == 0
    assert report["estimates"] == dict.fromkeys(report["estimates"])
    validator("report").validate(report)


def test_a_baseline_without_labels_has_no_estimates() -> None:
    assert drift(Labels(binary_baseline(labelled=False)), 0, Speaker())["estimates"] is None


def test_whether_the_estimates_are_reliable_is_what_labels_last_said() -> None:
    labels, source, join, random = Labels(), Speaker(), Join(), np.random.default_rng(1)
    said = [drift(labels, 0, source)["estimates"]["reliable"]]
    for at, shares in ((0, MEANS), (40, REVERSED), (80, MEANS)):
        for pair in healthy_pairs(1_000, at, random, shares):
            join.joins(pair)
        labels.hears_of(join.says(at + 10))
        said.append(drift(labels, 1_000 * (len(said)), source)["estimates"]["reliable"])
        labels.crash()
    labels.hears_of(join.says(200))  # no labels for long: nothing new is known
    said.append(drift(labels, 1_000 * (len(said)), source)["estimates"]["reliable"])
    assert said == [None, True, False, True, True]
