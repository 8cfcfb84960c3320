"""A baseline in words."""

import msgspec
import numpy as np
import pytest

from stream.baselines.baseline import NumericSeries
from stream.baselines.create import Binning, create_baseline
from stream.baselines.description import atoms, describe, describe_series
from stream.baselines.roles import Roles


def words(values: object, top: int = 50) -> str:
    baseline = create_baseline({"x": values}, model="m", version="1", binning=Binning(top_categories=top))
    return describe_series(baseline.series[0], baseline.rows)


@pytest.mark.parametrize(("values", "expected"), [
    ([7, 7, 7], "numeric, constant 7"),
    ([7, 7, None, None], "numeric, constant 7, 50.0 % missing"),
    ([None, None], "numeric, never a value: all missing"),
    (["a", "a"], "categorical, constant 'a'"),
    (["a", "b", "a", None], "categorical, 2 categories: a 50.0 %, b 25.0 %, 25.0 % missing"),
])  # fmt: skip
def test_one_line_says_what_was_found(values: list[object], expected: str) -> None:
    assert words(values) == expected


def test_atoms_are_named_with_their_share() -> None:
    values = np.concatenate([np.zeros(600), np.full(150, 9.5), np.random.default_rng(4).exponential(size=250)])
    baseline = create_baseline({"x": values}, model="m", version="1")
    assert atoms(baseline.series[0]) == [(0.0, 600), (9.5, 150)]
    assert "atoms 0 (60.0 %), 9.5 (15.0 %)" in describe(baseline)


def test_a_bin_that_is_one_float_wide_by_rounding_is_no_atom() -> None:
    ulp = float(np.nextafter(1.0, 2.0))
    one = baseline_series([1.0, ulp], counts=(500, 1, 499))
    assert atoms(one) == []
    assert "atoms" not in describe_series(one, 1_000)
    assert atoms(baseline_series([1.0, ulp], counts=(500, 10, 490))) == [(1.0, 10)]
    assert atoms(msgspec.structs.replace(baseline_series([1.0, ulp], counts=(500, 10, 480)), missing=11)) == []


def baseline_series(edges: list[float], counts: tuple[int, ...]) -> NumericSeries:
    """A numeric series that was cut at these edges."""
    made = create_baseline({"x": [0.5, 1.5]}, model="m", version="1").series[0]
    assert isinstance(made, NumericSeries)
    return msgspec.structs.replace(made, inner_edges=tuple(edges), coarse_starts=(0, 1), counts=counts)


def test_the_libraries_are_named_and_where_there_are_none_no_line_is_empty() -> None:
    made = create_baseline({"x": [1]}, model="m", version="1")
    assert "\nwith      " in describe(made)
    learned = msgspec.structs.replace(made, provenance=msgspec.structs.replace(made.provenance, libraries={}))
    told = describe(learned).splitlines()
    assert [line for line in told if line.startswith("with")] == []


def test_other_categories_and_invalid_values_are_counted() -> None:
    assert words([*"aabc"], top=1).endswith("2 of them in `other` (50.0 %)")
    assert words([1.0, float("inf")]) == "numeric, constant 1, 50.0 % invalid"


def test_a_registered_baseline_is_called_by_its_id() -> None:
    baseline = create_baseline({"x": [1]}, model="m", version="1")
    assert "m@1 (not registered)" in describe(baseline)
    assert "m@1#4" in describe(msgspec.structs.replace(baseline, number=4))


def test_what_the_labels_say_of_the_model_is_said() -> None:
    scores = np.tile([0.1, 0.3, 0.6, 0.9], 50)
    labels = np.tile([0, 0, 1, 1], 50)
    labels[0] = 1
    told = describe(create_baseline({"score": scores, "label": labels}, model="m", version="1"))
    assert "positive  from a score of 0.5 on; " in told
    assert "labels    200, base rate 50.5 %, Brier 0.0715, precision 1, recall 0.9901" in told
    assert "AUC       0.9925 in [0.9901, 0.9950], standard error 0.0075" in told


def test_a_metric_that_the_labels_do_not_determine_is_undefined_with_its_reason() -> None:
    told = describe(create_baseline({"score": [0.1, 0.3], "label": [0, 0]}, model="m", version="1"))
    assert "AUC       undefined (one class)" in told
    assert "precision undefined (nothing above the threshold), recall undefined (one class)" in told


def test_a_regressions_errors_are_said() -> None:
    table = {"v": [1.0, 2.0, 3.0], "label": [1.0, 2.0, 6.0]}
    told = describe(create_baseline(table, model="m", version="1", roles=Roles(value="v")))
    assert "labels    3, mean 3, deviation 2.16" in told
    assert "errors    MAE 1, RMSE 1.732, bias -1, R² 0.3571" in told


def test_without_labels_only_the_threshold_is_said() -> None:
    told = describe(create_baseline({"score": [0.1, 0.3]}, model="m", version="1", binning=Binning(threshold=0.2)))
    assert "positive  from a score of 0.2 on" in told
    assert "AUC" not in told
