"""Answers that failed on `/metrics`: a counter of each partition, from its ledger."""

from tests.small_model import PREDICTIONS
from tests.unit.stream.count.test_errors import whole
from tests.unit.stream.service.test_latency_metrics import registry


def test_failures_are_a_counter_of_the_partition_that_a_replay_does_not_inflate() -> None:
    labels = {"model": "m", "version": "0", "topic": "predictions", "partition": "0"}
    counted = whole([(0, "timeout"), (100, "ok"), (200, "error")])
    for _ in range(2):
        found = registry({PREDICTIONS: counted.fold})
        assert found.get_sample_value("driftline_errors_total", labels) == 2
        counted.crash()


def test_a_model_that_is_not_checked_has_no_series() -> None:
    found = registry({PREDICTIONS: whole([(0, "ok")]).fold})
    assert not any("error" in sample.name for family in found.collect() for sample in family.samples)
