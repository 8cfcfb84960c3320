"""When too many of a model's answers fail: which limits count."""

from dataclasses import dataclass

from stream.alerts.rules import BUDGET, Budgeted
from stream.config import CheckKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule(Budgeted):
    """The rule on the share of answers whose `status` is another than `ok`."""

    warning: float = 0.01  # share of the answers that may fail
    critical: float = 0.05
    min_count: int = 50  # answers in the window below which it does not judge
    level: float | None = None  # the one-sided p-value must be below it; None: as the budget says
    rule: str = BUDGET  # "budget" | "threshold"


def error_rule_of(checks: CheckKeys, rule: str = BUDGET) -> ErrorRule | None:
    """The rule that a model's configuration gives to errors; None: they are not counted.

    Args:
        checks: of the model.
        rule: of the model, where the check has none of its own.

    >>> error_rule_of(CheckKeys.model_validate({"errors": {"warning": 0.02}}))
    ErrorRule(warning=0.02, critical=0.05, min_count=50, level=None, rule='budget')
    >>> error_rule_of(CheckKeys())
    """
    keys = checks.errors
    return None if keys is None else ErrorRule(**keys.model_dump() | {"rule": keys.rule or rule})
