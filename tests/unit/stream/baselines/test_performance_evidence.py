"""What the labelled rows of a baseline teach of healthy performance: of a score, of a value, of a segment."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from detectors.wander import auc_of
from stream.baselines.baseline import Baseline
from stream.baselines.columns import categorical_column
from stream.baselines.create import PredictionColumns, read_columns
from stream.baselines.description import describe
from stream.baselines.evidence import PerformanceEvidence, evidence_complaint
from stream.baselines.layout import Layout
from stream.baselines.learning import Windows, learn
from stream.baselines.roles import Roles, assign_roles
from stream.baselines.segment_evidence import with_segment_evidence
from stream.baselines.segment_labels import of_segment
from stream.baselines.segment_learning import with_segments
from stream.baselines.segmentation import Segmentation
from stream.records.settings import SegmentSettings
from tests.unit.stream.baselines.test_classes import metrics_of
from tests.unit.stream.baselines.test_learning import HOUR_MS, HOURS, START_MS, baseline_from

DAYS = 60
ROWS = 400  # an hour
HOUR = np.repeat(np.arange(DAYS), ROWS)


def known(found: Baseline) -> dict[str, PerformanceEvidence]:
    (of_hours,) = found.evidence
    return {one.check: one for one in of_hours.performance}


def columns(times: bool = True, **values: Any) -> PredictionColumns:
    at = START_MS + HOUR * HOUR_MS + np.tile(np.arange(ROWS) * (HOUR_MS // ROWS), DAYS)
    table = pa.table(values | ({"ts": at} if times else {}))
    roles = Roles(label="label", value="value" if "value" in values else None)
    return read_columns(table, assign_roles(table, roles))


def scored(wander: float, seed: int = 1) -> dict[str, Any]:
    """Scores whose meaning differs from hour to hour: some hours are hard."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(size=len(HOUR)) < 0.3
    apart = 2.0 + wander * rng.normal(size=DAYS)[HOUR]
    return {"score": 1 / (1 + np.exp(-(rng.normal(size=len(HOUR)) + apart * truth - 1.5))), "label": truth.astype(int)}


def test_hours_that_are_hard_by_themselves_are_wander_and_others_are_not() -> None:
    wild, calm = (
        known(learn(baseline_from(rows), rows, HOURS).baseline)
        for rows in (columns(**scored(wander=0.6)), columns(**scored(wander=0.0)))
    )
    assert set(wild) == set(calm) == {"auc", "brier"}
    assert wild["auc"].deviation > 0.4
    assert calm["auc"].deviation < 0.1
    assert auc_of(calm["auc"].mean) == pytest.approx(0.921, abs=0.01)
    assert wild["auc"].windows == DAYS
    assert not wild["auc"].provisional


def test_errors_of_a_regression_differ_from_hour_to_hour() -> None:
    rng = np.random.default_rng(2)
    size = np.exp(0.3 * rng.normal(size=DAYS))[HOUR]
    value = rng.normal(size=len(HOUR))
    rows = columns(value=value, label=value + size * rng.normal(size=len(HOUR)))
    (found,) = known(learn(baseline_from(rows), rows, HOURS).baseline).values()
    assert found.check == "mae"
    assert found.deviation == pytest.approx(0.3, abs=0.08)


def test_classes_differ_in_their_macro_auc() -> None:
    rng = np.random.default_rng(6)
    labels = rng.choice(3, len(HOUR))
    logits = rng.normal(size=(len(HOUR), 3))
    logits[np.arange(len(HOUR)), labels] += 1.5 + 0.6 * rng.normal(size=DAYS)[HOUR]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    at = START_MS + HOUR * HOUR_MS + np.tile(np.arange(ROWS) * (HOUR_MS // ROWS), DAYS)
    columns_of = {f"score_{name}": scores[:, i] for i, name in enumerate("abc")}
    table = pa.table({**columns_of, "label": [f"{'abc'[y]}" for y in labels], "ts": at})
    rows = read_columns(table, assign_roles(table, Roles(scores=tuple(columns_of), label="label")))
    made = learn(baseline_from(rows), rows, HOURS).baseline
    (found,) = known(made).values()
    macro = metrics_of(made).macro_auc
    assert found.check == "auc"
    assert found.deviation > 0.3
    assert isinstance(macro, float)
    assert auc_of(found.mean) == pytest.approx(macro, abs=0.04)  # hours apart rank better than together


@pytest.mark.parametrize("off", [1.5, 0.1, 1e200])
def test_errors_that_are_all_alike_or_beyond_all_bounds_are_stored_as_numbers(off: float) -> None:
    value = np.linspace(0.0, 1.0, len(HOUR))
    rows = columns(
        value=value + np.where(np.arange(len(HOUR)) == 7, max(off, 1.5), off if off < 2 else 1.5), label=value
    )
    made = learn(baseline_from(rows), rows, HOURS).baseline
    assert Baseline.from_bytes(made.to_bytes()) == made
    for one in known(made).values():
        assert np.isfinite([one.mean, one.deviation, one.mean_se, one.worst, one.lasting]).all()


def test_rows_without_labels_or_times_teach_nothing() -> None:
    values = scored(wander=0.5)
    rows = columns(**values)
    unlabelled = replace(rows, labels=None)
    assert known(learn(baseline_from(unlabelled), unlabelled, HOURS).baseline) == {}
    untimed = columns(times=False, **values)
    assert learn(baseline_from(untimed), untimed, HOURS).baseline.evidence == ()


def test_hours_with_too_few_labels_are_left_out() -> None:
    values = scored(wander=0.5)
    labels = values["label"].astype(float)
    labels[(HOUR >= 10) & (np.arange(len(HOUR)) % ROWS >= 40)] = np.nan  # 40 of 400 rows stay, a dozen positive
    rows = columns(score=values["score"], label=pa.array(labels, from_pandas=True))
    found = known(learn(baseline_from(rows), rows, HOURS).baseline)
    assert {name: one.windows for name, one in found.items()} == {"auc": 10, "brier": 10}
    assert found["auc"].provisional


def test_the_order_of_the_rows_does_not_matter() -> None:
    values = scored(wander=0.5)
    order = np.random.default_rng(3).permutation(len(HOUR))
    rows = columns(**values)
    assert rows.time_ms is not None
    assert rows.answer_column is not None
    assert rows.labels is not None
    shuffled = replace(
        rows,
        time_ms=rows.time_ms[order],
        labels=rows.labels[order],
        answer_column=replace(rows.answer_column, values=rows.answer_column.values[order]),
    )
    one = baseline_from(rows)
    assert known(learn(one, rows, HOURS).baseline) == known(learn(one, shuffled, HOURS).baseline)


def test_more_windows_than_are_read_are_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.baselines.performance_evidence.MOST_WINDOWS", 20)
    rows = columns(**scored(wander=0.5))
    assert known(learn(baseline_from(rows), rows, HOURS).baseline)["auc"].windows == 20


def test_a_segment_has_its_own_and_another_borrows_the_wander_of_the_whole() -> None:
    rng = np.random.default_rng(4)
    values = scored(wander=0.5)
    plan = rng.choice(["free", "pro"], len(HOUR), p=[0.6, 0.4])
    pro = plan == "pro"
    values["score"] = np.where(
        pro, 0.5 + 0.5 * (values["score"] - 0.5) + 0.2 * rng.normal(size=len(HOUR)), values["score"]
    )
    values["score"] = np.clip(values["score"], 0, 1)
    rows = columns(**values)
    rows = replace(rows, segments=(categorical_column("plan", pa.chunked_array([plan.tolist()])),))
    whole = learn(with_segments(baseline_from(rows), rows), rows, HOURS).baseline
    own = with_segment_evidence(whole, rows, HOURS).baseline
    parted = Segmentation.of(own, {"plan": SegmentSettings(values=("free", "pro"))})
    with_own, borrowed = (known(of_segment(one, parted, "plan=pro")) for one in (own, whole))
    assert with_own["auc"].mean == pytest.approx(borrowed["auc"].mean, abs=0.15)
    assert with_own["auc"].mean > known(whole)["auc"].mean + 0.5  # a low AUC is a bad one
    assert borrowed["auc"].deviation == known(whole)["auc"].deviation
    assert with_own["auc"].deviation != borrowed["auc"].deviation


def test_it_is_stored_and_told_in_words() -> None:
    rows = columns(**scored(wander=0.6))
    made = learn(baseline_from(rows), rows, HOURS).baseline
    assert Baseline.from_bytes(made.to_bytes()) == made
    (line,) = [one for one in describe(made).splitlines() if "AUC 0." in one and "in 19 of 20" in one]
    assert line.startswith("healthy   windows of 1 h: AUC 0.9")
    assert line.endswith("known from 60 windows")


@pytest.mark.parametrize("changed", [{"windows": 1}, {"deviation": -0.1}, {"mean_se": -0.1}])
def test_evidence_that_cannot_be_is_refused(changed: dict[str, Any]) -> None:
    rows = columns(**scored(wander=0.6))
    made = learn(baseline_from(rows), rows, HOURS).baseline
    (of_hours,) = made.evidence
    wrong = tuple(msgspec.structs.replace(one, **changed) for one in of_hours.performance)
    widths = Layout(made).series_widths
    assert evidence_complaint([of_hours], widths) is None
    assert "performance" in str(evidence_complaint([msgspec.structs.replace(of_hours, performance=wrong)], widths))


def test_windows_of_several_lengths_have_each_their_own() -> None:
    rows = columns(**scored(wander=0.6))
    made = learn(baseline_from(rows), rows, Windows((HOUR_MS, 4 * HOUR_MS), 60_000)).baseline
    hour, four = ({one.check: one for one in known.performance}["auc"] for known in made.evidence)
    assert four.windows == DAYS // 4
    assert four.deviation < hour.deviation
