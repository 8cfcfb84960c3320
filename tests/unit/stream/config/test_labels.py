"""How predictions wait for their labels: defaults, what a model has otherwise, and `off`."""

from pathlib import Path

import pytest

from stream.config import Config
from stream.records.settings import OutcomeSettings, outcome_settings
from tests.unit.stream.config.test_load import load

DAY_MS = 86_400_000


def outcomes(config: Config, model: str = "m") -> OutcomeSettings:
    found = outcome_settings(config.model(model))
    assert found is not None
    return found


def test_without_a_word_labels_are_waited_for_a_month() -> None:
    assert outcomes(Config()) == OutcomeSettings(
        ttl_ms=30 * DAY_MS,
        early_ms=300_000,
        revision_ms=7 * DAY_MS,
        cohort_ms=DAY_MS,
        sample=1.0,
        dedupe=True,
        max_waiting=10_000_000,
    )


def test_a_model_says_only_what_it_has_otherwise(tmp_path: Path) -> None:
    text = """
labels: {ttl: 10d, early: 0s, sample: 0.5}
models: {m: {labels: {ttl: 2d, cohort: 1h, dedupe: false, max_waiting: 5}}}
"""
    config = load(tmp_path, text)
    mine, other = outcomes(config), outcomes(config, "other")
    assert (mine.ttl_ms, mine.cohort_ms, mine.dedupe, mine.max_waiting) == (2 * DAY_MS, 3_600_000, False, 5)
    assert (mine.early_ms, mine.sample, mine.revision_ms) == (0, 0.5, 7 * DAY_MS)
    assert (other.ttl_ms, other.cohort_ms, other.sample) == (10 * DAY_MS, DAY_MS, 0.5)


@pytest.mark.parametrize(("pane", "length", "cohort_ms"), [
    ("1h", "24h", DAY_MS),
    ("7m", "70m", 206 * 420_000),  # 24 h 2 min: the fewest panes that cover a day
    ("2d", "2d", 2 * DAY_MS),
])  # fmt: skip
def test_a_cohort_is_a_day_in_whole_panes_unless_told(tmp_path: Path, pane: str, length: str, cohort_ms: int) -> None:
    """So that nobody must set it because of a pane that does not divide a day."""
    config = load(tmp_path, f"models: {{m: {{windows: {{pane: {pane}, length: {length}}}}}}}")
    assert outcomes(config).cohort_ms == cohort_ms


@pytest.mark.parametrize(("text", "mine", "others"), [
    ("labels: off", False, False),
    ("models: {m: {labels: off}}", False, True),
    ("labels: off\nmodels: {m: {labels: {ttl: 1d}}}", False, False),
    ("labels:\nmodels: {m: {labels: }}", True, True),
])  # fmt: skip
def test_labels_can_be_switched_off_for_all_or_for_one(tmp_path: Path, text: str, mine: bool, others: bool) -> None:
    """Nothing then waits; an empty section means its defaults."""
    config = load(tmp_path, text)
    assert [outcome_settings(config.model(name)) is not None for name in ("m", "other")] == [mine, others]


def test_without_labels_a_pane_may_be_a_part_of_a_second(tmp_path: Path) -> None:
    """The rule is the join's, not the panes'."""
    config = load(tmp_path, "labels: off\nwindows: {pane: 1500ms, length: 3s}")
    assert config.windows.pane == 1_500


def test_each_check_of_performance_has_limits_of_its_own(tmp_path: Path) -> None:
    text = "models: {m: {checks: {auc: {tolerance: 0.1, level: 0.01}, brier: off, mae: {min_samples: 50}}}}"
    config = load(tmp_path, text)
    checks = config.model("m").checks
    assert checks.auc is not None
    assert checks.mae is not None
    assert (checks.auc.tolerance, checks.auc.min_samples, checks.auc.level) == (0.1, 200, 0.01)
    assert checks.brier is None
    assert (checks.mae.tolerance, checks.mae.min_samples, checks.mae.level) == (0.1, 50, None)
    brier = config.model("other").checks.brier
    assert brier is not None
    assert brier.tolerance == 0.02
