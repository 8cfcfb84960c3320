"""Seasonal baselines: which hour a moment belongs to, what is normal in each, and when there is too little of it."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from stream.baselines.baseline import Baseline
from stream.baselines.layout import Layout
from stream.baselines.learning import Learned, Windows, learn
from stream.baselines.registry import complaint
from stream.baselines.season import DAY_MS, HOUR_MS, Season, SeasonBaseline, SeasonKind, packed
from stream.baselines.sight import Levels, sights
from tests.unit.stream.baselines.test_learning import baseline_from, columns_of

DAILY, WEEKLY = SeasonKind.HOUR_OF_DAY, SeasonKind.HOUR_OF_WEEK
MONDAY_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
HOURS = Windows((HOUR_MS,), 60_000)
A_DAY = 24 * 40


def days(count: int, season: Season | None = Season(DAILY), windows: Windows = HOURS) -> Learned:  # noqa: B008
    """A number that rises through the day, forty rows an hour."""
    rng = np.random.default_rng(1)
    time_ms = MONDAY_MS + np.arange(count * A_DAY) * (DAY_MS // A_DAY)
    hour = time_ms // HOUR_MS % 24
    rows = {"ts": time_ms, "x": hour + rng.normal(size=len(hour)), "c": np.where(hour < 12, "am", "pm").tolist()}
    columns = columns_of(pa.table(rows))
    return learn(baseline_from(columns), columns, windows, season)


def stored(learned: Learned) -> SeasonBaseline:
    assert learned.baseline.season is not None
    return learned.baseline.season


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin"])
@pytest.mark.parametrize("kind", list(SeasonKind))
def test_a_slot_is_the_hour_on_the_clock_of_the_place(kind: SeasonKind, zone: str) -> None:
    times = MONDAY_MS + np.arange(0, 366 * DAY_MS, 41 * 60_000)  # over both changes of the clocks
    found = Season(kind, zone).slots_of(times)
    for time_ms, slot in zip(times.tolist()[::7], found.tolist()[::7], strict=True):
        there = datetime.fromtimestamp(time_ms / 1_000, ZoneInfo(zone))
        assert slot == there.hour + (24 * there.weekday() if kind is WEEKLY else 0)


def test_each_slot_holds_its_own_rows() -> None:
    found = days(8)
    layout = Layout(found.baseline)
    counts = stored(found).counts(len(layout.coarse_starts))
    assert stored(found).rows == (8 * 40,) * 24
    assert np.array_equal(counts.sum(axis=0), layout.baseline_coarse)
    words = counts[:, layout.series_coarse_starts[1] :][:, :2]  # bins "am" and "pm", as frequent as each other
    assert words.tolist() == [[320, 0]] * 12 + [[0, 320]] * 12


def test_the_clock_of_the_place_decides_where_a_row_lies() -> None:
    found = days(8, Season(DAILY, "America/New_York"))
    counts = stored(found).counts(len(Layout(found.baseline).coarse_starts))
    words = counts[:, Layout(found.baseline).series_coarse_starts[1] :][:, :2]
    assert words[7].tolist() == [0, 320]  # 12:00Z
    assert words[19].tolist() == [320, 0]  # 00:00Z


def test_what_comes_every_day_is_no_wander_from_the_same_hours() -> None:
    found = days(30)
    [whole], [hours] = found.baseline.evidence, stored(found).evidence
    assert whole.series[0].spreads[0] > 0.5
    assert (hours.series[0].spreads, hours.blocks, hours.series[0].blocks_behind) == ((), 30 * 24 - 23, 30)
    assert found.baseline.evidence_for(HOUR_MS, seasonal=True) is hours
    assert found.baseline.evidence_for(HOUR_MS) is whole
    assert found.notes == ()


def test_a_baseline_without_a_season_has_no_seasonal_evidence() -> None:
    found = days(8, None)
    assert found.baseline.season is None
    assert found.baseline.evidence_for(HOUR_MS, seasonal=True) is None


@pytest.mark.parametrize(("kind", "enough"), [(DAILY, 7), (WEEKLY, 21)])
def test_with_too_little_history_it_says_so_and_keeps_the_whole(kind: SeasonKind, enough: int) -> None:
    assert days(enough, Season(kind)).baseline.season is not None
    short = days(enough - 1, Season(kind))
    assert short.baseline.season is None
    assert short.baseline.evidence
    assert f"season {kind} needs rows of {enough} days, these are of {enough - 1}.0" in short.notes[-1]
    assert "every window is compared with the whole baseline" in short.notes[-1]


def test_panes_that_do_not_divide_an_hour_have_no_season() -> None:
    found = days(8, windows=Windows((2 * HOUR_MS,), 2 * HOUR_MS))
    assert found.baseline.season is None
    assert "panes must divide an hour" in found.notes[-1]


def test_a_long_window_is_learned_in_panes_that_know_their_hour() -> None:
    found = days(60, windows=Windows((DAY_MS,), 60_000))
    [one] = stored(found).evidence
    assert (one.window_ms, one.pane_ms) == (DAY_MS, HOUR_MS // 4)
    assert (one.blocks, one.series[0].blocks_behind) == (60, pytest.approx(60))  # every day has all its hours


def test_too_few_repetitions_of_a_window_are_provisional() -> None:
    found = days(10, windows=Windows((DAY_MS,), 60_000))
    assert stored(found).evidence[0].provisional
    assert any("differ from their own hours is known from 10 of them only" in note for note in found.notes)


def test_it_is_registered_read_back_and_told() -> None:
    found = days(30).baseline
    numbered = msgspec.structs.replace(found, number=1)
    assert complaint(numbered) is None
    assert Baseline.from_bytes(numbered.to_bytes()) == numbered
    [told] = sights(found, Levels(feature=1e-6, answer=1e-6))
    assert told.words.endswith("known from 697 windows, against the same hour-of-day (UTC)")
    assert not told.series[0].wanders


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"timezone": "Mars/Olympus"}, "'Mars/Olympus' is no time zone"),
        ({"rows": (1,) * 23}, "one number of rows, at least 0, per slot"),
        ({"rows": (-1,) * 24}, "one number of rows, at least 0, per slot"),
        ({"packed": b"no zlib"}, "the counts cannot be unpacked"),
        ({"packed": packed(np.zeros((24, 3), np.int64))}, "there must be counts of 18 bins in each of 24 slots"),
        ({"packed": packed(np.zeros((240, 18), np.int64))}, "there must be counts of 18 bins in each of 24 slots"),
        ({"packed": packed(np.full((24, 18), -1))}, "counts must not be negative"),
        ({"kind": WEEKLY}, "one number of rows, at least 0, per slot"),
    ],
)
def test_a_season_that_cannot_be_compared_with_is_refused(changed: dict[str, Any], why: str) -> None:
    baseline = days(8).baseline
    assert len(Layout(baseline).coarse_starts) == 18
    wrong = msgspec.structs.replace(stored(days(8)), **changed)
    assert why in str(complaint(msgspec.structs.replace(baseline, season=wrong, number=1)))
