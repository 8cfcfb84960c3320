"""Every metric, declared once, and the collector that reads them off the owners at each scrape.

Totals are the ledgers of the partitions that this worker owns, so that a replay does not inflate
them, and they carry the partition: when it moves, its series moves with it, at the same value.
Gauges of a model come from its owner and vanish with it.
"""

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from detectors import EstimatedPerformance, Undefined
from stream.alerts.quality_rules import CONFIDENCE, ENTROPY, POSITIVE_SHARE
from stream.count.counter import CountFold
from stream.durable.owner import Owner
from stream.evaluate.course import Course
from stream.evaluate.evaluator import Evaluation
from stream.evaluate.fold import EvaluateFold
from stream.evaluate.latency_evaluator import LatencyWindow
from stream.evaluate.quality_evaluator import QualityWindow
from stream.join.fold import JoinFold
from stream.labels.fold import LabelFold
from stream.records.ledger import Ledger
from stream.records.partial import NO_TIME
from stream.records.rejection import REJECTION_REASONS
from stream.records.source import Source
from stream.service.alert_metrics import add_alerts, provisional_ratio
from stream.service.performance_metrics import Families, Family, add_join, add_performance

PREFIX: Final = "driftline_"
MAX_FEATURE_SERIES: Final = 20_000  # per metric and worker; what lies beyond is shown as feature="other"
OTHER: Final = "other"
ANSWER_MEANS: Final = {
    POSITIVE_SHARE: "positive_ratio",
    CONFIDENCE: "confidence_ratio",
    ENTROPY: "entropy_nats",
}
BY_FEATURE: Final = ("psi", "kl_nats", "js_nats", "missing_ratio", "invalid_ratio", "beyond_ratio")
ESTIMATED: Final = ("auc", "precision", "recall", "brier")


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One line of the table in the README."""

    name: str  # without prefix; `_total` marks a counter
    labels: tuple[str, ...]
    meaning: str


_SOURCE: Final = ("topic", "partition")
_MODEL: Final = ("model", "version")
_TRAFFIC: Final = (*_MODEL, "segment")  # "" for all of it; Prometheus takes an empty label for none

METRICS: Final = (
    MetricSpec(
        "predictions_received_total", _SOURCE, "predictions read: counted + late + ignored + learning + dead letters"
    ),
    MetricSpec("predictions_counted_total", _SOURCE, "predictions in a pane"),
    MetricSpec("predictions_late_total", _SOURCE, "predictions whose pane had closed"),
    MetricSpec("predictions_ignored_total", _SOURCE, "of unknown models, or before a model's first whole pane"),
    MetricSpec("predictions_learning_total", _SOURCE, "of models whose baseline is being learned: in no window"),
    MetricSpec("predictions_lost_total", _SOURCE, "offsets that retention cut away before they were read"),
    MetricSpec("labels_received_total", _SOURCE, "labels read: counted + ignored + dead letters"),
    MetricSpec("labels_counted_total", _SOURCE, "labels that went to the join"),
    MetricSpec("labels_ignored_total", _SOURCE, "labels of unknown models, or outside the sample"),
    MetricSpec("labels_unknown_class_total", _SOURCE, "labels counted that name no class of their multiclass model"),
    MetricSpec("labels_lost_total", _SOURCE, "offsets that retention cut away before they were read"),
    MetricSpec("dead_letters_total", ("reason", *_SOURCE), "predictions and labels that could not be read, by reason"),
    MetricSpec("watermark_lag_seconds", _SOURCE, "wall clock less the newest event time of the partition"),
    MetricSpec("consumer_lag_records", _SOURCE, "offsets between what is folded and the end of the partition"),
    MetricSpec("psi", (*_TRAFFIC, "feature"), "PSI of the newest window against the baseline, in nats"),
    MetricSpec("kl_nats", (*_TRAFFIC, "feature"), "KL divergence of the newest window from the baseline"),
    MetricSpec("js_nats", (*_TRAFFIC, "feature"), "Jensen-Shannon divergence of the newest window"),
    MetricSpec("window_predictions", _TRAFFIC, "predictions in the newest window"),
    MetricSpec("window_end_seconds", _TRAFFIC, "event time at which the newest window ends, Unix epoch"),
    MetricSpec("auc_estimated", _TRAFFIC, "AUC of the newest window by its scores alone (CBPE); an estimate"),
    MetricSpec("precision_estimated", _TRAFFIC, "precision at the threshold, estimated like it"),
    MetricSpec("recall_estimated", _TRAFFIC, "recall at the threshold, estimated like it"),
    MetricSpec("brier_estimated", _TRAFFIC, "Brier score, estimated like it"),
    MetricSpec(
        "estimate_gap", (*_TRAFFIC, "statistic"), "of the rows whose labels came last: what they say less the estimate"
    ),
    MetricSpec("estimate_reliable", _TRAFFIC, "1: estimates agreed with the labels that came last, 0: they did not"),
    MetricSpec("window_labels", _TRAFFIC, "labels that arrived in the newest window of performance"),
    MetricSpec("performance_window_end_seconds", _TRAFFIC, "event time at which that window ends, Unix epoch"),
    MetricSpec("auc", _TRAFFIC, "AUC of the labels that arrived in the newest window; of several classes their mean"),
    MetricSpec("auc_low", _TRAFFIC, "hard lower bound of the AUC: the exact one, before binning, is not below"),
    MetricSpec("auc_high", _TRAFFIC, "hard upper bound of the AUC"),
    MetricSpec("auc_standard_error", _TRAFFIC, "of the AUC, by sampling"),
    MetricSpec("brier", _TRAFFIC, "Brier score of the newest window"),
    MetricSpec("ece", _TRAFFIC, "expected calibration error of the newest window"),
    MetricSpec("log_loss", _TRAFFIC, "log-loss of a multiclass model in the newest window, in nats"),
    MetricSpec("accuracy", _TRAFFIC, "share of a multiclass model's answers that were right in the newest window"),
    MetricSpec("prior_shift_nats", _TRAFFIC, "PSI of the classes among a multiclass model's labels, in nats"),
    MetricSpec("mae", _TRAFFIC, "mean absolute error of a regression in the newest window"),
    MetricSpec("rmse", _TRAFFIC, "root mean squared error of a regression in the newest window"),
    MetricSpec("bias", _TRAFFIC, "mean of estimate less label of a regression in the newest window"),
    MetricSpec("label_coverage_ratio", _TRAFFIC, "share of the predictions of the cohorts kept that have their label"),
    MetricSpec(
        "label_delay_seconds",
        (*_TRAFFIC, "quantile"),
        "from prediction to label, in the newest window; within 20 %, below 23 s within 4 s",
    ),
    MetricSpec("join_predictions", ("fate", "partition"), "predictions that were to be joined, by what became of them"),
    MetricSpec("join_labels", ("fate", "partition"), "labels that were to be joined, by what became of them"),
    MetricSpec("join_waiting", (*_MODEL, "partition"), "predictions that wait for their label"),
    MetricSpec("join_sources_waited_for", ("partition",), "partitions of predictions or labels not heard of yet"),
    MetricSpec("join_below_watermark_total", ("partition",), "rows under a watermark that was declared: must be 0"),
    MetricSpec("join_revisions_missed_total", ("partition",), "corrections of panes that are no longer kept"),
    MetricSpec("join_gaps_total", ("partition",), "records that came without the one before them: it is to come again"),
    MetricSpec("join_lost_total", ("partition",), "records, or offsets of a source, that the join went on without"),
    MetricSpec("join_unreadable_total", ("partition",), "records of the outcomes topic that are no outcomes"),
    MetricSpec("join_stale_total", ("partition",), "records of an earlier life of their source, ignored"),
    MetricSpec("latency_seconds", (*_TRAFFIC, "quantile"), "time to answer in the newest window, within 1 %"),
    MetricSpec(
        "latency_sla_violations_total", (*_MODEL, *_SOURCE), "counted predictions that took longer than the SLA"
    ),
    MetricSpec(
        "latency_hard_limit_violations_total",
        (*_MODEL, *_SOURCE),
        "counted predictions over the hard limit, told or not",
    ),
    MetricSpec("errors_total", (*_MODEL, *_SOURCE), "counted predictions whose status is not ok"),
    MetricSpec("error_ratio", _TRAFFIC, "share of the newest window's answers whose status is not ok"),
    MetricSpec(
        "segment_other_total", (*_MODEL, "key", *_SOURCE), "counted predictions whose value of a key has no own segment"
    ),
    MetricSpec("missing_ratio", (*_MODEL, "feature"), "share of the newest window's rows without the feature"),
    MetricSpec("invalid_ratio", (*_MODEL, "feature"), "share of them with a value of a wrong type, or not finite"),
    MetricSpec("beyond_ratio", (*_MODEL, "feature"), "share of them out of the baseline's range, or unseen in it"),
    MetricSpec("class_ratio", (*_MODEL, "class"), "share of the newest window's answers that are of the class"),
    MetricSpec("positive_ratio", _MODEL, "share of a binary model's answers of the newest window that are positive"),
    MetricSpec("confidence_ratio", _MODEL, "mean of max(score, 1 - score) over them"),
    MetricSpec("entropy_nats", _MODEL, "mean of the score's entropy over them"),
    MetricSpec("alerts_firing", (*_MODEL, "severity"), "alerts that are firing"),
    MetricSpec("alerts", (*_MODEL, "state"), "alerts by state: pending, firing, or resolved and within the cooldown"),
    MetricSpec("breaches_total", _MODEL, "verdicts beyond a limit, each window and check counted once"),
    MetricSpec(
        "false_alarms_expected_total", _MODEL, "the levels of all tests made, summed: false alarms to expect, at most"
    ),
    MetricSpec(
        "provisional_ratio", _TRAFFIC, "share of the newest window's series of which healthy windows are not known yet"
    ),
    MetricSpec("evaluations_total", ("partition",), "windows of drift evaluated, revisions included"),
    MetricSpec("sources_waited_for", ("partition",), "predictions partitions that hold every window back"),
    MetricSpec("outcomes_waited_for", ("partition",), "outcomes partitions that hold every window of labels back"),
    MetricSpec("models_learning", ("partition",), "model versions whose baseline is being learned"),
    MetricSpec(
        "learning_refused_total", ("partition",), "samples of one model too many, or of one that cannot be learned"
    ),
    MetricSpec("series_refused", (), 'series beyond the cap, shown together as feature="other"'),
    MetricSpec("partials_unreadable_total", ("partition",), "records of the partials topic that are no partials"),
    MetricSpec("revisions_missed_total", _MODEL, "closed panes that came when no window needed them any more"),
    MetricSpec("build_info", ("version", "python"), "1"),
)

HISTOGRAMS: Final = (
    MetricSpec("evaluation_duration_seconds", (), "time to merge a batch of partials and evaluate what it completes"),
    MetricSpec("checkpoint_duration_seconds", (), "time from the encoding of a checkpoint to its last acknowledgement"),
    MetricSpec("event_to_alert_seconds", (), "wall clock at which an alert is durable less the end of its window"),
)

_BUCKETS: Final = {
    "evaluation_duration_seconds": (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0),
    "checkpoint_duration_seconds": (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
    "event_to_alert_seconds": (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0),
}


class Metrics:
    """The registry that `/metrics` shows."""

    def __init__(self, owners: Callable[[], Mapping[Source, Owner]], lag: Callable[[], Mapping[Source, int]]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # gauges that nobody asked for
        self.registry = CollectorRegistry()
        self._histograms = {
            spec.name: Histogram(PREFIX + spec.name, spec.meaning, buckets=_BUCKETS[spec.name], registry=self.registry)
            for spec in HISTOGRAMS
        }
        self.registry.register(OwnersCollector(owners, lag))

    def observe(self, name: str, seconds: float) -> None:
        """Add one observation to a histogram."""
        self._histograms[name].observe(seconds)


class OwnersCollector(Collector):
    """Reads the owners of this worker when Prometheus asks."""

    def __init__(self, owners: Callable[[], Mapping[Source, Owner]], lag: Callable[[], Mapping[Source, int]]) -> None:
        self._owners = owners
        self._lag = lag

    def describe(self) -> Iterator[Metric]:
        """The metrics without samples, so that a registry need not scrape to know the names."""
        return iter(_families().values())

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        families = _families()
        families["build_info"].add_metric([version("driftline"), platform.python_version()], 1)
        for source, owner in sorted(self._owners().items()):
            if isinstance(owner.fold, CountFold):
                _add_input(families, source, owner.fold, "predictions", ("counted", "late", "ignored", "learning"))
            elif isinstance(owner.fold, LabelFold):
                _add_input(families, source, owner.fold, "labels", ("counted", "ignored"))
                unknown = owner.fold.ledger.unknown_classes
                families["labels_unknown_class_total"].add_metric(_labels(source), unknown)
            elif isinstance(owner.fold, EvaluateFold):
                _add_evaluate(families, source, owner.fold)
            elif isinstance(owner.fold, JoinFold):
                add_join(families, str(source.partition), owner.fold)
        add_alerts(families, (o.fold for o in self._owners().values() if isinstance(o.fold, EvaluateFold)))
        for source, records in sorted(self._lag().items()):
            families["consumer_lag_records"].add_metric(_labels(source), records)
        families["series_refused"].add_metric([], _cap(families))
        return iter(families.values())


def _families() -> Families:
    return {
        spec.name: (
            CounterMetricFamily(PREFIX + spec.name, spec.meaning, labels=spec.labels)
            if spec.name.endswith("_total")
            else GaugeMetricFamily(PREFIX + spec.name, spec.meaning, labels=spec.labels)
        )
        for spec in METRICS
    }


def _labels(source: Source) -> list[str]:
    return [source.topic, str(source.partition)]


def _add_input(
    families: Families, source: Source, fold: CountFold | LabelFold, what: str, fates: tuple[str, ...]
) -> None:
    ledger = fold.ledger
    for fate in ("received", *fates, "lost"):
        families[f"{what}_{fate}_total"].add_metric(_labels(source), getattr(ledger, fate))
    # Those without a letter, too: `increase` does not see a series that begins with its first one.
    for reason in sorted(REJECTION_REASONS.keys() | ledger.dead.keys()):
        families["dead_letters_total"].add_metric([reason, *_labels(source)], ledger.dead.get(reason, 0))
    if isinstance(ledger, Ledger):
        _add_answers(families["latency_sla_violations_total"], source, ledger.over_sla)
        _add_answers(families["latency_hard_limit_violations_total"], source, ledger.over_hard_limit)
        _add_answers(families["errors_total"], source, ledger.failed)
        _add_segment_other(families, source, ledger)
    if fold.newest_event_ms != NO_TIME:
        lag_s = time.time() - fold.newest_event_ms / 1_000
        families["watermark_lag_seconds"].add_metric(_labels(source), lag_s)


def _add_answers(family: Family, source: Source, by_model: Mapping[str, Mapping[str, int]]) -> None:
    for model, versions in by_model.items():
        for model_version, answers in versions.items():
            family.add_metric([model, model_version, *_labels(source)], answers)


def _add_segment_other(families: Families, source: Source, ledger: Ledger) -> None:
    for model, versions in ledger.segment_other.items():
        for model_version, keys in versions.items():
            for key, rows in keys.items():
                families["segment_other_total"].add_metric([model, model_version, key, *_labels(source)], rows)


def _add_evaluate(families: Families, source: Source, fold: EvaluateFold) -> None:
    families["evaluations_total"].add_metric([str(source.partition)], fold.evaluations)
    families["partials_unreadable_total"].add_metric([str(source.partition)], fold.unreadable)
    families["sources_waited_for"].add_metric([str(source.partition)], len(fold.sources.waiting_for()))
    families["models_learning"].add_metric([str(source.partition)], len(fold.learned.learning))
    families["learning_refused_total"].add_metric([str(source.partition)], fold.learned.refused)
    joins_waited_for = len(fold.performance.sources.waiting_for())
    families["outcomes_waited_for"].add_metric([str(source.partition)], joins_waited_for)
    for course in fold.courses.values():
        _add_course(families, course)
    for performance in fold.performance.models:
        add_performance(families, performance)


def _add_course(families: Families, course: Course) -> None:
    model = [course.progress.model, course.progress.version]
    families["revisions_missed_total"].add_metric(model, course.progress.missed)
    for segment in ("", *course.progress.segments):
        latest = course.latest_of(segment)
        if latest is not None:
            _add_window(families, [*model, segment], latest)


def _add_window(families: Families, traffic: list[str], latest: Evaluation) -> None:
    families["window_predictions"].add_metric(traffic, latest.n)
    families["window_end_seconds"].add_metric(traffic, latest.end_ms / 1_000)
    provisional = provisional_ratio(latest)
    if provisional is not None:
        families["provisional_ratio"].add_metric(traffic, provisional)
    for statistic in ESTIMATED if isinstance(latest.estimates, EstimatedPerformance) else ():
        estimate = getattr(latest.estimates, statistic)
        if not isinstance(estimate, Undefined):
            families[f"{statistic}_estimated"].add_metric(traffic, estimate)
    _add_latency(families, traffic, latest.latency)
    _add_quality(families, traffic[:2], latest.quality)
    _add_classes(families, traffic[:2], latest.quality)
    _add_answer_means(families, traffic[:2], latest.quality)
    if latest.errors is not None and latest.errors.counts.known:
        families["error_ratio"].add_metric(traffic, latest.errors.counts.failed / latest.errors.counts.known)
    for check in latest.checks:
        for name, value in (("psi", check.value), ("kl_nats", check.kl_nats), ("js_nats", check.js_nats)):
            if not isinstance(value, Undefined):
                families[name].add_metric([*traffic, check.subject], value)


def _add_latency(families: Families, traffic: list[str], latency: LatencyWindow | None) -> None:
    for level, latency_ms in latency.quantiles.items() if latency else ():
        if not isinstance(latency_ms, Undefined):
            families["latency_seconds"].add_metric([*traffic, level], latency_ms / 1_000)


def _add_quality(families: Families, model: list[str], quality: QualityWindow | None) -> None:
    if quality is None or not quality.n:
        return
    for series in quality.series:
        for name, rows in (("missing", series.missing), ("invalid", series.invalid), ("beyond", series.beyond)):
            families[f"{name}_ratio"].add_metric([*model, series.subject], rows / quality.n)


def _add_classes(families: Families, model: list[str], quality: QualityWindow | None) -> None:
    tops = {} if quality is None else quality.tops
    n = sum(tops.values())
    for name, answers in tops.items() if n else ():
        families["class_ratio"].add_metric([*model, name], answers / n)


def _add_answer_means(families: Families, model: list[str], quality: QualityWindow | None) -> None:
    for check, value in quality.answers.items() if quality else ():
        if not isinstance(value, Undefined):
            families[ANSWER_MEANS[check]].add_metric(model, value)


def _cap(families: Families) -> int:
    """Keep the first MAX_FEATURE_SERIES of each metric; of the rest the largest value, as `other`."""
    refused = 0
    for name in BY_FEATURE:
        samples = families[name].samples
        rest = samples[MAX_FEATURE_SERIES:]
        if rest:
            families[name].samples = samples[:MAX_FEATURE_SERIES]
            families[name].add_metric([OTHER, OTHER, "", OTHER], max(s.value for s in rest))
            refused += len(rest)
    return refused


def markdown_table() -> str:
    """The table of the README; `make golden` prints it, a test compares."""
    rows = ["| metric | labels | meaning |", "|---|---|---|"]
    for spec in (*METRICS, *HISTOGRAMS):
        labels = ", ".join(f"`{label}`" for label in spec.labels)
        rows.append(f"| `{PREFIX}{spec.name}` | {labels} | {spec.meaning} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(markdown_table())
