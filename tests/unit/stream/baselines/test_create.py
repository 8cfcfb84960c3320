"""From columns to a baseline: counts by hand, and the columns that are not like others."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.baseline import Baseline, CategoricalSeries, NumericSeries
from stream.baselines.columns import NumericColumn
from stream.baselines.create import Binning, PredictionColumns, check_answer, create_baseline
from stream.baselines.layout import Layout
from stream.baselines.registry import complaint
from stream.baselines.roles import Roles
from stream.errors import InputError
from stream.records.prediction import Answer

NAN, INF = float("nan"), float("inf")


def made(table: object, **options: object) -> Baseline:
    return create_baseline(table, model="m", version="1", **options)


def numeric(values: list[float | None] | np.ndarray) -> NumericSeries:
    (series,) = made({"x": values}).series
    assert isinstance(series, NumericSeries)
    return series


def categorical(values: list[str | None], top: int = 50) -> CategoricalSeries:
    (series,) = made({"x": values}, binning=Binning(top_categories=top)).series
    assert isinstance(series, CategoricalSeries)
    return series


def test_every_row_is_in_one_bin_or_missing_or_invalid() -> None:
    series = numeric([1.0, 2.0, NAN, None, INF, -INF, 3.0])
    assert (sum(series.counts), series.missing, series.invalid) == (3, 2, 2)
    assert (series.minimum, series.maximum, series.mean) == (1.0, 3.0, 2.0)
    assert series.deviation == pytest.approx((2 / 3) ** 0.5)


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(-2, 2).map(float)), min_size=1, max_size=100))
def test_any_numbers_give_a_baseline_that_counts_all_rows_and_survives_the_topic(values: list[float | None]) -> None:
    baseline = made({"x": pa.array(values, pa.float64())})
    (series,) = baseline.series
    assert sum(series.counts) + series.missing + series.invalid == len(values)
    again = Baseline.from_bytes(baseline.to_bytes())
    assert again == baseline
    assert complaint(Baseline(**{**{f: getattr(again, f) for f in again.__struct_fields__}, "number": 1})) is None


def test_all_missing_gives_one_bin_and_no_statistics() -> None:
    series = numeric(pa.array([None, None], pa.float64()))
    assert (series.counts, series.missing, series.minimum, series.mean) == ((0,), 2, None, None)


def test_a_column_without_a_type_is_numeric_and_missing() -> None:
    assert numeric([None, None]).missing == 2


def test_one_row() -> None:
    series = numeric([4.5])
    assert (series.inner_edges[0], series.counts, series.deviation) == (4.5, (0, 1, 0), 0.0)


def test_a_constant_has_a_bin_of_its_own() -> None:
    assert numeric(np.full(100, 7)).counts == (0, 100, 0)


def test_booleans_are_zero_and_one() -> None:
    series = numeric(pa.array([True, False, True, None]))
    assert (series.minimum, series.maximum, series.missing) == (0.0, 1.0, 1)


def test_huge_values_have_no_mean_that_json_could_carry() -> None:
    series = numeric([1.7e308, 1.7e308, -1.7e308, 1.0])
    assert series.deviation is None
    assert sum(series.counts) == 4


@pytest.mark.parametrize("column", [
    pa.array([1, 2, 3], pa.int8()),
    pa.array([1, 2, 3], pa.uint64()),
    pa.array([1, 2, 3], pa.float16()),
    pa.array([1, 2, 3], pa.decimal128(5, 2)),
    pa.array([1, 2, 3]).dictionary_encode(),
], ids=lambda c: str(c.type))  # fmt: skip
def test_every_type_of_number_is_numeric(column: pa.Array) -> None:
    assert numeric(column).mean == 2.0


@pytest.mark.parametrize("column", [
    pa.array(["a", "b", None]),
    pa.array(["a", "b", None], pa.large_string()),
    pa.array(["a", "b", None]).dictionary_encode(),
    pa.array([b"a", b"b", None]),
    pa.chunked_array([["a"], pa.array(["b", None])]),
], ids=lambda c: str(c.type))  # fmt: skip
def test_every_type_of_text_is_categorical(column: pa.Array) -> None:
    series = categorical(column)
    assert (series.categories, series.counts, series.missing) == (("a", "b"), (1, 1), 1)


def test_the_most_frequent_categories_are_kept_and_ties_go_by_name() -> None:
    series = categorical(["b", "c", "a", "b", "d", None], top=2)
    assert (series.categories, series.counts) == (("b", "a"), (2, 1))
    assert (series.other_categories, series.other, series.missing) == (("c", "d"), 2, 1)


def test_a_category_that_only_a_dictionary_knows_is_not_known() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array(["a", "never"]))
    assert categorical(column).categories == ("a",)


def test_numbers_can_be_declared_categorical() -> None:
    (series,) = made({"zone": [3, 3, 12]}, roles=Roles(categorical=("zone",))).series
    assert (series.categories, series.counts) == (("3", "12"), (2, 1))


def test_dates_are_no_feature_unless_declared_categorical() -> None:
    table = pa.table({"x": [1], "born": pa.array([0], pa.date32())})
    assert [s.name for s in made(table).series] == ["x"]
    assert [s.name for s in made(table, roles=Roles(categorical=("born",))).series] == ["x", "born"]
    with pytest.raises(InputError, match=r"'born' holds date32.*--categorical born"):
        made(table, roles=Roles(features=("x", "born")))


def test_the_answer_is_last_and_has_the_messages_name() -> None:
    baseline = made({"p": [0.5, 0.7], "x": [1, 2]}, roles=Roles(score="p"))
    assert [s.name for s in baseline.series] == ["x", "score"]
    assert (baseline.answer, baseline.task, baseline.number) == ("score", "binary", 0)
    assert Layout(baseline).schema.numeric == ("x",)


def test_a_regressions_estimate_may_be_any_number() -> None:
    baseline = made({"y": [-5.0, 700.0], "x": [1, 2]}, roles=Roles(value="y"))
    assert (baseline.answer, baseline.task, baseline.series[-1].name) == ("value", "regression", "value")


@pytest.mark.parametrize("scores", [[0.5, 1.5], [-0.1, 0.2], [0.5, INF]])
def test_a_score_outside_its_range_is_refused(scores: list[float]) -> None:
    with pytest.raises(InputError, match=r"'score', row \d: a score must be in \[0, 1\].*--value"):
        made({"score": scores})


def test_a_score_of_messages_is_refused_by_its_plain_name() -> None:
    wrong = NumericColumn(name=Answer.SCORE, values=np.array([7.0]))
    columns = PredictionColumns(rows=1, features=(), answer_column=wrong, answer=Answer.SCORE)
    with pytest.raises(InputError, match=r"^column 'score', row 0: "):
        check_answer(columns)


def test_a_score_that_is_text_is_refused() -> None:
    with pytest.raises(InputError, match="'score' shall be the score but holds string"):
        made({"score": ["high"]})


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        made({"x": pa.array([], pa.float64())})


def test_a_feature_with_the_answers_name_is_refused() -> None:
    with pytest.raises(InputError, match="'score' has the answer's name"):
        made({"p": [0.5], "score": [1.0]}, roles=Roles(score="p"))


@given(st.permutations(range(40)))
def test_the_order_of_the_rows_does_not_matter(order: list[int]) -> None:
    rng = np.random.default_rng(2)
    table = pa.table({"x": rng.normal(size=40), "c": rng.choice(["a", "b", "c"], 40)})
    assert made(table.take(order)).series == made(table).series


def test_the_provenance_says_when_the_rows_were() -> None:
    baseline = made({"x": [1, 2], "ts": [1_600_000_000_000, 1_500_000_000_000]})
    assert (baseline.provenance.from_ms, baseline.provenance.to_ms) == (1_500_000_000_000, 1_600_000_000_000)
    assert [s.name for s in baseline.series] == ["x"]


def test_the_checksum_of_a_table_is_that_of_its_values() -> None:
    whole = pa.table({"x": [1, 2, 3]})
    parts = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    checksums = [made(t).provenance.data_sha256 for t in (whole, parts, whole.slice(1))]
    assert checksums[0] == checksums[1] != checksums[2]


SCORES = st.lists(st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=60)


@given(SCORES, SCORES)
def test_the_grid_changes_nothing_about_the_bins_that_psi_compares(
    first: list[float | None], later: list[float | None]
) -> None:
    """The score's fine bins are more, and add up to the very bins of the same numbers as a feature."""
    inherited = made({"score": pa.array(first, pa.float64())}).grid
    for grid in (None, inherited):
        column = pa.array(later, pa.float64())
        with_grid = made({"score": column, "feature": column}, binning=Binning(grid=grid))
        layout = Layout(with_grid)
        feature, score = with_grid.series
        assert isinstance(feature, NumericSeries)
        assert isinstance(score, NumericSeries)
        edges = [[s.inner_edges[start - 1] for start in s.coarse_starts[1:]] for s in (feature, score)]
        assert edges[0] == edges[1]
        coarse = np.split(layout.baseline_coarse, [layout.series_coarse_starts[1]])
        assert coarse[0].tolist() == coarse[1].tolist()
        assert set(feature.inner_edges) <= set(score.inner_edges)
        assert complaint(msgspec.structs.replace(with_grid, number=1)) is None


def test_a_later_baseline_inherits_the_grid() -> None:
    """So that performance counted under either can be added up."""
    first = made({"score": [0.1, 0.2, 0.9]})
    later = made({"score": [0.3, 0.4, 0.5, 0.6]}, binning=Binning(grid=first.grid))
    assert later.grid == first.grid
    assert later.grid != made({"score": [0.3, 0.4, 0.5, 0.6]}).grid


def test_another_threshold_cuts_another_grid() -> None:
    """Its edge is not in the old one; naming the same threshold again inherits."""
    first = made({"score": [0.1, 0.2, 0.9]}, binning=Binning(threshold=0.3))
    assert first.grid is not None
    assert first.grid.threshold == 0.3
    same, other = (
        made({"score": [0.1, 0.4]}, binning=Binning(grid=first.grid, threshold=threshold)) for threshold in (0.3, 0.6)
    )
    assert same.grid == first.grid
    assert other.grid is not None
    assert other.grid.threshold == 0.6


def test_only_a_score_has_a_grid() -> None:
    """A regression's value and a model of features have none."""
    assert made({"x": [1, 2]}).grid is None
    assert made({"v": [1, 2]}, roles=Roles(value="v")).grid is None


def test_an_entry_of_before_there_were_grids_still_reads() -> None:
    """The registry is kept for ever."""
    old = msgspec.json.decode(made({"score": [0.1, 0.2]}).to_bytes())
    for name in ("grid", "labelled", "labelled_values"):
        del old[name]
    assert Baseline.from_bytes(msgspec.json.encode(old)).grid is None
