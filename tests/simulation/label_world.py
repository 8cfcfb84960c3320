"""A world in which labels flow: predictions and labels -> outcomes -> join -> partials -> evaluate.

All five folds under the one scheduler of `world.py`. Its times are whole seconds, and short: what takes a
month in a service takes half a minute here, so that predictions expire and the outcomes log is trimmed.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any, Final
from unittest.mock import patch

from detectors import Smoothing, Threshold
from stream.alerts.rules import PerformanceRules, Rules, WorseRule
from stream.baselines.baseline import Baseline
from stream.count.counter import partials_partition
from stream.durable import owner
from stream.evaluate.settings import ModelSettings
from stream.ingest.plan import PlannedModel
from stream.join import emission, waiting
from stream.join import fold as join_fold
from stream.join.emission import JoinOutputs
from stream.labels.fold import LabelOutputs
from stream.outcomes import covering
from stream.outcomes.covering import OutcomesTopic
from stream.records.settings import CountingSettings, OutcomeSettings
from stream.records.source import Source
from tests.simulation.label_traffic import (
    L1,
    L2,
    L3,
    LABELS_LATENESS_MS,
    R1,
    LabelRecord,
    Traffic,
    labelled_inputs,
)
from tests.simulation.shape import Shape
from tests.simulation.traffic import SKEW_MS
from tests.simulation.world import World

PANE_MS: Final = 2_000
COHORT_MS: Final = 4_000
EARLY_S: Final = 2
COUNTING: Final = CountingSettings(pane_ms=PANE_MS, allowed_lateness_ms=LABELS_LATENESS_MS, max_clock_skew_ms=SKEW_MS)
WORSE: Final = PerformanceRules(
    auc=WorseRule(tolerance=0.05, min_samples=3, level=0.4),
    brier=WorseRule(tolerance=0.02, min_samples=3, level=0.4),
    mae=WorseRule(tolerance=0.1, min_samples=2, level=0.4),
)


@dataclass(frozen=True, kw_only=True)
class LabelShape(Shape):
    """What kind of world with labels a seed makes."""

    labels: int  # partitions
    outcomes: int
    tame: bool  # no id whose fate depends on which record is read first
    ttl_s: int
    revision_s: int
    step_ms: int  # between predictions
    window_ms: int
    sample: float
    dedupe: bool
    max_waiting: int
    segment_rows: int
    rows_in_record: int  # of outcomes

    @classmethod
    def of(cls, random: Random) -> "LabelShape":
        """A world of any kind."""
        base = Shape.of(random)
        taken = {field.name: getattr(base, field.name) for field in fields(base)}
        tame = random.random() < 0.5
        taken |= {
            "events": random.choice((4, 8, 14)),
            "idle": base.idle and not tame and random.random() < 0.5,
            "retention": base.retention and not tame,
            "steps": random.choice((200, 500, 900)),
        }
        return cls(
            labels=random.choice((1, 1, 2)),
            outcomes=random.choice((1, 1, 2)),
            tame=tame,
            ttl_s=random.choice((6, 12)),
            revision_s=random.choice((3, 30)),
            step_ms=random.choice((500, 2_000, 5_000)),
            window_ms=random.choice((4_000, 4_000, 60_000)),
            sample=random.choice((1.0, 1.0, 0.6)),
            dedupe=random.random() < 0.7,
            max_waiting=10_000 if tame or random.random() < 0.7 else random.choice((2, 5)),
            segment_rows=random.choice((1, 10, 40)),
            rows_in_record=random.choice((1, 3, 20_000)),
            **taken,
        )


class LabelWorld(World):
    """Everything that one seed makes, with labels."""

    shape: LabelShape
    last_timers = ("settle", "checkpoint", "idle", "idle", "checkpoint")  # the first may find what retention has cut
    inputs_of_labelled: dict[Source, list[LabelRecord]]

    def __init__(self, seed: int, *, order: int | None = None, **shape: Any) -> None:
        """Make it; with another `order` what is in the inputs is the same, and everything else happens otherwise."""
        super().__init__(seed, **shape)
        self.label_outputs = LabelOutputs(outcomes=self._outcomes_topic, dead_letters=self.count_outputs.dead_letters)
        self.count_outputs = replace(self.count_outputs, outcomes=self._outcomes_topic)
        self._settings = ModelSettings(
            window_ms=self.shape.window_ms,
            psi=Rules(default=Threshold(warning=0.5, critical=2.0, min_count=4)),
            smoothing=Smoothing(),
            performance=WORSE,
        )
        if order is not None:
            self.random = self.cluster.random = Random(order)

    def _shape(self) -> Shape:
        return LabelShape.of(self.random)

    def _begin(self) -> None:
        shape = self.shape
        self.labels = [Source("labels", p) for p in range(shape.labels)]
        self.outcomes = [Source("outcomes", p) for p in range(shape.outcomes)]
        self.stages = [self.sources + self.labels, self.outcomes, self.partials]
        self._outcomes_topic = OutcomesTopic(name="outcomes", partitions=shape.outcomes)
        traffic = Traffic(
            events=shape.events, markers=shape.markers, tame=shape.tame,
            ttl_s=shape.ttl_s, early_s=EARLY_S, step_ms=shape.step_ms,
        )  # fmt: skip
        self.inputs_of_labelled = labelled_inputs(self.random, traffic, self.sources, self.labels)
        # Of a model that is not known from the start it would depend on the reader what is a dead letter.
        self.baselines = [R1, L1, L2, L3][: 2 + shape.promotions]
        self.registered = self.baselines[:2]
        self.known_from_start = 2
        self.always_one_baseline = not shape.promotions

    def input_of(self, source: Source) -> Sequence[LabelRecord]:
        """What comes, or has come, in an input."""
        return self.inputs_of_labelled[source]

    def _planned(self, baseline: Baseline) -> PlannedModel:
        shape = self.shape
        outcomes = OutcomeSettings(
            ttl_ms=shape.ttl_s * 1_000, early_ms=EARLY_S * 1_000, revision_ms=shape.revision_s * 1_000,
            cohort_ms=COHORT_MS, sample=shape.sample, dedupe=shape.dedupe, max_waiting=shape.max_waiting,
        )  # fmt: skip
        return PlannedModel(baseline.id, COUNTING, shape.window_ms, outcomes)

    @property
    def order_decides_nothing(self) -> bool:
        """Whether it is the same for every id in the end which record is read first.

        Not where a silent source holds nobody back and then speaks again of what has been given up, where the cap
        lets in who comes first, or where retention cuts what nobody has read.
        """
        return not (self.shape.idle or self.shape.retention or self.shape.max_waiting < 1_000)

    def settings_of(self, model: str) -> ModelSettings:
        """How windows are judged."""
        return self._settings

    def join_arguments(self, source: Source) -> dict[str, Any]:
        """What a join of a partition is made with."""
        homes = self.shape.partials
        outputs = JoinOutputs(
            partials="partials", partials_partitions=homes, home=lambda key: partials_partition(key, homes)
        )
        return {
            "source": source,
            "sources": self.shape.outcomes,
            "outputs": outputs,
            "segment_rows": self.shape.segment_rows,
        }

    @contextmanager
    def limits(self) -> Iterator[None]:
        """Everything that is cut, forgotten or trimmed in portions is so in small ones."""
        small = (
            (emission, "MAX_PARTIAL_BYTES", self.shape.max_record_bytes),
            (covering, "MAX_ROWS", self.shape.rows_in_record),
            (waiting, "EARLY_BUCKET_S", 2),
            (join_fold, "EARLY_BUCKET_S", 2),
            (owner, "TRIMMED_AT_ONCE", 1),
        )
        with super().limits(), ExitStack() as stack:
            for module, name, value in small:
                stack.enter_context(patch.object(module, name, value))
            yield
