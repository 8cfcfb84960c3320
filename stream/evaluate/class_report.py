"""What a report of performance says of a multiclass model: all classes together, then each against the rest."""

import math
from typing import Any, Final

from detectors import Auc, Undefined
from detectors.multiclass import MulticlassMetrics
from stream.evaluate.performance_classes import ClassPerformance, KnownClasses

NO_BASELINE: Final = Undefined("no labelled baseline")
MOST_IN_WORDS: Final = 5  # classes named in an alert


class Reasons(dict[str, str]):
    """Why what is null in a report is null, by its path."""

    def number(self, path: str, value: float | Undefined) -> float | None:
        """The value as JSON has it; None, and the reason noted, where there is none."""
        if isinstance(value, Undefined):
            self[path] = value.reason
            return None
        if not math.isfinite(value):
            self[path] = "infinite"
            return None
        return value


def class_metrics_record(
    found: ClassPerformance | Undefined | None, known: KnownClasses | None, reasons: Reasons
) -> dict[str, Any]:
    """`metrics` of a report; what is undefined is null, with its reason in `reasons`."""
    if not isinstance(found, ClassPerformance):
        why = found or Undefined("empty")
        names = ("macro_auc", "log_loss", "accuracy", "prior_shift")
        nothing = {name: reasons.number(f"metrics.{name}", why) for name in names}
        bounds = dict.fromkeys(("macro_auc_low", "macro_auc_high", "macro_auc_se"))
        return {**nothing, **bounds, "unknown_labels": 0, "classes": []}
    metrics, macro = found.metrics, found.macro
    shift = NO_BASELINE if known is None or isinstance(known.metrics, Undefined) else metrics.prior_shift
    return {
        "macro_auc": reasons.number("metrics.macro_auc", macro if isinstance(macro, Undefined) else macro.value),
        **_bounds("macro_auc", macro),
        "log_loss": reasons.number("metrics.log_loss", metrics.log_loss),
        "accuracy": reasons.number("metrics.accuracy", metrics.accuracy),
        "prior_shift": reasons.number("metrics.prior_shift", shift),
        "unknown_labels": found.unknown,
        "classes": [_class(found, i) for i in range(len(found.positives))],
    }


def areas_in_words(found: ClassPerformance) -> str:
    """Each class's AUC beside the baseline's, the largest fall first."""
    before = found.known.metrics
    areas = before.auc if isinstance(before, MulticlassMetrics) else (NO_BASELINE,) * len(found.positives)
    moved = [
        (now.value - then.value, f"{one.name} {now.value:.3g} (baseline {then.value:.3g})")
        for one, now, then in zip(found.known.by_class, found.metrics.auc, areas, strict=True)
        if isinstance(now, Auc) and isinstance(then, Auc)
    ]
    if not moved:
        return "No class has an AUC both now and in the baseline."
    said = ", ".join(words for _, words in sorted(moved)[:MOST_IN_WORDS])
    return f"AUC against the rest: {said}{', ...' if len(moved) > MOST_IN_WORDS else ''}."


def _class(found: ClassPerformance, i: int) -> dict[str, Any]:
    area, before = found.metrics.auc[i], found.known.metrics
    of_baseline = before.auc[i] if isinstance(before, MulticlassMetrics) else before
    return {
        "class": found.known.by_class[i].name,
        "positives": found.positives[i],
        "prior": found.metrics.priors[i],
        "baseline_prior": before.priors[i] if isinstance(before, MulticlassMetrics) else None,
        "auc": area.value if isinstance(area, Auc) else None,
        **_bounds("auc", area),
        "baseline_auc": of_baseline.value if isinstance(of_baseline, Auc) else None,
        "reason": None if isinstance(area, Auc) else area.reason,
    }


def _bounds(name: str, area: Auc | Undefined) -> dict[str, float | None]:
    if isinstance(area, Undefined):
        return dict.fromkeys((f"{name}_low", f"{name}_high", f"{name}_se"))
    return {f"{name}_low": area.low, f"{name}_high": area.high, f"{name}_se": area.se}
