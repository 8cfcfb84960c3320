"""Data quality on `/metrics`: shares of the newest window, by feature."""

from dataclasses import replace

import msgspec
import numpy as np

from stream.records.partial import PanePart, pack_counts
from stream.records.source import Source
from tests.small_model import START_MS
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, limits
from tests.unit.stream.evaluate.test_prediction_side import LAYOUT, counts_of
from tests.unit.stream.evaluate.test_quality_alert import ABOVE, MISSING, RULE, run
from tests.unit.stream.evaluate.test_report import validator
from tests.unit.stream.service.test_latency_metrics import registry

SCORED = msgspec.structs.replace(LAYOUT.baseline, number=1)
MEANS = ("positive_ratio", "confidence_ratio", "entropy_nats")
X = {"model": "m", "version": "0", "feature": "x"}


def test_shares_are_those_of_the_newest_window() -> None:
    found = registry({Source("partials", 0): run(MISSING, ABOVE).fold})
    shares = [found.get_sample_value(f"driftline_{name}_ratio", X) for name in ("missing", "invalid", "beyond")]
    assert shares == [0.0, 0.0, 0.06]


def test_a_model_that_is_not_checked_has_no_series() -> None:
    found = registry({Source("partials", 0): run(MISSING, rule=None).fold})
    assert found.get_sample_value("driftline_missing_ratio", X) is None


def test_how_the_newest_window_was_answered_is_shown_though_nothing_alarms() -> None:
    evaluate, speaker = Evaluate(SCORED, rules=limits(None, None), window_ms=1_000), Speaker()
    evaluate.judging = replace(evaluate.judging, quality=RULE)
    definition = speaker.counts_with(SCORED)
    counts = pack_counts(counts_of(np.random.default_rng(13).beta(2, 5, 600)))
    evaluate.hears(speaker.says(1_000, [PanePart(definition.id, "", START_MS, 0, 1, counts, START_MS)]))
    assert evaluate.alerts == []
    [report] = evaluate.reports
    validator("report").validate(report)
    said = report["quality"]["answers"]
    found = registry({Source("partials", 0): evaluate.fold})
    labels = {"model": "m", "version": "1"}
    shown = [found.get_sample_value(f"driftline_{name}", labels) for name in MEANS]
    assert shown == [said["positive_share"], said["confidence"], said["entropy"]]
    assert None not in shown

    evaluate.hears(speaker.says(2_000))
    assert set(evaluate.reports[-1]["quality"]["answers"].values()) == {None}
    later = registry({Source("partials", 0): evaluate.fold})
    assert [later.get_sample_value(f"driftline_{name}", labels) for name in MEANS] == [None] * 3
