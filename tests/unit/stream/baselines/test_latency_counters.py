"""Latencies behind the series of a layout: what is compared with the baseline does not move."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.definition import Definition
from stream.baselines.latency_counters import LatencyCounters
from stream.baselines.layout import Layout
from stream.records.prediction import ModelColumns
from tests.small_model import baseline, settings

PLAIN, TIMED = Layout(baseline()), Layout(baseline(), latency_sla_ms=250)
COUNTERS = LatencyCounters(250)
BINS = COUNTERS.sketch.bins

# Latencies as decoding hands them on: missing, bad, usual, on the limit, beyond the range.
latencies = st.lists(
    st.sampled_from([math.nan, math.inf, 250.0, math.nextafter(250.0, 300), 0.0, 1e12]) | st.floats(0, 1e5), min_size=1
)


def columns(latency_ms: list[float]) -> ModelColumns:
    n = len(latency_ms)
    return ModelColumns(
        row=np.arange(n, dtype=np.int64),
        numeric=np.full((n, 2), 0.1),
        categorical=np.zeros((n, 1), np.int32),
        latency_ms=np.array(latency_ms),
    )


def test_the_series_lie_where_they_lay() -> None:
    assert TIMED.starts.tolist() == PLAIN.starts.tolist()
    assert TIMED.names == PLAIN.names
    assert TIMED.width == PLAIN.width + COUNTERS.width == 22 + BINS + 2
    assert (TIMED.schema.latency, PLAIN.schema.latency) == (True, False)
    assert PLAIN.latency_counts(np.zeros(22, np.int64)).shape == (0,)


@given(latencies)
def test_each_row_has_one_counter_more_and_it_is_the_right_one(values: list[float]) -> None:
    flat = TIMED.flat_bins(columns(values))
    assert np.array_equal(flat[:, :-1], PLAIN.flat_bins(columns(values)))
    counts = np.bincount(flat.ravel(), minlength=TIMED.width)
    own = TIMED.latency_counts(counts)
    assert own.sum() == len(values)
    assert own[BINS:].tolist() == [sum(map(math.isnan, values)), sum(map(math.isinf, values))]
    assert COUNTERS.violations(own) == sum(v > 250 for v in values if math.isfinite(v))
    assert np.array_equal(TIMED.coarsen(counts), PLAIN.coarsen(counts[: PLAIN.width]))


def test_what_is_no_latency_is_bad_whoever_hands_it_over() -> None:
    assert COUNTERS.index(np.array([-1.0, -math.inf, math.inf, math.nan])).tolist() == [
        BINS + 1,
        BINS + 1,
        BINS + 1,
        BINS,
    ]


def test_an_sla_is_part_of_the_definition_and_no_sla_leaves_no_trace() -> None:
    """Otherwise an upgrade would count every model anew, and reset its windows."""
    plain = settings()
    timed, slower = (msgspec.structs.replace(plain, latency_sla_ms=sla) for sla in (250, 300))
    ids = {Definition(baseline(), one).id for one in (plain, timed, slower)}
    assert len(ids) == 3
    assert b"latency" not in plain.identity()
    assert plain.identity() == (
        b'{"pane_ms":1000,"allowed_lateness_ms":0,"max_clock_skew_ms":1000000000000,"fields":{},"constants":{}}'
    )


def test_settings_that_were_written_before_there_were_latencies_are_read() -> None:
    before = msgspec.msgpack.encode({"pane_ms": 1_000, "allowed_lateness_ms": 0, "max_clock_skew_ms": 10**12})
    assert msgspec.msgpack.decode(before, type=type(settings())) == settings()


@pytest.mark.parametrize("sla_ms", [1, 250, 3_599_999])
def test_every_sla_that_the_configuration_takes_has_an_edge(sla_ms: int) -> None:
    assert LatencyCounters(sla_ms).sketch.exact == (sla_ms,)
    assert LatencyCounters(sla_ms).width <= 1_106
