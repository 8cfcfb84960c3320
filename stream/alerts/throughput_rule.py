"""When a model answers too little: which limits count."""

from dataclasses import dataclass
from typing import Final

from stream.alerts.rules import BUDGET, Budgeted
from stream.config import CheckKeys

THROUGHPUT: Final = "throughput"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputRule(Budgeted):
    """The rule on how many predictions a window has."""

    warning: float = 0.5  # share of the rows of a healthy window that is gone
    critical: float = 0.9
    level: float | None = None  # how often chance may make such a window; None: as the budget says
    rule: str = BUDGET  # "budget" | "threshold"
    idle_ms: int = 30_000  # how long a partition is silent until it is called idle


def throughput_rule_of(checks: CheckKeys, idle_ms: int, rule: str = BUDGET) -> ThroughputRule | None:
    """The rule that a model's configuration gives to throughput; None: it is not checked.

    Args:
        checks: of the model.
        idle_ms: `windows.idle`.
        rule: of the model, where the check has none of its own.

    >>> throughput_rule_of(CheckKeys.model_validate({"throughput": {"warning": 0.7}}), 60_000)
    ThroughputRule(warning=0.7, critical=0.9, level=None, rule='budget', idle_ms=60000)
    """
    keys = checks.throughput
    if keys is None:
        return None
    return ThroughputRule(
        warning=keys.warning, critical=keys.critical, level=keys.level, rule=keys.rule or rule, idle_ms=idle_ms
    )
