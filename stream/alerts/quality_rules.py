"""When a feature's data are no longer what they were: which limits count for what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from stream.alerts.rules import BUDGET, Budgeted
from stream.baselines.baseline import Baseline, NumericSeries
from stream.baselines.layout import Series
from stream.config import CheckKeys
from stream.config.quality_keys import QualityKeys

MISSING: Final = "missing"
INVALID: Final = "invalid"
OUT_OF_RANGE: Final = "out_of_range"
UNSEEN: Final = "unseen"
STUCK: Final = "stuck"
CARDINALITY: Final = "cardinality"
POSITIVE_SHARE: Final = "positive_share"
CONFIDENCE: Final = "confidence"
ENTROPY: Final = "entropy"
CLASS_SHARE: Final = "class_share"
SCHEMA: Final = "schema"  # which features the messages have, by name
QUALITY_CHECKS: Final = (
    *(MISSING, INVALID, OUT_OF_RANGE, UNSEEN, STUCK, CARDINALITY),
    *(POSITIVE_SHARE, CONFIDENCE, ENTROPY, CLASS_SHARE),
    SCHEMA,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where one statistic of data quality becomes a warning, and where critical; shares, 0..1."""

    warning: float
    critical: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRule(Budgeted):
    """The rules on data quality of one model; a check without limits is not made."""

    limits: Mapping[str, Limits] = field(
        default_factory=lambda: {
            MISSING: Limits(warning=0.01, critical=0.1),  # of the rows, above the baseline's share
            INVALID: Limits(warning=0.01, critical=0.1),
            OUT_OF_RANGE: Limits(warning=0.01, critical=0.1),
            UNSEEN: Limits(warning=0.01, critical=0.1),
            STUCK: Limits(warning=0.99, critical=1.0),  # of the values in one bin
            CARDINALITY: Limits(warning=0.5, critical=0.75),  # of the expected different values that are gone
            POSITIVE_SHARE: Limits(warning=0.05, critical=0.15),  # by how much a binary model's answers moved
            CONFIDENCE: Limits(warning=0.05, critical=0.15),
            ENTROPY: Limits(warning=0.05, critical=0.15),  # in nats
            CLASS_SHARE: Limits(warning=0.05, critical=0.15),  # by how much the share of a multiclass model's class did
            SCHEMA: Limits(warning=0.5, critical=0.9),  # of the rows looked at, that have lost a feature
        }
    )
    min_count: int = 50  # rows, or values, in the window below which it does not judge
    level: float | None = None  # how often chance may make such a window; None: as the budget says
    rule: str = BUDGET  # "budget" | "threshold"
    off: frozenset[str] = frozenset()  # series that are not judged

    def checks_of(self, series: Series, *, is_answer: bool) -> tuple[str, ...]:
        """The checks that are made of one series: of an answer, what is wrong or out of its range is a dead letter."""
        if series.name in self.off:
            return ()
        beyond = OUT_OF_RANGE if isinstance(series, NumericSeries) else UNSEEN
        of_feature = (MISSING, INVALID, beyond, STUCK, CARDINALITY, SCHEMA)
        made = (MISSING, STUCK, CARDINALITY) if is_answer else of_feature
        return tuple(check for check in made if check in self.limits)

    def tests(self, baseline: Baseline) -> int:
        """How many tests each evaluation makes, if they spend some of the budget."""
        return sum(map(len, self.by_series(baseline))) if self.tested else 0

    def by_series(self, baseline: Baseline) -> list[tuple[str, ...]]:
        """The checks of each series."""
        features = len(baseline.series) - baseline.answers
        of_class = (CLASS_SHARE,) if baseline.tops and CLASS_SHARE in self.limits else ()
        made = [self.checks_of(s, is_answer=i >= features) for i, s in enumerate(baseline.series)]
        if baseline.grid is not None and baseline.series[-1].name not in self.off:
            made[-1] += tuple(check for check in (POSITIVE_SHARE, CONFIDENCE, ENTROPY) if check in self.limits)
        for i, series in enumerate(baseline.series[features:], features):
            made[i] += () if series.name in self.off else of_class
        return made


def quality_rule_of(checks: CheckKeys, rule: str = BUDGET) -> QualityRule | None:
    """The rules that a model's configuration gives to data quality; None: it is not checked.

    Args:
        checks: of the model.
        rule: of the model, where the check has none of its own.

    >>> found = quality_rule_of(CheckKeys.model_validate({"quality": {"missing": {"warning": 0.05}, "stuck": "off"}}))
    >>> found.limits["missing"], "stuck" in found.limits
    (Limits(warning=0.05, critical=0.1), False)
    """
    keys = checks.quality
    if keys is None:
        return None
    return QualityRule(
        limits=_limits(keys),
        min_count=keys.min_count,
        level=keys.level,
        rule=keys.rule or rule,
        off=frozenset(keys.features),
    )


_ATTRIBUTES: Final = {SCHEMA: "feature_names"}  # pydantic has `schema` for itself


def _limits(keys: QualityKeys) -> dict[str, Limits]:
    sections = {name: getattr(keys, _ATTRIBUTES.get(name, name)) for name in QualityRule().limits}
    return {
        name: Limits(warning=one.warning, critical=one.critical) for name, one in sections.items() if one is not None
    }
