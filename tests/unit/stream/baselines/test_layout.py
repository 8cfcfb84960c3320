"""The flat vector of counters: every value has one place, and fine bins coarsen exactly."""

import math

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.baseline import Baseline, CategoricalSeries, NumericSeries
from stream.baselines.create import Binning, create_baseline
from stream.baselines.layout import Layout
from stream.records.prediction import CODE_INVALID, CODE_MISSING, CODE_UNSEEN, Answer, ModelColumns
from tests.small_model import EDGES, baseline, categorical, numeric

LAYOUT = Layout(baseline())  # x: below, 4 bins, above, 2; c: 2 + 4; score like x
FINE = Layout(
    msgspec.structs.replace(
        baseline(), series=(msgspec.structs.replace(numeric("x"), coarse_starts=(0, 2)), categorical("c"))
    )
)


def columns(numeric_rows: list[list[float]], codes: list[int]) -> ModelColumns:
    return ModelColumns(
        row=np.arange(len(codes), dtype=np.int64),
        numeric=np.array(numeric_rows, np.float64).reshape(len(codes), -1),
        categorical=np.array(codes, np.int32).reshape(len(codes), 1),
    )


def test_series_lie_one_after_another_with_their_extras() -> None:
    assert LAYOUT.starts.tolist() == [0, 8, 14, 22]
    assert LAYOUT.width == 22
    assert LAYOUT.names == ("x", "c", "score")


def test_a_value_on_an_edge_belongs_to_the_bin_that_begins_there() -> None:
    values = [0.0, 0.25, math.nextafter(0.5, 0), 0.5, 0.75, 1.0, math.nan, math.inf]
    flat = LAYOUT.flat_bins(columns([[v, 0.5] for v in values], [0] * 8))
    assert flat[:, 0].tolist() == [1, 2, 2, 3, 4, 4, 6, 7]  # NaN is missing, +inf is invalid


def test_what_lies_out_of_the_baselines_range_is_counted_apart() -> None:
    """The baseline's smallest and largest values, 0 and 1, are within it."""
    values = [-1e300, math.nextafter(0, -1), -0.0, 1.0, math.nextafter(1, 2), 1e300]
    flat = LAYOUT.flat_bins(columns([[v, 0.5] for v in values], [0] * 6))
    assert flat[:, 0].tolist() == [0, 0, 1, 4, 5, 5]
    assert LAYOUT.coarsen(np.bincount(flat[:, 0], minlength=LAYOUT.width))[:6].tolist() == [3, 0, 0, 3, 0, 0]


def test_the_range_of_a_score_ends_where_its_grid_does() -> None:
    """A threshold may lie beyond every score of the baseline: the grid's edge must stay an edge."""
    narrow = msgspec.structs.replace(numeric("x"), minimum=0.3, maximum=0.6)
    layout = Layout(msgspec.structs.replace(baseline(), series=(narrow, categorical("c"), numeric("score"))))
    values = [0.2, 0.25, 0.3, 0.6, 0.7, 0.75]
    flat = layout.flat_bins(columns([[v, 0.5] for v in values], [0] * 6))
    assert flat[:, 0].tolist() == [0, 2, 2, 3, 3, 5]


def test_a_series_without_values_has_no_range() -> None:
    empty = msgspec.structs.replace(numeric("x", ()), minimum=None, maximum=None)
    layout = Layout(msgspec.structs.replace(baseline(), series=(empty, categorical("c"), numeric("score"))))
    flat = layout.flat_bins(columns([[v, 0.5] for v in (-1e300, 0.0, 1e300)], [0] * 3))
    assert flat[:, 0].tolist() == [1, 1, 1]


def test_categories_beyond_the_kept_ones_are_other_and_codes_have_their_own_bins() -> None:
    codes = [0, 1, 2, CODE_MISSING, CODE_UNSEEN, CODE_INVALID]
    flat = LAYOUT.flat_bins(columns([[0.1, 0.1]] * 6, codes))
    assert (flat[:, 1] - 8).tolist() == [0, 1, 2, 3, 4, 5]  # a, b, other, missing, unseen, invalid


@given(st.lists(st.tuples(st.floats(allow_nan=True), st.integers(-3, 2), st.floats(0, 1)), min_size=1, max_size=30))
def test_each_row_has_one_counter_in_every_series(rows: list[tuple[float, int, float]]) -> None:
    flat = LAYOUT.flat_bins(columns([[x, s] for x, _, s in rows], [c for _, c, _ in rows]))
    assert flat.shape == (len(rows), 3)
    for j in range(3):
        assert ((LAYOUT.starts[j] <= flat[:, j]) & (flat[:, j] < LAYOUT.starts[j + 1])).all()


@given(st.lists(st.floats(-1, 2), min_size=1, max_size=50))
def test_bins_are_those_that_numpys_histogram_counts(values: list[float]) -> None:
    flat = LAYOUT.flat_bins(columns([[v, 0.5] for v in values], [0] * len(values)))
    counts = LAYOUT.coarsen(np.bincount(flat[:, 0], minlength=LAYOUT.width))[:4]
    assert counts.tolist() == np.histogram(values, [-9, *EDGES, 9])[0].tolist()


def test_fine_bins_are_summed_to_those_that_psi_compares() -> None:
    #  x:  below [0 1 | 2 3] above missing invalid     c:  a b other missing unseen invalid
    coarse = FINE.coarsen(np.arange(14))
    assert coarse.tolist() == [0 + 1 + 2, 3 + 4 + 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert FINE.series_coarse_starts.tolist() == [0, 4]


@given(st.lists(st.integers(0, 1_000), min_size=14, max_size=14))
def test_coarsening_loses_no_row(counts: list[int]) -> None:
    coarse = FINE.coarsen(np.array(counts))
    parts = np.split(coarse, FINE.series_coarse_starts[1:])
    assert [int(p.sum()) for p in parts] == [sum(counts[:8]), sum(counts[8:])]


def test_the_baselines_own_counts_lie_where_rows_would_be_counted() -> None:
    numeric_counts, category_counts = [0, 100, 100, 100, 100, 0, 0, 0], [200, 190, 10, 0, 0, 0]
    assert LAYOUT.baseline_counts.tolist() == [*numeric_counts, *category_counts, *numeric_counts]
    assert LAYOUT.baseline_coarse.sum() == LAYOUT.baseline_counts.sum()


def test_decoding_is_told_the_features_without_the_answer() -> None:
    schema = LAYOUT.schema
    assert (schema.numeric, schema.categorical, schema.answer) == (("x",), ("c",), Answer.SCORE)
    assert schema.categories == (("a", "b", "z"),)  # kept ones first: beyond them a code means `other`


def test_a_model_without_an_answer_has_only_features() -> None:
    without: Baseline = msgspec.structs.replace(baseline(), answer=None, series=baseline().series[:-1])
    assert (Layout(without).schema.numeric, Layout(without).schema.answer) == (("x",), None)


def test_a_constant_series_without_edges_has_one_bin() -> None:
    constant = msgspec.structs.replace(
        numeric("x"), inner_edges=(), coarse_starts=(0,), counts=(400,), minimum=5.0, maximum=5.0
    )
    layout = Layout(msgspec.structs.replace(baseline(), answer=None, series=(constant,)))
    flat = layout.flat_bins(
        ModelColumns(row=np.arange(2), numeric=np.array([[5.0], [math.nan]]), categorical=np.zeros((2, 0), np.int32))
    )
    assert flat.tolist() == [[1], [3]]


def test_each_kind_of_series_names_its_bins() -> None:
    for series in LAYOUT.series:
        assert isinstance(series, NumericSeries | CategoricalSeries)
        assert series.bins == len(series.counts)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_a_fine_bin_of_the_score_lies_in_one_bin_of_the_grid(before: list[float], scores: list[float]) -> None:
    """Also where the grid is an earlier baseline's: what is counted fine is an estimate's histogram without a loss."""
    inherited = create_baseline({"score": before}, model="m", version="1").grid
    layout = Layout(create_baseline({"score": scores}, model="m", version="1", binning=Binning(grid=inherited)))
    values = np.array([*before, *scores, 0.0, 0.5, 1.0])
    columns_of_score = ModelColumns(
        row=np.arange(len(values)), numeric=values[:, None], categorical=np.zeros((len(values), 0), np.int32)
    )
    fine = layout.flat_bins(columns_of_score)[:, -1] - layout.starts[-2]
    assert layout.grid_bins[fine].tolist() == (inherited.index(values).tolist() if inherited else None)


def test_without_a_grid_there_are_no_grid_bins() -> None:
    """Baselines that were made before there were any."""
    assert LAYOUT.grid_bins.shape == (0,)
