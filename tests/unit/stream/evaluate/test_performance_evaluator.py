"""One window of labels: its statistics, its verdicts, and the estimate held against them."""

import math

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from detectors import Auc, BinaryMetrics, RegressionMetrics, Undefined, Verdict
from stream.alerts.rules import PerformanceRules, WorseRule
from stream.baselines.baseline import Baseline, LabelledValues
from stream.evaluate.label_coverage import coverage_of
from stream.evaluate.performance_checks import PerformanceCheck
from stream.evaluate.performance_evaluator import (
    PerformanceEvaluation,
    Span,
    evaluate_performance,
    performance_baseline,
)
from stream.evaluate.score_estimate import EstimateGaps
from stream.records.outcome import PerformanceDefinition
from stream.records.performance import MOMENTS, Counts, Sections
from tests.unit.stream.evaluate.labels import (
    BINS,
    MEANS,
    binary_baseline,
    calibrated_labels,
    definition,
    value_baseline,
)

SPAN = Span(0, 30_000, complete=True)
SCORES = np.array(MEANS)

Shares = npt.NDArray[np.float64]


def evaluated(
    counts: Counts,
    baseline: Baseline | None = None,
    rules: PerformanceRules | None = None,
    of: PerformanceDefinition | None = None,
) -> PerformanceEvaluation:
    by = baseline or binary_baseline()
    used = of or definition(by)
    against, sections = performance_baseline(by, used), Sections.of(used)
    return evaluate_performance(
        used,
        counts,
        against,
        rules or PerformanceRules(),
        span=SPAN,
        coverage=coverage_of(counts, sections, (), against.bands),
    )


def classes(negatives: Counts | list[int], positives: Counts | list[int]) -> Counts:
    sections = Sections.of(definition())
    counts = np.zeros(sections.width, np.int64)
    counts[sections.negatives], counts[sections.positives] = negatives, positives
    return counts


def sampled(rows: int, seed: int, shares: Shares = SCORES) -> Counts:
    """As many rows over all bins, as likely positive as `shares` says."""
    random = np.random.default_rng(seed)
    per_bin = random.multinomial(rows, np.full(BINS, 1 / BINS))
    positives = random.binomial(per_bin, shares)
    return classes(per_bin - positives, positives)


def moments(errors: list[float], labels: list[float], unit: float = 0.25) -> Counts:
    sections = Sections.of(definition(value_baseline()))
    error, label = np.round(np.array(errors) / unit), np.round(np.array(labels) / unit)
    sums = dict(
        labelled=len(errors), clipped=0, error=error.sum(), absolute_error=np.abs(error).sum(),
        squared_error=(error**2).sum(), label=label.sum(), squared_label=(label**2).sum(),
    )  # fmt: skip
    counts = np.zeros(sections.width, np.int64)
    counts[sections.moments] = [sums[name] for name in MOMENTS]
    return counts


def check(evaluation: PerformanceEvaluation, name: str) -> PerformanceCheck:
    (found,) = [c for c in evaluation.checks if c.check == name]
    return found


def drop(shares: Shares, by: float) -> Shares:
    """Shares that the scores say less of: mixed with a coin by that much."""
    return (1 - by) * shares + by * 0.5


# -- statistics


def test_the_statistics_are_those_of_scikit_learn_on_the_rows() -> None:
    counts = sampled(3_000, 1)
    sections = Sections.of(definition())
    negatives, positives = counts[sections.negatives], counts[sections.positives]
    scores = np.concatenate([np.repeat(SCORES, negatives), np.repeat(SCORES, positives)])
    labels = np.repeat([0, 1], [negatives.sum(), positives.sum()])
    found = evaluated(counts).binary
    assert isinstance(found, BinaryMetrics)
    assert isinstance(found.auc, Auc)
    assert found.auc.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found.brier == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)
    assert found.log_loss == pytest.approx(log_loss(labels, scores), abs=1e-12)
    assert found.confusion.tp + found.confusion.fp == (scores >= 0.5).sum()
    assert found.confusion.tp == labels[scores >= 0.5].sum()


def test_a_regression_is_in_the_labels_own_unit() -> None:
    evaluation = evaluated(moments([1.0, -3.0], [10.0, 20.0]), value_baseline())
    found = evaluation.regression
    assert isinstance(found, RegressionMetrics)
    assert (found.mae, found.bias, found.rmse) == (2.0, -1.0, math.sqrt(5))
    assert found.r2 == 1 - 10 / 50
    assert evaluation.binary is None
    assert evaluation.estimate is None
    assert evaluation.auc == Undefined("other task")


def test_an_empty_window_is_undefined_and_says_why() -> None:
    evaluation = evaluated(classes([0] * BINS, [0] * BINS))
    assert evaluation.n == 0
    assert evaluation.binary == evaluation.auc == evaluation.brier == Undefined("empty")
    assert evaluation.delay.p50_s == Undefined("empty")
    assert evaluation.coverage.ratio == Undefined("empty")
    assert evaluation.reliable is None
    assert [(c.verdict, c.reason) for c in evaluation.checks] == [(Verdict.UNDEFINED, "empty")] * 2


def test_a_window_of_one_class_has_no_auc_but_a_brier_score() -> None:
    evaluation = evaluated(classes([50] * BINS, [0] * BINS))
    assert evaluation.auc == Undefined("one class")
    assert not isinstance(evaluation.brier, Undefined)
    assert check(evaluation, "auc").reason == "one class"
    assert check(evaluation, "brier").verdict == Verdict.WARNING  # a third of the scores are above a half


def test_a_class_of_a_multiclass_model_is_not_compared_with_the_baselines_labels() -> None:
    evaluation = evaluated(sampled(1_000, 1), of=definition(category="red"))
    assert evaluation.binary == Undefined("no score grid")
    assert check(evaluation, "auc").subject == "score[red]"


def test_a_grid_that_the_pairs_were_not_counted_with_is_not_used() -> None:
    evaluation = evaluated(sampled(1_000, 1), of=definition(grid="0" * 16))
    assert evaluation.binary == Undefined("no score grid")


# -- verdicts


def test_labels_as_in_the_baseline_are_well() -> None:
    evaluation = evaluated(sampled(5_000, 2))
    assert [c.verdict for c in evaluation.checks] == [Verdict.OK, Verdict.OK]
    assert evaluation.reliable is True


@pytest.mark.parametrize(
    ("by", "verdict"),
    [(0.0, Verdict.OK), (0.25, Verdict.WARNING), (0.6, Verdict.CRITICAL)],
    ids=["none", "some", "much"],
)
def test_a_true_drop_of_auc_is_told_by_its_size(by: float, verdict: Verdict) -> None:
    found = check(evaluated(sampled(5_000, 3, drop(SCORES, by))), "auc")
    assert found.verdict == verdict
    assert not isinstance(found.baseline, Undefined)
    assert found.warning == found.baseline - 0.05
    assert found.critical == found.baseline - 0.10


def test_brier_only_warns() -> None:
    found = check(evaluated(sampled(5_000, 3, drop(SCORES, 0.9))), "brier")
    assert found.verdict == Verdict.WARNING
    assert found.critical is None


def test_too_few_labels_give_a_value_and_no_verdict() -> None:
    found = check(evaluated(sampled(199, 3, drop(SCORES, 0.9))), "auc")
    assert not isinstance(found.value, Undefined)
    assert (found.verdict, found.reason) == (Verdict.UNDEFINED, "too few")


def test_many_labels_with_few_of_one_class_are_too_few() -> None:
    found = check(evaluated(classes([100] * BINS, [1] * BINS)), "auc")
    assert (found.n, found.verdict, found.reason) == (101 * BINS, Verdict.UNDEFINED, "too few")


def test_noise_beyond_the_tolerance_is_neither_a_breach_nor_well() -> None:
    reasons = set()
    for seed in range(200):  # 200 labels: the standard error is 0.03
        found = check(evaluated(sampled(200, seed)), "auc")
        assert found.verdict in {Verdict.OK, Verdict.UNDEFINED}
        reasons.add(found.reason)
    assert reasons == {None, "sampling noise"}


def test_a_baseline_without_labels_gives_no_verdict() -> None:
    evaluation = evaluated(sampled(5_000, 3), binary_baseline(labelled=False))
    assert {(c.verdict, c.reason) for c in evaluation.checks} == {(Verdict.UNDEFINED, "no labelled baseline")}
    assert evaluation.estimate == Undefined("no labelled baseline")
    assert isinstance(evaluation.auc, Auc)


def test_a_check_that_is_off_never_breaches() -> None:
    rules = PerformanceRules(auc=None, brier=None, mae=None)
    evaluation = evaluated(sampled(5_000, 3, drop(SCORES, 0.9)), rules=rules)
    assert [(c.verdict, c.warning) for c in evaluation.checks] == [(Verdict.OK, None)] * 2


def test_the_level_is_that_of_the_rules() -> None:
    counts = sampled(300, 3, drop(SCORES, 0.4))
    strict = PerformanceRules(auc=WorseRule(tolerance=0.05, level=1e-12))
    assert check(evaluated(counts), "auc").verdict == Verdict.CRITICAL
    assert check(evaluated(counts, rules=strict), "auc").reason == "sampling noise"


@pytest.mark.parametrize(("error", "verdict"), [(4.0, Verdict.OK), (4.5, Verdict.WARNING), (5.0, Verdict.CRITICAL)])
def test_the_tolerance_of_mae_is_a_share_of_the_baselines(error: float, verdict: Verdict) -> None:
    random = np.random.default_rng(5)
    errors = (random.choice([-1, 1], 4_000) * (error + random.uniform(-1, 1, 4_000))).tolist()
    found = check(evaluated(moments(errors, [100.0] * 4_000), value_baseline()), "mae")
    assert found.verdict == verdict
    assert found.warning == pytest.approx(4.4)
    assert found.critical == pytest.approx(4.8)


def test_a_regression_baseline_without_labels_gives_no_verdict() -> None:
    bare: LabelledValues | None = None
    by = msgspec.structs.replace(value_baseline(), labelled_values=bare)
    found = check(evaluated(moments([1.0] * 300, [100.0] * 300), by), "mae")
    assert (found.verdict, found.reason) == (Verdict.UNDEFINED, "no labelled baseline")


# -- the estimate


def test_the_estimate_meets_the_labels_while_scores_mean_what_they_meant() -> None:
    for seed in range(50):
        estimate = evaluated(sampled(3_000, seed)).estimate
        assert isinstance(estimate, EstimateGaps)
        assert estimate.reliable is True
        assert abs(estimate.auc.gap) < 0.04


def test_the_estimate_follows_a_change_of_the_scores() -> None:
    random = np.random.default_rng(7)
    per_bin = random.multinomial(5_000, [0.02] * 4 + [0.105] * 8 + [0.02] * 4)  # few clear cases are left
    positives = random.binomial(per_bin, SCORES)
    estimate = evaluated(classes(per_bin - positives, positives)).estimate
    assert isinstance(estimate, EstimateGaps)
    assert estimate.auc.estimated < 0.75  # type: ignore[operator]
    assert estimate.reliable is True


def test_labels_flipped_in_part_make_the_estimate_unreliable() -> None:
    flipped = np.where(np.arange(BINS) >= 12, 1 - SCORES, SCORES)  # concept drift in the highest scores
    estimate = evaluated(sampled(1_000, 8, flipped)).estimate
    assert isinstance(estimate, EstimateGaps)
    assert estimate.reliable is False
    assert estimate.auc.z < -3.29  # type: ignore[operator]
    assert estimate.auc.gap == pytest.approx(estimate.auc.realised - estimate.auc.estimated)  # type: ignore[operator]


def test_scores_that_only_lost_their_calibration_make_the_estimate_unreliable() -> None:
    estimate = evaluated(sampled(5_000, 8, np.clip(SCORES - 0.25, 0.01, 1))).estimate
    assert isinstance(estimate, EstimateGaps)
    assert estimate.brier.z > 3.29  # type: ignore[operator]
    assert estimate.reliable is False


def test_too_few_labels_cannot_tell_whether_the_estimate_is_right() -> None:
    estimate = evaluated(classes([1] * BINS, [0] * (BINS - 1) + [1])).estimate
    assert isinstance(estimate, EstimateGaps)
    assert estimate.auc.z == estimate.brier.z == Undefined("too few")
    assert estimate.reliable is None


def test_the_maps_own_sampling_error_is_part_of_the_gaps() -> None:
    few = msgspec.structs.replace(
        binary_baseline(), labelled=calibrated_labels(rows_per_bin=10, positive=(0.5,) * 8 + (0.6,) * 8)
    )
    many = msgspec.structs.replace(
        binary_baseline(), labelled=calibrated_labels(rows_per_bin=9_990, positive=(0.5,) * 8 + (0.6,) * 8)
    )
    counts = sampled(20_000, 3, np.array([0.5] * 8 + [0.55] * 8))
    zs = [evaluated(counts, by).estimate for by in (few, many)]
    assert all(isinstance(z, EstimateGaps) for z in zs)
    assert abs(zs[0].auc.z) < abs(zs[1].auc.z)


# -- coverage and delay


def test_coverage_is_told_by_the_bands_of_the_score() -> None:
    sections = Sections.of(definition())
    counts = classes([1] * 4 + [0] * 12, [0] * 12 + [2] * 4)
    counts[sections.predictions] = 4
    coverage = evaluated(counts).coverage
    assert [(b.predictions, b.labelled) for b in coverage.bands] == [(16, 4), (16, 0), (16, 0), (16, 8)]
    assert [b.label for b in coverage.bands][:2] == ["below 0.25", "[0.25, 0.5)"]
    assert coverage.ratio == 12 / 64


def test_delays_are_those_of_the_pairs() -> None:
    sections = Sections.of(definition())
    counts = classes([1] * BINS, [1] * BINS)
    counts[sections.delays.start + 43] = 19  # an hour
    counts[sections.delays.start] = 13  # none
    delay = evaluated(counts).delay
    assert delay.p50_s == pytest.approx(3_600, rel=0.19)
    assert evaluated(replaced(counts, sections, 43, 0)).delay.p95_s <= 1  # type: ignore[operator]


def replaced(counts: Counts, sections: Sections, delay_bin: int, rows: int) -> Counts:
    changed = counts.copy()
    changed[sections.delays.start + delay_bin] = rows
    return changed
