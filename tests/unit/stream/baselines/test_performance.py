"""What a model version's outcomes are counted into."""

import math
from typing import Any

import msgspec
import pytest

from stream.baselines.baseline import Baseline, LabelledValues
from stream.baselines.create import create_baseline
from stream.baselines.performance import performance_definition
from stream.baselines.roles import Roles
from stream.records.outcome import PerformanceDefinition
from stream.records.settings import CountingSettings, OutcomeSettings

COUNTING = CountingSettings(pane_ms=60_000, allowed_lateness_ms=0, max_clock_skew_ms=0)
OUTCOMES = OutcomeSettings(
    ttl_ms=7_000, early_ms=1_000, revision_ms=2_000, cohort_ms=3_600_000, sample=0.5, dedupe=True, max_waiting=10
)
BINARY = create_baseline({"score": [0.1, 0.4, 0.8]}, model="m", version="1")


def regression(values: list[float]) -> Baseline:
    return create_baseline({"v": values}, model="m", version="1", roles=Roles(value="v"))


def definition(baseline: Baseline, partitions: int = 4) -> PerformanceDefinition | None:
    return performance_definition(baseline, COUNTING, 600_000, OUTCOMES, partitions)


def some(baseline: Baseline, **options: Any) -> PerformanceDefinition:
    found = definition(baseline, **options)
    assert found is not None
    return found


def test_a_binary_model_is_counted_by_the_bins_of_its_grid() -> None:
    """With the settings that say how long outcomes are waited for."""
    assert BINARY.grid is not None
    assert some(BINARY) == PerformanceDefinition(
        model="m",
        version="1",
        category="",
        task="binary",
        grid=BINARY.grid.id,
        bins=BINARY.grid.bins,
        unit=0.0,
        pane_ms=60_000,
        cohort_ms=3_600_000,
        baseline_id="m@1#0",
        window_ms=600_000,
        ttl_ms=7_000,
        revision_ms=2_000,
        dedupe=True,
        max_waiting=2,
    )


def test_each_partition_lets_at_least_one_prediction_wait() -> None:
    """A cap divided by many partitions must not switch the join off."""
    assert some(BINARY, partitions=100).max_waiting == 1


@pytest.mark.parametrize(("spread", "unit"), [(1.0, 1.0), (0.999, 0.5), (3.9, 2.0), (4.0, 4.0), (0.0, 1.0)])
def test_a_regressions_unit_is_a_power_of_two_below_its_deviation(spread: float, unit: float) -> None:
    """Divided by 256; 1 where nothing varies."""
    assert some(regression([10 - spread, 10 + spread])).unit == unit / 256


def test_a_constant_estimate_takes_its_unit_from_the_labels() -> None:
    """Their deviation is what the errors will be like."""
    labels = LabelledValues(
        n=9, mae=1, rmse=1, bias=0, r2=None, abs_error_deviation=1, label_mean=0, label_deviation=70
    )
    assert some(msgspec.structs.replace(regression([5, 5]), labelled_values=labels)).unit == 64 / 256


def test_the_largest_and_the_smallest_deviations_have_a_unit() -> None:
    """It must divide an error without overflow or a division by zero."""
    assert some(regression([1e308, -1e308])).unit > 0
    assert some(regression([0, 5e-324])).unit > 0


def test_without_a_grid_or_an_answer_nothing_is_joined() -> None:
    """Baselines that were made before there were grids, and models of features only."""
    assert definition(msgspec.structs.replace(BINARY, grid=None)) is None
    assert definition(create_baseline({"x": [1, 2]}, model="m", version="1")) is None


@pytest.mark.parametrize(("mean", "centre"), [(0.4, 0.0), (288.4, 288.0), (288.6, 289.0), (-7.0, -7.0)])
def test_labels_are_summed_less_their_mean_in_whole_deviations(mean: float, centre: float) -> None:
    """So that nearly equal baselines have the same, and squares of temperatures in kelvin do not drown their spread."""
    assert some(regression([mean - 1, mean + 1])).centre == centre


def test_the_centre_is_that_of_the_labels_where_they_are_known() -> None:
    labels = LabelledValues(
        n=9, mae=1, rmse=1, bias=0, r2=None, abs_error_deviation=1, label_mean=40, label_deviation=1
    )
    assert some(msgspec.structs.replace(regression([4, 6]), labelled_values=labels)).centre == 40


def test_another_centre_is_another_definition_and_none_is_as_before() -> None:
    """Sums around different centres must not be added."""
    plain = some(regression([9, 11]))
    assert plain.centre == 10
    assert plain.id != msgspec.structs.replace(plain, centre=11.0).id
    old = msgspec.msgpack.encode(msgspec.structs.astuple(some(BINARY))[:-1])
    assert msgspec.msgpack.decode(old, type=PerformanceDefinition) == some(BINARY)


def test_the_extremes_have_a_centre_that_is_a_number() -> None:
    assert math.isfinite(some(regression([1e308, 1e308])).centre)
    assert some(regression([0, 5e-324])).centre == 0
