"""How a model's windows are judged. Unlike a definition, this may change without counting anew."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from detectors import Smoothing
from stream.alerts.budget_plan import FEATURES, LATENCY, PERFORMANCE, QUALITY, SCORE, BudgetPlan
from stream.alerts.episode import AlertRules
from stream.alerts.error_rule import ErrorRule, error_rule_of
from stream.alerts.quality_rules import QualityRule, quality_rule_of
from stream.alerts.rules import (
    BUDGET,
    NEVER,
    LatencyRule,
    PerformanceRules,
    Rules,
    alert_rules_of,
    budget_of,
    latency_rule_of,
    performance_rules_of,
    rules_of,
)
from stream.alerts.throughput_rule import ThroughputRule, throughput_rule_of
from stream.baselines.baseline import Baseline
from stream.config import ModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """One model's window and limits."""

    window_ms: int  # a whole number of panes
    psi: Rules
    smoothing: Smoothing
    performance: PerformanceRules = field(default_factory=PerformanceRules)
    latency: LatencyRule | None = None  # None: not checked
    quality: QualityRule | None = None  # likewise; of the whole traffic only
    errors: ErrorRule | None = None  # likewise, of the whole traffic and every segment
    throughput: ThroughputRule | None = None  # None: not checked
    alerts: AlertRules = field(default_factory=AlertRules)
    budget: BudgetPlan = field(default_factory=BudgetPlan)
    season: str | None = None  # "none": never; a season: only that one; None: as the baseline has it
    interval_ms: int | None = None  # from one evaluation to the next; None: a pane

    def levels(self, baseline: Baseline, pane_ms: int, parts: int = 1) -> dict[str, float]:
        """How often one test of each kind of check may alarm by chance; a kind that is not tested has none.

        Args:
            baseline: that decides what there is to be tested.
            pane_ms: from one evaluation to the next.
            parts: of the traffic that are judged apart: the whole, and each segment.
        """
        return self.budget.levels(self.tests(baseline, parts), self.interval_ms or pane_ms)

    def budget_complaint(self, baseline: Baseline, pane_ms: int, parts: int = 1) -> str | None:
        """Why the tests cannot meet the budget, or would be no evidence, and which budget would do; None: it fits.

        Arguments as for `levels`.
        """
        try:
            self.budget.refuse(self.tests(baseline, parts), self.interval_ms or pane_ms)
        except ValueError as problem:
            return str(problem)
        return None

    def performance_at(self, baseline: Baseline, pane_ms: int, parts: int = 1) -> PerformanceRules:
        """The rules on labels, with the budget's level where the configuration gives none."""
        level = self.levels(baseline, pane_ms, parts).get(PERFORMANCE)
        return self.performance if level is None else self.performance.at(level)

    def tests(self, baseline: Baseline, parts: int = 1) -> Mapping[str, int]:
        """How many tests each evaluation of a model makes, by kind of check."""
        budgeted = self.psi.rule == BUDGET
        watched = [budgeted and self.psi.limits(series.name) is not NEVER for series in baseline.series]
        features = len(watched) - baseline.answers
        return {
            FEATURES: parts * sum(watched[:features]),
            SCORE: parts * sum(watched[features:]),
            PERFORMANCE: parts * self._tests_of_labels(baseline),
            LATENCY: parts * (self.latency is not None and self.latency.tested),
            QUALITY: (0 if self.quality is None else self.quality.tests(baseline))
            + (self.throughput is not None and self.throughput.tested)
            + parts * (self.errors is not None and self.errors.tested),
        }

    def _tests_of_labels(self, baseline: Baseline) -> int:
        rules = self.performance
        made = {"regression": (rules.mae,), "multiclass": (rules.auc,)}.get(baseline.task, (rules.auc, rules.brier))
        return sum(rule is not None and rule.tested for rule in made) if baseline.has_labels else 0


def model_settings(of_model: ModelConfig, smoothing: Smoothing, window_ms: int | None = None) -> ModelSettings:
    """The settings that the configuration gives to a model; `window_ms` where the caller has a window of its own."""
    checks, rule = of_model.checks, of_model.rule
    return ModelSettings(
        window_ms=window_ms or of_model.windows.length,
        psi=rules_of(checks.psi, rule),
        smoothing=smoothing,
        performance=performance_rules_of(checks, rule),
        latency=latency_rule_of(checks, rule),
        quality=quality_rule_of(checks, rule),
        errors=error_rule_of(checks, rule),
        throughput=throughput_rule_of(checks, of_model.windows.idle, rule),
        alerts=alert_rules_of(of_model.alerts, window_ms or of_model.windows.length),
        budget=budget_of(of_model.false_alarms),
        season=of_model.season,
    )
