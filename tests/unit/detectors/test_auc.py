"""AUC, its bounds and its standard error, PR-AUC and KS: against scikit-learn, scipy and DeLong by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from detectors import Auc, ShapeMismatch, Undefined, auc, quantile_edges
from detectors.auc import expected_auc, ks, pr_auc

COUNTS = st.one_of(st.integers(0, 3), st.integers(0, 400))
PAIRS = st.integers(1, 12).flatmap(
    lambda bins: st.tuples(*(st.lists(COUNTS, min_size=bins, max_size=bins).filter(any) for _ in range(2)))
)


def rows(negatives, positives) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of rows whose score is the number of their bin."""
    scores = np.concatenate([np.repeat(np.arange(len(c)), c) for c in (negatives, positives)])
    return np.repeat([0, 1], [sum(negatives), sum(positives)]), scores.astype(np.float64)


def histograms(labels, scores, edges) -> tuple[np.ndarray, np.ndarray]:
    return edges.histogram(scores[labels == 0]), edges.histogram(scores[labels == 1])


def delong_variance(labels, scores) -> float:
    """The paper's, from all pairs: the placement values of each row, and their sample variances."""
    x, y = scores[labels == 1], scores[labels == 0]
    psi = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    return float(psi.mean(axis=1).var(ddof=1) / len(x) + psi.mean(axis=0).var(ddof=1) / len(y))


@given(PAIRS)
def test_on_quantised_scores_auc_and_pr_auc_are_those_of_scikit_learn(pair: tuple[list[int], list[int]]) -> None:
    neg, pos = map(np.array, pair)
    labels, scores = rows(neg, pos)
    assert auc(neg, pos).value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert pr_auc(neg, pos) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    false_positive, true_positive, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert ks(neg, pos) == pytest.approx(np.abs(true_positive - false_positive).max(), abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.5, 1.0]))),
                min_size=2, max_size=120), st.integers(2, 8))  # fmt: skip
def test_the_exact_auc_is_always_within_the_bounds(pairs: list[tuple[bool, float]], bins: int) -> None:
    labels, scores = np.array([y for y, _ in pairs]).astype(int), np.array([s for _, s in pairs])
    found = auc(*histograms(labels, scores, quantile_edges(scores, bins)))
    if labels.min() == labels.max():
        assert found == Undefined("one class")
        return
    assert found.low - 1e-12 <= roc_auc_score(labels, scores) <= found.high + 1e-12
    assert 0 <= found.low <= found.value <= found.high <= 1


def skewed(rng: np.random.Generator, n: int, base_rate: float) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.random(n) < base_rate
    return truth.astype(int), rng.beta(np.where(truth, 2.0, 0.5), 4.0)


@pytest.mark.parametrize(("n", "base_rate"), [(20_000, 0.5), (20_000, 0.01), (200_000, 1e-4)])
@pytest.mark.parametrize("decimals", [None, 3, 1])
def test_ties_skew_and_a_rare_class_stay_within_the_bounds(n: int, base_rate: float, decimals: int | None) -> None:
    labels, scores = skewed(np.random.default_rng(5), n, base_rate)
    scores = scores if decimals is None else scores.round(decimals)
    labels[:1] = 1
    found = auc(*histograms(labels, scores, quantile_edges(scores, 2_048)))
    exact = roc_auc_score(labels, scores)
    assert found.low - 1e-12 <= exact <= found.high + 1e-12
    if decimals is None:
        assert found.high - found.low <= 0.001
    if decimals == 1:  # each value has a bin of its own, if the quantiles fall on it
        assert found.value == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 0.5), (1.19, 0.8), (2.33, 0.95)])
def test_the_bounds_of_continuous_scores_are_tight_even_when_the_current_rows_moved(
    shift: float, expected: float
) -> None:
    rng = np.random.default_rng(2)
    scores = np.concatenate([rng.normal(size=50_000), rng.normal(shift, size=10_000)])
    edges = quantile_edges(scores, 2_048)
    labels = np.repeat([0, 1], [50_000, 10_000])
    moved = scores + 0.3
    for current in (scores, moved):
        found = auc(*histograms(labels, current, edges))
        assert found.value == pytest.approx(expected, abs=0.01)
        assert found.high - found.low <= 0.001
        assert found.low <= roc_auc_score(labels, current) <= found.high


def test_constant_scores_read_one_half_and_could_be_anything() -> None:
    found = auc(np.array([0, 900, 0]), np.array([0, 100, 0]))
    assert found == Auc(0.5, 0.0, 1.0, se=0.0, negatives=900, positives=100)


@given(PAIRS.filter(lambda pair: sum(pair[0]) > 1 and sum(pair[1]) > 1))
def test_the_standard_error_is_delongs(pair: tuple[list[int], list[int]]) -> None:
    found = auc(*map(np.array, pair))
    assert found.se**2 == pytest.approx(delong_variance(*rows(*pair)), abs=1e-12)


def test_the_standard_error_is_about_that_of_a_bootstrap() -> None:
    rng = np.random.default_rng(8)
    pos, neg = rng.integers(0, 40, 80) + 8, rng.integers(0, 40, 300)
    whole = auc(np.bincount(neg, minlength=48), np.bincount(pos, minlength=48))
    again = [
        auc(np.bincount(rng.choice(neg, 300), minlength=48), np.bincount(rng.choice(pos, 80), minlength=48)).value
        for _ in range(2_000)
    ]
    assert whole.se == pytest.approx(np.std(again), rel=0.08)


def test_of_one_row_of_a_class_the_largest_variance_is_taken() -> None:
    found = auc(np.array([3, 1, 0]), np.array([0, 1, 0]))  # the one positive: above 3, tied with 1
    assert found.value == 0.875
    assert found.se**2 >= 0.875 * 0.125


@given(PAIRS, st.randoms())
def test_merging_histograms_equals_one_of_all_rows(pair: tuple[list[int], list[int]], random) -> None:
    neg, pos = map(np.array, pair)
    left = [np.array([random.randint(0, int(c)) for c in side], np.int64) for side in (neg, pos)]
    right = [neg - left[0], pos - left[1]]
    assert auc(left[0] + right[0], left[1] + right[1]) == auc(neg, pos)


@given(PAIRS)
def test_exchanging_the_classes_and_turning_the_scores_round_changes_nothing(pair) -> None:
    neg, pos = map(np.array, pair)
    one, other = auc(neg, pos), auc(pos[::-1], neg[::-1])
    assert other.value == pytest.approx(one.value, abs=1e-12)
    assert auc(pos, neg).value == pytest.approx(1 - one.value, abs=1e-12)
    assert other.se == pytest.approx(one.se, abs=1e-12)


def test_a_billion_rows_of_each_class_do_not_overflow() -> None:
    big = np.array([3, 1, 0]) * 4_000_000_000, np.array([0, 1, 3]) * 4_000_000_000
    found = auc(*big)
    assert found.value == pytest.approx(0.96875, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((0.9375, 1.0), abs=1e-12)
    assert pr_auc(*big) == pytest.approx(0.95)
    just_exact = auc(np.array([3, 1, 0]) * 300_000_000, np.array([0, 1, 3]) * 300_000_000)
    assert just_exact.value == 0.96875
    # Beyond 63 bits squares are floats: the spread stays, its mean over k times the rows falls with the root of k.
    spread = np.sqrt(2 * (3 / 4 * 0.03125**2 + 1 / 4 * 0.09375**2) / 4)
    assert just_exact.se * np.sqrt(300_000_000) == pytest.approx(spread, rel=1e-6)
    assert found.se * np.sqrt(4_000_000_000) == pytest.approx(spread, rel=1e-6)


@given(PAIRS)
def test_expected_counts_that_are_whole_give_the_same_area(pair: tuple[list[int], list[int]]) -> None:
    neg, pos = map(np.array, pair)
    assert expected_auc(neg.astype(float), pos.astype(float)) == pytest.approx(auc(neg, pos).value, abs=1e-12)


@pytest.mark.parametrize("statistic", [auc, pr_auc, ks, expected_auc])
def test_without_both_classes_it_is_undefined(statistic) -> None:
    none, some = np.zeros(3, np.int64), np.array([0, 2, 1])
    assert statistic(none, none) == Undefined("empty")
    assert statistic(some, none) == statistic(none, some) == Undefined("one class")


@pytest.mark.parametrize("statistic", [auc, pr_auc, ks])
def test_different_numbers_of_bins_are_refused(statistic) -> None:
    with pytest.raises(ShapeMismatch):
        statistic(np.array([1, 2]), np.array([1, 2, 3]))


def test_size_of_the_standard_error_to_expect() -> None:
    rng = np.random.default_rng(4)
    edges = quantile_edges(rng.normal(0.5, size=50_000), 2_048)
    for negatives, positives, expected in ((200, 200, 0.022), (100_000, 50, 0.031)):
        found = [
            auc(edges.histogram(rng.normal(size=negatives)), edges.histogram(rng.normal(1.19, size=positives))).se
            for _ in range(30)
        ]
        assert np.mean(found) == pytest.approx(expected, rel=0.06)
