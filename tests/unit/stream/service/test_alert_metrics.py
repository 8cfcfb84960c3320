"""What checks and alerts have come to, as Prometheus sees it; the same after a crash."""

from dataclasses import replace

import pytest

from detectors import Threshold
from stream.alerts.episode import AlertRules, Holds
from stream.alerts.rules import BUDGET, Rules
from tests.small_model import PANE_MS, baseline
from tests.unit.stream.evaluate.partials import PARTIALS, Evaluate, Speaker, part
from tests.unit.stream.service.test_latency_metrics import registry

ONE = baseline()
MODEL = {"model": "m", "version": "0"}
EVALUATIONS = 30 * 86_400_000 // PANE_MS  # in the budget's period
EFFECTS = Threshold(notice=0.02, warning=0.1, critical=0.25, min_count=100)


def run(seconds: int, rules: Rules, rows: int = 400, holds: Holds = Holds()) -> Evaluate:  # noqa: B008  # a NamedTuple
    """Windows of one pane, all rows in one bin of each series: as far from the baseline as can be."""
    evaluate, source = Evaluate(ONE, rules=rules, window_ms=PANE_MS), Speaker()
    evaluate.judging = replace(evaluate.judging, alerts=AlertRules(holds=holds, group_above=None))
    definition = source.counts_with(ONE)
    for second in range(seconds):
        said = part(definition, second * PANE_MS, rows, next_offset=second + 1)
        evaluate.hears(source.says((second + 1) * PANE_MS, [said]))
    return evaluate


def test_breaches_and_what_the_tests_spent_are_summed_over_the_windows() -> None:
    """x, c and the score in each of three windows: their levels add up to the model's whole budget of three panes."""
    evaluate = run(3, Rules(default=EFFECTS, rule=BUDGET))
    for _ in range(2):
        found = registry({PARTIALS: evaluate.fold})
        assert found.get_sample_value("driftline_breaches_total", MODEL) == 9
        spent = found.get_sample_value("driftline_false_alarms_expected_total", MODEL)
        assert spent == pytest.approx(3 / EVALUATIONS)
        evaluate.crash()


def test_the_plain_rule_and_windows_without_a_verdict_spend_nothing() -> None:
    for rules, rows in ((Rules(default=EFFECTS), 400), (Rules(default=EFFECTS, rule=BUDGET), 99)):
        found = registry({PARTIALS: run(3, rules, rows).fold})
        assert found.get_sample_value("driftline_false_alarms_expected_total", MODEL) == 0


def test_alerts_are_shown_by_state() -> None:
    pending = run(2, Rules(default=EFFECTS), holds=Holds(pending_ms=60_000))
    firing = run(2, Rules(default=EFFECTS))
    for evaluate, expected in ((pending, [3, 0, 0]), (firing, [0, 3, 0])):
        found = registry({PARTIALS: evaluate.fold})
        shown = [
            found.get_sample_value("driftline_alerts", MODEL | {"state": state})
            for state in ("pending", "firing", "resolved")
        ]
        assert shown == expected


def test_without_evidence_every_series_is_provisional_and_the_plain_rule_needs_none() -> None:
    labels = MODEL | {"segment": ""}
    budget, plain = (run(1, Rules(default=EFFECTS, rule=rule)) for rule in (BUDGET, "threshold"))
    assert registry({PARTIALS: budget.fold}).get_sample_value("driftline_provisional_ratio", labels) == 1
    assert registry({PARTIALS: plain.fold}).get_sample_value("driftline_provisional_ratio", labels) is None
