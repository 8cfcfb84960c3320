"""What an alert claims: which rows of which topics it has seen, and what they were counted with.

It is read from the alert's own message and nothing else, so that a claim stands for itself: whoever has the message,
the topics and the registry of baselines can count again.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from stream.alerts.rules import INPUT_LOST
from stream.baselines.performance_evidence import AUC, BRIER, MAE
from stream.records.prediction import ModelKey
from stream.records.settings import CountingSettings
from stream.records.source import Source
from stream.records.times import epoch_ms

OF_LABELS: Final = frozenset({AUC, BRIER, MAE})


@dataclass(frozen=True, slots=True)
class Cannot:
    """Why an alert cannot be verified."""

    reason: str


@dataclass(frozen=True, slots=True)
class NothingClaimed:
    """The message states no number: there is nothing to count."""

    reason: str


class CitedRows(NamedTuple):
    """The offsets [first, next) of a source in which the window's rows lie."""

    name: str  # of the source, as the alert has it
    source: Source
    first: int
    next: int
    newest_ms: int  # the newest event time of the source up to the first of those rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A window of one model's traffic, as an alert cites it."""

    key: ModelKey
    segment: str  # "" for the whole traffic
    start_ms: int
    end_ms: int
    baseline_id: str
    definition_id: str
    counting: CountingSettings
    rows: tuple[CitedRows, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelClaim:
    """A window of one model's labels, as an alert cites it."""

    key: ModelKey
    segment: str  # "" for the whole traffic
    start_ms: int  # of label arrival
    end_ms: int
    baseline_id: str
    definition_id: str  # of a PerformanceDefinition
    outcomes: dict[str, int]  # by outcomes partition: the offset below which everything is counted


def claim_of(alert: dict[str, Any]) -> Claim | LabelClaim | Cannot | NothingClaimed:
    """What one message of an alert claims."""
    check, evidence = alert["labels"]["check"], alert["evidence"]
    if check == INPUT_LOST:
        return Cannot("it says that input is gone: what retention cut away cannot be read again")
    if evidence.get("silent_ms") is not None:
        return Cannot("it says that nothing came: how long partitions were silent is not in their rows")
    if "sources" not in evidence and "outcomes" not in evidence:
        return NothingClaimed(alert["annotations"]["summary"])
    labels, window = alert["labels"], evidence["window"]
    key = ModelKey(labels["model"], labels["version"])
    if check in OF_LABELS:
        return LabelClaim(
            key=key,
            segment=labels["segment"],
            start_ms=epoch_ms(window["start"]),
            end_ms=epoch_ms(window["end"]),
            baseline_id=evidence["baseline"],
            definition_id=evidence["definition"],
            outcomes=evidence["outcomes"],
        )
    return Claim(
        key=key,
        segment=labels["segment"],
        start_ms=epoch_ms(window["start"]),
        end_ms=epoch_ms(window["end"]),
        baseline_id=evidence["baseline"],
        definition_id=evidence["definition"],
        counting=msgspec.convert(evidence["counting"], CountingSettings),
        rows=tuple(
            CitedRows(name, source_of(name), first, following, epoch_ms(evidence["newest_events"][name]))
            for name, (first, following) in evidence["sources"].items()
        ),
    )


def source_of(name: str) -> Source:
    """The partition that a source is; `~1` behind it counts how often its topic was made anew.

    >>> source_of("predictions/3~1")
    Source(topic='predictions', partition=3)
    """
    topic, _, partition = name.partition("~")[0].rpartition("/")
    return Source(topic, int(partition))
