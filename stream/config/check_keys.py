"""The keys below `models.NAME.checks`: what is checked, and by which limits."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from stream.config.key_types import NUMBER, Keys, Limit, OffAllowed, SlaMs, off, section_or_off
from stream.config.refusals import Refused


class FeatureLimitKeys(Keys):
    """What one feature has otherwise than its model's check."""

    warning: Limit = None
    critical: Limit = None
    min_count: Annotated[int, Field(ge=1), NUMBER] | None = None


@dataclass(frozen=True, kw_only=True)
class PsiLimits:
    """What PSI is judged with for one series; None: no such limit."""

    warning: float | None  # in nats
    critical: float | None  # in nats
    min_count: int  # predictions in the window


class PsiKeys(Keys):
    """The limits of PSI, in nats, and how many predictions a window must have to be judged."""

    warning: Limit = 0.1
    critical: Limit = 0.25
    min_count: Annotated[int, Field(ge=1), NUMBER] = 200
    features: dict[str, Annotated[FeatureLimitKeys | None, BeforeValidator(off), OffAllowed()]] = Field(
        default_factory=dict
    )

    def limits_of(self, series: str) -> PsiLimits | None:
        """The limits of one feature, or of the answer; None if it is switched off.

        >>> PsiKeys.model_validate({"features": {"wind": {"critical": 0.5}, "note": "off"}}).limits_of("wind")
        PsiLimits(warning=0.1, critical=0.5, min_count=200)
        """
        own = self.features.get(series, FeatureLimitKeys())
        if own is None:
            return None
        return PsiLimits(
            warning=own.warning if "warning" in own.model_fields_set else self.warning,
            critical=own.critical if "critical" in own.model_fields_set else self.critical,
            min_count=self.min_count if own.min_count is None else own.min_count,
        )


Tolerance = Annotated[float, Field(gt=0, allow_inf_nan=False), NUMBER]
ShareTolerance = Annotated[float, Field(gt=0, lt=1), NUMBER]


class WorseKeys(Keys):
    """How much worse than its baseline a model may do; needs labels, and a baseline that was made with labels."""

    tolerance: Tolerance
    min_samples: Annotated[int, Field(ge=1), NUMBER] = 200  # labels in the window; with fewer it does not judge
    level: Annotated[float, Field(gt=0, lt=0.5), NUMBER] = 0.001  # of the one-sided test that it is no chance


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

    sla: SlaMs  # an answer that takes exactly so long is within it
    quantile: Annotated[float, Field(ge=0.5, lt=1), NUMBER] = 0.99  # the share of answers that must be within it
    min_count: Annotated[int, Field(ge=1), NUMBER] = 200  # answers in the window; with fewer it does not judge
    level: Annotated[float, Field(gt=0, lt=0.5), NUMBER] = 0.001  # of the one-sided test that it is no chance
    rule: Literal["budget", "threshold"] = "budget"  # threshold: the plain "p99 > SLA", without the test


class CheckKeys(Keys):
    """The checks of one model."""

    psi: PsiKeys = PsiKeys()
    auc: Annotated[AucKeys | None, BeforeValidator(section_or_off), OffAllowed()] = AucKeys()
    brier: Annotated[BrierKeys | None, BeforeValidator(section_or_off), OffAllowed()] = BrierKeys()
    mae: Annotated[MaeKeys | None, BeforeValidator(section_or_off), OffAllowed()] = MaeKeys()
    latency: Annotated[LatencyKeys | None, BeforeValidator(_latency_or_off), OffAllowed()] = None
