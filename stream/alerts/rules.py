"""Which limits count for which subject of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from detectors import Threshold
from detectors.budget import FalseAlarmBudget
from stream.alerts.budget_plan import BudgetPlan
from stream.alerts.episode import AlertRules, Holds
from stream.config import AlertKeys, CheckKeys, FalseAlarmKeys, PsiKeys, PsiLimits, WorseKeys

PSI: Final = "psi"
LATENCY_SLA: Final = "latency_sla"
ERROR_RATE: Final = "error_rate"
INPUT_LOST: Final = "input_lost"  # records that retention cut away before they were read

WITHOUT_BASELINE: Final = frozenset({LATENCY_SLA, ERROR_RATE})
"""Checks that another baseline does not explain: they compare with a limit that somebody has set."""

BUDGET: Final = "budget"
THRESHOLD: Final = "threshold"

NEVER: Final = Threshold(warning=None, critical=None)
"""The limits of a subject that is switched off: shown, never alerted on."""


FIXED_LEVEL: Final = 0.001
"""Of a one-sided test that neither the configuration nor a budget gives a level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits of one model's check; of the rule `budget` how large an effect is, for which evidence is asked too."""

    default: Threshold
    subjects: Mapping[str, Threshold] = field(default_factory=dict)  # where they differ from the default
    rule: str = THRESHOLD  # "budget" | "threshold"

    def limits(self, subject: str) -> Threshold:
        """What counts for a feature, or for the answer."""
        return self.subjects.get(subject, self.default)


class Budgeted:
    """What every rule has whose level may come from the budget."""

    __slots__ = ()
    level: float | None  # the p-value must be below it; None: as the budget says
    rule: str  # "budget" | "threshold"

    @property
    def tested(self) -> bool:
        """Whether tests are made that spend some of the budget."""
        return self.rule != THRESHOLD and self.level is None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorseRule(Budgeted):
    """When a statistic of performance is worse than the baseline's.

    Worse than the baseline by more than `tolerance` is a warning, by more than twice that critical;
    both only with enough labels, and, by the rule `budget`, if chance alone would hardly ever make it so much worse.
    """

    tolerance: float  # in the statistic's own unit; of MAE as a share of the baseline's
    min_samples: int = 200  # labels in the window below which it does not judge
    level: float | None = None  # the one-sided p-value must be below it; None: as the budget says
    rule: str = BUDGET  # "budget" | "threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceRules:
    """The rules on what a model's labels say; None: shown, never alerted on."""

    auc: WorseRule | None = WorseRule(tolerance=0.05)
    brier: WorseRule | None = WorseRule(tolerance=0.02)
    mae: WorseRule | None = WorseRule(tolerance=0.1)

    def at(self, level: float) -> "PerformanceRules":
        """With the budget's level where the configuration gives none."""
        return PerformanceRules(auc=_at(self.auc, level), brier=_at(self.brier, level), mae=_at(self.mae, level))


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRule(Budgeted):
    """When too many answers take longer than the SLA. The SLA itself decides what is counted: see CountingSettings.

    More than the share `1 - quantile` over it is a warning, more than twice that critical; both only with enough
    answers, and, by the rule `budget`, if chance alone would hardly ever make so many.
    """

    quantile: float = 0.99  # which quantile is promised to lie within the SLA
    min_count: int = 200  # answers with a latency in the window below which it does not judge
    level: float | None = None  # the one-sided p-value must be below it; None: as the budget says
    rule: str = BUDGET  # "budget" | "threshold"

    def at(self, level: float) -> "LatencyRule":
        """With the budget's level if the configuration gives none."""
        return self if self.level is not None else replace(self, level=level)

    @property
    def allowed(self) -> float:
        """The share that may be over the SLA, without the noise of binary fractions.

        >>> LatencyRule(quantile=0.99).allowed
        0.01
        """
        return round(1 - self.quantile, 12)


def latency_rule_of(checks: CheckKeys, rule: str = BUDGET) -> LatencyRule | None:
    """The rule that a model's configuration gives to latency; None: it is not checked.

    Args:
        checks: of the model.
        rule: of the model, where the check has none of its own.

    >>> latency_rule_of(CheckKeys.model_validate({"latency": {"sla": "250ms", "quantile": 0.95}}))
    LatencyRule(quantile=0.95, min_count=200, level=None, rule='budget')
    """
    keys = checks.latency
    if keys is None:
        return None
    return LatencyRule(quantile=keys.quantile, min_count=keys.min_count, level=keys.level, rule=keys.rule or rule)


def rules_of(psi: PsiKeys, rule: str = BUDGET) -> Rules:
    """The limits that a model's configuration gives to PSI; `rule` is the model's, where the check has none.

    >>> rules_of(PsiKeys.model_validate({"features": {"note": "off"}})).limits("note") is NEVER
    True
    """
    own = psi.rule or rule
    subjects = {
        subject: _threshold(psi.limits_of(subject), own, said=psi.says_notice(subject)) for subject in psi.features
    }
    return Rules(default=_threshold(psi.default_limits, own, said=psi.says_notice()), subjects=subjects, rule=own)


def alert_rules_of(alerts: AlertKeys, window_ms: int) -> AlertRules:
    """How the configuration says that a model's alerts live.

    >>> alert_rules_of(AlertKeys(), 3_600_000).holds
    Holds(pending_ms=0, resolve_ms=3600000, cooldown_ms=0)
    """
    resolve_ms = window_ms if alerts.resolve is None else alerts.resolve
    return AlertRules(holds=Holds(alerts.pending, resolve_ms, alerts.cooldown), group_above=alerts.group_above)


def performance_rules_of(checks: CheckKeys, rule: str = BUDGET) -> PerformanceRules:
    """The rules that a model's configuration gives to what its labels say; `rule` is the model's.

    >>> performance_rules_of(CheckKeys.model_validate({"auc": {"min_samples": 500}, "mae": "off"})).auc
    WorseRule(tolerance=0.05, min_samples=500, level=None, rule='budget')
    """
    return PerformanceRules(
        auc=_worse(checks.auc, rule), brier=_worse(checks.brier, rule), mae=_worse(checks.mae, rule)
    )


def budget_of(false_alarms: FalseAlarmKeys) -> BudgetPlan:
    """The budget that the configuration gives to a model.

    >>> str(budget_of(FalseAlarmKeys(budget="2 per 7d")).budget)
    '2 per 7d'
    """
    weights = false_alarms.weights.model_dump()
    return BudgetPlan(budget=FalseAlarmBudget.parse(false_alarms.budget), weights=weights)


def _threshold(limits: PsiLimits | None, rule: str, *, said: bool) -> Threshold:
    """Limits as evaluating takes them; the plain rule tells of small effects only if the file says so."""
    if limits is None:
        return NEVER
    return Threshold(**vars(limits) if rule == BUDGET or said else vars(replace(limits, notice=None)))


def _worse(keys: WorseKeys | None, rule: str) -> WorseRule | None:
    return None if keys is None else WorseRule(**vars(keys) | {"rule": keys.rule or rule})


def _at(rule: WorseRule | None, level: float) -> WorseRule | None:
    return rule if rule is None or rule.level is not None else replace(rule, level=level)
