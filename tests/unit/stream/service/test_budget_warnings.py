"""A budget that the tests of a model cannot meet is said once for each definition that the model is evaluated with."""

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors import Smoothing
from stream.config import load_config
from stream.evaluate.settings import model_settings
from stream.service.budget_warnings import BudgetWarnings
from tests.small_model import baseline
from tests.unit.stream.evaluate.partials import Evaluate, Speaker

ONE = baseline()
TWO = msgspec.structs.replace(ONE, number=ONE.number + 1)
HOPELESS = "0.0000001 per 30d"  # one test of a pane of a minute could meet it; those of the model below cannot


def warned(tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str) -> list[Any]:
    path = tmp_path / "driftline.yaml"
    path.write_text(text, encoding="utf-8")
    config = load_config(path, environment={})
    evaluate, source, warnings = Evaluate(ONE, TWO), Speaker(), BudgetWarnings(config)
    evaluate.judging = model_settings(config.model("m"), Smoothing())
    with caplog.at_level(logging.WARNING, "driftline.worker"):
        for second, of in enumerate((ONE, ONE, TWO), start=1):
            source.counts_with(of)
            evaluate.hears(source.says(1_000 * second))
            warnings.look_at(evaluate.fold.courses.values())
    return caplog.records


def test_what_is_configured_and_cannot_be_met_is_warned_of_once_for_each_baseline(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = warned(tmp_path, caplog, f"models: {{m: {{false_alarms: {HOPELESS}}}}}")
    assert first.getMessage() == "the false-alarm budget cannot be met"
    assert (first.model, first.key) == ("m@0", "models.m.false_alarms.budget")
    assert first.tests > 3  # drift of x, c and the score, data quality and throughput
    assert first.reason.startswith("for features, 0.0000001 per 30d is a chance of ")
    assert "which no data can show (at least 1e-12); try " in first.reason


@pytest.mark.parametrize("text", ["", "false_alarms: 2 per 30d", f"{{rule: threshold, false_alarms: {HOPELESS}}}"])
def test_one_that_fits_the_default_and_one_that_no_rule_asks_for_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    assert warned(tmp_path, caplog, text) == []
