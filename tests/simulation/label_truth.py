"""Brute force: which predictions and labels must have met, in plain Python, from the inputs alone.

It shares no code with the service but the wire's numbers (the columns of a register).

An id is *settled* if its fate is the same in whatever order the records are read. It is not, and is left
out of what is compared, where
* one of its rows is below its own source's watermark when it is read (`late`): what it meets may be gone;
* its predictions lie further apart than the time to live (the older may be forgotten when the newer comes), or,
  without `dedupe`, at different times at all, or its labels further apart than what is kept of a labelled one;
* it has a label with a score of its own, and some label outside the window of the prediction: whether the prediction
  is there decides if the score stands for it, and a label that is too late for the prediction may replace one that
  is not while the score stands for it; or, without a prediction, other labels, which may have been given up before.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Final, NamedTuple

from xxhash import xxh3_64_intdigest

from tests.simulation.label_traffic import BINS, LABELS_LATENESS_MS, LabelRecord, Row

DELAYS: Final = sorted({round(2 ** (k / 4)) for k in range(128)})


class Settings(NamedTuple):
    """What of a world's shape decides who meets whom, in seconds."""

    ttl_s: int
    early_s: int
    revision_s: int
    pane_s: int
    cohort_s: int
    sample: float
    dedupe: bool


class PaneOf(NamedTuple):
    """A register of whichever outcomes partition."""

    model: str
    cohort: bool
    start_s: int


class Asked(NamedTuple):
    """A prediction: when, and its bin or value."""

    time_s: int
    payload: float


class Known(NamedTuple):
    """A label: when, which, and the bin of the score that it brings (-1: none)."""

    time_s: int
    value: float
    brings: float

    @property
    def rank(self) -> tuple[int, bool, float]:
        """The largest is in force; what takes back ranks above others of the same time."""
        return self.time_s, isnan(self.value), 0.0 if isnan(self.value) else self.value


class Pair(NamedTuple):
    """A prediction and the label in force."""

    model: str
    id: str
    asked: Asked
    known: Known


@dataclass
class OneId:
    """What the inputs hold of one id, and whether some of it comes late."""

    asked: list[Asked] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)
    late: bool = False


@dataclass
class JoinTruth:
    """What must have been counted, over all outcomes partitions."""

    predictions: int = 0  # rows that are joined, also of ids that are not settled
    labels: int = 0
    pairs: list[Pair] = field(default_factory=list)
    inline: int = 0  # of them, those whose prediction never came
    stands: list[tuple[str, Asked]] = field(default_factory=list)  # model and prediction, one an id
    copies: int = 0  # of predictions
    unsettled: set[tuple[str, float]] = field(default_factory=set)  # model, and bin of `m`
    corrected: set[tuple[str, int]] = field(default_factory=set)  # model and second: a pair may have gone from there

    @property
    def everything_is_settled(self) -> bool:
        """Whether sums may be compared as well."""
        return not self.unsettled

    def registers(self, by: Settings) -> dict[PaneOf, Counter[int]]:
        """The counters of each pane, but for those of ids that are not settled."""
        panes: dict[PaneOf, Counter[int]] = defaultdict(Counter)
        for pair in self.pairs:
            arrival_s = max(pair.asked.time_s, pair.known.time_s)
            counters = _counters(pair)
            panes[_pane(pair.model, arrival_s, by.pane_s, cohort=False)].update(counters)
            panes[_pane(pair.model, pair.asked.time_s, by.cohort_s, cohort=True)].update(counters)
        for model, asked in self.stands:
            column = int(asked.payload) if model == "m" else 0
            panes[_pane(model, asked.time_s, by.cohort_s, cohort=True)][column] += 1
        return panes

    def may_be_compared(self, model: str, column: int) -> bool:
        """Whether a counter holds settled ids only; sums of values are left to the comparison with an uncrashed run."""
        if model == "m" and column < 3 * BINS:
            return (model, float(column % BINS)) not in self.unsettled
        is_moment = model == "r" and 2 <= column < 8
        return not is_moment and all(of_model != model for of_model, _ in self.unsettled)


def join_truth(inputs: Mapping[str, Iterable[Sequence[LabelRecord]]], by: Settings) -> JoinTruth:
    """From the records of all partitions, by topic."""
    ids: dict[tuple[str, str], OneId] = defaultdict(OneId)
    truth = JoinTruth()
    for topic, partitions in inputs.items():
        for records in partitions:
            for row, late in _rows_with_lateness(records):
                if not _is_sampled(row, by.sample):
                    continue
                one = ids[row.model, row.id]
                one.late |= late
                assert row.time_ms is not None
                if topic == "predictions":
                    truth.predictions += 1
                    one.asked.append(Asked(row.time_ms // 1_000, row.payload))
                else:
                    truth.labels += 1
                    one.known.append(Known(row.time_ms // 1_000, row.value, row.payload))
    for (model, key), one in ids.items():
        _settle(truth, model, key, one, by)
    return truth


def _rows_with_lateness(records: Sequence[LabelRecord]) -> Iterable[tuple[Row, bool]]:
    newest_ms = -(1 << 62)
    for record in records:
        for row in record.rows:
            if row.time_ms is not None:
                newest_ms = max(newest_ms, row.time_ms)
                if row.id:
                    yield row, row.time_ms < newest_ms - LABELS_LATENESS_MS


def _is_sampled(row: Row, sample: float) -> bool:
    hashed = xxh3_64_intdigest(row.id, xxh3_64_intdigest(row.model))
    return (hashed & 0xFFFFFFFF) / 2**32 < sample


def _settle(truth: JoinTruth, model: str, key: str, one: OneId, by: Settings) -> None:
    """What becomes of one id."""
    stands = max(one.asked, default=None)
    window = [k for k in one.known if stands and -by.early_s <= k.time_s - stands.time_s <= by.ttl_s]
    if not _is_settled(one, stands, window, by):
        payloads = {a.payload for a in one.asked} | {k.brings for k in one.known if k.brings >= 0}
        truth.unsettled |= {(model, payload) for payload in payloads if model == "m"} or {(model, -1.0)}
        return
    truth.copies += max(len(one.asked) - 1, 0)
    if stands is None:
        own = next((k for k in one.known if k.brings >= 0), None)
        if own is None:
            return
        stands, window = Asked(own.time_s, own.brings), [own]
        truth.inline += not isnan(own.value)
    truth.stands.append((model, stands))
    if len({k.rank for k in one.known}) + len({a.time_s for a in one.asked}) > 2 or any(k.brings >= 0 for k in window):
        every = {a.time_s for a in one.asked} | {stands.time_s}
        truth.corrected |= {(model, max(t, k.time_s)) for k in one.known for t in (*every, k.time_s)}
    in_force = max(window, key=lambda k: k.rank, default=None)
    if in_force is not None and not isnan(in_force.value):
        truth.pairs.append(Pair(model, key, stands, in_force))


def _is_settled(one: OneId, stands: Asked | None, window: list[Known], by: Settings) -> bool:
    own = [k for k in one.known if k.brings >= 0]
    if one.late:
        return False
    if stands is None:
        return not own or len({k.rank for k in one.known}) == 1
    spread_s = stands.time_s - min(a.time_s for a in one.asked)
    if spread_s > by.ttl_s or (own and len(window) < len(one.known)):
        return False
    if by.dedupe:
        return True
    times = [k.time_s for k in one.known]
    return not spread_s and (not times or max(times) - min(times) <= by.revision_s)


def _pane(model: str, time_s: int, width_s: int, *, cohort: bool) -> PaneOf:
    return PaneOf(model, cohort, time_s - time_s % width_s)


def _counters(pair: Pair) -> Counter[int]:
    delay = bisect_right(DELAYS, pair.known.time_s - pair.asked.time_s)
    if pair.model == "m":
        return Counter({BINS * (1 + (pair.known.value > 0.5)) + int(pair.asked.payload): 1, 3 * BINS + delay: 1})
    return Counter({1: 1, 8 + delay: 1})
