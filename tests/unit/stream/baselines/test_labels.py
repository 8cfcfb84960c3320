"""The labels of a file, and what a baseline remembers of them."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, mean_absolute_error, r2_score, roc_auc_score, root_mean_squared_error

from detectors import Auc, BinaryMetrics, binary_metrics
from stream.baselines.baseline import Baseline
from stream.baselines.create import create_baseline
from stream.baselines.labels import label_values, labelled_values
from stream.baselines.registry import complaint
from stream.baselines.roles import Roles
from stream.errors import InputError
from stream.records.prediction import Answer

NAN = float("nan")


def column(values: list[Any]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values)])


def made(table: dict[str, Any], **roles: Any) -> Baseline:
    return create_baseline(table, model="m", version="1", roles=Roles(**roles))


def metrics_of(baseline: Baseline) -> BinaryMetrics:
    grid, labelled = baseline.grid, baseline.labelled
    assert grid is not None
    assert labelled is not None
    found = binary_metrics(
        np.array(labelled.negatives), np.array(labelled.positives), grid.representatives, grid.first_positive
    )
    assert isinstance(found, BinaryMetrics)
    return found


@pytest.mark.parametrize(("values", "labels"), [
    ([0, 1, None], [0, 1, NAN]),
    ([True, False, None], [1, 0, NAN]),
    ([0.0, 1.0, NAN], [0, 1, NAN]),
    (["true", "False", "1", "0.0", None], [1, 0, 1, 0, NAN]),
    ([None, None], [NAN, NAN]),
])  # fmt: skip
def test_a_class_is_written_as_in_messages_and_an_empty_field_is_no_label_yet(
    values: list[Any], labels: list[float]
) -> None:
    np.testing.assert_array_equal(label_values("y", column(values), Answer.SCORE), labels)


@pytest.mark.parametrize(("values", "answer", "says"), [
    ([0, 2], Answer.SCORE, "label column 'y', row 1: a label must be 0, 1, false or true"),
    ([0.5], Answer.SCORE, "got 0.5; mend the row, or leave the column out with --ignore; for a regression's"),
    (["1", "no"], Answer.SCORE, "row 1: a label must be 0, 1, false or true, or empty where it is not known yet, got"),
    ([math.inf], Answer.VALUE, "a label must be a number below 3.4e38"),
    ([1e39], Answer.VALUE, "got 1e+39"),
    ([[1]], Answer.VALUE, "label column 'y' holds list<item: int64>"),
])  # fmt: skip
def test_what_is_no_label_is_refused_with_its_row(values: list[Any], answer: Answer, says: str) -> None:
    with pytest.raises(InputError) as refused:
        label_values("y", column(values), answer)
    assert says in str(refused.value)


rows = st.lists(
    st.tuples(st.integers(0, 50).map(lambda n: n / 50), st.sampled_from([0, 1])), min_size=2, max_size=60
).filter(lambda pairs: len({label for _, label in pairs}) == 2)


@given(rows)
def test_what_a_baseline_knows_of_its_labels_is_what_sklearn_says(pairs: list[tuple[float, int]]) -> None:
    """Brier is exact where scores have bins of their own; AUC lies within its bounds always."""
    scores, labels = np.array([score for score, _ in pairs]), np.array([label for _, label in pairs])
    baseline = made({"score": scores, "y": labels}, label="y")
    found = metrics_of(baseline)
    assert isinstance(found.auc, Auc)
    assert found.n == len(pairs)
    assert found.auc.low - 1e-12 <= roc_auc_score(labels, scores) <= found.auc.high + 1e-12
    assert found.brier == pytest.approx(brier_score_loss(labels, scores), abs=1e-3)
    predicted = scores >= 0.5
    assert (found.confusion.tp, found.confusion.fp) == (sum(predicted & (labels == 1)), sum(predicted & (labels == 0)))
    assert complaint(Baseline(**{**{f: getattr(baseline, f) for f in baseline.__struct_fields__}, "number": 1})) is None


def test_rows_without_a_label_or_a_score_are_not_counted() -> None:
    """They still make the bins."""
    baseline = made({"score": [0.1, 0.2, None, 0.9], "label": [0, None, 1, 1]})
    assert baseline.rows == 4
    assert baseline.labelled is not None
    assert (sum(baseline.labelled.negatives), sum(baseline.labelled.positives)) == (1, 1)


def test_the_calibration_never_falls_and_says_what_was_seen() -> None:
    """Among scores that lie."""
    scores = np.repeat([0.2, 0.4, 0.6, 0.8], 100)
    labels = np.concatenate([np.arange(100) < positives for positives in (10, 30, 20, 90)])
    baseline = made({"score": scores, "label": labels})
    assert baseline.grid is not None
    assert baseline.labelled is not None
    at = baseline.grid.index(np.array([0.2, 0.4, 0.6, 0.8]))
    assert np.array(baseline.labelled.calibration)[at].tolist() == [0.1, 0.25, 0.25, 0.9]


def test_a_file_whose_labels_are_all_missing_says_nothing() -> None:
    assert made({"score": [0.1, 0.2], "label": pa.array([None, None], pa.int64())}).labelled is None
    assert made({"v": [0.1], "label": pa.array([None], pa.int64())}, value="v").labelled_values is None


def test_a_label_without_an_answer_is_not_read() -> None:
    """There is nothing that it would be the truth of; it is no feature either."""
    baseline = made({"x": [1, 2], "label": ["cat", "dog"]})
    assert [series.name for series in baseline.series] == ["x"]
    assert (baseline.labelled, baseline.labelled_values) == (None, None)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=40))
@example([(1.0, 0.0), (2.0, 8.6e-156)])  # a spread that is there, and too small to divide by
def test_a_regressions_baseline_is_what_sklearn_says(pairs: list[tuple[float, float]]) -> None:
    values, labels = np.array([v for v, _ in pairs]), np.array([y for _, y in pairs])
    found = made({"v": values, "y": labels}, value="v", label="y").labelled_values
    assert found is not None
    assert found.n == len(pairs)
    assert found.mae == pytest.approx(mean_absolute_error(labels, values))
    assert found.rmse == pytest.approx(root_mean_squared_error(labels, values))
    assert found.bias == pytest.approx(float((values - labels).mean()), abs=1e-6)
    assert found.abs_error_deviation == pytest.approx(float(np.abs(values - labels).std()), abs=1e-6)
    if found.r2 is None:
        assert labels.std() == pytest.approx(0, abs=1e-6)
    elif labels.std() > 1e-3:
        assert found.r2 == pytest.approx(r2_score(labels, values), rel=1e-6)


def test_what_overflows_is_not_known() -> None:
    """An infinite number would not survive the registry's JSON."""
    assert labelled_values(np.array([1e308, -1e308]), np.array([0.0, 1.0])) is None
