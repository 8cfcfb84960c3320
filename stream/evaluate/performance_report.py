"""Reports and alerts of what the labels say: plain JSON values; what is undefined is null, with its reason beside."""

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from detectors import Auc, BinaryMetrics, RegressionMetrics, Undefined, Verdict
from stream.alerts.performance_evidence import classes_evidence, classes_in_words
from stream.alerts.rules import THRESHOLD
from stream.baselines.performance_evidence import AUC, WORDS, healthy_words, in_own_unit
from stream.evaluate.alert_message import AlertWindow, Content, window_record
from stream.evaluate.class_report import Reasons, areas_in_words, class_metrics_record
from stream.evaluate.performance_checks import PerformanceCheck
from stream.evaluate.performance_classes import ClassPerformance
from stream.evaluate.performance_evaluator import PerformanceBaseline, PerformanceEvaluation
from stream.records.outcome import PerformanceDefinition
from stream.records.prediction import ModelKey
from stream.records.times import duration_words, rfc3339

PERFORMANCE_SCHEMA: Final = "driftline.performance/1"
MOST_COHORTS: Final = 100  # in one report: the newest; the coverage is over all
OTHER_TASK: Final = Undefined("other task")


class JudgedPerformance(NamedTuple):
    """What was judged: the labels of one window of one model."""

    evaluation: PerformanceEvaluation
    definition: PerformanceDefinition
    baseline: PerformanceBaseline
    offsets: dict[str, int]  # of each outcomes partition, below which everything is counted

    @property
    def key(self) -> ModelKey:
        """Whose labels they are."""
        return ModelKey(self.definition.model, self.definition.version)

    @property
    def segment(self) -> str:
        """Of which predictions: those of a segment, or all where it is `""`."""
        return self.definition.segments[0] if self.definition.segments else ""


def performance_key(key: ModelKey, category: str, segment: str = "") -> bytes:
    """`model@version/performance`; of all classes of a multiclass model there is one report.

    >>> performance_key(ModelKey("fraud", "3"), ""), performance_key(ModelKey("fraud", "3"), "", "plan=free")
    (b'fraud@3/performance', b'fraud@3/plan=free/performance')
    """
    of = f"{key}/{segment}" if segment else str(key)
    return f"{of}/performance{f'/{category}' if category else ''}".encode()


def performance_record(judged: JudgedPerformance, *, revision: int, alerts: Mapping[str, Any]) -> dict[str, Any]:
    """The message of one evaluation; `alerts` has the ids of those that fire, and of those that are silenced."""
    evaluation, definition, baseline, _ = judged
    reasons = Reasons()
    return {
        "schema": PERFORMANCE_SCHEMA,
        "model": definition.model,
        "version": definition.version,
        "category": definition.category,
        "segment": judged.segment,
        "task": evaluation.task,
        "window": window_record(evaluation.start_ms, evaluation.end_ms),
        "n": evaluation.n,
        "complete": evaluation.complete,
        "revision": revision,
        "baseline": baseline.of.id,
        "definition": definition.id,
        "metrics": _metrics(evaluation, judged, reasons),
        "label_delay": {
            "p50_s": reasons.number("label_delay.p50_s", evaluation.delay.p50_s),
            "p95_s": reasons.number("label_delay.p95_s", evaluation.delay.p95_s),
        },
        "coverage": _coverage(evaluation, reasons),
        "estimate": _estimate(evaluation, reasons),
        "cohorts": _cohorts(evaluation),
        "checks": [_check(check) for check in evaluation.checks],
        **alerts,
        "undefined": dict(reasons),
    }


def performance_window(judged: JudgedPerformance) -> AlertWindow:
    """A window of labels, for its alerts."""
    evaluation = judged.evaluation

    def content(check: PerformanceCheck, severity: Verdict, resolved: bool) -> Content:
        return _content(judged, check, severity, resolved=resolved)

    def unwatched(check: str, subject: str) -> Content:
        if judged.segment and not evaluation.checks:
            return Content(
                f"{WORDS[check]} of {subject} is not watched any more in {judged.segment}: there is no such segment",
                "The alert ends because the segment was taken out, not because the model is better.",
            )
        baseline = judged.baseline.of.id
        return Content(
            f"{WORDS[check]} of {subject} is not watched any more: baseline {baseline} does not have it",
            f"The alert ends because baseline {baseline} came into force, not because the model is better.",
        )

    return AlertWindow(
        key=judged.key,
        segment=judged.segment,
        pane_ms=judged.definition.pane_ms,
        start_ms=evaluation.start_ms,
        end_ms=evaluation.end_ms,
        n=evaluation.n,
        baseline=judged.baseline.of.id,
        definition=judged.definition.id,
        checks=evaluation.checks,
        content=content,
        unwatched=unwatched,
        spent=sum(check.spent for check in evaluation.checks),
    )


def _content(judged: JudgedPerformance, check: PerformanceCheck, severity: Verdict, *, resolved: bool) -> Content:
    evaluation, _, baseline, offsets = judged
    limit, bins = check.limit_of(severity), _bins(evaluation, baseline)
    area = evaluation.auc if check.check == AUC and isinstance(evaluation.auc, Auc) else None
    return Content(
        _summary(check, evaluation, limit, resolved=resolved),
        _in_words(evaluation, bins) + _evidence_in_words(check),
        _plain(check.value),
        limit,
        {
            "positives": evaluation.binary.positives if isinstance(evaluation.binary, BinaryMetrics) else None,
            "se": _plain(check.se),
            "low": area.low if area else None,
            "high": area.high if area else None,
            "baseline_value": _plain(check.baseline),
            **_test(check),
            "coverage": _plain(evaluation.coverage.ratio),
            "bins": bins,
            "outcomes": offsets,
        },
    )


def _summary(check: PerformanceCheck, evaluation: PerformanceEvaluation, limit: float | None, *, resolved: bool) -> str:
    value = "undefined" if isinstance(check.value, Undefined) else f"{check.value:.3g}"
    before = "unknown" if isinstance(check.baseline, Undefined) else f"{check.baseline:.3g}"
    against = "no limit any more" if limit is None else f"limit {limit:.3g}"
    over = duration_words(evaluation.end_ms - evaluation.start_ms)
    what = f"{WORDS[check.check]} {value} (baseline {before}, {against}) over {over}, {evaluation.n} labels"
    return f"{check.subject} is back: {what}" if resolved else f"{check.subject} got worse: {what}"


def _bins(evaluation: PerformanceEvaluation, baseline: PerformanceBaseline) -> dict[str, Any] | None:
    if baseline.scores is None or baseline.scores.bands is None:
        return None
    bands, known = baseline.scores.bands, baseline.scores.known
    now = bands.coarsen(evaluation.negatives), bands.coarsen(evaluation.positives)
    before = None if known is None else (bands.coarsen(known.negatives), bands.coarsen(known.positives))
    return classes_evidence(bands.labels, bands.edges, now, before)


def _in_words(evaluation: PerformanceEvaluation, bins: dict[str, Any] | None) -> str:
    if evaluation.n == 0:
        return "No labels arrived in the window."
    if bins is not None:
        return classes_in_words(bins)
    if isinstance(evaluation.classes, ClassPerformance):
        return areas_in_words(evaluation.classes)
    return _regression_in_words(evaluation)


def _evidence_in_words(check: PerformanceCheck) -> str:
    if isinstance(check.p_value, Undefined) or check.rule is None or check.rule.rule == THRESHOLD:
        return ""
    allowed = f"the budget allows {check.level:.2g}"
    if check.healthy is None:
        return f"; chance alone makes it so much worse with p = {check.p_value:.2g}, {allowed}"
    usual = healthy_words(check.check, check.healthy)
    return f"; healthy windows: {usual}; one is so bad with p = {check.p_value:.2g}, {allowed}"


def _regression_in_words(evaluation: PerformanceEvaluation) -> str:
    found = evaluation.regression
    if not isinstance(found, RegressionMetrics):
        return "The baseline has no bins of the score to show."
    sides = "too high" if found.bias > 0 else "too low"
    return f"Estimates are {abs(found.bias):.4g} {sides} on average; root mean squared error {found.rmse:.4g}."


def _metrics(evaluation: PerformanceEvaluation, judged: JudgedPerformance, reasons: Reasons) -> dict[str, Any]:
    if evaluation.task == "regression":
        return _value_metrics(evaluation, reasons)
    if evaluation.task == "multiclass":
        return class_metrics_record(evaluation.classes, judged.baseline.classes, reasons)
    found = evaluation.binary if evaluation.binary is not None else OTHER_TASK

    def number(name: str) -> float | None:
        value = getattr(found, name) if isinstance(found, BinaryMetrics) else found
        return reasons.number(f"metrics.{name}", value)

    area = evaluation.auc
    metrics: dict[str, Any] = {
        "positives": number("positives"),
        "base_rate": number("base_rate"),
        "auc": reasons.number("metrics.auc", area if isinstance(area, Undefined) else area.value),
        "auc_low": None if isinstance(area, Undefined) else area.low,
        "auc_high": None if isinstance(area, Undefined) else area.high,
        "auc_se": None if isinstance(area, Undefined) else area.se,
    }
    for name in ("pr_auc", "ks", "brier", "brier_se", "log_loss", "ece", "precision", "recall"):
        metrics[name] = number(name)
    grid = judged.baseline.scores.grid if judged.baseline.scores else None
    metrics["threshold"] = grid.threshold if grid else None
    metrics["confusion"], metrics["reliability"] = None, []
    if isinstance(found, BinaryMetrics):
        c = found.confusion
        metrics["confusion"] = {"tp": c.tp, "fp": c.fp, "tn": c.tn, "fn": c.fn}
        metrics["reliability"] = [
            {"low": b.low, "high": b.high, "n": b.n, "mean_score": b.mean_score, "observed": b.observed}
            for b in found.reliability
        ]
    return metrics


def _value_metrics(evaluation: PerformanceEvaluation, reasons: Reasons) -> dict[str, Any]:
    found = evaluation.regression if evaluation.regression is not None else OTHER_TASK
    names = ("mae", "mae_se", "rmse", "bias", "r2", "label_mean", "label_deviation")
    metrics: dict[str, Any] = {}
    for name in names:
        value = getattr(found, name) if isinstance(found, RegressionMetrics) else found
        metrics[name] = reasons.number(f"metrics.{name}", value)
    return {**metrics, "clipped": evaluation.clipped}


def _coverage(evaluation: PerformanceEvaluation, reasons: Reasons) -> dict[str, Any]:
    found = evaluation.coverage
    return {
        "predictions": found.predictions,
        "labelled": found.labelled,
        "ratio": reasons.number("coverage.ratio", found.ratio),
        "bands": [
            {
                "score": band.label,
                "predictions": band.predictions,
                "labelled": band.labelled,
                "ratio": _plain(band.coverage),  # null: no predictions, as the number beside it says
            }
            for band in found.bands
        ],
    }


def _estimate(evaluation: PerformanceEvaluation, reasons: Reasons) -> dict[str, Any] | None:
    found = evaluation.estimate
    if found is None:
        return None
    if isinstance(found, Undefined):
        reasons["estimate"] = found.reason
        return None
    record: dict[str, Any] = {}
    for name in ("auc", "precision", "recall", "brier", "base_rate"):
        gap = getattr(found, name)
        record[name] = {
            part: reasons.number(f"estimate.{name}.{part}", getattr(gap, part))
            for part in ("estimated", "realised", "gap", "z")
        }
    return {**record, "reliable": found.reliable}


def _cohorts(evaluation: PerformanceEvaluation) -> list[dict[str, Any]]:
    statistic = "mae" if evaluation.task == "regression" else "auc"
    return [
        {
            "start": rfc3339(cohort.start_ms),
            "end": rfc3339(cohort.end_ms),
            "predictions": cohort.predictions,
            "labelled": cohort.labelled,
            "coverage": _plain(cohort.coverage),
            statistic: _plain(cohort.value),
            "reason": cohort.value.reason if isinstance(cohort.value, Undefined) else None,
        }
        for cohort in evaluation.coverage.cohorts[-MOST_COHORTS:]
    ]


def _check(check: PerformanceCheck) -> dict[str, Any]:
    return {
        "check": check.check,
        "subject": check.subject,
        "value": _plain(check.value),
        "n": check.n,
        "baseline": _plain(check.baseline),
        **_test(check),
        "threshold": {
            "warning": check.warning,
            "critical": check.critical,
            "min_samples": check.rule.min_samples if check.rule else 0,
        },
        "verdict": str(check.verdict),
        "reason": check.reason,
    }


def _test(check: PerformanceCheck) -> dict[str, Any]:
    """By what rule it was judged, and what its test said."""
    detectable = _plain(check.detectable)
    return {
        "rule": check.rule.rule if check.rule else None,
        "p_value": _plain(check.p_value),
        "level": check.level if check.rule else None,
        "minimum_detectable": None if detectable is None else {"value": detectable},
        "healthy": _healthy(check),
        "provisional": check.provisional,
    }


def _healthy(check: PerformanceCheck) -> dict[str, Any] | None:
    """What healthy windows of the baseline read, on the statistic's own scale."""
    known = check.healthy
    if known is None:
        return None
    return {
        "mean": in_own_unit(check.check, known.mean),
        "usual": sorted(in_own_unit(check.check, one) for one in known.usual),
        "deviation": known.deviation,
        "windows": known.windows,
        "lasting": known.lasting,
    }


def _plain(value: float | Undefined) -> float | None:
    return None if isinstance(value, Undefined) or not math.isfinite(value) else value
