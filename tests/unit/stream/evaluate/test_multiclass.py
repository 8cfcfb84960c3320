"""A multiclass model from its messages to its reports: every window is what scikit-learn says of its rows."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import orjson
import pytest
from prometheus_client.metrics_core import GaugeMetricFamily
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from detectors import psi
from stream.alerts.rules import PerformanceRules, WorseRule
from stream.baselines.baseline import Baseline
from stream.baselines.create import Binning, create_baseline
from stream.baselines.roles import Roles
from stream.durable.log import Outgoing
from stream.evaluate.class_courses import ClassCourses
from stream.join.emission import JoinOutputs
from stream.join.fold import JoinFold
from stream.labels.fold import LabelFold, LabelOutputs
from stream.outcomes.covering import OutcomesTopic
from stream.records.outcome import Kind, decode_covering
from stream.records.source import MessageBatch, Source
from stream.service.performance_metrics import add_performance
from tests.small_model import Worker, outcome_settings, plan, settings
from tests.unit.stream.evaluate.labels import PANE_S, START_S, WINDOW_PANES, Labels
from tests.unit.stream.evaluate.test_performance_report import nulls, validator

CLASSES = ("ant", "bee", "cow")
TOPIC = OutcomesTopic(name="outcomes", partitions=2)
STEP_S, UNTIL_S, FAR_S = 5, 90, 250
Scores = npt.NDArray[np.float64]


def answers(labels: npt.NDArray[np.int64], random: np.random.Generator, skill: float) -> Scores:
    """Scores of each row, shape (rows, classes); the higher the skill, the more often the true class is highest."""
    logits = random.normal(size=(len(labels), len(CLASSES)))
    logits[np.arange(len(labels)), labels] += skill
    scores: Scores = np.exp(logits)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def multiclass_baseline(*, labelled: bool = True) -> Baseline:
    random = np.random.default_rng(3)
    truth = random.choice(3, 6_000, p=(0.5, 0.3, 0.2))
    scores = answers(truth, random, 2.0)
    table: dict[str, Any] = {f"score_{c}": scores[:, i] for i, c in enumerate(CLASSES)}
    if labelled:
        table["label"] = [CLASSES[i] for i in truth]
    made = create_baseline(table, model="m", version="0", roles=Roles(scores=tuple(table)[:3]))
    return msgspec.structs.replace(made, number=1)


BASELINE = multiclass_baseline()


@dataclass
class Row:
    """A prediction, and the label that is in force in the end."""

    at: int
    scores: list[float]
    label_at: int | None = None
    label: str | None = None  # None: retracted, or never labelled

    @property
    def arrival(self) -> int:
        return max(self.at, self.label_at or 0)


@dataclass
class Raw:
    """Messages by step; labels come up to 20 s later, some are revised, retracted, or of a class nobody knows."""

    seed: int
    skill: float = 2.0
    far: int = FAR_S  # when the last word comes, which closes the windows
    rows: list[Row] = field(default_factory=list)
    predictions: dict[int, list[tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(list))
    labels: dict[int, list[tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        truth = random.choice(3, 2_000, p=(0.4, 0.3, 0.3))
        for i, scores in enumerate(answers(truth, random, self.skill).tolist()):
            at = int(random.integers(0, UNTIL_S - 30))
            row = Row(at, scores)
            self.rows.append(row)
            by_name = bool(random.random() < 0.5)
            said = dict(zip(CLASSES, scores, strict=True)) if by_name else scores
            self._predicts(at, {"prediction_id": i, "scores": said})
            if random.random() < 0.8:
                self._label(i, row, CLASSES[truth[i]], random)
        self._predicts(self.far, {"prediction_id": "far", "scores": [1, 0, 0]})
        self._labels(self.far, "nobody", "ant")

    def _label(self, i: int, row: Row, name: str, random: np.random.Generator) -> None:
        row.label_at = max(0, row.at + int(random.integers(-2, 20)))
        row.label = "wasp" if random.random() < 0.02 else name
        self._labels(row.label_at, i, row.label)
        if random.random() < 0.1:
            row.label_at += int(random.integers(1, 10))
            row.label = str(random.choice(CLASSES)) if random.random() < 0.7 else None
            self._labels(row.label_at, str(i), row.label)

    def _predicts(self, at: int, said: dict[str, Any]) -> None:
        message = {"model": "m", "ts": (START_S + at) * 1_000} | said
        self.predictions[at // STEP_S].append((at, orjson.dumps(message)))

    def _labels(self, at: int, prediction_id: str | int, label: str | None) -> None:
        message = {"model": "m", "ts": (START_S + at) * 1_000, "prediction_id": prediction_id, "label": label}
        self.labels[at // STEP_S].append((at, orjson.dumps(message)))

    def inside(self, end: int) -> list[Row]:
        """The pairs of the window that ends there."""
        start = end - WINDOW_PANES * PANE_S
        return [row for row in self.rows if row.label is not None and start <= row.arrival < end]


class World:
    """All folds that a message passes through, two outcomes partitions between them."""

    def __init__(self, of: Baseline = BASELINE, rules: PerformanceRules | None = None) -> None:
        worker = self.worker = Worker(of, outcomes=TOPIC)
        self.goes_by(of)
        self.count = worker.count()
        self.labels = LabelFold(
            source=Source("labels", 0),
            sources=1,
            outputs=LabelOutputs(
                outcomes=TOPIC, dead_letters="dead-letters", dead_letters_partitions=1, max_dead_letter_bytes=100
            ),
            wanted=lambda: worker.wants,
            find_baseline=worker.find,
        )
        self.settle()
        self.logs: list[list[bytes | None]] = [[], []]
        self.joins = [self.join(p) for p in range(2)]
        self.evaluate = Labels(of, rules=rules, worker=worker)
        self.crashing = False

    def goes_by(self, baseline: Baseline) -> None:
        """What the worker wants from now on."""
        self.worker.known[baseline.id] = baseline
        self.worker.wants = plan(
            baseline,
            counting=settings(pane_ms=PANE_S * 1_000),
            window_ms=WINDOW_PANES * PANE_S * 1_000,
            outcomes=msgspec.structs.replace(outcome_settings(), cohort_ms=60_000, max_waiting=100_000),
        )

    def settle(self) -> None:
        """As owners do between two batches."""
        for fold in (self.count, self.labels):
            proposal = fold.proposal()
            assert proposal is not None
            fold.activate(proposal)

    def join(self, partition: int) -> JoinFold:
        outputs = JoinOutputs(partials="partials", partials_partitions=1, home=lambda _: 0)
        return JoinFold(source=Source("outcomes", partition), sources=2, outputs=outputs, segment_rows=2_000)

    def hears(self, raw: Raw, successor: Baseline | None = None) -> "World":
        """All of it; a successor of the baseline comes in the middle."""
        for step in sorted({*raw.predictions, *raw.labels}):
            if successor is not None and step == UNTIL_S // STEP_S // 2:
                self.goes_by(successor)
                self.settle()
            for fold, messages in ((self.count, raw.predictions[step]), (self.labels, raw.labels[step])):
                values: list[bytes | None] = [value for _, value in sorted(messages, key=lambda m: m[0])]
                if values:
                    fold.fold(_batch(fold.source, values, fold.next_offset))
                    self._send(fold.outputs())
        return self

    def _send(self, outputs: Any) -> None:
        for outgoing in outputs:
            if outgoing.to.topic == "outcomes":
                self._join(outgoing)
            elif outgoing.to.topic == "partials":
                self.evaluate.hears(outgoing.value or b"")

    def _join(self, outgoing: Outgoing) -> None:
        partition = outgoing.to.partition
        join = self.joins[partition]
        self.logs[partition].append(outgoing.value)
        join.fold(_batch(join.source, [outgoing.value], join.next_offset))
        assert join.ledger.balances() == (0, 0)
        self._send(join.outputs())
        if self.crashing:
            self._crash(partition)

    def _crash(self, partition: int) -> None:
        old, fresh = self.joins[partition], self.join(partition)
        fresh.restore(old.next_offset, old.progress(), [*old.registers.live()])
        start = fresh.reread_from()
        if start < old.next_offset:
            fresh.reread(_batch(fresh.source, self.logs[partition][start : old.next_offset], start))
        fresh.end_reread()
        self.joins[partition] = fresh
        self.evaluate.crash()


def _batch(source: Source, values: list[bytes | None], begin: int) -> MessageBatch:
    return MessageBatch(
        source=source,
        begin=begin,
        chained=True,
        offsets=np.arange(begin, begin + len(values)),
        timestamps_ms=np.full(len(values), START_S * 1_000, np.int64),
        values=values,
    )


@pytest.mark.parametrize("seed", range(3))
def test_every_window_is_what_scikit_learn_says_of_its_rows(seed: int) -> None:
    """AUC of each class within its bounds, accuracy to the row, log-loss but for the bins."""
    raw = Raw(seed)
    found = World().hears(raw).evaluate.newest()
    assert len(found) > 8
    assert any(report["revision"] for report in found.values())
    for end, report in found.items():
        rows = raw.inside(end)
        assert report["n"] == len(rows), end
        known = [row for row in rows if row.label in CLASSES]
        if len({row.label for row in known}) < len(CLASSES):
            continue
        check_metrics(report["metrics"], rows, known)


def check_metrics(metrics: dict[str, Any], rows: list[Row], known: list[Row]) -> None:
    truth = np.array([CLASSES.index(str(row.label)) for row in known])
    scores, of_all = np.array([row.scores for row in known]), np.array([row.scores for row in rows])
    assert metrics["unknown_labels"] == len(rows) - len(known)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(truth, scores.argmax(axis=1)), abs=1e-12)
    assert metrics["log_loss"] == pytest.approx(log_loss(truth, scores, labels=[0, 1, 2]), abs=0.005)
    for i, one in enumerate(metrics["classes"]):
        own = np.array([row.label == CLASSES[i] for row in rows])
        assert one["auc_low"] - 1e-12 <= roc_auc_score(own, of_all[:, i]) <= one["auc_high"] + 1e-12
        assert (one["class"], one["positives"]) == (CLASSES[i], int(own.sum()))
    assert metrics["macro_auc"] == pytest.approx(np.mean([one["auc"] for one in metrics["classes"]]))
    if len(rows) == len(known):
        area = roc_auc_score(truth, scores, multi_class="ovr")
        assert metrics["macro_auc_low"] - 1e-12 <= area <= metrics["macro_auc_high"] + 1e-12
    before = np.array([sum(one.positives or ()) for one in BASELINE.by_class])
    now = np.bincount(truth, minlength=3).astype(np.int64)
    assert metrics["prior_shift"] == pytest.approx(psi(before, now))


def test_crashes_of_joins_and_evaluate_change_nothing() -> None:
    """After every record of outcomes: counts and reports, bit for bit."""
    raw = Raw(1)
    whole, crashed = World().hears(raw), World()
    crashed.crashing = True
    crashed.hears(raw)
    assert crashed.evaluate.performance == whole.evaluate.performance
    assert [join.progress() for join in crashed.joins] == [join.progress() for join in whole.joins]


def test_the_join_counts_a_row_for_each_class() -> None:
    """Its ledger is of rows; the sources' are of messages."""
    raw = Raw(2)
    world = World().hears(raw)
    predictions = sum(join.ledger.predictions for join in world.joins)
    assert predictions == 3 * len(raw.rows) + 3
    assert world.labels.ledger.counted == world.labels.ledger.received
    unknown = sum(json.loads(value)["label"] == "wasp" for of_step in raw.labels.values() for _, value in of_step)
    assert world.labels.ledger.unknown_classes == unknown > 0


def test_all_classes_of_a_prediction_come_in_one_record_of_one_partition() -> None:
    """So that no watermark and no crash comes between them."""
    world = World().hears(Raw(0))
    told = 0
    for log in world.logs:
        for covering in (decode_covering(value or b"") for value in log):
            if covering.kind is Kind.PREDICTIONS and covering.rows:
                rows = covering.outcome_rows()
                offsets, counts = np.unique(rows.offset, return_counts=True)
                assert set(counts.tolist()) == {3}
                assert {d.category for d in covering.definitions} == set(CLASSES)
                told += len(offsets)
    assert told == 2_001


def test_reports_are_as_their_schema_says_and_explain_what_is_null() -> None:
    """Every null has its reason, there or beside it."""
    raw = Raw(1)
    for of in (BASELINE, multiclass_baseline(labelled=False)):
        reports = World(of).hears(raw).evaluate.performance
        assert {report["task"] for report in reports} == {"multiclass"}
        for report in reports:
            validator("performance").validate(report)
            explained = {path.split(".")[-1] for path in report["undefined"]}
            for path in nulls(report["metrics"]):
                name = path.split(".")[-1].removesuffix("_low").removesuffix("_high").removesuffix("_se")
                assert name in explained or "classes" in path, path


def test_a_model_that_got_worse_fires_one_alert_that_names_the_classes() -> None:
    """On the macro AUC; the classes are in its words. A healthy one is silent."""
    rules = PerformanceRules(auc=WorseRule(tolerance=0.05, min_samples=100))
    healthy = World(rules=rules).hears(Raw(1)).evaluate
    assert [alert for alert in healthy.alerts if alert["labels"]["check"] != "psi"] == []
    worse = World(rules=rules).hears(Raw(1, skill=0.5)).evaluate
    firing = [alert for alert in worse.alerts if alert["labels"]["check"] != "psi" and alert["status"] == "firing"]
    assert {(a["labels"]["check"], a["labels"]["subject"]) for a in firing} == {("auc", "macro")}
    assert "AUC against the rest" in firing[0]["annotations"]["description"]
    assert "cow" in firing[0]["annotations"]["description"]
    for alert in worse.alerts:
        validator("alert").validate(alert)
    during = [report for report in worse.performance if report["alerts_firing"]]
    assert {i for report in during for i in report["alerts_firing"]} == {firing[0]["id"]}
    for report in during:
        (check,) = report["checks"]
        assert check["reason"] or check["value"] == pytest.approx(report["metrics"]["macro_auc"])


def test_any_class_could_lead() -> None:
    """Each knows of alerts, windows and revisions what the first one knows, and forgets its panes with it."""
    rules = PerformanceRules(auc=WorseRule(tolerance=0.05, min_samples=100))
    world = World(rules=rules).hears(Raw(1, skill=0.5))
    (model,) = world.evaluate.fold.performance.models
    assert isinstance(model, ClassCourses)
    said = [
        (
            msgspec.structs.replace(course.progress, category="", tracks=[]),
            [sorted(track.arrivals.by_start) for track in course.tracks.values()],
            [sorted(track.cohorts.by_start) for track in course.tracks.values()],
        )
        for course in model.courses.values()
    ]
    assert said[0] == said[1] == said[2]
    assert said[0][0].episodes
    assert said[0][0].revise == []
    del model.courses["ant"]
    assert model.progress.episodes == said[0][0].episodes


def test_a_promotion_does_not_cut_a_window_in_two() -> None:
    """A later baseline has the grids of the one before it: what is counted stays, what it is compared with moves on."""
    raw = Raw(1)
    random = np.random.default_rng(9)
    truth = random.integers(0, 3, 6_000)
    scores = answers(truth, random, 1.0)
    table = {f"score_{c}": scores[:, i] for i, c in enumerate(CLASSES)} | {"label": [CLASSES[i] for i in truth]}
    made = create_baseline(
        table,
        model="m",
        version="0",
        roles=Roles(scores=tuple(table)[:3]),
        binning=Binning(classes=BASELINE.by_class),
    )
    alone, promoted = World().hears(raw), World().hears(raw, msgspec.structs.replace(made, number=2))
    before, after = alone.evaluate.newest(), promoted.evaluate.newest()
    assert {end: (r["n"], r["definition"]) for end, r in before.items()} == {
        end: (r["n"], r["definition"]) for end, r in after.items()
    }
    assert {end: r["metrics"]["macro_auc"] for end, r in before.items()} == {
        end: r["metrics"]["macro_auc"] for end, r in after.items()
    }
    assert [r["baseline"] for r in promoted.evaluate.performance][:: len(promoted.evaluate.performance) - 1] == [
        "m@0#1",
        "m@0#2",
    ]


def test_the_newest_window_is_shown_as_metrics_also_after_a_recovery() -> None:
    """Once for the model, not once for each class."""
    world = World().hears(Raw(1, far=UNTIL_S))
    names = ("auc", "auc_low", "auc_high", "auc_standard_error", "log_loss", "accuracy", "prior_shift_nats")
    others = ("window_labels", "performance_window_end_seconds", "label_coverage_ratio")
    shown = []
    for _ in range(2):
        families: Any = {
            name: GaugeMetricFamily(name, name, labels=("model", "version")) for name in (*names, *others)
        } | {"label_delay_seconds": GaugeMetricFamily("d", "d", labels=("model", "version", "quantile"))}
        (model,) = world.evaluate.fold.performance.models
        add_performance(families, model)
        shown.append({name: [s.value for s in family.samples] for name, family in families.items()})
        world.evaluate.crash()
    assert shown[0] == shown[1]
    assert all(len(values) == 1 for name, values in shown[0].items() if name != "label_delay_seconds")


def test_predictions_without_every_score_are_counted_and_not_waited_for() -> None:
    """Which class was the answer could not be told."""
    raw = Raw(0, rows=[])
    raw.predictions.clear()
    raw.labels.clear()
    raw._predicts(0, {"prediction_id": "a", "scores": {"ant": 0.5, "bee": 0.5}})
    raw._predicts(1, {"prediction_id": "b", "scores": [0.2, 0.3, 0.5]})
    world = World().hears(raw)
    assert world.count.ledger.counted == 2
    assert sum(join.ledger.predictions for join in world.joins) == 3
