"""The path as code: which topic is folded by what, and where what it makes goes.

predictions/p --count--> driftline.partials/hash(model), dead-letters     state: driftline.count-changelog/p
                     `-> driftline.outcomes/hash(id), and single slow answers to alerts
labels/l --labels--> driftline.outcomes/hash(id), dead-letters            state: driftline.labels-changelog/l
driftline.outcomes/o --join--> driftline.partials/hash(model)             state: driftline.join-changelog/o
driftline.partials/q --evaluate--> reports, alerts, baselines             state: driftline.evaluate-changelog/q
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from detectors import Smoothing
from stream.config import Config
from stream.count.counter import CountFold, CountOutputs, partials_partition
from stream.count.slow_answers import AlertTopic
from stream.durable.fold import Fold
from stream.durable.log import Log
from stream.durable.owner import Owner
from stream.errors import CallerError
from stream.evaluate.fold import EvaluateFold
from stream.evaluate.publisher import EvaluateOutputs
from stream.evaluate.settings import ModelSettings, model_settings
from stream.ingest.dead_letter import DeadLetterTopic
from stream.ingest.plan import Plan, PlannedModel
from stream.ingest.settings import IngestSettings
from stream.join.emission import JoinOutputs
from stream.join.fold import JoinFold
from stream.labels.fold import LabelFold, LabelOutputs
from stream.outcomes.covering import OutcomesTopic
from stream.records.learning import LearningSettings
from stream.records.settings import CountingSettings, outcome_settings, segment_settings
from stream.records.source import Source
from stream.service.registry_tail import RegistryTail
from stream.service.silence_tail import SilenceTail
from stream.service.topics import changelogs


@dataclass(frozen=True, slots=True)
class Topology:
    """Builds the owner of any partition of the folded topics.

    `partitions` says how many each topic has, as Kafka said when the worker started.
    """

    config: Config
    log: Log
    registry: RegistryTail
    silences: SilenceTail
    partitions: Mapping[str, int]
    max_dead_letter_bytes: int  # of a dead letter's value; the rest of it is cut off
    wanted: Callable[[], Plan]

    @property
    def agents(self) -> dict[str, str]:
        """The name of the agent that folds a topic, and the topic."""
        topics = self.config.topics
        return {
            "count": topics.predictions,
            "labels": topics.labels,
            "join": self.outcomes.name,
            "evaluate": self.partials,
        }

    @property
    def partials(self) -> str:
        """The topic that evaluate folds."""
        return self.config.internal_topic("partials")

    @property
    def outcomes(self) -> OutcomesTopic:
        """The topic that the join folds."""
        name = self.config.internal_topic("outcomes")
        return OutcomesTopic(name=name, partitions=self.partitions[name])

    def owner(self, source: Source) -> Owner:
        """A new owner, which has not taken its partition yet."""
        changelog = changelogs(self.config)[source.topic]
        if source.partition >= self.partitions[changelog]:
            raise CallerError(
                f"{source} is new and has no place in {changelog}, which has {self.partitions[changelog]} partitions; "
                "grow it with `driftline topics create -c FILE`, then start the workers again"
            )
        home = Source(changelog, source.partition)
        return Owner(fold=self._fold(source), log=self.log, source=source, changelog=home, learn=self.registry.learn)

    def _fold(self, source: Source) -> Fold:
        topics = self.config.topics
        if source.topic == topics.predictions:
            return self._count(source)
        if source.topic == topics.labels:
            return self._labels(source)
        return self._evaluate() if source.topic == self.partials else self._join(source)

    @property
    def _dead_letters(self) -> DeadLetterTopic:
        name = self.config.topics.dead_letters
        return DeadLetterTopic(name=name, partitions=self.partitions[name], max_bytes=self.max_dead_letter_bytes)

    def _count(self, source: Source) -> CountFold:
        topics = self.config.topics
        outputs = CountOutputs(
            partials=self.partials,
            partials_partitions=self.partitions[self.partials],
            dead_letters=self._dead_letters,
            outcomes=self.outcomes,
            alerts=AlertTopic(name=topics.alerts, partitions=self.partitions[topics.alerts]),
        )
        return CountFold(
            source=source,
            sources=self.partitions[topics.predictions],
            outputs=outputs,
            wanted=self.wanted,
            find_baseline=self.registry.registry.get,
        )

    def _labels(self, source: Source) -> LabelFold:
        topics = self.config.topics
        outputs = LabelOutputs(
            outcomes=self.outcomes,
            dead_letters=self._dead_letters,
        )
        return LabelFold(
            source=source,
            sources=self.partitions[topics.labels],
            outputs=outputs,
            wanted=self.wanted,
            find_baseline=self.registry.registry.get,
        )

    def _join(self, source: Source) -> JoinFold:
        homes = self.partitions[self.partials]
        outputs = JoinOutputs(
            partials=self.partials, partials_partitions=homes, home=lambda key: partials_partition(key, homes)
        )
        return JoinFold(source=source, sources=self.outcomes.partitions, outputs=outputs)

    def _evaluate(self) -> EvaluateFold:
        topics = self.config.topics
        outputs = EvaluateOutputs(
            reports=topics.reports,
            reports_partitions=self.partitions[topics.reports],
            alerts=topics.alerts,
            alerts_partitions=self.partitions[topics.alerts],
            baselines=topics.baselines,
        )
        return EvaluateFold(
            outputs=outputs,
            settings_of=cached_settings(self.config),
            find_baseline=self.registry.registry.get,
            requests=self.silences.requests,
        )


DEAD_LETTER_HEADERS_BYTES: Final = 4_096  # more than key and headers of a dead letter ever take


def dead_letter_bytes(topic: str, message_bytes: int) -> int:
    """How much of a message fits into the dead-letter topic, beside its headers.

    Raises:
        CallerError: not even the headers do.

    >>> dead_letter_bytes("dead-letters", 1_048_588)
    1044492
    """
    if message_bytes < DEAD_LETTER_HEADERS_BYTES:
        raise CallerError(
            f"topic {topic} takes messages of at most {message_bytes} bytes, the headers of a dead letter alone may "
            f"need {DEAD_LETTER_HEADERS_BYTES}; raise its max.message.bytes"
        )
    return message_bytes - DEAD_LETTER_HEADERS_BYTES


def planner(config: Config, tail: RegistryTail) -> Callable[[], Plan]:
    """What this worker would count with now; made anew only when the registry has changed."""
    made: list[tuple[int, Plan]] = []

    def plan() -> Plan:
        if not made or made[-1][0] != tail.changes:
            made[:] = [(tail.changes, plan_of(config, tail))]
        return made[0][1]

    return plan


def plan_of(config: Config, tail: RegistryTail) -> Plan:
    """Every registered model with its newest baseline and the settings that the configuration gives it."""
    models = []
    for key in tail.registry.keys():  # noqa: SIM118  # not a dict
        baseline, windows = tail.registry.in_force(key), config.model(key.model).windows
        if baseline is None:
            continue
        settings = _counting_settings(config, key.model)
        models.append(PlannedModel(baseline.id, settings, windows.length, outcome_settings(config.model(key.model))))
    return Plan(ingest_settings(config), sorted(models, key=lambda m: m.baseline_id))


def _counting_settings(config: Config, name: str) -> CountingSettings:
    model = config.model(name)
    latency = model.checks.latency
    limit_ms = None if latency is None else latency.hard_limit
    return CountingSettings(
        pane_ms=model.windows.pane,
        allowed_lateness_ms=model.windows.allowed_lateness,
        max_clock_skew_ms=model.windows.max_clock_skew,
        fields=config.fields,
        constants=config.constants,
        latency_sla_ms=None if latency is None else latency.sla,
        segments=segment_settings(model),
        errors=model.checks.errors is not None,
        hard_limit_ms=limit_ms,
        max_per_pane=0 if latency is None or limit_ms is None else latency.max_per_pane,
    )


def ingest_settings(config: Config) -> IngestSettings:
    """How predictions are read."""
    return IngestSettings(
        max_clock_skew_ms=config.windows.max_clock_skew,
        unknown_models=config.unknown_models,
        fields=config.fields,
        constants=config.constants,
        max_message_bytes=config.limits.max_message_bytes,
        learning=learning_settings(config),
    )


def learning_settings(config: Config) -> LearningSettings | None:
    """How baselines of models that nobody has registered are learned; None: they are not."""
    if config.unknown_models != "learn":
        return None
    learning, windows = config.learning, config.windows
    return LearningSettings(
        pane_ms=windows.pane,
        allowed_lateness_ms=windows.allowed_lateness,
        span_ms=windows.length if learning.span is None else learning.span,
        rows=learning.rows,
        models=learning.models,
        features=learning.features,
    )


def settings_of(config: Config, model: str) -> ModelSettings:
    """How a model's windows are judged."""
    return model_settings(config.model(model), Smoothing.parse(config.smoothing))


def longest_lead_ms(config: Config) -> int:
    """How far a replay may run ahead: as many panes as the longest window of any model may have.

    One window would do, but of a short one a single fetch may hold dozens, and all partitions but one would wait.
    """
    panes = (config.windows.pane, *(config.model(name).windows.pane for name in config.models))
    return config.limits.max_panes * max(panes)


def cached_settings(config: Config) -> Callable[[str], ModelSettings]:
    """`settings_of` that remembers: it is asked at every pane."""
    held: dict[str, ModelSettings] = {}

    def settings(model: str) -> ModelSettings:
        if model not in held:
            held[model] = settings_of(config, model)
        return held[model]

    return settings
