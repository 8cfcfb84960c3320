"""The share that each class of a multiclass model has among the answers: counted row by row, and judged."""

from dataclasses import replace

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from detectors import Smoothing, Undefined, Verdict
from stream.alerts.alert_names import ALERT_NAMES
from stream.alerts.quality_rules import CLASS_SHARE, Limits, QualityRule
from stream.baselines.baseline import Baseline
from stream.baselines.create import create_baseline
from stream.baselines.layout import Counts, Layout
from stream.baselines.registry import complaint
from stream.baselines.roles import Roles
from stream.evaluate.prediction_side import share_move_p_value
from stream.evaluate.quality_evaluator import QualityCheck, QualityWindow, evaluate_quality
from stream.evaluate.quality_report import quality_content, quality_record
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import Yardstick
from stream.records.partial import PanePart, pack_counts
from stream.records.prediction import ModelColumns
from stream.records.source import Source
from tests.small_model import START_MS
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, limits
from tests.unit.stream.evaluate.test_report import validator
from tests.unit.stream.service.test_latency_metrics import registry

RNG = np.random.default_rng(11)
CLASSES = ("ant", "bee", "7")
BEFORE = RNG.dirichlet((4, 2, 1), 5_000)
Scores = npt.NDArray[np.float64]


def baseline_of(scores: Scores) -> Baseline:
    table = {f"score_{name}": scores[:, i] for i, name in enumerate(CLASSES)} | {"hour": np.zeros(len(scores))}
    made = create_baseline(table, model="m", version="1", roles=Roles(scores=tuple(f"score_{c}" for c in CLASSES)))
    return msgspec.structs.replace(made, number=1)


LAYOUT = Layout(baseline_of(BEFORE), latency_sla_ms=250, errors=True)


def counts_of(scores: Scores, layout: Layout = LAYOUT) -> Counts:
    n = len(scores)
    columns = ModelColumns(
        row=np.arange(n),
        numeric=np.column_stack([np.zeros(n), scores]),
        categorical=np.zeros((n, 0), np.int32),
        latency_ms=np.full(n, 20.0),
        status=np.ones(n, np.int8),
    )
    return np.bincount(layout.flat_bins(columns).ravel(), minlength=layout.width).astype(np.int64)


def window(scores: Scores, rule: QualityRule | None = None, layout: Layout = LAYOUT) -> QualityWindow:
    settings = ModelSettings(
        window_ms=1_000, psi=limits(), smoothing=Smoothing(), quality=rule or QualityRule(level=1e-4)
    )
    yardstick = Yardstick(layout=layout, settings=settings, pane_ms=1_000)
    found = evaluate_quality(yardstick.quality, counts_of(scores, layout), len(scores), complete=True)
    assert found is not None
    return found


def checks(scores: Scores, rule: QualityRule | None = None) -> dict[str, QualityCheck]:
    return {c.subject: c for c in window(scores, rule).checks if c.check == CLASS_SHARE}


def test_the_baseline_knows_how_often_each_class_was_the_answer() -> None:
    tops = np.bincount(BEFORE.argmax(axis=1), minlength=3)
    assert LAYOUT.baseline.tops == tuple(tops.tolist())
    assert Baseline.from_bytes(LAYOUT.baseline.to_bytes()) == LAYOUT.baseline
    gaps = BEFORE.copy()
    gaps[:1_000, 1] = np.nan  # of those rows the answer is not known
    assert baseline_of(gaps).tops == tuple(np.bincount(BEFORE[1_000:].argmax(axis=1), minlength=3).tolist())
    assert baseline_of(np.full((10, 3), 1 / 3)).tops == (10, 0, 0)  # of equal scores the first class is it


def test_a_window_counts_each_row_once_behind_latencies_and_errors() -> None:
    """Nothing else moves: a row without all scores is counted apart, so that rows and counters agree."""
    scores = RNG.dirichlet((1, 1, 1), 500)
    scores[:100, 2] = np.nan
    counts = counts_of(scores)
    assert LAYOUT.class_counts(counts).tolist() == np.bincount(scores[100:].argmax(axis=1), minlength=3).tolist()
    assert counts[-1] == 100
    assert LAYOUT.status_counts(counts).tolist() == [0, 500, 0]
    assert LAYOUT.latency_counts(counts).sum() == 500
    assert window(scores).tops == dict(zip(CLASSES, LAYOUT.class_counts(counts).tolist(), strict=True))


def test_answers_as_in_the_baseline_are_no_alarm() -> None:
    found = checks(RNG.dirichlet((4, 2, 1), 600))
    assert set(found) == {"scores.ant", "scores.bee", "scores.7"}
    assert {c.verdict for c in found.values()} == {Verdict.OK}


def test_a_class_that_takes_from_another_is_told_of_both() -> None:
    moved = RNG.dirichlet((4, 2, 1), 2_000)
    moved[:300] = (0.1, 0.8, 0.1)
    found = checks(moved)
    shares = np.bincount(moved.argmax(axis=1), minlength=3) / 2_000
    usual = np.array(LAYOUT.baseline.tops) / 5_000
    for i, subject in enumerate(("scores.ant", "scores.bee", "scores.7")):
        one = found[subject]
        assert (one.now, one.healthy) == (pytest.approx(shares[i]), pytest.approx(usual[i]))
        assert one.value == pytest.approx(abs(shares[i] - usual[i]))
        assert one.verdict is (Verdict.OK if subject == "scores.7" else Verdict.WARNING)
    content = quality_content(
        found["scores.bee"], LAYOUT.series[2], 3_600_000, severity=Verdict.WARNING, resolved=False
    )
    assert content.summary.startswith("scores.bee is the largest in ")
    assert "of 2000 answers" in content.summary


def test_few_rows_are_no_evidence() -> None:
    scores = np.concatenate([BEFORE[:60], np.tile((0.1, 0.8, 0.1), (12, 1))])
    found = checks(scores)["scores.bee"]
    assert (found.verdict, found.reason) == (Verdict.UNDEFINED, "sampling noise")
    assert checks(scores[:40])["scores.bee"].reason == "too few"


def test_a_class_that_the_baseline_has_not_once_is_not_impossible() -> None:
    """Of 20 rows without it little follows; of 5,000 much."""
    rows = 60
    move, usual = 6 / rows, 0.0
    assert share_move_p_value(move, usual, (rows, 20), 0.0, 0) > 1e-4
    assert share_move_p_value(move, usual, (rows, 5_000), 0.0, 0) < 1e-4


def test_without_any_whole_row_there_is_no_share() -> None:
    found = checks(np.full((100, 3), np.nan))["scores.ant"]
    assert (found.value, found.reason) == (Undefined("empty"), "empty")


def test_it_can_be_switched_off_and_is_paid_for_class_by_class() -> None:
    rule = QualityRule()
    less = QualityRule(limits={k: v for k, v in rule.limits.items() if k != CLASS_SHARE})
    assert rule.tests(LAYOUT.baseline) - less.tests(LAYOUT.baseline) == 3
    without_bee = QualityRule(off=frozenset({"scores.bee"}), level=1e-4)
    assert set(checks(BEFORE[:600], without_bee)) == {"scores.ant", "scores.7"}
    assert checks(BEFORE[:600], QualityRule(limits=less.limits, level=1e-4)) == {}
    strict = QualityRule(limits={CLASS_SHARE: Limits(warning=1e-9, critical=1.0)}, rule="threshold")
    assert checks(BEFORE[:600], strict)["scores.ant"].verdict is Verdict.WARNING


def test_a_baseline_that_does_not_know_its_shares_is_not_compared_and_counts_nothing() -> None:
    """One of an earlier version; and its bytes stay as they were."""
    known = LAYOUT.baseline.by_class
    old = msgspec.structs.replace(
        LAYOUT.baseline, scores=tuple(msgspec.structs.replace(one, top=msgspec.UNSET) for one in known)
    )
    layout = Layout(old, latency_sla_ms=250, errors=True)
    assert b'"top"' not in old.to_bytes()
    assert (old.tops, layout.width) == ((), LAYOUT.width - 4)
    found = window(BEFORE[:600], layout=layout)
    assert (found.tops, [c for c in found.checks if c.check == CLASS_SHARE]) == ({}, [])
    record = quality_record(found)
    assert record is not None
    assert record["classes"] == {}


def test_a_share_below_nothing_is_refused() -> None:
    first, *others = LAYOUT.baseline.by_class
    wrong = msgspec.structs.replace(LAYOUT.baseline, scores=(msgspec.structs.replace(first, top=-1), *others))
    assert "no fewer than 0 rows" in (complaint(wrong) or "")


def test_reports_have_every_class_and_alerts_a_name() -> None:
    record = quality_record(window(BEFORE[:600]))
    assert record is not None
    assert record["classes"] == dict(zip(CLASSES, np.bincount(BEFORE[:600].argmax(axis=1)).tolist(), strict=True))
    assert record["answers"] == {}  # of binary models
    seen = {one["subject"]: one["detectable"][CLASS_SHARE] for one in record["series"] if one["subject"] != "hour"}
    for check in window(np.tile((0.1, 0.8, 0.1), (600, 1))).beyond:
        if check.check == CLASS_SHARE:
            assert check.detectable == pytest.approx(seen[check.subject], rel=1e-3)
            assert 0.05 < seen[check.subject] < 0.12
    assert len(seen) == len(CLASSES)
    assert ALERT_NAMES[CLASS_SHARE] == "DriftlineClassShare"


def test_from_partials_to_messages_and_metrics() -> None:
    """A class takes over: the alert fires, its messages and the report keep their schemas, gauges show the shares."""
    evaluate = Evaluate(LAYOUT.baseline, rules=limits(None, None), window_ms=1_000)
    evaluate.judging = replace(evaluate.judging, quality=QualityRule(level=1e-4))
    speaker = Speaker()
    definition = speaker.counts_with(LAYOUT.baseline)
    moved = np.concatenate([BEFORE[:300], np.tile((0.1, 0.8, 0.1), (200, 1))])
    packed = pack_counts(counts_of(moved, definition.layout))
    evaluate.hears(speaker.says(1_000, [PanePart(definition.id, "", START_MS, 0, 1, packed, START_MS)]))
    told = [a for a in evaluate.alerts if a["labels"]["check"] == CLASS_SHARE]
    assert {a["labels"]["subject"] for a in told} == {"scores.ant", "scores.bee"}
    for name, records in (("alert", told), ("report", evaluate.reports)):
        for record in records:
            validator(name).validate(record)
    found = registry({Source("partials", 0): evaluate.fold})
    shares = np.bincount(moved.argmax(axis=1), minlength=3) / 500
    for name, share in zip(CLASSES, shares.tolist(), strict=True):
        labels = {"model": "m", "version": "1", "class": name}
        assert found.get_sample_value("driftline_class_ratio", labels) == pytest.approx(share)
