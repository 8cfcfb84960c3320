"""How answers went, behind the series and the latencies of a layout: neither of them moves."""

import msgspec
import numpy as np
import pytest

from stream.baselines.definition import Definition
from stream.baselines.layout import Layout
from stream.baselines.status_counters import StatusCounts
from stream.records.prediction import STATUS_BAD, STATUS_FAILED, STATUS_OK, ModelColumns
from stream.records.settings import CountingSettings
from tests.small_model import baseline, settings

STATUSES = [STATUS_OK, STATUS_FAILED, STATUS_OK, STATUS_BAD, STATUS_FAILED, STATUS_OK]
COLUMNS = ModelColumns(
    row=np.arange(6, dtype=np.int64),
    numeric=np.full((6, 2), 0.1),
    categorical=np.zeros((6, 1), np.int32),
    latency_ms=np.array([20.0, 900.0, np.nan, np.inf, 20.0, 20.0]),
    status=np.array(STATUSES, np.int8),
)


@pytest.mark.parametrize("sla_ms", [None, 250])
def test_each_row_has_one_counter_more_and_it_is_the_right_one(sla_ms: int | None) -> None:
    plain, counting = Layout(baseline(), sla_ms), Layout(baseline(), sla_ms, errors=True)
    flat = counting.flat_bins(COLUMNS)
    assert np.array_equal(flat[:, :-1], plain.flat_bins(COLUMNS))
    counts = np.bincount(flat.ravel(), minlength=counting.width)
    assert len(counts) == counting.width == plain.width + 3
    assert StatusCounts.of(counting.status_counts(counts)) == StatusCounts(ok=3, failed=2, bad=1)
    assert StatusCounts(ok=3, failed=2, bad=1).known == 5
    of_plain = counts[: plain.width]
    assert np.array_equal(counting.latency_counts(counts), plain.latency_counts(of_plain))
    assert np.array_equal(counting.coarsen(counts), plain.coarsen(of_plain))
    assert (counting.schema.status, plain.schema.status) == (True, False)
    assert plain.status_counts(of_plain).shape == (0,)


def test_counting_errors_is_part_of_the_definition_and_not_counting_them_leaves_no_trace() -> None:
    """Otherwise an upgrade would count every model anew, and reset its windows."""
    counting = msgspec.structs.replace(settings(), errors=True)
    of_both = {Definition(baseline(), one).id for one in (settings(), counting)}
    assert len(of_both) == 2
    assert b"errors" not in settings().identity()
    assert msgspec.json.decode(counting.identity(), type=CountingSettings) == counting


def test_a_definition_lays_them_out_for_the_whole_and_for_segments() -> None:
    counting = msgspec.structs.replace(settings(), errors=True)
    assert Definition(baseline(), counting).layout.errors
    assert not Definition(baseline(), settings()).layout.errors
