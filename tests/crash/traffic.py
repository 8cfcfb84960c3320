"""The predictions: seeded, in slices of event time, good ones, late ones, arrays and broken ones.

Every slice is written to the truth while it is made. Cost: about 5 us a prediction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.crash.join_truth import JoinTruth
from tests.crash.labels import NO_ID, LabelTraffic, Row
from tests.crash.models import (
    C_VALUES,
    LATENCY_VALUES,
    LEARNED,
    SCORE_VALUES,
    SCORES,
    SEGMENTED,
    SITES,
    STATUS_VALUES,
    X_VALUES,
    Model,
    c_shares,
    latency_shares,
    make_models,
    score_shares,
    status_shares,
    x_shares,
)
from tests.crash.scenario import FIRST_EVENT_MS, PARTITIONS, SLICE_MS, SLICES_PER_PANE, Scenario
from tests.crash.truth import NO_ELEMENT, BrokenOne, LearnedFrom, PartitionTruth, Truth

SHARE_LATE: Final = 0.01
SHARE_ARRAYS: Final = 0.01
SHARE_BROKEN: Final = 0.01
SHARE_UNKNOWN: Final = 0.005
SHARE_LEARNED: Final = 0.02  # in their place
SHARE_BROKEN_ELEMENTS: Final = 0.2
JITTER_MS: Final = 900  # out of order by so much: mostly not late, at the edge of it
LATE_FROM_MS, LATE_TO_MS = 2_000, 15_000
QUIET_PANES: Final = 20  # at the start nothing is late: there is no watermark yet that would say so
ORDERLY_PANES: Final = 5  # at the end nothing is out of order: what would come behind the last pane is told nobody
LONGEST_ARRAY: Final = 5

# Broken in one way each: reason, and the JSON text; %(n)d makes every one's bytes its own. Those with a model
# and a true time move the watermark all the same.
BROKEN_PREDICTIONS: Final = (
    ("missing_model", b'{"version":"1","ts":%(ts)d,"score":0.5,"request_id":"%(n)d"}'),
    ("wrong_type", b'{"model":"model-00","version":"1","ts":%(ts)d,"score":"high %(n)d"}'),
    ("score_out_of_range", b'{"model":"model-00","version":"1","ts":%(ts)d,"score":%(n)d.5,"features":{}}'),
    ("bad_time", b'{"model":"model-00","version":"1","ts":%(n)d,"score":0.5}'),
    ("future", b'{"model":"model-00","version":"1","ts":99999999999999,"score":0.5,"request_id":"%(n)d"}'),
    ("missing_answer", b'{"model":"model-00","version":"1","ts":%(ts)d,"request_id":"%(n)d"}'),
    ("not_object", b'"number %(n)d"'),
)
BROKEN_MESSAGES: Final = (
    ("not_json", b'{"model":"model-00","n":%(n)d,"score":0.'),
    ("not_json", b'[{"model":"model-00","score":0.5},{"model":"model-00","score":NaN,"n":%(n)d}]'),
    ("not_json", b"\xff\xfe %(n)d"),
    ("empty", None),
)
UNKNOWN: Final = b'{"model":"nobody","version":"%(n)d","ts":%(ts)d,"score":0.5}'


@dataclass(frozen=True)
class Slice:
    """Messages by partition, in log order."""

    values: list[list[bytes | None]]
    labels: list[list[bytes | None]]


class Traffic:
    """Makes the slices of a scenario, and knows what they hold."""

    def __init__(self, scenario: Scenario) -> None:
        self.labelled: list[Model] = make_models(scenario.models)
        self.models = [*self.labelled, SEGMENTED, *([LEARNED] if scenario.learns else [])]
        segmented = self.models.index(SEGMENTED)
        self.truth = Truth([PartitionTruth(segmented) for _ in range(PARTITIONS)])
        self.joins = JoinTruth(self.labelled)
        self.slice_count = scenario.panes * SLICES_PER_PANE
        self.labels = LabelTraffic(
            self.labelled,
            self.joins,
            slices=self.slice_count,
            ignores=scenario.unknown_models != "dead-letter",  # labels of what is being learned are ignored, too
            seed=scenario.seed,
        )
        self.scenario = scenario
        self.rng = np.random.default_rng(scenario.seed)
        self._serial = 2  # above 1, so that no `score` made of it is in range
        self._drifts = range(int(scenario.panes * 0.4), int(scenario.panes * 0.6))

    def slices(self) -> Iterator[Slice]:
        """All of it, once; exactly `scenario.events` predictions."""
        events = self.scenario.events
        for i in range(self.slice_count):
            yield self._slice(i, events * (i + 1) // self.slice_count - events * i // self.slice_count)

    def _slice(self, index: int, predictions: int) -> Slice:
        maker = _SliceMaker(self, index, predictions)
        values: list[list[bytes | None]] = [[] for _ in range(PARTITIONS)]
        partitions = self.rng.integers(PARTITIONS, size=predictions).tolist()
        kinds = self.rng.random(predictions).tolist()
        while maker.left:
            p = partitions.pop()
            values[p].append(maker.message(self.truth.partitions[p], kinds.pop()))
            self.truth.partitions[p].next_offset += 1
        return Slice(values, self.labels.slice(index, predictions))

    def serial(self) -> int:
        """A number that no other broken message has."""
        self._serial += 1
        return self._serial

    def is_drifting(self, pane: int) -> bool:
        """Whether the models that drift do so in this pane."""
        return pane in self._drifts


class _SliceMaker:
    """Draws the values of one slice at once and hands them out."""

    def __init__(self, traffic: Traffic, index: int, predictions: int) -> None:
        rng, pane = traffic.rng, index // SLICES_PER_PANE
        self.left = predictions
        self._traffic = traffic
        self._ignores = traffic.scenario.unknown_models == "ignore"
        self._share_unknown = SHARE_LEARNED if traffic.scenario.learns else SHARE_UNKNOWN
        self._segmented = traffic.models.index(SEGMENTED)
        models = rng.integers(self._segmented + 1, size=predictions)
        drifting = np.array([m.drifts and traffic.is_drifting(pane) for m in traffic.models])[models]
        calm, moved = (rng.choice(len(X_VALUES), size=predictions, p=x_shares(drifted=d)) for d in (False, True))
        well, badly = (
            rng.choice(len(STATUS_VALUES), size=predictions, p=status_shares(drifted=d)) for d in (False, True)
        )
        age_ms = rng.integers(JITTER_MS, size=predictions)
        self._index = index
        if pane >= traffic.scenario.panes - ORDERLY_PANES:
            age_ms[:] = 0
        elif pane >= QUIET_PANES:
            late = rng.random(predictions) < SHARE_LATE
            age_ms = np.where(late, rng.integers(LATE_FROM_MS, LATE_TO_MS, size=predictions), age_ms)
        now_ms = FIRST_EVENT_MS + index * SLICE_MS + rng.integers(SLICE_MS, size=predictions)
        self._rows = zip(
            models.tolist(),
            np.maximum(now_ms - age_ms, FIRST_EVENT_MS).tolist(),
            np.where(drifting, moved, calm).tolist(),
            rng.choice(len(C_VALUES), size=predictions, p=c_shares()).tolist(),
            rng.choice(len(SCORE_VALUES), size=predictions, p=score_shares()).tolist(),
            rng.choice(len(LATENCY_VALUES), size=predictions, p=latency_shares()).tolist(),
            np.where(drifting, badly, well).tolist(),
            strict=True,
        )

    def message(self, truth: PartitionTruth, kind: float) -> bytes | None:
        """The next message of a partition; `kind` in [0, 1) says which."""
        if kind < SHARE_ARRAYS and self.left >= 2:
            size = 2 + int(kind / SHARE_ARRAYS * (min(self.left, LONGEST_ARRAY) - 1))
            return b"[" + b",".join([self._element(truth, i) for i in range(size)]) + b"]"
        kind -= SHARE_ARRAYS
        if 0 <= kind < SHARE_BROKEN:
            choice = BROKEN_PREDICTIONS + BROKEN_MESSAGES
            return self._broken(truth, *choice[int(kind / SHARE_BROKEN * len(choice))], index=None)
        if 0 <= kind - SHARE_BROKEN < self._share_unknown:
            return self._unknown(truth, index=None)
        return self._good(truth)

    def _element(self, truth: PartitionTruth, index: int) -> bytes:
        kind = self._traffic.rng.random()
        if kind >= SHARE_BROKEN_ELEMENTS:
            return self._good(truth, index)
        choice = int(kind / SHARE_BROKEN_ELEMENTS * (len(BROKEN_PREDICTIONS) + 1))
        if choice == len(BROKEN_PREDICTIONS):
            return self._unknown(truth, index=index)
        broken = self._broken(truth, *BROKEN_PREDICTIONS[choice], index=index)
        assert broken is not None
        return broken

    def _good(self, truth: PartitionTruth, element: int = NO_ELEMENT) -> bytes:
        self.left -= 1
        row = Row(*next(self._rows))
        if row.model == self._segmented:
            return self._unlabelled(truth, row)
        labels = self._traffic.labels
        sent = labels.delivered_twice(self._index) or labels.named(row, self._index)
        model, time_ms, x, c, score, latency, status = sent.row
        counters = X_VALUES[x][1], C_VALUES[c][1], SCORE_VALUES[score][1]
        truth.add_row(truth.next_offset, element, model, time_ms, *counters, latency, STATUS_VALUES[status][1])
        if sent.id != NO_ID and score < len(SCORES):
            self._traffic.joins.add_prediction(sent.id, model, time_ms // 1_000, score)
        return sent.value

    def _unlabelled(self, truth: PartitionTruth, row: Row) -> bytes:
        model, (x, x_counter), (c, c_counter) = self._traffic.models[row.model], X_VALUES[row.x], C_VALUES[row.c]
        score, score_counter = SCORE_VALUES[row.score]
        counters = x_counter, c_counter, score_counter
        truth.add_row(truth.next_offset, NO_ELEMENT, row.model, row.time_ms, *counters, 0, 0)
        return (
            b'{"model":"%b","version":"%b","ts":%d,"score":%b,"features":{"x":%b,"c":%b},"segment":{"site":"%b"}}'
            % (
                model.name.encode(),
                model.version.encode(),
                row.time_ms,
                score,
                x,
                c,
                SITES[x_counter % len(SITES)].encode(),
            )
        )

    def _broken(self, truth: PartitionTruth, reason: str, shape: bytes | None, *, index: int | None) -> bytes | None:
        self.left -= 1
        value = None if shape is None else self._filled(shape, truth)
        truth.broken.append(BrokenOne(truth.next_offset, index, reason, value))
        return value

    def _unknown(self, truth: PartitionTruth, *, index: int | None) -> bytes:
        self.left -= 1
        if self._traffic.scenario.learns:
            row = Row(*next(self._rows))._replace(model=self._traffic.models.index(LEARNED))
            value = self._unlabelled(truth, row)
            truth.learned_from.append(LearnedFrom(truth.next_offset, index, row.time_ms, value))
            return value
        value = self._filled(UNKNOWN, truth)
        if self._ignores:
            truth.ignored.append(truth.next_offset)
        else:
            truth.broken.append(BrokenOne(truth.next_offset, index, "unknown_model", value))
        return value

    def _filled(self, shape: bytes, truth: PartitionTruth) -> bytes:
        _, time_ms, *_ = next(self._rows)
        if b'"model"' in shape and b"%(ts)d" in shape:
            truth.add_time(time_ms)
        return shape % {b"n": self._traffic.serial(), b"ts": time_ms}
