"""Which limits count for which subject of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from detectors import Threshold
from stream.config import CheckKeys, PsiKeys, WorseKeys

PSI: Final = "psi"
AUC: Final = "auc"
BRIER: Final = "brier"
MAE: Final = "mae"
INPUT_LOST: Final = "input_lost"  # records that retention cut away before they were read

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


def performance_rules_of(checks: CheckKeys) -> PerformanceRules:
    """The rules that a model's configuration gives to what its labels say.

    >>> performance_rules_of(CheckKeys.model_validate({"auc": {"min_samples": 500}, "mae": "off"})).auc
    WorseRule(tolerance=0.05, min_samples=500, level=0.001)
    """
    return PerformanceRules(auc=_worse(checks.auc), brier=_worse(checks.brier), mae=_worse(checks.mae))


def _worse(keys: WorseKeys | None) -> WorseRule | None:
    return None if keys is None else WorseRule(**vars(keys))
