"""The share of positives, confidence and entropy: by hand, and by the rows themselves."""

import numpy as np
import pytest

from detectors import Smoothing, Verdict
from stream.alerts.quality_rules import QualityRule
from stream.baselines.create import create_baseline
from stream.baselines.layout import Counts, Layout
from stream.evaluate.prediction_side import answer_law, move_p_value, score_histogram
from stream.evaluate.quality_evaluator import QualityCheck, evaluate_quality
from stream.evaluate.quality_report import quality_content
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import Yardstick
from stream.records.prediction import ModelColumns
from tests.unit.stream.evaluate.partials import limits

RNG = np.random.default_rng(9)
BEFORE = RNG.beta(2, 5, 20_000)
LAYOUT = Layout(create_baseline({"score": BEFORE}, model="m", version="1"))
ANSWERS = ("positive_share", "confidence", "entropy")


def counts_of(scores: "np.ndarray") -> Counts:
    columns = ModelColumns(
        row=np.arange(len(scores)), numeric=scores[:, None], categorical=np.zeros((len(scores), 0), np.int32)
    )
    return np.bincount(LAYOUT.flat_bins(columns).ravel(), minlength=LAYOUT.width).astype(np.int64)


def checks(scores: "np.ndarray") -> dict[str, QualityCheck]:
    settings = ModelSettings(window_ms=1_000, psi=limits(), smoothing=Smoothing(), quality=QualityRule(level=1e-4))
    yardstick = Yardstick(layout=LAYOUT, settings=settings, pane_ms=1_000)
    found = evaluate_quality(yardstick.quality, counts_of(scores), len(scores), complete=True)
    assert found is not None
    return {c.check: c for c in found.checks if c.check in ANSWERS}


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


def test_the_alert_says_what_it_is_and_what_it_was() -> None:
    found = checks(np.concatenate([RNG.beta(2, 5, 500), np.full(100, 0.7)]))["positive_share"]
    said = quality_content(found, LAYOUT.series[-1], 3_600_000, severity=Verdict.WARNING, resolved=False)
    assert said.summary.startswith("score is positive in 2")
    assert "of 600 answers (1" in said.summary
    assert said.threshold == 0.05
