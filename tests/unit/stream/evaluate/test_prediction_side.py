"""The share of positives, confidence and entropy: by hand, and by the rows themselves."""

import numpy as np
import pytest

from detectors import Smoothing, Verdict
from stream.alerts.quality_rules import Limits, QualityRule
from stream.baselines.create import create_baseline
from stream.baselines.layout import Counts, Layout
from stream.evaluate.prediction_side import answer_law, detectable_move, move_p_value, score_histogram
from stream.evaluate.quality_evaluator import QualityCheck, QualityWindow, evaluate_quality
from stream.evaluate.quality_report import quality_content, quality_record
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import Yardstick
from stream.records.prediction import ModelColumns
from tests.unit.stream.evaluate.partials import limits

RNG = np.random.default_rng(9)
BEFORE = RNG.beta(2, 5, 20_000)
LAYOUT = Layout(create_baseline({"score": BEFORE}, model="m", version="1"))
RULE = QualityRule(level=1e-4)
ANSWERS = ("positive_share", "confidence", "entropy")


def counts_of(scores: "np.ndarray") -> Counts:
    columns = ModelColumns(
        row=np.arange(len(scores)), numeric=scores[:, None], categorical=np.zeros((len(scores), 0), np.int32)
    )
    return np.bincount(LAYOUT.flat_bins(columns).ravel(), minlength=LAYOUT.width).astype(np.int64)


def window(scores: "np.ndarray", rule: QualityRule = RULE) -> QualityWindow:
    settings = ModelSettings(window_ms=1_000, psi=limits(), smoothing=Smoothing(), quality=rule)
    yardstick = Yardstick(layout=LAYOUT, settings=settings, pane_ms=1_000)
    found = evaluate_quality(yardstick.quality, counts_of(scores), len(scores), complete=True)
    assert found is not None
    return found


def checks(scores: "np.ndarray", rule: QualityRule = RULE) -> dict[str, QualityCheck]:
    return {c.check: c for c in window(scores, rule).checks if c.check in ANSWERS}


def test_means_are_those_of_the_rows() -> None:
    scores = RNG.beta(3, 3, 5_000)
    grid = LAYOUT.baseline.grid
    assert grid is not None
    histogram = score_histogram(LAYOUT, counts_of(scores))
    assert histogram.sum() == 5_000
    expected = {
        "positive_share": (scores >= 0.5).mean(),
        "confidence": np.maximum(scores, 1 - scores).mean(),
        "entropy": (-scores * np.log(scores) - (1 - scores) * np.log(1 - scores)).mean(),
    }
    for check, mean in expected.items():
        assert answer_law(check, grid, histogram).mean == pytest.approx(mean, abs=0.002), check


def test_a_report_says_how_the_model_answers_though_nothing_alarms_or_is_watched() -> None:
    scores = np.random.default_rng(12).beta(2, 5, 600)
    unwatched = QualityRule(level=1e-4, limits={"missing": Limits(warning=0.01, critical=0.1)})
    for rule in (RULE, unwatched):
        record = quality_record(window(scores, rule))
        assert record is not None
        assert record["checks"] == []
        said = record["answers"]
        assert said["positive_share"] == pytest.approx((scores >= 0.5).mean())
        assert said["confidence"] == pytest.approx(np.maximum(scores, 1 - scores).mean(), abs=0.002)
        assert said["entropy"] == pytest.approx(
            -(scores * np.log(scores) + (1 - scores) * np.log(1 - scores)).mean(), abs=0.002
        )
    empty = quality_record(window(np.full(60, np.nan)))
    assert empty is not None
    assert empty["answers"] == dict.fromkeys(ANSWERS)


def test_answers_as_in_the_baseline_are_no_alarm() -> None:
    assert {c.verdict for c in checks(RNG.beta(2, 5, 600)).values()} == {Verdict.OK}


def test_more_and_fewer_positives_are() -> None:
    before = (BEFORE >= 0.5).mean()
    for scores in (np.concatenate([RNG.beta(2, 5, 500), np.full(100, 0.7)]), RNG.beta(2, 5, 600) * 0.6):
        found = checks(scores)["positive_share"]
        now = (scores >= 0.5).mean()
        assert (found.now, found.value) == (pytest.approx(now), pytest.approx(abs(now - before), abs=1e-9))
        assert found.verdict is Verdict.WARNING


def test_a_model_that_says_the_same_to_everybody_is_less_sure_and_says_less() -> None:
    found = checks(np.full(600, 0.49))
    assert found["positive_share"].verdict is not Verdict.OK
    assert found["confidence"].verdict is Verdict.CRITICAL
    assert found["entropy"].verdict in (Verdict.WARNING, Verdict.CRITICAL)


def test_few_rows_are_no_evidence() -> None:
    scores = np.concatenate([RNG.beta(2, 5, 50) * 0.5, np.full(10, 0.7)])  # 17 % of 60, 11 % are usual
    found = checks(scores)["positive_share"]
    assert (found.verdict, found.reason) == (Verdict.UNDEFINED, "sampling noise")


def test_windows_that_differ_take_evidence_away_and_few_of_them_more() -> None:
    p = [
        move_p_value(0.05, 0.1, (600, 20_000), spread, blocks) for spread, blocks in ((0.0, 0), (0.01, 200), (0.01, 21))
    ]
    assert p[0] < 1e-3 < p[1] < p[2]
    assert move_p_value(0.0, 0.0, (600, 20_000), 0.0, 0) == 1.0
    assert move_p_value(0.1, 0.0, (600, 20_000), 0.0, 0) == 0.0


def test_a_healthy_mean_alarms_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(10)
    alarms = sum(
        move_p_value(float(rng.normal(0.3, 0.4, 200).mean() - 0.3), 0.16, (200, 10**9), 0.0, 0) < 0.05
        for _ in range(2_000)
    )
    assert alarms / 2_000 == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(("spread", "blocks"), [(0.0, 0), (0.001, 0), (0.005, 200), (0.005, 5)])
def test_the_move_that_is_said_to_be_seen_is_where_the_test_begins_to_alarm(spread: float, blocks: int) -> None:
    law = (0.16, (600, 20_000), spread, blocks)
    move = detectable_move(1e-5, *law)
    assert move_p_value(1.0001 * move, *law) < 1e-5 < move_p_value(0.9999 * move, *law)


@pytest.mark.parametrize(("rows", "seen"), [(100, 0.12), (500, 0.054), (10_000, 0.05)])
def test_a_move_beyond_what_is_said_to_be_seen_alarms_and_none_below_does(rows: int, seen: float) -> None:
    """Of the share of positives, up and down; where rows are many the limit decides."""
    record = quality_record(window(BEFORE[:rows]))
    assert record is not None
    said = record["series"][-1]["detectable"]
    assert set(ANSWERS) < set(said)
    assert said["positive_share"] == pytest.approx(seen, abs=0.003)

    usual = (BEFORE >= 0.5).mean()
    for move in (said["positive_share"] - 1 / rows, said["positive_share"] + 1 / rows, -seen - 0.01, -seen + 0.01):
        positives = max(round((usual + move) * rows), 0)
        found = checks(np.concatenate([np.full(positives, 0.6), np.full(rows - positives, 0.2)]))["positive_share"]
        assert found.verdict.is_breach is (found.value >= said["positive_share"]), (found, move)
        assert found.detectable == pytest.approx(said["positive_share"], rel=1e-3)


def test_without_a_test_the_limit_is_what_is_seen() -> None:
    plain = checks(BEFORE[:60], QualityRule(rule="threshold"))
    assert [plain[name].detectable for name in ANSWERS] == [0.05, 0.05, 0.05]


def test_a_window_without_rows_would_see_nothing() -> None:
    assert [check.detectable for check in checks(BEFORE[:0]).values()] == [1.0, 1.0, 1.0]


def test_the_alert_says_what_it_is_and_what_it_was() -> None:
    found = checks(np.concatenate([RNG.beta(2, 5, 500), np.full(100, 0.7)]))["positive_share"]
    said = quality_content(found, LAYOUT.series[-1], 3_600_000, severity=Verdict.WARNING, resolved=False)
    assert said.summary.startswith("score is positive in 2")
    assert "of 600 answers (1" in said.summary
    assert said.threshold == 0.05
    assert "With 600 rows a move of about" in said.description
