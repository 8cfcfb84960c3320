"""One window against the baseline."""

import math

import numpy as np
import pytest

from detectors import Smoothing, Threshold, Undefined, Verdict
from stream.alerts.rules import NEVER, Rules
from stream.baselines.definition import Definition
from stream.evaluate.evaluator import Check, evaluate_window
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import Yardstick
from tests.small_model import baseline, settings
from tests.unit.stream.evaluate.partials import judging, limits, row_counts

LAYOUT = Definition(baseline(), settings()).layout
SPREAD = LAYOUT.baseline_counts  # as in the baseline


def yardstick(of: ModelSettings | None = None) -> Yardstick:
    return Yardstick(layout=LAYOUT, settings=of or judging(), pane_ms=1_000)


def checks(counts: "np.ndarray", of: ModelSettings | None = None, *, complete: bool = True) -> dict[str, Check]:
    evaluation = evaluate_window(yardstick(of), counts, start_ms=0, end_ms=3_000, complete=complete)
    return {c.subject: c for c in evaluation.checks}


def test_traffic_as_in_the_baseline_reads_nought() -> None:
    for check in checks(SPREAD).values():
        assert check.value == pytest.approx(0.0, abs=1e-12)
        assert (check.verdict, check.n) == (Verdict.OK, 400)


def test_psi_kl_and_js_are_those_of_the_definition() -> None:
    # x: 100 rows, all below 0.25; half a row is added to each bin that is not empty on both sides.
    counts = row_counts(baseline(), 100)
    c = np.array([100.5, 0.5, 0.5, 0.5]) / 102
    b = np.array([100.5] * 4) / 402
    m = (c + b) / 2
    x = checks(counts)["x"]
    assert x.value == pytest.approx(float(((c - b) * np.log(c / b)).sum()))
    assert x.kl_nats == pytest.approx(float((c * np.log(c / b)).sum()))
    assert x.js_nats == pytest.approx(float((c * np.log(c / m) + b * np.log(b / m)).sum() / 2))


def test_an_empty_window_is_undefined_and_says_why() -> None:
    for check in checks(np.zeros(LAYOUT.width, np.int64)).values():
        assert check.value == Undefined("empty")
        assert (check.verdict, check.reason, check.n) == (Verdict.UNDEFINED, "empty", 0)


def test_too_few_rows_give_a_value_and_no_verdict() -> None:
    few = checks(row_counts(baseline(), 5), judging(limits(min_count=6)))["x"]
    assert (few.verdict, few.reason) == (Verdict.UNDEFINED, "too few")
    assert isinstance(few.value, float)
    assert checks(row_counts(baseline(), 6), judging(limits(min_count=6)))["x"].verdict is Verdict.CRITICAL


def test_a_window_that_fills_gives_a_value_and_no_verdict() -> None:
    filling = checks(row_counts(baseline(), 100), complete=False)["x"]
    assert (filling.verdict, filling.reason) == (Verdict.UNDEFINED, "window filling")


def test_each_series_has_its_own_limits() -> None:
    rules = Rules(
        default=Threshold(warning=0.1, critical=0.25),
        subjects={"x": NEVER, "c": Threshold(warning=0.1, critical=99.0)},
    )
    found = checks(row_counts(baseline(), 100), judging(rules))
    assert [found[s].verdict for s in ("x", "c", "score")] == [Verdict.OK, Verdict.WARNING, Verdict.CRITICAL]


def test_smoothing_is_that_of_the_settings() -> None:
    of = ModelSettings(window_ms=3_000, psi=limits(), smoothing=Smoothing.parse("epsilon:1e-8"))
    c, b = np.array([1.0, 0, 0, 0]) + 1e-8, np.full(4, 0.25) + 1e-8
    assert checks(row_counts(baseline(), 100), of)["x"].value == pytest.approx(float(((c - b) * np.log(c / b)).sum()))


def test_each_check_carries_the_histograms_that_it_compared() -> None:
    found = checks(row_counts(baseline(), 7, bin_of=1))
    assert found["x"].baseline.tolist() == [100, 100, 100, 100, 0, 0]
    assert found["x"].current.tolist() == [0, 7, 0, 0, 0, 0]
    assert found["c"].current.tolist() == [0, 7, 0, 0, 0, 0]


def test_breaches_are_the_warnings_and_the_critical_ones() -> None:
    counts = row_counts(baseline(), 100)
    evaluation = evaluate_window(yardstick(), counts, start_ms=0, end_ms=3_000, complete=True)
    assert [c.subject for c in evaluation.breaches] == ["x", "c", "score"]
    assert not math.isnan(sum(c.value for c in evaluation.breaches if isinstance(c.value, float)))
