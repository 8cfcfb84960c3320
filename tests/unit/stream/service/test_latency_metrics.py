"""Latency on `/metrics`: quantiles from the newest window, violations from the ledgers; no id among the labels."""

from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from stream.records.source import Source
from stream.service.metrics import OwnersCollector
from tests.small_model import PREDICTIONS
from tests.unit.stream.count import test_slow_answers
from tests.unit.stream.count.test_latency import whole
from tests.unit.stream.evaluate.test_latency_alert import SLOWER, run

PARTIALS = Source("partials", 0)


def registry(owners: dict[Source, Any]) -> CollectorRegistry:
    held: Any = {source: SimpleNamespace(fold=fold) for source, fold in owners.items()}
    found = CollectorRegistry()
    found.register(OwnersCollector(lambda: held, dict))
    return found


def test_quantiles_are_gauges_in_seconds() -> None:
    evaluate = run(SLOWER)
    found = registry({PARTIALS: evaluate.fold})
    model = {"model": "m", "version": "0"}
    traffic = model | {"segment": ""}
    p50 = found.get_sample_value("driftline_latency_seconds", {**traffic, "quantile": "0.5"})
    p99 = found.get_sample_value("driftline_latency_seconds", {**traffic, "quantile": "0.99"})
    assert p50 is not None
    assert p99 is not None
    assert abs(p50 / 0.02 - 1) <= 0.01
    assert abs(p99 / 0.9 - 1) <= 0.01
    assert found.get_sample_value("driftline_alerts_firing", {**model, "severity": "critical"}) == 1


def test_violations_are_a_counter_of_the_partition_that_a_replay_does_not_inflate() -> None:
    labels = {"model": "m", "version": "0", "topic": "predictions", "partition": "0"}
    counted = whole([(0, 900), (100, 20), (200, 901)])
    for _ in range(2):
        found = registry({PREDICTIONS: counted.fold})
        assert found.get_sample_value("driftline_latency_sla_violations_total", labels) == 2
        counted.crash()


def test_a_model_that_is_not_checked_has_no_series() -> None:
    found = registry({PREDICTIONS: whole([(0, None)]).fold})
    names = {sample.name for family in found.collect() for sample in family.samples}
    assert not any("latency" in name for name in names)


def test_answers_over_the_hard_limit_are_a_counter_told_or_not() -> None:
    labels = {"model": "m", "version": "0", "topic": "predictions", "partition": "0"}
    counted = test_slow_answers.whole([(at_ms, 9_000) for at_ms in range(5)])
    assert len(test_slow_answers.told(counted.sent)) == test_slow_answers.MOST
    found = registry({PREDICTIONS: counted.fold})
    assert found.get_sample_value("driftline_latency_hard_limit_violations_total", labels) == 5
