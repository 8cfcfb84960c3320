"""What windows show at the present traffic, in words."""

from dataclasses import replace

import numpy as np
import pytest

from detectors import Threshold
from stream.alerts.rules import BUDGET, NEVER, Rules
from stream.baselines.create import create_baseline
from stream.baselines.layout import Layout
from stream.evaluate.evaluator import evaluate_window
from stream.evaluate.settings import ModelSettings
from stream.evaluate.sight import Seen, roughly
from stream.evaluate.yardstick import Yardstick
from tests.unit.stream.evaluate.partials import judging

MINUTE = 60_000
RNG = np.random.default_rng(2)
ROWS = 100_000
TABLE = {
    "amount": RNG.normal(size=ROWS),
    "plan": np.where(RNG.random(ROWS) < 0.7, "free", "pro"),
    "gone": np.where(RNG.random(ROWS) < 0.5, np.nan, RNG.normal(size=ROWS)),
}
LAYOUT = Layout(create_baseline(TABLE, model="m", version="1"))
EFFECTS = Threshold(notice=0.02, warning=0.1, critical=0.25, min_count=1)


def settings(**subjects: Threshold) -> ModelSettings:
    return replace(judging(Rules(default=EFFECTS, subjects=subjects, rule=BUDGET)), window_ms=60 * MINUTE)


def seen(rows: int, of: ModelSettings | None = None) -> dict[str, Seen]:
    yardstick = Yardstick(layout=LAYOUT, settings=of or settings(), pane_ms=MINUTE)
    return dict(zip(LAYOUT.names, yardstick.seen(rows), strict=True))


@pytest.mark.parametrize(
    ("rows", "size"),
    [(1, 1), (2, 2), (4, 3), (10, 10), (14, 10), (15, 15), (600, 500), (1_000, 1_000), (69_999, 50_000)],
)
def test_a_size_of_traffic_stands_for_all_up_to_the_next(rows: int, size: int) -> None:
    assert roughly(rows) == size


def test_a_number_shows_its_mean_and_its_missing_values_and_how_soon() -> None:
    """500 rows: 6 of them missing, of a share of 0.02 that fills the window pane by pane, are seen in 31 panes."""
    amount = seen(600)["amount"]
    assert amount.rows == 500
    assert amount.mean_shift_sd == pytest.approx(0.30, abs=0.02)
    assert amount.missing_share is not None
    within = int(np.ceil(amount.missing_share / 0.02 * 60))
    assert 15 <= within <= 25
    assert amount.words == (
        f"with 500 rows in 1 h a mean that moves by {amount.mean_shift_sd:.2g} sd is seen, and missing values from 0 % "
        f"to 2 % within {within} min"
    )


def test_a_category_has_no_mean_and_more_rows_show_less() -> None:
    plan, seldom = seen(600)["plan"], seen(60)["plan"]
    assert plan.mean_shift_sd is None
    assert plan.words.startswith("with 500 rows in 1 h these are seen: missing values from 0 % to 2 % within ")
    assert (seldom.missing_share or 0) > 2 * (plan.missing_share or 1)


def test_a_rise_that_fills_no_window_is_named_by_its_size() -> None:
    gone = seen(600)["gone"]
    assert gone.missing_share is not None
    already = float(np.isnan(TABLE["gone"]).mean())
    assert 0.02 < gone.missing_share < 0.5
    raised = 100 * (already + (1 - already) * gone.missing_share)
    assert gone.words.endswith(f"and missing values from 50 % to {raised:.2g} %")


def test_windows_by_rows_know_no_time() -> None:
    words = seen(600, replace(settings(), interval_ms=1))["amount"].words
    assert words.startswith("with 500 rows a mean that moves by")
    assert "within" not in words


def test_too_few_rows_show_nothing_and_neither_does_what_is_switched_off() -> None:
    assert seen(2)["amount"] == Seen(2, None, None, "with 2 rows in 1 h nothing is seen")
    assert seen(600, settings(amount=NEVER))["amount"][:3] == (500, None, None)


def test_it_is_in_each_check_of_the_rule_budget() -> None:
    counts = np.zeros(LAYOUT.width, np.int64)
    counts[: LAYOUT.starts[-1]] = LAYOUT.baseline_counts
    yardstick = Yardstick(layout=LAYOUT, settings=settings(), pane_ms=MINUTE)
    found = evaluate_window(yardstick, counts, start_ms=0, end_ms=60 * MINUTE, complete=True)
    assert [check.test.seen if check.test else None for check in found.checks] == yardstick.seen(100_000)
