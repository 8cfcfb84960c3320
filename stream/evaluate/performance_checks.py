"""Whether a window's labels say that the model has become worse: effect and evidence, both.

Effect: worse than the baseline by more than the tolerance. Evidence: enough labels, and a p-value of
"no worse than the baseline" below the level that the false-alarm budget gives. A window that is beyond the
tolerance without the evidence says nothing: it neither begins an alert nor ends one. Where the baseline says how
healthy windows differ, the evidence is against those: a p-value among them, and worse than any of them.

Measured on a healthy model (AUC 0.78, 3,000 windows each of 200, 500 and 2,000 labels, baselines of 1,000 and
10,000): at most 1 window in 1,000 breaches at the default tolerances and level.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from detectors import Auc, BinaryMetrics, RegressionMetrics, Undefined, Verdict, auc_drop_p_value, rise_p_value
from detectors.drop import FEWEST_OF_A_CLASS, detectable_auc, detectable_rise
from detectors.multiclass import MulticlassMetrics, comparable
from detectors.wander import Reading, Wander, auc_of, auc_reading, error_reading
from stream.alerts.rules import FIXED_LEVEL, THRESHOLD, PerformanceRules, WorseRule
from stream.baselines.baseline import LabelledValues
from stream.baselines.performance_evidence import AUC, BRIER, FEWEST_LABELS, MAE
from stream.evaluate.labelled_baseline import KnownLabels
from stream.evaluate.performance_classes import ClassPerformance, KnownClasses
from stream.records.prediction import Answer

NO_BASELINE: Final = Undefined("no labelled baseline")
TOO_FEW: Final = "too few"
NOISE: Final = "sampling noise"
HEALTHY: Final = "healthy wander"  # the baseline's own windows differ by as much
MACRO: Final = "macro"  # the subject of a multiclass model's AUC
OFF: Final = Verdict.OK  # of a check that is switched off: its alert, if one fires, ends
Healthy = Mapping[str, Wander]  # by check, what healthy windows read
NOT_KNOWN: Final[Healthy] = {}
LARGEST_REACH: Final = math.log(1_000)  # from the mean of healthy windows: errors that are a thousand times theirs
HAVE_CRITICAL: Final = frozenset({AUC, MAE})  # Brier moves with the base rate too, so it only warns


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceCheck:
    """One statistic of one window's labels, with its verdict."""

    check: str  # "auc" | "brier" | "mae"
    subject: str  # "score" | "value" | "macro"
    value: float | Undefined
    se: float | Undefined  # standard error by sampling
    n: int  # labels in the window
    rule: WorseRule | None  # None: switched off
    baseline: float | Undefined
    warning: float | None  # the limits, in the statistic's own unit; None: there is none
    critical: float | None
    p_value: float | Undefined  # of "no worse than the baseline"
    level: float  # that the p-value must be below; of the rule `budget`
    detectable: float | Undefined  # the value at which half of the windows of so many labels would alarm
    verdict: Verdict
    reason: str | None  # why the verdict is undefined
    reading: Reading | None = None  # on the scale of healthy windows; None: too few labels
    healthy: Wander | None = None  # how those differ; None: not known, labels are taken as independent

    @property
    def provisional(self) -> bool:
        """Whether a budget's test was made without knowing how healthy windows differ."""
        return self.healthy is None and self.rule is not None and self.rule.rule != THRESHOLD

    @property
    def spent(self) -> float:
        """How often chance alone would have made this verdict an alarm: the level, if a test was made."""
        tested = self.rule is not None and self.rule.rule != THRESHOLD and self.reason in (None, NOISE, HEALTHY)
        return self.level if tested else 0.0

    def limit_of(self, severity: Verdict) -> float | None:
        """The limit that a verdict says was crossed."""
        return {Verdict.WARNING: self.warning, Verdict.CRITICAL: self.critical}.get(severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """A statistic of a window beside the baseline's."""

    value: float | Undefined
    se: float | Undefined
    n: int
    baseline: float | Undefined
    p_value: float | Undefined
    enough: bool = True  # rows of each class, where there are classes
    reach: Callable[[float], float | Undefined] | None = None  # by level: what a test would see; None: there is no test
    reading: Reading | None = None
    healthy: Wander | None = None  # that it was held against
    is_usual: bool = False  # a healthy window was as bad
    far: float | None = None  # p-value by sampling alone of a window far beyond every healthy one; None: it is not

    def among(
        self,
        healthy: Wander | None,
        reading: Reading | Undefined,
        back: Callable[[float], float],
        most: float = math.inf,
    ) -> "_Compared":
        """Held against healthy windows, where it is known how they differ.

        Args:
            healthy: what is known of them.
            reading: of the window.
            back: undoes the reading's scale.
            most: the largest badness that there is.
        """
        if isinstance(reading, Undefined) or self.n < FEWEST_LABELS or not self.enough:
            return self
        if healthy is None or self.reach is None:
            return replace(self, reading=reading)
        return replace(
            self,
            reading=reading,
            p_value=healthy.p_value(reading),
            reach=lambda level: _reach(
                healthy.seen_from(reading.se, level), back, min(healthy.mean + LARGEST_REACH, most)
            ),
            healthy=healthy,
            is_usual=not healthy.beyond(reading),
            far=self.p_value if healthy.far(reading) and isinstance(self.p_value, float) else None,
        )


def binary_checks(
    found: BinaryMetrics | Undefined,
    known: KnownLabels | None,
    rules: PerformanceRules,
    category: str = "",
    healthy: Healthy = NOT_KNOWN,
) -> tuple[PerformanceCheck, ...]:
    """AUC and Brier of one window; the class is part of the subject where there are several."""
    area, brier = _auc(found, known, healthy.get(AUC)), _brier(found, known, healthy.get(BRIER))
    tolerance = 0.0 if rules.auc is None else -rules.auc.tolerance  # a low AUC is a bad one
    subject = f"{Answer.SCORE}[{category}]" if category else str(Answer.SCORE)
    return (
        _judged(AUC, subject, area, rules.auc, tolerance=tolerance),
        _judged(BRIER, subject, brier, rules.brier, tolerance=0.0 if rules.brier is None else rules.brier.tolerance),
    )


def value_checks(
    found: RegressionMetrics | Undefined,
    known: LabelledValues | None,
    rules: PerformanceRules,
    healthy: Healthy = NOT_KNOWN,
) -> tuple[PerformanceCheck, ...]:
    """MAE of one window; its tolerance is a share of the baseline's."""
    compared = _mae(found, known, healthy.get(MAE))
    share = 0.0 if rules.mae is None else rules.mae.tolerance
    tolerance = 0.0 if isinstance(compared.baseline, Undefined) else share * compared.baseline
    return (_judged(MAE, str(Answer.VALUE), compared, rules.mae, tolerance=tolerance),)


def class_checks(
    found: ClassPerformance | Undefined,
    known: KnownClasses | None,
    rules: PerformanceRules,
    healthy: Healthy = NOT_KNOWN,
) -> tuple[PerformanceCheck, ...]:
    """Macro AUC of one window, over the classes of which window and baseline have enough rows."""
    compared = _macro(found, NO_BASELINE if known is None else known.metrics, healthy.get(AUC))
    tolerance = 0.0 if rules.auc is None else -rules.auc.tolerance
    return (_judged(AUC, MACRO, compared, rules.auc, tolerance=tolerance),)


def _macro(
    found: ClassPerformance | Undefined, before: MulticlassMetrics | Undefined, healthy: Wander | None
) -> _Compared:
    if isinstance(found, Undefined):
        of_baseline = before if isinstance(before, Undefined) else before.macro_auc
        return _Compared(value=found, se=found, n=0, baseline=of_baseline, p_value=found)
    area: Auc | Undefined = found.macro
    other: Auc | Undefined = NO_BASELINE
    if not isinstance(before, Undefined):
        area, other = comparable(found.metrics.auc, before.auc, FEWEST_OF_A_CLASS)
    p_value: float | Undefined = NO_BASELINE
    reach = None
    if isinstance(area, Auc) and isinstance(other, Auc):
        p_value, reach = auc_drop_p_value(area, other), partial(detectable_auc, area, other)
    return _Compared(
        value=area.value if isinstance(area, Auc) else area,
        se=area.se if isinstance(area, Auc) else area,
        n=found.metrics.n,
        baseline=other.value if isinstance(other, Auc) else other,
        p_value=p_value,
        reach=reach,
    ).among(_centred(healthy, other), auc_reading(area) if isinstance(area, Auc) else area, auc_of)


def _centred(healthy: Wander | None, other: Auc | Undefined) -> Wander | None:
    """What live windows taught, around the baseline's AUC of the very classes that are compared."""
    if healthy is None or healthy.worst > 0 or not isinstance(other, Auc):
        return healthy  # the windows of a baseline were read class by class themselves
    mean, mean_se = auc_reading(other)
    return replace(healthy, mean=mean, mean_se=mean_se)


def _auc(found: BinaryMetrics | Undefined, known: KnownLabels | None, healthy: Wander | None) -> _Compared:
    before: Auc | Undefined = NO_BASELINE if known is None else known.metrics.auc
    of_baseline = before if isinstance(before, Undefined) else before.value
    if isinstance(found, Undefined):
        return _Compared(value=found, se=found, n=0, baseline=of_baseline, p_value=found)
    area = found.auc
    if isinstance(area, Undefined):
        return _Compared(value=area, se=area, n=found.n, baseline=of_baseline, p_value=area)
    return _Compared(
        value=area.value,
        se=area.se,
        n=found.n,
        baseline=of_baseline,
        p_value=before if isinstance(before, Undefined) else auc_drop_p_value(area, before),
        enough=min(area.negatives, area.positives) >= FEWEST_OF_A_CLASS,
        reach=None if isinstance(before, Undefined) else partial(detectable_auc, area, before),
    ).among(healthy, auc_reading(area), auc_of)


def _brier(found: BinaryMetrics | Undefined, known: KnownLabels | None, healthy: Wander | None) -> _Compared:
    baseline = NO_BASELINE if known is None else known.metrics.brier
    if isinstance(found, Undefined):
        return _Compared(value=found, se=found, n=0, baseline=baseline, p_value=found)
    if known is None:
        return _Compared(value=found.brier, se=found.brier_se, n=found.n, baseline=baseline, p_value=NO_BASELINE)
    before, before_se = known.metrics.brier, known.metrics.brier_se
    return _Compared(
        value=found.brier,
        se=found.brier_se,
        n=found.n,
        baseline=baseline,
        p_value=rise_p_value(found.brier, found.brier_se, before, before_se),
        reach=partial(detectable_rise, found.brier_se, before, before_se),
    ).among(healthy, error_reading(found.brier, found.brier_se), math.exp, most=0.0)  # a Brier score of 1


def _mae(found: RegressionMetrics | Undefined, known: LabelledValues | None, healthy: Wander | None) -> _Compared:
    usable = known if known is not None and known.n > 0 else None
    baseline = NO_BASELINE if usable is None else usable.mae
    if isinstance(found, Undefined):
        return _Compared(value=found, se=found, n=0, baseline=baseline, p_value=found)
    p_value: float | Undefined = NO_BASELINE if usable is None else Undefined(TOO_FEW)
    reading: Reading | Undefined = Undefined(TOO_FEW)
    reach = None
    if usable is not None and not isinstance(found.mae_se, Undefined):
        before_se = usable.abs_error_deviation / math.sqrt(usable.n)
        p_value = rise_p_value(found.mae, found.mae_se, usable.mae, before_se)
        reach = partial(detectable_rise, found.mae_se, usable.mae, before_se)
        reading = error_reading(found.mae, found.mae_se)
    compared = _Compared(value=found.mae, se=found.mae_se, n=found.n, baseline=baseline, p_value=p_value, reach=reach)
    return compared.among(healthy, reading, math.exp)


def _judged(
    check: str, subject: str, compared: _Compared, rule: WorseRule | None, *, tolerance: float
) -> PerformanceCheck:
    """The verdict; a negative tolerance says that less is worse."""
    warning = critical = None
    if rule is not None and not isinstance(compared.baseline, Undefined):
        warning = compared.baseline + tolerance
        critical = compared.baseline + 2 * tolerance if check in HAVE_CRITICAL else None
    level = FIXED_LEVEL if rule is None or rule.level is None else rule.level
    found: Verdict | str = OFF
    if rule is not None:
        found = _verdict(compared, replace(rule, level=level), warning, critical, less_is_worse=tolerance < 0)
    if isinstance(compared.value, Undefined):
        found = compared.value.reason
    return PerformanceCheck(
        check=check,
        subject=subject,
        value=compared.value,
        se=compared.se,
        n=compared.n,
        rule=rule,
        baseline=compared.baseline,
        warning=warning,
        critical=critical,
        p_value=compared.p_value,
        level=level,
        detectable=_detectable(compared, rule, warning, level, less_is_worse=tolerance < 0),
        verdict=found if isinstance(found, Verdict) else Verdict.UNDEFINED,
        reason=None if isinstance(found, Verdict) else found,
        reading=compared.reading,
        healthy=compared.healthy,
    )


def _verdict(
    compared: _Compared, rule: WorseRule, warning: float | None, critical: float | None, *, less_is_worse: bool
) -> Verdict | str:
    """The verdict, or why there is none."""
    value, p_value = compared.value, compared.p_value
    if isinstance(value, Undefined):
        return value.reason
    if warning is None:
        return NO_BASELINE.reason
    if compared.n < rule.min_samples or not compared.enough or isinstance(p_value, Undefined):
        return TOO_FEW
    if not _beyond(value, warning, less_is_worse=less_is_worse):
        return Verdict.OK
    if rule.rule != THRESHOLD and not _is_evident(compared, p_value, rule.level or 0.0):
        return NOISE if compared.healthy is None else HEALTHY
    is_critical = critical is not None and _beyond(value, critical, less_is_worse=less_is_worse)
    return Verdict.CRITICAL if is_critical else Verdict.WARNING


def _is_evident(compared: _Compared, p_value: float, level: float) -> bool:
    """Worse than any healthy window and unlikely among them, or far beyond them and more than sampling explains."""
    is_far = compared.far is not None and compared.far < level
    return is_far or (p_value < level and not compared.is_usual)


def _reach(badness: float, back: Callable[[float], float], most: float) -> float | Undefined:
    """The statistic with this reading, if a model can be as bad."""
    return back(badness) if badness <= most else Undefined("nothing is seen")


def _detectable(
    compared: _Compared, rule: WorseRule | None, warning: float | None, level: float, *, less_is_worse: bool
) -> float | Undefined:
    """The value that half of the windows like this one would alarm at."""
    if rule is None:
        return Undefined("off")
    if warning is None:
        return NO_BASELINE
    if rule.rule == THRESHOLD:
        return warning
    if compared.reach is None or compared.n < rule.min_samples or not compared.enough:
        return Undefined(TOO_FEW)
    seen = compared.reach(level)
    if isinstance(seen, Undefined):
        return seen
    return min(seen, warning) if less_is_worse else max(seen, warning)


def _beyond(value: float, limit: float, *, less_is_worse: bool) -> bool:
    return value < limit if less_is_worse else value > limit
