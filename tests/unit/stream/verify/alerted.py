"""Traffic on two partitions that went through count and evaluate, with the alerts that came of it and the topics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import orjson
from hypothesis import strategies as st

from stream.alerts.episode import AlertRules
from stream.alerts.error_rule import ErrorRule
from stream.alerts.quality_rules import QualityRule
from stream.alerts.rules import THRESHOLD, LatencyRule
from stream.alerts.throughput_rule import ThroughputRule
from stream.baselines.baseline import Baseline
from stream.count.counter import CountFold
from stream.evaluate.settings import ModelSettings
from stream.ingest.settings import IngestSettings
from stream.records.partial import decode_partial
from stream.records.settings import SegmentSettings
from stream.records.source import Source
from stream.verify.rejoin import Joins
from stream.verify.verifier import Verified, Verifier
from tests.memory_log import MemoryLog
from tests.small_model import START_MS, Worker, baseline, plan, prediction, settings
from tests.unit.stream.evaluate.partials import Evaluate, limits

ONE = baseline(1)
PARTITIONS = [Source("predictions", p) for p in range(2)]
LATENESS_MS = 500
COUNTING = msgspec.structs.replace(
    settings(allowed_lateness_ms=LATENESS_MS),
    latency_sla_ms=250,
    segments={"c": SegmentSettings(values=("a",))},
    errors=True,
)
WINDOW_MS = 3_000
END_MS = 100_000  # after START_MS: a row there closes every pane of the traffic


@dataclass
class Sent:
    """One message of a producer."""

    at_ms: int  # event time of its first prediction, after START_MS
    kind: str = "one"  # one | array | broken | other: of a model that nobody knows | far: an array over many panes
    # | quick: one within the SLA | many: an array of 160 | renamed: likewise, with another name for x
    # | extra: likewise, with a name more


NAMES = {"many": {"x": "x"}, "renamed": {"x": "wind"}, "extra": {"x": "x", "c": "copy"}}


def _named(sent: Sent, i: int) -> dict[str, Any]:
    """One of many rows, alike but for the names of their features; `request` is in all of them."""
    said = orjson.loads(prediction(sent.at_ms, x=(0.1, 0.3, 0.6, 0.9)[i % 4]))
    features, names = said["features"], NAMES[sent.kind]
    told = {new: features[old] for old, new in names.items()} | {"c": features["c"], "request": i}
    return {**said, "features": told}


def value_of(sent: Sent, number: int) -> bytes:
    """Its bytes; four seconds long x is in its lowest bin, four seconds long in all of them: alerts come and go."""
    if sent.kind == "broken":
        return b"{oops"
    if sent.kind == "other":
        return prediction(sent.at_ms, model="unknown")
    if sent.kind in NAMES:
        return orjson.dumps([_named(sent, i) for i in range(160)])
    x = 0.1 if sent.at_ms // 4_000 % 2 == 0 else (0.1, 0.3, 0.6, 0.9)[number // 2 % 4]
    one = prediction(sent.at_ms, x=x, score=(number % 10) / 10)
    slow = orjson.dumps(orjson.loads(one) | {"latency_ms": 900, "status": "timeout"})
    if sent.kind == "quick":
        return orjson.dumps(orjson.loads(one) | {"latency_ms": 20})
    if sent.kind == "one":
        return slow
    ahead = 2_500 if sent.kind == "far" else 100
    return b"[" + prediction(sent.at_ms + ahead, c="b") + b"," + slow + b",{}]"


traffic = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.builds(Sent, st.integers(0, 12_000), st.sampled_from(["one", "one", "array", "broken", "other", "far"])),
    ),
    min_size=1,
    max_size=40,
)


@dataclass
class Alerted:
    """What is there when the traffic has been judged."""

    log: MemoryLog
    worker: Worker
    judging: ModelSettings
    alerts: list[dict[str, Any]]

    def verifier(self, **changes: Any) -> Verifier:
        """With what the service had; some of it otherwise."""
        verifier = Verifier(
            log=self.log,
            joins=Joins(self.log, ()),
            find_baseline=self.worker.find,
            settings_of=lambda _: self.judging,
            ingest=IngestSettings(),
            segments_of=lambda _: COUNTING.segments,
            joins_labels=lambda _: False,
        )
        return replace(verifier, **changes)

    async def verified(self, **changes: Any) -> list[Verified]:
        """All messages."""
        verifier = self.verifier(**changes)
        return [await verifier.verify(alert) for alert in self.alerts]


def alerted(
    messages: Sequence[tuple[int, Sent]],
    *,
    crash_before: Callable[[int], bool] = lambda _: False,
    alerts: AlertRules | None = None,
    of: Baseline = ONE,
    end_ms: int = END_MS,
    rule: str = THRESHOLD,
    quality: QualityRule | None = None,
    throughput: ThroughputRule | None = None,
) -> Alerted:
    """The traffic, message by message; before some of them the owner is replaced by one that restores its state."""
    log, worker = MemoryLog(), Worker(of)
    worker.wants = plan(of, counting=COUNTING)
    evaluate = Evaluate(worker=worker, rules=replace(limits(0.01, 0.1), rule=rule), window_ms=WINDOW_MS)
    evaluate.judging = replace(
        evaluate.judging,
        latency=LatencyRule(min_count=1, rule=rule),
        errors=ErrorRule(min_count=1, rule=rule),
        alerts=alerts or AlertRules(),
        quality=quality,
        throughput=throughput,
    )
    folds = [_owner(worker, source) for source in PARTITIONS]
    for number, (partition, sent) in enumerate([*messages, *((p, Sent(end_ms)) for p in range(len(PARTITIONS)))]):
        source = PARTITIONS[partition]
        if crash_before(number):
            folds[partition] = _restored(folds[partition], worker)
        offset = log.put(source, value_of(sent, number), timestamp_ms=START_MS + end_ms)
        folds[partition].fold(log.batch(source, offset, offset + 1))
        for output in folds[partition].outputs():
            if output.to.topic == "partials" and output.value is not None:
                evaluate.hears(decode_partial(output.value))
    return Alerted(log, worker, evaluate.judging, evaluate.alerts)


def _owner(worker: Worker, source: Source) -> CountFold:
    fold = worker.count(source, sources=len(PARTITIONS))
    proposal = fold.proposal()
    assert proposal is not None
    fold.activate(proposal)
    return fold


def _restored(fold: CountFold, worker: Worker) -> CountFold:
    restored = worker.count(fold.source, sources=len(PARTITIONS))
    restored.restore(fold.next_offset, fold.progress(), fold.live())
    return restored
