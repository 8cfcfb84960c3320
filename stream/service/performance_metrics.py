"""What the joins and the courses of performance show at a scrape; the metrics are declared in `metrics`."""

from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from detectors import Auc, BinaryMetrics, RegressionMetrics, Undefined
from stream.evaluate.class_courses import ClassCourses
from stream.evaluate.performance_classes import ClassPerformance
from stream.evaluate.performance_course import PerformanceCourse
from stream.evaluate.performance_evaluator import PerformanceEvaluation
from stream.evaluate.score_estimate import EstimateGaps
from stream.join.fold import JoinFold
from stream.join.watermarks import missing_sources

Family = CounterMetricFamily | GaugeMetricFamily
Families = dict[str, Family]

PREDICTION_FATES: Final = ("joined", "waiting", "expired", "duplicates", "refused")
LABEL_FATES: Final = {
    "joined": "joined",
    "inline": "inline",
    "waiting": "waiting_labels",
    "duplicates": "duplicate_labels",
    "revised": "revised",
    "retracted": "retracted",
    "orphans": "orphans",
    "refused": "refused_labels",
}
TOTALS: Final = {
    "join_below_watermark_total": "below",
    "join_revisions_missed_total": "missed",
    "join_gaps_total": "gaps",
    "join_lost_total": "lost",
    "join_unreadable_total": "unreadable",
    "join_stale_total": "stale",
}
"""As it is shown: as the join's ledger calls it."""


def add_join(families: Families, partition: str, fold: JoinFold) -> None:
    """The ledger of one outcomes partition."""
    ledger = fold.ledger
    for fate in PREDICTION_FATES:
        families["join_predictions"].add_metric([fate, partition], getattr(ledger, fate))
    for fate, name in LABEL_FATES.items():
        families["join_labels"].add_metric([fate, partition], getattr(ledger, name))
    for metric, of_ledger in TOTALS.items():
        families[metric].add_metric([partition], getattr(ledger, of_ledger))
    families["join_sources_waited_for"].add_metric([partition], sum(missing_sources(fold.heard).values()))
    for key, count in sorted(fold.waiting_of().items()):
        families["join_waiting"].add_metric([*key, partition], count)


def add_performance(families: Families, course: PerformanceCourse | ClassCourses) -> None:
    """The newest window of one model version; one class of a multiclass model is shown in reports only."""
    latest, progress = course.latest, course.progress
    if latest is None:
        return
    model = [progress.model, progress.version, progress.segment]

    def show(name: str, value: float | Undefined | None, *labels: str) -> None:
        if value is not None and not isinstance(value, Undefined):
            families[name].add_metric([*model, *labels], value)

    show("window_labels", latest.n)
    show("performance_window_end_seconds", latest.end_ms / 1_000)
    show("estimate_reliable", progress.reliable)
    show("label_coverage_ratio", latest.coverage.ratio)
    show("label_delay_seconds", latest.delay.p50_s, "0.5")
    show("label_delay_seconds", latest.delay.p95_s, "0.95")
    for name, value in _statistics(latest).items():
        show(name, value)
    if isinstance(latest.estimate, EstimateGaps):
        for statistic in ("auc", "precision", "recall", "brier"):
            show("estimate_gap", getattr(latest.estimate, statistic).gap, statistic)


def _statistics(latest: PerformanceEvaluation) -> dict[str, float]:
    """What the labels of a window determine, by the name of the metric."""
    found: dict[str, float] = {}
    if isinstance(latest.auc, Auc):
        area = latest.auc
        found |= {"auc": area.value, "auc_low": area.low, "auc_high": area.high, "auc_standard_error": area.se}
    if isinstance(latest.binary, BinaryMetrics):
        found |= {"brier": latest.binary.brier, "ece": latest.binary.ece}
    if isinstance(latest.regression, RegressionMetrics):
        errors = latest.regression
        found |= {"mae": errors.mae, "rmse": errors.rmse, "bias": errors.bias}
    if isinstance(latest.classes, ClassPerformance):
        of_all = latest.classes.metrics
        found["log_loss"] = of_all.log_loss
        found |= {"accuracy": of_all.accuracy} if not isinstance(of_all.accuracy, Undefined) else {}
        found |= {"prior_shift_nats": of_all.prior_shift} if not isinstance(of_all.prior_shift, Undefined) else {}
    return found
