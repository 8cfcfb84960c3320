"""Dead letters on `/metrics`: a counter of each reason, from the first scrape on."""

from stream.records.rejection import REJECTION_REASONS
from tests.small_model import PREDICTIONS
from tests.unit.stream.count.run import run_of
from tests.unit.stream.service.test_latency_metrics import registry


def test_every_reason_has_a_series_before_its_first_letter() -> None:
    """`increase` sees a letter only if there was a sample before it."""
    run = run_of(500, None, None)
    found = registry({PREDICTIONS: run.fold})
    labels = {"topic": "predictions", "partition": "0"}
    shown = {
        reason: found.get_sample_value("driftline_dead_letters_total", {**labels, "reason": reason})
        for reason in REJECTION_REASONS
    }
    assert shown == dict.fromkeys(REJECTION_REASONS, 0) | {"not_json": 2}
