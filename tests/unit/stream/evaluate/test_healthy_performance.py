"""Labels held against how much the performance of healthy windows differs."""

import math

import msgspec
import pytest

from detectors import Verdict
from detectors.wander import auc_of
from stream.alerts.rules import PerformanceRules, WorseRule
from stream.baselines.baseline import Baseline
from stream.baselines.evidence import (
    PerformanceEvidence,
    RateEvidence,
    RowsEvidence,
    SeriesEvidence,
    WindowEvidence,
)
from stream.evaluate.live_performance import Deviation
from stream.evaluate.performance_evaluator import performance_baseline
from tests.unit.stream.evaluate.labels import binary_baseline, definition, value_baseline
from tests.unit.stream.evaluate.test_performance_evaluator import SCORES, check, drop, evaluated, sampled


def wandering(deviation: float = 0.5, windows: int = 90, worst: float = 0.0, lasting: float = 1.0) -> Baseline:
    """The baseline, with windows of 30 s of which some are hard."""
    known = {"auc": (-math.log(0.83 / 0.17), 2), "brier": (math.log(0.166), 1)}
    of_labels = tuple(
        PerformanceEvidence(
            check=name,
            mean=mean,
            deviation=deviation / part,
            mean_se=0.02,
            windows=windows,
            worst=worst,
            lasting=lasting,
        )
        for name, (mean, part) in known.items()
    )
    rows = RowsEvidence(windows=windows, mean=1.0, smallest=1, overdispersion=0.0, longest_silence_ms=1)
    evidence = WindowEvidence(
        window_ms=30_000,
        pane_ms=10_000,
        stored=(SeriesEvidence(),),
        rates=(RateEvidence(),),
        rows=rows,
        performance=of_labels,
    )
    return msgspec.structs.replace(binary_baseline(), evidence=(evidence,))


HARD = sampled(4_000, 5, drop(SCORES, 0.3))  # AUC 0.73: a tenth below the baseline's, far beyond sampling


def test_a_drop_within_what_healthy_windows_do_is_neither_a_breach_nor_well() -> None:
    alone, among = (check(evaluated(HARD, by), "auc") for by in (binary_baseline(), wandering()))
    assert (alone.verdict, alone.provisional, alone.healthy) == (Verdict.CRITICAL, True, None)
    assert (among.verdict, among.reason, among.provisional) == (Verdict.UNDEFINED, "healthy wander", False)
    assert isinstance(among.p_value, float)
    assert among.p_value > 0.01
    assert among.spent == among.level
    assert isinstance(alone.detectable, float)
    assert isinstance(among.detectable, float)
    assert among.detectable < alone.detectable  # less is seen


def test_a_drop_beyond_what_healthy_windows_do_is_told() -> None:
    lost = sampled(4_000, 5, drop(SCORES, 0.97))
    found = check(evaluated(lost, wandering(deviation=0.2)), "auc")
    assert found.verdict is Verdict.CRITICAL
    assert isinstance(found.p_value, float)
    assert found.p_value < found.level


def test_a_window_no_worse_than_a_healthy_one_is_no_breach_whatever_its_p_value() -> None:
    by = wandering(deviation=0.05)
    assert check(evaluated(HARD, by), "auc").verdict is Verdict.CRITICAL
    assert check(evaluated(HARD, wandering(deviation=0.05, worst=50.0)), "auc").reason == "healthy wander"


def test_brier_is_held_against_healthy_windows_too() -> None:
    assert check(evaluated(HARD, binary_baseline()), "brier").verdict is Verdict.WARNING
    assert check(evaluated(HARD, wandering()), "brier").reason == "healthy wander"


def test_the_plain_limit_asks_for_no_evidence() -> None:
    plain = PerformanceRules(auc=WorseRule(tolerance=0.05, min_samples=200, rule="threshold"))
    found = check(evaluated(HARD, wandering(), plain), "auc")
    assert (found.verdict, found.provisional) == (Verdict.CRITICAL, False)


def test_few_healthy_windows_are_not_known_yet() -> None:
    few, enough = (check(evaluated(HARD, wandering(windows=n)), "auc") for n in (19, 20))
    assert (few.provisional, few.healthy, few.verdict) == (True, None, Verdict.CRITICAL)
    assert not enough.provisional


def test_what_is_far_beyond_every_healthy_window_is_told_however_long_spells_last() -> None:
    """Of spells of fifty windows a hundred have shown two: by p alone not even a coin would be seen."""
    lost = sampled(4_000, 5, drop(SCORES, 1.0))
    assert check(evaluated(lost, wandering(deviation=0.5, windows=100, lasting=50.0)), "auc").reason == "healthy wander"
    found = check(evaluated(lost, wandering(deviation=0.5, windows=100, lasting=50.0, worst=2.0)), "auc")
    assert found.verdict is Verdict.CRITICAL
    assert isinstance(found.detectable, float)
    assert found.detectable > 0.5


@pytest.mark.parametrize("deviation", [0.01, 0.3, 3.0])
@pytest.mark.parametrize("lasting", [1.0, 50.0, 100.0])
def test_no_evidence_makes_a_size_that_cannot_be(deviation: float, lasting: float) -> None:
    strict = WorseRule(tolerance=0.05, min_samples=200, level=1e-12)
    by = wandering(deviation=deviation, windows=100, lasting=lasting)
    found = evaluated(HARD, by, PerformanceRules(auc=strict, brier=strict))
    for one in found.checks:
        assert not isinstance(one.detectable, float) or 0 < one.detectable <= 1


def test_live_windows_teach_where_the_baseline_knows_too_little() -> None:
    used = definition(binary_baseline())
    taught = {"auc": Deviation(0, 48, 0.5, 2.0)}
    for by, windows in ((binary_baseline(), 48), (wandering(windows=5), 48), (wandering(windows=30), 30)):
        known = performance_baseline(by, used).learned(taught).healthy["auc"]
        assert known.windows == windows
    own = performance_baseline(binary_baseline(), used).learned(taught).healthy["auc"]
    assert auc_of(own.mean) == pytest.approx(0.83, abs=0.01)  # what the baseline reads, not what live windows did
    assert performance_baseline(value_baseline(), definition(value_baseline())).learned(
        {"mae": Deviation(0, 24, 0.1, 2.0)}
    ).healthy["mae"].mean == pytest.approx(math.log(4.0))
    unlabelled = performance_baseline(binary_baseline(labelled=False), used)
    assert unlabelled.learned(taught) is unlabelled
