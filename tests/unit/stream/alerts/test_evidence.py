"""Which bins moved, in the feature's own units."""

import json
import math

import numpy as np
import pytest

from stream.alerts.evidence import bin_labels, bins_evidence, coarse_edges, moved_in_words
from stream.baselines.baseline import NumericSeries
from tests.small_model import categorical, numeric


def series(inner_edges: tuple[float, ...], coarse_starts: tuple[int, ...]) -> NumericSeries:
    return NumericSeries(
        name="distance",
        inner_edges=inner_edges,
        coarse_starts=coarse_starts,
        counts=(1,) * (len(inner_edges) + 1),
        missing=0,
        invalid=0,
        minimum=None,
        maximum=None,
        mean=None,
        deviation=None,
    )


ATOM = series((0.0, math.nextafter(0.0, math.inf), 5.0), (0, 1, 2, 3))


@pytest.mark.parametrize(
    ("of", "labels"),
    [
        (numeric("x"), ["below 0.25", "[0.25, 0.5)", "[0.5, 0.75)", "0.75 and above"]),
        (series((1.0, 2.0, 3.0), (0, 2)), ["below 2", "2 and above"]),  # fine bins make no labels of their own
        (series((), (0,)), ["all values"]),
        (ATOM, ["below 0", "exactly 0", "[4.94066e-324, 5)", "5 and above"]),
        (series((1_234_567.8,), (0, 1)), ["below 1.23457e+06", "1.23457e+06 and above"]),
    ],
)
def test_labels_name_the_bins_that_psi_compares(of: NumericSeries, labels: list[str]) -> None:
    assert bin_labels(of) == [*labels, "missing", "invalid"]


def test_categories_are_named_and_what_is_no_category_too() -> None:
    assert bin_labels(categorical("c")) == ["a", "b", "other", "missing", "unseen", "invalid"]


def test_edges_are_those_of_the_coarse_bins() -> None:
    assert coarse_edges(series((1.0, 2.0, 3.0), (0, 2))) == [-math.inf, 2.0, math.inf]


def test_evidence_is_plain_json_with_infinite_edges_as_null() -> None:
    counts = np.array([1, 2, 3, 4, 5, 6])
    evidence = json.loads(json.dumps(bins_evidence(numeric("x"), counts, counts[::-1]), allow_nan=False))
    assert evidence == {
        "labels": [*bin_labels(numeric("x"))],
        "baseline": [1, 2, 3, 4, 5, 6],
        "current": [6, 5, 4, 3, 2, 1],
        "edges": [None, 0.25, 0.5, 0.75, None],
    }
    assert "edges" not in bins_evidence(categorical("c"), counts, counts)


def test_labels_and_counts_are_as_many() -> None:
    counts = np.zeros(6, np.int64)
    for of in (numeric("x"), categorical("c")):
        assert len(bin_labels(of)) == len(counts)


def test_the_bins_that_moved_most_are_told_with_both_shares() -> None:
    before, now = np.array([40, 30, 20, 10, 0, 0]), np.array([0, 30, 20, 0, 50, 0])
    assert moved_in_words(numeric("x"), before, now) == (
        "x missing: 50.0% of the rows, 0.0% in the baseline; below 0.25: 0.0% of the rows, 40.0% in the baseline; "
        "0.75 and above: 0.0% of the rows, 10.0% in the baseline"
    )


def test_bins_that_moved_as_much_come_in_their_own_order() -> None:
    before, now = np.array([50, 0, 0, 50, 0, 0]), np.array([0, 50, 50, 0, 0, 0])
    assert [part.split(":")[0] for part in moved_in_words(numeric("x"), before, now)[2:].split("; ")] == [
        "below 0.25", "[0.25, 0.5)", "[0.5, 0.75)",
    ]  # fmt: skip


def test_an_empty_window_is_no_division_by_zero() -> None:
    assert "0.0% of the rows" in moved_in_words(numeric("x"), np.array([1, 1, 1, 1, 0, 0]), np.zeros(6, np.int64))
