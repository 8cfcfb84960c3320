"""The keys below `models.NAME.checks`: what is checked, and by which limits."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from stream.config.budget_keys import Rule
from stream.config.durations import format_duration
from stream.config.key_types import NUMBER, Keys, Limit, OffAllowed, SlaMs, off, section_or_off
from stream.config.quality_keys import ErrorKeys, QualityKeys, ThroughputKeys
from stream.config.refusals import Refused


class FeatureLimitKeys(Keys):
    """What one feature has otherwise than its model's check."""

    may_be_empty = False

    notice: Limit = None
    warning: Limit = None
    critical: Limit = None
    min_count: Annotated[int, Field(ge=1), NUMBER] | None = None


@dataclass(frozen=True, kw_only=True)
class PsiLimits:
    """What PSI is judged with for one series; None: no such limit."""

    warning: float | None  # in nats
    critical: float | None  # in nats
    min_count: int  # predictions in the window
    notice: float | None = None  # in nats


class PsiKeys(Keys):
    """The limits of PSI, in nats, and how many predictions a window must have to be judged."""

    rule: Rule | None = None  # None: the model's; threshold: the plain "PSI > 0.25", without the test
    notice: Limit = 0.02  # of the rule `budget`: how large an effect must be to be told at all
    warning: Limit = 0.1
    critical: Limit = 0.25
    min_count: Annotated[int, Field(ge=1), NUMBER] = 200
    features: dict[str, Annotated[FeatureLimitKeys | None, BeforeValidator(off), OffAllowed()]] = Field(
        default_factory=dict
    )

    def limits_of(self, series: str) -> PsiLimits | None:
        """The limits of one feature, or of the answer; None if it is switched off.

        >>> PsiKeys.model_validate({"features": {"wind": {"critical": 0.5}, "note": "off"}}).limits_of("wind")
        PsiLimits(warning=0.1, critical=0.5, min_count=200, notice=0.02)
        """
        own = self.features.get(series, FeatureLimitKeys())
        return None if own is None else self._limits(own)

    @property
    def default_limits(self) -> PsiLimits:
        """Of a series that has none of its own."""
        return self._limits(FeatureLimitKeys())

    def says_notice(self, series: str = "") -> bool:
        """Whether the file gives a `notice`, for a feature or for all, or leaves it to the default."""
        own = self.features.get(series)
        return "notice" in self.model_fields_set | (own.model_fields_set if own else set())

    def _limits(self, own: FeatureLimitKeys) -> PsiLimits:
        warning, critical, notice = (
            getattr(own if name in own.model_fields_set else self, name) for name in ("warning", "critical", "notice")
        )
        if "notice" not in own.model_fields_set | self.model_fields_set:  # the default gives way to a lower limit
            notice = min(limit for limit in (notice, warning, critical) if limit is not None)
        min_count = self.min_count if own.min_count is None else own.min_count
        return PsiLimits(warning=warning, critical=critical, min_count=min_count, notice=notice)


Tolerance = Annotated[float, Field(gt=0, allow_inf_nan=False), NUMBER]
Level = Annotated[float, Field(gt=0, lt=0.5), NUMBER]
ShareTolerance = Annotated[float, Field(gt=0, lt=1), NUMBER]


class WorseKeys(Keys):
    """How much worse than its baseline a model may do; needs labels, and a baseline that was made with labels."""

    tolerance: Tolerance
    min_samples: Annotated[int, Field(ge=1), NUMBER] = 200  # labels in the window; with fewer it does not judge
    level: Level | None = None  # of the one-sided test that it is no chance; None: what the false-alarm budget gives
    rule: Rule | None = None  # None: the model's; threshold: the tolerance alone, without the test


class AucKeys(WorseKeys):
    """AUC below the baseline's by more than `tolerance`."""

    tolerance: ShareTolerance = 0.05


class BrierKeys(WorseKeys):
    """Brier score above the baseline's by more than `tolerance`."""

    tolerance: ShareTolerance = 0.02


class MaeKeys(WorseKeys):
    """Mean absolute error of a regression above the baseline's by more than this share of it."""

    tolerance: Tolerance = 0.1


def _latency_or_off(value: object) -> object:
    """A section that says at least what the SLA is, or `off`."""
    if value is None or (isinstance(value, dict) and "sla" not in value):
        raise Refused("needs `sla`, the longest that an answer may take", fix="{sla: 250ms}, or off")
    return off(value)


class LatencyKeys(Keys):
    """How long a model may take to answer; without the section latencies are not counted."""

    may_be_empty = False

    sla: SlaMs  # an answer that takes exactly so long is within it
    # A single answer that takes longer is told at once; None: none is.
    hard_limit: Annotated[SlaMs | None, BeforeValidator(off), OffAllowed()] = None
    max_per_pane: Annotated[int, Field(ge=1), NUMBER] = 10  # so many of each partition; the rest is only counted
    quantile: Annotated[float, Field(ge=0.5, lt=1), NUMBER] = 0.99  # the share of answers that must be within it
    min_count: Annotated[int, Field(ge=1), NUMBER] = 200  # answers in the window; with fewer it does not judge
    level: Level | None = None  # of the one-sided test that it is no chance; None: what the false-alarm budget gives
    rule: Rule | None = None  # None: the model's; threshold: the plain "p99 > SLA", without the test

    @model_validator(mode="after")
    def _beyond_the_sla(self) -> "LatencyKeys":
        sla = format_duration(self.sla)
        if self.hard_limit is None and "max_per_pane" in self.model_fields_set:
            raise Refused("has max_per_pane, which needs `hard_limit`", fix=f"{{sla: {sla}, hard_limit: 2s}}")
        if self.hard_limit is not None and self.hard_limit <= self.sla:
            given = format_duration(self.hard_limit)
            raise Refused(
                f"must have a hard_limit ({given}) above its sla ({sla})", fix=f"{{sla: {given}, hard_limit: {sla}}}"
            )
        return self


class CheckKeys(Keys):
    """The checks of one model."""

    psi: PsiKeys = PsiKeys()
    auc: Annotated[AucKeys | None, BeforeValidator(section_or_off), OffAllowed()] = AucKeys()
    brier: Annotated[BrierKeys | None, BeforeValidator(section_or_off), OffAllowed()] = BrierKeys()
    mae: Annotated[MaeKeys | None, BeforeValidator(section_or_off), OffAllowed()] = MaeKeys()
    latency: Annotated[LatencyKeys | None, BeforeValidator(_latency_or_off), OffAllowed()] = None
    errors: Annotated[ErrorKeys | None, BeforeValidator(section_or_off), OffAllowed()] = None
    throughput: Annotated[ThroughputKeys | None, BeforeValidator(section_or_off), OffAllowed()] = ThroughputKeys()
    quality: Annotated[QualityKeys | None, BeforeValidator(section_or_off), OffAllowed()] = QualityKeys()
