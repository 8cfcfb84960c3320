"""All topics, declared once: what each is for and how it is made. A test compares README's table.

The folds keep their state for a number of partitions: `outcomes`, `partials` and the changelogs of
join and evaluate must not change theirs; those of count and labels may only grow, with the topic that
they follow. Their numbers are recorded in the topic `partition-counts` when they are made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stream.config import Config

FOR_EVER: Final = -1  # Kafka's word for a retention without limit
LARGE_MESSAGE_BYTES: Final = 8 * 1024 * 1024  # one pane of a model with thousands of features, or its report
SMALLEST_MESSAGE_BYTES: Final = 1_000_000  # records of our own are packed to half of it; Kafka's default is 1,048,588


class Cleanup(StrEnum):
    """Kafka's `cleanup.policy`."""

    DELETE = "delete"
    COMPACT = "compact"  # the newest record of each key stays


class Partitions(StrEnum):
    """How many partitions a topic is made with; `as many as` is followed by the role of another."""

    ONE = "one"
    GIVEN = "as given with --partitions"
    AS_PREDICTIONS = "as many as predictions"
    AS_LABELS = "as many as labels"
    AS_OUTCOMES = "as many as outcomes"
    AS_PARTIALS = "as many as partials"

    @property
    def follows(self) -> str | None:
        """The role of the topic whose number it copies.

        >>> Partitions.AS_LABELS.follows, Partitions.ONE.follows
        ('labels', None)
        """
        return self.value.rpartition(" ")[2] if self.value.startswith("as many as") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic."""

    role: str  # what the code calls it
    key: str  # what its records are keyed by
    partitions: Partitions
    cleanup: Cleanup
    retention_ms: int | None  # FOR_EVER, or None: as the broker has it
    meaning: str
    internal: bool = False  # named `<app>.<role>`, and nobody else's business
    recorded: bool = False  # its number of partitions must not change: state is kept for it
    message_bytes: int | None = None  # `max.message.bytes`; None: as the broker has it
    may_grow: bool = False  # but it may grow: a partition's state does not depend on the others

    def name(self, config: Config) -> str:
        """Its name under a configuration.

        >>> [spec.name(Config(app="fraud")) for spec in TOPICS if spec.role in ("dead_letters", "partials")]
        ['dead-letters', 'fraud.partials']
        """
        return config.internal_topic(self.role) if self.internal else str(getattr(config.topics, self.role))


TOPICS: Final = (
    TopicSpec(
        role="predictions",
        key="any",
        partitions=Partitions.GIVEN,
        cleanup=Cleanup.DELETE,
        retention_ms=None,
        meaning="what the models answered; read",
    ),
    TopicSpec(
        role="labels",
        key="any",
        partitions=Partitions.GIVEN,
        cleanup=Cleanup.DELETE,
        retention_ms=None,
        meaning="the truth, minutes to weeks later; read",
    ),
    TopicSpec(
        role="baselines",
        key="model@version#N",
        partitions=Partitions.ONE,
        cleanup=Cleanup.COMPACT,
        retention_ms=None,
        meaning="the registered baselines; read, and written by `driftline baseline`",
    ),
    TopicSpec(
        role="alerts",
        key="alert id",
        partitions=Partitions.ONE,
        cleanup=Cleanup.DELETE,
        retention_ms=None,
        meaning="firing and resolved; written",
    ),
    TopicSpec(
        role="reports",
        key="model@version",
        partitions=Partitions.ONE,
        cleanup=Cleanup.COMPACT,
        retention_ms=None,
        message_bytes=LARGE_MESSAGE_BYTES,
        meaning="every evaluation of every pane; written",
    ),
    TopicSpec(
        role="silences",
        key="silence/ID or ack/ALERT",
        partitions=Partitions.ONE,
        cleanup=Cleanup.COMPACT,
        retention_ms=None,
        meaning="silences and acknowledgements; read, and written by `driftline silence` and `ack`",
    ),
    TopicSpec(
        role="dead_letters",
        key="topic/partition/offset",
        partitions=Partitions.GIVEN,
        cleanup=Cleanup.DELETE,
        retention_ms=None,
        meaning="what could not be counted, with the reason; written",
    ),
    TopicSpec(
        role="outcomes",
        key="none",
        partitions=Partitions.GIVEN,
        cleanup=Cleanup.DELETE,
        retention_ms=FOR_EVER,
        message_bytes=LARGE_MESSAGE_BYTES,
        meaning="predictions that wait for labels, and labels, by prediction id; trimmed by the join",
        internal=True,
        recorded=True,
    ),
    TopicSpec(
        role="partials",
        key="model@version",
        partitions=Partitions.GIVEN,
        cleanup=Cleanup.DELETE,
        retention_ms=FOR_EVER,
        message_bytes=LARGE_MESSAGE_BYTES,
        meaning="closed panes, from count and join to evaluate",
        internal=True,
        recorded=True,
    ),
    TopicSpec(
        role="count-changelog",
        key="none",
        partitions=Partitions.AS_PREDICTIONS,
        cleanup=Cleanup.DELETE,
        retention_ms=FOR_EVER,
        message_bytes=LARGE_MESSAGE_BYTES,
        meaning="the state of count; trimmed by its owner",
        internal=True,
        recorded=True,
        may_grow=True,
    ),
    TopicSpec(
        role="labels-changelog",
        key="none",
        partitions=Partitions.AS_LABELS,
        cleanup=Cleanup.DELETE,
        retention_ms=FOR_EVER,
        message_bytes=LARGE_MESSAGE_BYTES,
        meaning="the state of the labels' sources; trimmed by its owner",
        internal=True,
        recorded=True,
        may_grow=True,
    ),
    TopicSpec(
        role="join-changelog",
        key="none",
        partitions=Partitions.AS_OUTCOMES,
        cleanup=Cleanup.DELETE,
        retention_ms=FOR_EVER,
        message_bytes=LARGE_MESSAGE_BYTES,
        meaning="the state of the join; trimmed by its owner",
        internal=True,
        recorded=True,
    ),
    TopicSpec(
        role="evaluate-changelog",
        key="none",
        partitions=Partitions.AS_PARTIALS,
        cleanup=Cleanup.DELETE,
        retention_ms=FOR_EVER,
        message_bytes=LARGE_MESSAGE_BYTES,
        meaning="the state of evaluate; trimmed by its owner",
        internal=True,
        recorded=True,
    ),
    TopicSpec(
        role="partition-counts",
        key="topic",
        partitions=Partitions.ONE,
        cleanup=Cleanup.COMPACT,
        retention_ms=None,
        meaning="how many partitions the state is kept for",
        internal=True,
    ),
)
"""In the order in which they are made: a topic comes after the one whose partitions it copies."""


def wanted_partitions(spec: TopicSpec, config: Config, existing: Mapping[str, int], given: int) -> int:
    """How many partitions a topic is made with; `existing` has the topics that are there by now.

    >>> wanted_partitions(spec_of("count-changelog"), Config(), {"predictions": 12}, given=4)
    12
    """
    if spec.partitions.follows is not None:
        return existing[spec_of(spec.partitions.follows).name(config)]
    return 1 if spec.partitions is Partitions.ONE else given


def spec_of(role: str) -> TopicSpec:
    """The topic with this role."""
    return next(spec for spec in TOPICS if spec.role == role)


def changelogs(config: Config) -> dict[str, str]:
    """Every topic that is folded, with the changelog of its fold; both by name.

    >>> changelogs(Config())["labels"]
    'driftline.labels-changelog'
    """
    return {
        spec_of(spec.partitions.follows).name(config): spec.name(config)
        for spec in TOPICS
        if spec.partitions.follows is not None
    }


def wanted_settings(spec: TopicSpec, brokers: int) -> dict[str, str]:
    """Kafka's settings of a topic.

    >>> wanted_settings(spec_of("baselines"), brokers=3)
    {'cleanup.policy': 'compact', 'min.insync.replicas': '2'}
    """
    settings = {"cleanup.policy": str(spec.cleanup)}
    if spec.retention_ms is not None:
        settings["retention.ms"] = str(spec.retention_ms)
        settings["retention.bytes"] = str(spec.retention_ms)
    if spec.message_bytes is not None:
        settings["max.message.bytes"] = str(spec.message_bytes)
    if brokers >= ENOUGH_BROKERS:
        settings["min.insync.replicas"] = "2"
    return settings


def wanted_replicas(brokers: int) -> int:
    """Three where there are three brokers, else one: two would stop writing when either dies."""
    return ENOUGH_BROKERS if brokers >= ENOUGH_BROKERS else 1


ENOUGH_BROKERS: Final = 3
