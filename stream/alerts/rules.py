"""Which limits count for which subject of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from detectors import Threshold
from stream.alerts.episode import AlertRules, Holds
from stream.config import AlertKeys, CheckKeys, PsiKeys, WorseKeys

PSI: Final = "psi"
AUC: Final = "auc"
BRIER: Final = "brier"
MAE: Final = "mae"
LATENCY_SLA: Final = "latency_sla"
INPUT_LOST: Final = "input_lost"  # records that retention cut away before they were read

WITHOUT_BASELINE: Final = frozenset({LATENCY_SLA})
"""Checks that another baseline does not explain: they compare with a limit that somebody has set."""

BUDGET: Final = "budget"
THRESHOLD: Final = "threshold"

NEVER: Final = Threshold(warning=None, critical=None)
"""The limits of a subject that is switched off: shown, never alerted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits of one model's check."""

    default: Threshold
    subjects: Mapping[str, Threshold] = field(default_factory=dict)  # where they differ from the default

    def limits(self, subject: str) -> Threshold:
        """What counts for a feature, or for the answer."""
        return self.subjects.get(subject, self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorseRule:
    """When a statistic of performance is worse than the baseline's.

    Worse than the baseline by more than `tolerance` is a warning, by more than twice that critical;
    both only with enough labels, and if chance alone would hardly ever make it so much worse.
    """

    tolerance: float  # in the statistic's own unit; of MAE as a share of the baseline's
    min_samples: int = 200  # labels in the window below which it does not judge
    level: float = 0.001  # the one-sided p-value must be below it


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceRules:
    """The rules on what a model's labels say; None: shown, never alerted on."""

    auc: WorseRule | None = WorseRule(tolerance=0.05)
    brier: WorseRule | None = WorseRule(tolerance=0.02)
    mae: WorseRule | None = WorseRule(tolerance=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRule:
    """When too many answers take longer than the SLA. The SLA itself decides what is counted: see CountingSettings.

    More than the share `1 - quantile` over it is a warning, more than twice that critical; both only with enough
    answers, and, by the rule `budget`, if chance alone would hardly ever make so many.
    """

    quantile: float = 0.99  # which quantile is promised to lie within the SLA
    min_count: int = 200  # answers with a latency in the window below which it does not judge
    level: float = 0.001  # the one-sided p-value must be below it; of the rule `budget`
    rule: str = BUDGET  # "budget" | "threshold"

    @property
    def allowed(self) -> float:
        """The share that may be over the SLA, without the noise of binary fractions.

        >>> LatencyRule(quantile=0.99).allowed
        0.01
        """
        return round(1 - self.quantile, 12)


def latency_rule_of(checks: CheckKeys) -> LatencyRule | None:
    """The rule that a model's configuration gives to latency; None: it is not checked.

    >>> latency_rule_of(CheckKeys.model_validate({"latency": {"sla": "250ms", "quantile": 0.95}}))
    LatencyRule(quantile=0.95, min_count=200, level=0.001, rule='budget')
    """
    keys = checks.latency
    if keys is None:
        return None
    return LatencyRule(quantile=keys.quantile, min_count=keys.min_count, level=keys.level, rule=keys.rule)


def rules_of(psi: PsiKeys) -> Rules:
    """The limits that a model's configuration gives to PSI.

    >>> rules_of(PsiKeys.model_validate({"features": {"note": "off"}})).limits("note") is NEVER
    True
    """
    subjects = {}
    for subject in psi.features:
        own = psi.limits_of(subject)
        subjects[subject] = NEVER if own is None else Threshold(**vars(own))
    default = Threshold(warning=psi.warning, critical=psi.critical, min_count=psi.min_count)
    return Rules(default=default, subjects=subjects)


def alert_rules_of(alerts: AlertKeys, window_ms: int) -> AlertRules:
    """How the configuration says that a model's alerts live.

    >>> alert_rules_of(AlertKeys(), 3_600_000).holds
    Holds(pending_ms=0, resolve_ms=3600000, cooldown_ms=0)
    """
    resolve_ms = window_ms if alerts.resolve is None else alerts.resolve
    return AlertRules(holds=Holds(alerts.pending, resolve_ms, alerts.cooldown), group_above=alerts.group_above)


def performance_rules_of(checks: CheckKeys) -> PerformanceRules:
    """The rules that a model's configuration gives to what its labels say.

    >>> performance_rules_of(CheckKeys.model_validate({"auc": {"min_samples": 500}, "mae": "off"})).auc
    WorseRule(tolerance=0.05, min_samples=500, level=0.001)
    """
    return PerformanceRules(auc=_worse(checks.auc), brier=_worse(checks.brier), mae=_worse(checks.mae))


def _worse(keys: WorseKeys | None) -> WorseRule | None:
    return None if keys is None else WorseRule(**vars(keys))
