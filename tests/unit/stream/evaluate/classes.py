"""A multiclass model, messages about it, and all the folds that they pass through."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from stream.alerts.rules import PerformanceRules
from stream.baselines.baseline import Baseline
from stream.baselines.create import create_baseline
from stream.baselines.roles import Roles
from stream.durable.log import Outgoing
from stream.ingest.dead_letter import DeadLetterTopic
from stream.join.emission import JoinOutputs
from stream.join.fold import JoinFold
from stream.labels.fold import LabelFold, LabelOutputs
from stream.outcomes.covering import OutcomesTopic
from stream.records.source import MessageBatch, Source
from tests.small_model import Worker, outcome_settings, plan, settings
from tests.unit.stream.evaluate.labels import PANE_S, START_S, WINDOW_PANES, Labels

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
                outcomes=TOPIC, dead_letters=DeadLetterTopic(name="dead-letters", partitions=1, max_bytes=100)
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
