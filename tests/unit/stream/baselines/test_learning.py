"""Evidence from rows and their times: the panes it is learned in, what it equals, what it says it does not know."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from detectors.evidence_learning import learn_evidence
from stream.baselines.baseline import Baseline
from stream.baselines.create import PredictionColumns, baseline_of, read_columns
from stream.baselines.evidence import SeriesEvidence
from stream.baselines.layout import Layout
from stream.baselines.learning import MOST_PANES, Learned, Windows, learn, rounded
from stream.baselines.provenance import provenance
from stream.baselines.registry import complaint
from stream.baselines.roles import Roles, assign_roles
from stream.records.prediction import ModelKey

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
START_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS
HOURS = Windows((HOUR_MS,), MINUTE_MS)


def table(hours: int, a_minute: int = 3, seed: int = 1) -> pa.Table:
    """Rows at random times of so many hours: a number, one of it missing, and a category."""
    rng = np.random.default_rng(seed)
    rows = hours * 60 * a_minute
    x = rng.normal(size=rows)
    x[::50] = np.nan
    return pa.table(
        {
            "ts": START_MS + np.sort(rng.integers(0, hours * HOUR_MS, rows)),
            "x": x,
            "c": rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]).tolist(),
            "score": rng.random(rows),
        }
    )


def columns_of(rows: pa.Table, **roles: str) -> PredictionColumns:
    return read_columns(rows, assign_roles(rows, Roles(**roles)))


def baseline_from(columns: PredictionColumns) -> Baseline:
    made = provenance(rows=columns.rows, files=(), data_sha256="")
    return baseline_of(columns, ModelKey("m", "1"), made)


def learned(rows: pa.Table, windows: Windows = HOURS) -> Learned:
    columns = columns_of(rows)
    return learn(baseline_from(columns), columns, windows)


def test_it_is_what_the_method_learns_from_the_panes_of_the_rows() -> None:
    rows = table(hours=30)
    found = learned(rows)
    [one] = found.baseline.evidence
    assert (one.window_ms, one.pane_ms, one.blocks, found.notes) == (HOUR_MS, 5 * MINUTE_MS, 30, ())

    # The same panes, put together row by row.
    layout = Layout(found.baseline)
    panes = np.zeros((30 * 12, len(layout.coarse_starts)), np.int64)
    series = dict(zip(layout.names, layout.series_coarse_starts.tolist(), strict=True))
    fine = {s.name: np.array(s.inner_edges) for s in layout.series if s.name != "c"}
    starts = {s.name: np.array(s.coarse_starts) for s in layout.series if s.name != "c"}
    for row in rows.to_pylist():
        pane = (row["ts"] - START_MS) // (5 * MINUTE_MS)
        for name in ("x", "score"):
            at = int((row[name] >= fine[name]).sum())
            coarse = len(starts[name]) if np.isnan(row[name]) else int((starts[name] <= at).sum()) - 1
            panes[pane, series[name] + coarse] += 1
        panes[pane, series["c"] + "abc".index(row["c"])] += 1
    assert np.array_equal(panes.sum(axis=0), layout.baseline_coarse)
    expected = learn_evidence(panes, layout.series_coarse_starts, 12)
    assert one.stored == tuple(SeriesEvidence.of(rounded(e)) for e in expected)


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = table(hours=25)
    shuffled = rows.take(np.random.default_rng(2).permutation(rows.num_rows))
    assert learned(shuffled).baseline.evidence == learned(rows).baseline.evidence


def test_hours_without_rows_are_windows_too_but_teach_nothing_of_shares() -> None:
    rows = table(hours=40)
    hour = (rows["ts"].to_numpy() - START_MS) // HOUR_MS
    with_gap = rows.filter(pa.array(~((hour >= 10) & (hour < 15))))
    [one] = learned(with_gap).baseline.evidence
    assert (one.blocks, one.rows.windows, one.rows.smallest) == (35, 40, 0)
    assert 5 * HOUR_MS < one.rows.longest_silence_ms < 5 * HOUR_MS + 10 * MINUTE_MS


def test_what_is_normal_in_one_hour_and_not_in_the_next_is_found() -> None:
    rows = table(hours=60)
    hour = (rows["ts"].to_numpy() - START_MS) // HOUR_MS
    moving = rows.set_column(1, "x", pa.array(rows["x"].to_numpy() + np.random.default_rng(3).normal(size=60)[hour]))
    still, wandering = (learned(r).baseline.evidence[0].series for r in (rows, moving))
    assert not still[0].spreads
    assert wandering[0].spreads[0] > 0.1
    assert not wandering[1].spreads  # the category does not


def test_a_baseline_with_what_was_learned_can_be_registered_and_read_back() -> None:
    found = learned(table(hours=25)).baseline
    assert complaint(Baseline.from_bytes(found.to_bytes())) == complaint(found)
    assert Baseline.from_bytes(found.to_bytes()) == found


def test_too_few_windows_are_kept_as_provisional_and_said() -> None:
    found = learned(table(hours=5))
    assert found.baseline.evidence[0].provisional
    [note] = found.notes
    assert note.startswith("how much healthy windows of 1 h differ is known from 5 of them only: provisional")
    assert "at least 20 h" in note


def test_nothing_is_learned_from_less_than_two_windows_and_that_is_said() -> None:
    found = learned(table(hours=1))
    assert found.baseline.evidence == ()
    assert "is not known: the rows fill no two of them" in found.notes[0]


def test_without_times_nothing_is_learned_and_that_is_said() -> None:
    columns = replace(columns_of(table(hours=25)), time_ms=None)
    found = learn(baseline_from(columns), columns, HOURS)
    assert found.baseline.evidence == ()
    assert "the rows have no times" in found.notes[0]


def test_several_window_lengths_have_an_evidence_each() -> None:
    found = learned(table(hours=50), Windows((HOUR_MS, 2 * HOUR_MS), MINUTE_MS))
    assert [(one.window_ms, one.blocks) for one in found.baseline.evidence] == [(HOUR_MS, 50), (2 * HOUR_MS, 25)]


@pytest.mark.parametrize(
    ("window_panes", "at_most_twelve"), [(60, 12), (24, 12), (7, 7), (1, 1), (13, 1), (26, 2), (16, 8), (300, 12)]
)
def test_it_learns_in_whole_panes_of_the_service_at_most_twelve_a_window(
    window_panes: int, at_most_twelve: int
) -> None:
    windows = Windows((window_panes * MINUTE_MS,), MINUTE_MS)
    pane_ms = windows.learning_pane_ms(window_panes * MINUTE_MS)
    assert pane_ms * at_most_twelve == window_panes * MINUTE_MS
    assert pane_ms % MINUTE_MS == 0


def test_one_row_of_another_century_costs_no_memory_and_no_evidence() -> None:
    rows = table(hours=25)
    old = pa.table({"ts": [200_000_000_000], "x": [0.5], "c": ["a"], "score": [0.5]})
    assert (rows["ts"][0].as_py() - old["ts"][0].as_py()) // (5 * MINUTE_MS) > MOST_PANES
    assert learned(pa.concat_tables([old, rows])).baseline.evidence[0].blocks == 25
