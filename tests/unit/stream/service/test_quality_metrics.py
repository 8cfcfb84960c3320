"""Data quality on `/metrics`: shares of the newest window, by feature."""

from stream.records.source import Source
from tests.unit.stream.evaluate.test_quality_alert import ABOVE, MISSING, run
from tests.unit.stream.service.test_latency_metrics import registry

X = {"model": "m", "version": "0", "feature": "x"}


def test_shares_are_those_of_the_newest_window() -> None:
    found = registry({Source("partials", 0): run(MISSING, ABOVE).fold})
    shares = [found.get_sample_value(f"driftline_{name}_ratio", X) for name in ("missing", "invalid", "beyond")]
    assert shares == [0.0, 0.0, 0.06]


def test_a_model_that_is_not_checked_has_no_series() -> None:
    found = registry({Source("partials", 0): run(MISSING, rule=None).fold})
    assert found.get_sample_value("driftline_missing_ratio", X) is None
