"""A model's false-alarm budget, split over the kinds of checks that it has.

Each kind gets its share by weight, a share is divided evenly among the tests of the kind, and the
level of one test is what it may spend at one evaluation. What a model does not have (no score, no
labels, no SLA) gives its share to the rest, so the levels do not depend on what is switched off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from detectors.budget import DEFAULT_WEIGHTS, EXAMPLE, HIGHEST_LEVEL, FalseAlarmBudget, shares

FEATURES: Final = "features"
SCORE: Final = "score"  # the answers: score, value, or one score for each class
PERFORMANCE: Final = "performance"
LATENCY: Final = "latency"
QUALITY: Final = "quality"
KINDS: Final = tuple(DEFAULT_WEIGHTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPlan:
    """How many false alarms a model may make, and how they are shared out.

    >>> plan = BudgetPlan()
    >>> {kind: f"{level:.3g}" for kind, level in plan.levels({"features": 10, "score": 1}, 60_000).items()}
    {'features': '1.78e-06', 'score': '5.34e-06'}
    """

    budget: FalseAlarmBudget = field(default_factory=lambda: FalseAlarmBudget.parse(EXAMPLE))
    weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS))  # by kind, each > 0

    def levels(self, tests: Mapping[str, int], interval_ms: int) -> dict[str, float]:
        """How often one test of each kind may alarm by chance.

        Never above 0.01: a budget so generous that less would do as evidence is not used up.

        Args:
            tests: by kind, how many are made at each evaluation; a kind with none, or not named, has no share.
            interval_ms: from one evaluation to the next, > 0.
        """
        return {
            kind: min(HIGHEST_LEVEL, self.budget.chance(share, interval_ms, tests[kind]))
            for kind, share in self._shares(tests).items()
        }

    def refuse(self, tests: Mapping[str, int], interval_ms: int) -> None:
        """Refuse a budget that these tests cannot meet, or that would be no evidence.

        Raises:
            ValueError: with the kind of check, the reason, and a budget that would do.
        """
        for kind, share in self._shares(tests).items():
            try:
                self.budget.level(share, interval_ms, tests[kind])
            except ValueError as problem:
                raise ValueError(f"for {kind}, {problem}") from None

    def _shares(self, tests: Mapping[str, int]) -> dict[str, float]:
        present = {kind: self.weights[kind] for kind, number in tests.items() if number > 0}
        return shares(present) if present else {}
