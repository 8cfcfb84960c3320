"""Evidence in words: the sizes named are those at which a window begins to alarm, and who wanders is called so."""

import re

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from detectors.detectable import expected_counts
from detectors.evidence import EvidenceTable, judge
from stream.baselines.baseline import Baseline
from stream.baselines.description import describe
from stream.baselines.layout import Layout
from stream.baselines.learning import Windows, learn
from stream.baselines.sight import LEAST_EFFECT, Levels, SeriesSight, sights
from tests.unit.stream.baselines.test_learning import HOUR_MS, HOURS, START_MS, baseline_from, columns_of

LEVELS = Levels(feature=1e-6, answer=1e-4)
HOURS_SEEN = 60
ROWS = 300  # an hour


def hours(wander: float, seed: int = 1) -> Baseline:
    """x moves by `wander` deviations from hour to hour, y and the category do not."""
    rng = np.random.default_rng(seed)
    hour = np.repeat(np.arange(HOURS_SEEN), ROWS)
    columns = columns_of(
        pa.table(
            {
                "ts": START_MS + hour * HOUR_MS + np.tile(np.arange(ROWS) * (HOUR_MS // ROWS), HOURS_SEEN),
                "x": rng.normal(size=len(hour)) + wander * rng.normal(size=HOURS_SEEN)[hour],
                "y": np.where(rng.random(len(hour)) < 0.04, np.nan, 10 * rng.normal(size=len(hour))),
                "c": rng.choice(["red", "green"], len(hour), p=[0.7, 0.3]).tolist(),
                "score": rng.random(len(hour)),
            }
        )
    )
    return learn(baseline_from(columns), columns, HOURS).baseline


def by_name(baseline: Baseline) -> dict[str, SeriesSight]:
    [window] = sights(baseline, LEVELS)
    return {one.name: one for one in window.series}


def test_who_wanders_is_called_so_and_hides_a_larger_shift() -> None:
    still, wandering = by_name(hours(0.0)), by_name(hours(0.4))
    assert [name for name, one in still.items() if one.wanders] == []
    assert [name for name, one in wandering.items() if one.wanders] == ["x"]
    assert wandering["x"].words.startswith("wanders by itself: ")
    hidden = wandering["x"].shift_deviations
    assert hidden is None or hidden > 2 * (still["x"].shift_deviations or 9)


def test_a_shift_beyond_twice_the_farthest_hour_is_seen_however_x_wanders() -> None:
    found = by_name(hours(0.4))["x"]
    assert found.shift_deviations is not None
    assert f"a shift below {found.shift_deviations:.2g} sd" in found.words
    assert by_name(hours(0.8))["x"].shift_deviations is None  # hours were half of the way to one bin already


def test_a_shift_is_named_in_deviations_and_in_the_numbers_own_unit() -> None:
    found = by_name(hours(0.0))["y"]
    assert found.shift_deviations is not None
    assert found.shift is not None
    assert 0.2 < found.shift_deviations < 0.8
    assert found.shift == pytest.approx(10 * found.shift_deviations, rel=0.05)
    assert found.words.startswith(f"a shift below {found.shift_deviations:.2g} sd ({found.shift:.3g}) will not be seen")


def breaches(baseline: Baseline, series: int, bin_index: int, share: float, level: float) -> bool:
    """Whether a window alarms in which so many of all rows moved into one bin."""
    layout = Layout(baseline)
    ends = np.append(layout.series_coarse_starts, len(layout.coarse_starts))
    counts = layout.baseline_coarse[ends[series] : ends[series + 1]]
    table = EvidenceTable([baseline.evidence[0].series[series]], counts, np.zeros(1, np.int64))
    moved = counts / counts.sum() * (1 - share)
    moved[bin_index] += share
    found = judge(table, expected_counts(moved, ROWS)).breaches(level, LEAST_EFFECT, table.guard)
    return bool(found[0])


def test_the_shares_named_are_those_at_which_a_window_begins_to_alarm() -> None:
    baseline = hours(0.0)
    found = by_name(baseline)
    for series, bin_index, share, level in (
        (2, 0, found["c"].category_share, LEVELS.feature),
        (1, 10, found["y"].missing_share, LEVELS.feature),
        (3, 10, found["score"].missing_share, LEVELS.answer),
    ):
        assert share is not None
        assert breaches(baseline, series, bin_index, share + 1e-4, level)
        assert not breaches(baseline, series, bin_index, share - 0.01, level)


def test_words_name_the_category_and_how_much_is_missing_as_a_rule() -> None:
    found = by_name(hours(0.0))
    assert found["c"].category == "red"
    assert "of rows moving to 'red' will not be seen; never missing, seen from" in found["c"].words
    assert "; 4 % missing, seen from" in found["y"].words


def test_of_what_is_mostly_missing_the_rise_said_is_beyond_what_was_missing_before() -> None:
    rng = np.random.default_rng(3)
    hour = np.repeat(np.arange(HOURS_SEEN), ROWS)
    times = START_MS + hour * HOUR_MS + np.tile(np.arange(ROWS) * (HOUR_MS // ROWS), HOURS_SEEN)
    sparse = np.where(rng.random(len(hour)) < 0.7, np.nan, rng.normal(size=len(hour)))
    columns = columns_of(pa.table({"ts": times, "x": sparse, "score": rng.random(len(hour))}))
    found = by_name(learn(baseline_from(columns), columns, HOURS).baseline)["x"]
    assert found.missing_share is not None
    usual, rise = (int(said) for said in re.findall(r"(\d+) %", found.words.split("; ")[-1]))
    assert usual == 70
    assert rise == pytest.approx(100 * 0.3 * found.missing_share, abs=1)
    assert usual + rise < 100


def test_rows_and_how_well_it_is_known_come_first() -> None:
    [window] = sights(hours(0.0), LEVELS)
    assert window.words == "windows of 1 h have 300 rows, 300 at least; known from 60 windows"
    assert not window.provisional


def test_few_windows_are_called_provisional() -> None:
    columns = columns_of(pa.table({"ts": START_MS + np.arange(300) * 60_000, "x": np.arange(300.0) % 7}))
    [window] = sights(learn(baseline_from(columns), columns, Windows((HOUR_MS,), 60_000)).baseline, LEVELS)
    assert window.provisional
    assert window.words.endswith("known from 5 windows, provisional (below 20)")


def test_uneven_traffic_is_said() -> None:
    baseline = hours(0.0)
    [one] = baseline.evidence
    uneven = msgspec.structs.replace(one, rows=msgspec.structs.replace(one.rows, overdispersion=0.25, smallest=7))
    [window] = sights(msgspec.structs.replace(baseline, evidence=(uneven,)), LEVELS)
    assert "300 rows, 7 at least, and vary by 50 % of that beyond chance" in window.words


def test_a_description_ends_with_them() -> None:
    baseline = hours(0.0)
    lines = describe(baseline, sights(baseline, LEVELS)).splitlines()
    assert lines[-5].startswith("windows of 1 h have")
    assert lines[-4].split()[0] == "x"
    assert describe(baseline) == "\n".join(lines[:-5])


def test_a_series_that_never_had_a_value_has_words_too() -> None:
    times = START_MS + np.arange(3_000) * 60_000
    columns = columns_of(pa.table({"ts": times, "x": np.arange(3_000.0), "empty": pa.nulls(3_000, pa.string())}))
    found = by_name(learn(baseline_from(columns), columns, HOURS).baseline)["empty"]
    assert found.words == "it never had a value; 100 % missing, no rise of that will be seen"
