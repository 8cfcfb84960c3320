"""A baseline in words."""

import msgspec
import numpy as np
import pytest

from stream.baselines.create import Binning, create_baseline
from stream.baselines.description import atoms, describe, describe_series


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


def test_other_categories_and_invalid_values_are_counted() -> None:
    assert words([*"aabc"], top=1).endswith("2 of them in `other` (50.0 %)")
    assert words([1.0, float("inf")]) == "numeric, constant 1, 50.0 % invalid"


def test_a_registered_baseline_is_called_by_its_id() -> None:
    baseline = create_baseline({"x": [1]}, model="m", version="1")
    assert "m@1 (not registered)" in describe(baseline)
    assert "m@1#4" in describe(msgspec.structs.replace(baseline, number=4))
