"""What is in the inputs of a world with labels: predictions with ids, and what becomes known of them.

Two models are joined, `m` (a score, and later baselines of it) and `r` (a value), a third is unknown.
Each prediction of `m` has a bin of its score grid to itself, so that a register tells whose pair it counts.
Labels come before, after, twice, revised, taken back, too early, too late, for nobody, with a score of
their own, for another model's id, and broken; predictions come twice, and again with another time.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from stream.baselines.baseline import Baseline, LabelledScores, LabelledValues, NumericSeries
from stream.baselines.grid import ScoreGrid
from stream.records.source import Message, Source
from tests.simulation.traffic import M1, SKEW_MS, START_MS

LABELS_LATENESS_MS: Final = 700
PUNCTUAL_MS: Final = (0, 0, 0, 100, 400, 600)  # how long after its time something comes: never late
UNPUNCTUAL_MS: Final = (2_500, 6_000, 15_000)
BINS: Final = 64
GRID: Final = ScoreGrid(
    edges=tuple(i / BINS for i in range(1, BINS)),
    means=tuple((i + 0.5) / BINS for i in range(BINS)),
    threshold=0.5,
)


def _series(name: str, edges: tuple[float, ...], starts: tuple[int, ...]) -> NumericSeries:
    return NumericSeries(
        name=name, inner_edges=edges, coarse_starts=starts, counts=(10,) * (len(edges) + 1),
        missing=0, invalid=0, minimum=0.0, maximum=1.0, mean=0.5, deviation=0.3,
    )  # fmt: skip


_SCORES = Baseline(
    model="m", version="0", number=1, task="binary", answer="score", rows=640,
    series=(_series("x", (0.5,), (0, 1)), _series("score", GRID.edges, (0, 16, 32, 48))), provenance=M1.provenance,
    grid=GRID,
    labelled=LabelledScores(
        negatives=tuple(64 - i for i in range(BINS)), positives=tuple(range(BINS)), calibration=GRID.means
    ),
)  # fmt: skip
L1, L2, L3 = (msgspec.structs.replace(_SCORES, number=number) for number in (1, 2, 3))
R1: Final = Baseline(
    model="r", version="0", number=1, task="regression", answer="value", rows=640,
    series=(_series("x", (0.5,), (0, 1)), _series("value", (0.25, 0.5, 0.75), (0, 1, 2, 3))), provenance=M1.provenance,
    labelled_values=LabelledValues(
        n=640, mae=0.1, rmse=0.2, bias=0.0, r2=0.5, abs_error_deviation=0.1, label_mean=0.5, label_deviation=0.3
    ),
)  # fmt: skip
LABELLED: Final = {b.id: b for b in (L1, L2, L3, R1)}


class Row(NamedTuple):
    """The truth about one prediction or one label; what is refused has no id."""

    model: str
    id: str  # "": not joined
    time_ms: int | None  # None: it cannot be read, or lies in the future
    payload: float  # a prediction's grid bin or value; of a label its own score's bin, -1 without
    value: float  # of a label; NaN: it takes back what was said


@dataclass(frozen=True)
class LabelRecord:
    """One offset of an input."""

    message: Message | None
    rows: tuple[Row, ...] = ()


class Item(NamedTuple):
    """Something that a producer sends, and when."""

    sent_ms: int
    value: Any  # JSON, or bytes
    row: Row


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What kind of predictions and labels."""

    events: int  # of a partition of predictions, at most
    markers: bool
    tame: bool  # no id whose fate depends on which record is read first
    ttl_s: int
    early_s: int
    step_ms: int  # between predictions, on average


def labelled_inputs(
    random: Random, traffic: Traffic, predictions: Sequence[Source], labels: Sequence[Source]
) -> dict[Source, list[LabelRecord]]:
    """Every partition's input."""
    items: dict[Source, list[Item]] = {source: [] for source in (*predictions, *labels)}
    clock_ms = START_MS + random.randint(0, 1_500)
    for number in range(sum(random.randint(1, traffic.events) for _ in predictions)):
        clock_ms += random.randint(0, 2 * traffic.step_ms)
        asked = _asked(random, traffic, number, clock_ms)
        for item in asked:
            items[random.choice(predictions)].append(item)
        once = len({item.row.time_ms for item in asked}) == 1
        for item in _truth_of(random, traffic, asked[0].row, number, once=once):
            items[random.choice(labels)].append(item)
    return {source: _in_order(random, of_source, traffic) for source, of_source in items.items()}


def _in_order(random: Random, items: list[Item], traffic: Traffic) -> list[LabelRecord]:
    """As they come, some of them in one message."""
    records: list[LabelRecord] = []
    waiting = sorted(items, key=lambda item: item.sent_ms)
    while waiting:
        while traffic.markers and random.random() < 0.1:
            records.append(LabelRecord(None))
        size = random.randint(2, 3) if random.random() < 0.1 and not any(_is_text(i) for i in waiting[:3]) else 1
        taken, waiting = waiting[:size], waiting[size:]
        value = taken[0].value if size == 1 else [item.value for item in taken]
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        message = Message(offset=len(records), timestamp_ms=taken[-1].sent_ms, key=None, value=data)
        records.append(LabelRecord(message, tuple(item.row for item in taken)))
    return records


def _is_text(item: Item) -> bool:
    return isinstance(item.value, bytes) or item.row.time_ms is None


def _sent(random: Random, traffic: Traffic, time_ms: int) -> int:
    late = not traffic.tame and random.random() < 0.04
    return time_ms + random.choice(UNPUNCTUAL_MS if late else PUNCTUAL_MS)


def _asked(random: Random, traffic: Traffic, number: int, clock_ms: int) -> list[Item]:
    """One prediction, and its copies."""
    model = random.choices(("m", "r", "u"), (0.8, 0.15, 0.05))[0]
    usable = model != "u" and random.random() < 0.95
    key = str(number) if random.random() < 0.95 else ""
    payload = float(number % BINS) if model == "m" else round(random.random(), 3)
    answer = (payload + 0.5) / BINS if model == "m" else payload
    if model == "m" and not usable:
        answer = 1.5  # a dead letter
    name = "score" if model != "r" else "value"

    def item(time_ms: int, sent_ms: int) -> Item:
        said: dict[str, Any] = {"model": model, name: answer, "features": {"x": 0.3}, "ts": time_ms}
        if key:
            said["prediction_id"] = random.choice((key, number))
        joined = key if usable or model == "r" else ""
        return Item(sent_ms, said, Row(model, joined, time_ms, payload, 0.0))

    items = [item(clock_ms, _sent(random, traffic, clock_ms))]
    if random.random() < 0.12:  # a producer's retry
        items.append(item(clock_ms, clock_ms + random.choice(PUNCTUAL_MS)))
    if random.random() < 0.05:  # the id again, with another time
        again_ms = clock_ms + 1_000 * random.choice((1, 2, traffic.ttl_s if traffic.tame else traffic.ttl_s + 3))
        items.append(item(again_ms, _sent(random, traffic, again_ms)))
    if random.random() < 0.02:
        items.append(Item(clock_ms, b"{not json", Row("", "", None, 0.0, 0.0)))
    return items


def _truth_of(random: Random, traffic: Traffic, asked: Row, number: int, *, once: bool) -> list[Item]:
    """What becomes known of one prediction, and what is only said to be."""
    assert asked.time_ms is not None
    born_s, ttl_s, early_s = asked.time_ms // 1_000, traffic.ttl_s, traffic.early_s
    items: list[Item] = []
    if random.random() < 0.85:
        delay_s = random.choice((0, 1, 1, 2, 3, ttl_s - 1, ttl_s, ttl_s + 1, ttl_s + 6, -1, -early_s, -early_s - 1))
        in_time = -early_s <= delay_s <= ttl_s
        brings = asked.model == "m" and random.random() < 0.12 and ((in_time and once) or not traffic.tame)
        first = _label(random, traffic, asked, number, born_s + delay_s, brings=brings)
        items.append(first)
        if random.random() < 0.12:  # twice
            items.append(first._replace(sent_ms=first.sent_ms + random.choice((0, 300)) * (not traffic.tame)))
        while random.random() < 0.25 and not (brings and traffic.tame):  # revised, or taken back
            delay_s += random.choice((0, 1, 2, 4))
            items.append(_label(random, traffic, asked, number, born_s + delay_s, brings=False))
    if random.random() < 0.15:
        items.append(_oddity(random, asked, number))
    return items


def _label(
    random: Random, traffic: Traffic, of: Row, number: int, time_s: int, *, brings: bool, key: str | None = None
) -> Item:
    time_ms = max(time_s * 1_000 + random.randint(0, 999), START_MS - 30_000)
    retracts = random.random() < 0.12
    value = random.choice((0, 1)) if of.model != "r" else round(random.random(), 3)
    said: dict[str, Any] = {
        "model": of.model,
        "prediction_id": random.choice((str(number), number)) if key is None else key,
        "label": None if retracts else value if of.model == "r" else random.choice((value, bool(value))),
        "ts": time_ms,
    }
    if brings:
        said["score"] = (of.payload + 0.5) / BINS
    held = str(number) if key is None else key
    row = Row(of.model, held, time_ms, of.payload if brings else -1.0, float("nan") if retracts else float(value))
    return Item(_sent(random, traffic, time_ms), said, row if of.model != "u" else row._replace(id=""))


def _oddity(random: Random, asked: Row, number: int) -> Item:
    """A label that is none, is of nobody, or stands for a prediction that never comes."""
    assert asked.time_ms is not None
    time_ms = asked.time_ms + 500
    good = {"model": "m", "prediction_id": f"x{number}", "label": 1, "ts": time_ms}
    refused = Row("m", "", time_ms, -1.0, 0.0)
    bin_of = float(number % BINS)
    return random.choice(
        (
            Item(time_ms, b"[", Row("", "", None, -1.0, 0.0)),
            Item(time_ms, good | {"label": 2}, refused),
            Item(time_ms, good | {"prediction_id": None}, refused),
            Item(time_ms, good | {"model": "u"}, refused),
            Item(time_ms, good | {"ts": time_ms + SKEW_MS + 9_000}, refused._replace(time_ms=None)),
            Item(time_ms, good, Row("m", f"x{number}", time_ms, -1.0, 1.0)),
            Item(time_ms, good | {"model": "r", "label": 0.5}, Row("r", f"x{number}", time_ms, -1.0, 0.5)),
            Item(time_ms, good | {"score": (bin_of + 0.5) / BINS}, Row("m", f"x{number}", time_ms, bin_of, 1.0)),
        )
    )
