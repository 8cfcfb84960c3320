"""What is in the input: random predictions whose fate is known without decoding them.

Two models with baselines (`m`, which gets a second one, and `k`), a third without; in and out of
order, late, very late, in the future, broken, in arrays; offsets without a record between them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from stream.baselines.baseline import Baseline, CategoricalSeries, NumericSeries, Provenance
from stream.baselines.definition import Definition
from stream.baselines.latency_counters import LatencyCounters
from stream.records.settings import CountingSettings
from stream.records.source import Message

PANE_MS: Final = 1_000
WINDOW_MS: Final = 3 * PANE_MS
LATENESS_MS: Final = 700
SKEW_MS: Final = 60_000
LOW, HIGH = 0.05, 0.95  # the range of the baselines' numbers
START_MS: Final = 1_700_000_000_000
SETTINGS: Final = CountingSettings(pane_ms=PANE_MS, allowed_lateness_ms=LATENESS_MS, max_clock_skew_ms=SKEW_MS)
SLA_MS: Final = 250
HARD_LIMIT_MS: Final = 300
MAX_PER_PANE: Final = 2  # of those over the hard limit, so that there are panes with more
CHECKED: Final = msgspec.structs.replace(
    SETTINGS, latency_sla_ms=SLA_MS, hard_limit_ms=HARD_LIMIT_MS, max_per_pane=MAX_PER_PANE, errors=True
)
LATENCIES: Final = (20, 31.5, 250, None, 250.5, "slow", 300, 300.5, 900, -1, 4_000_000)  # "slow" and -1 are bad
STATUSES: Final = ("ok", None, "timeout", 7, "OK")  # only "ok" and null are good; 7 is bad
REGIONS: Final = ("eu", "us", "eu", "asia", None, "us", 7)
MODEL_SHARES: Final = {"m": 0.8, "k": 0.15, "u": 0.05}


class Prediction(NamedTuple):
    """The truth about one prediction."""

    model: str  # "" if it cannot be read
    event_time_ms: int | None  # None if it cannot be read or lies in the future
    reason: str | None  # of the dead letter that it becomes whatever is registered
    x: float | None
    category: str | None
    score: float
    latency: float | str | None = None  # as it stands in the message
    region: str | int | None = None  # likewise, in its `segment`
    status: str | int | None = None  # likewise
    features: Mapping[str, Any] = MappingProxyType({})  # likewise

    def took_longer(self, than_ms: float) -> bool:
        """Whether it is known to have."""
        return not isinstance(self.latency, str | None) and self.latency > than_ms

    @property
    def failed(self) -> bool:
        """Whether it is known to have."""
        return isinstance(self.status, str) and self.status != "ok"


NOT_JSON: Final = Prediction("", None, "not_json", None, None, 0.0)


@dataclass(frozen=True)
class Record:
    """One offset of the input: a message and what it holds; no message: a transaction's marker."""

    message: Message | None
    predictions: tuple[Prediction, ...] = ()


def _baseline(model: str, number: int, edges: tuple[float, ...]) -> Baseline:
    def numeric(name: str, cuts: tuple[float, ...]) -> NumericSeries:
        return NumericSeries(
            name=name, inner_edges=cuts, coarse_starts=(0, 1, 2, 3, 4), counts=(100,) * 5,
            missing=0, invalid=0, minimum=LOW, maximum=HIGH, mean=0.5, deviation=0.3,
        )  # fmt: skip

    category = CategoricalSeries(
        name="c", categories=("a", "b"), other_categories=("z",), counts=(250, 240), other=10, missing=0, invalid=0
    )
    provenance = Provenance(created_at="", rows=500, files=(), data_sha256="", git_hash=None, libraries={}, seed=0)
    return Baseline(
        model=model, version="0", number=number, task="binary", answer="score", rows=500,
        series=(numeric("x", edges), category, numeric("score", (0.2, 0.4, 0.6, 0.8))), provenance=provenance,
    )  # fmt: skip


M1: Final = _baseline("m", 1, (0.2, 0.4, 0.6, 0.8))
M2: Final = _baseline("m", 2, (0.1, 0.3, 0.5, 0.9))
M3: Final = _baseline("m", 3, (0.15, 0.35, 0.65, 0.85))
K1: Final = _baseline("k", 1, (0.25, 0.5, 0.6, 0.75))


def counting_of(baseline: Baseline) -> CountingSettings:
    """Of the two models `m`, which is promoted, is checked for latency and errors."""
    return CHECKED if baseline.model == "m" else SETTINGS


def flat_bins(definition: Definition, prediction: Prediction) -> tuple[int, ...]:
    """The counters of one prediction.

    x has its values below LOW, 5 bins, those above HIGH, missing, invalid; c has a, b, other, missing, unseen, invalid.
    """
    values = {**prediction.features, "score": prediction.score}
    found, start = [], 0
    for series in definition.baseline.series:
        value = values.get(series.name)
        if isinstance(series, NumericSeries):
            assert not isinstance(value, str)
            found.append(start + _numeric_bin(series, value))
        else:
            found.append(start + _categorical_bin(series, value))
        start += width_of_series(series)
    if definition.settings.errors:
        found += [start + LATENCY_BIN[prediction.latency], start + LATENCY_WIDTH + STATUS_BIN[prediction.status]]
    return tuple(found)


def _numeric_bin(series: NumericSeries, value: float | None) -> int:
    bins = len(series.inner_edges) + 1
    if value is None:
        return bins + 2
    assert series.minimum is not None
    assert series.maximum is not None
    edges = series.inner_edges
    if value < min(series.minimum, *edges[:1]):
        return 0
    if value > series.maximum and value >= max(edges, default=value):  # a grid may go on beyond every value
        return bins + 1
    return 1 + sum(edge <= value for edge in edges)


def _categorical_bin(series: CategoricalSeries, value: object) -> int:
    kept = len(series.categories)
    if value in series.categories:
        return series.categories.index(str(value))
    return kept + (0 if value in series.other_categories else 1 if value is None else 2)


def width_of_series(series: NumericSeries | CategoricalSeries) -> int:
    """Numeric: its bins, below, above, missing, invalid; of categories: those kept, other, missing, unseen, invalid."""
    return len(series.inner_edges) + 5 if isinstance(series, NumericSeries) else len(series.categories) + 4


def compared(baseline: Baseline, counts: list[int]) -> list[int]:
    """The counters of all series as PSI compares them: what is out of range with the outermost bin on its side.

    >>> compared(M1, list(range(24)))
    [1, 2, 3, 4, 11, 7, 8, 9, 10, 11, 12, 13, 14, 31, 17, 18, 19, 41, 22, 23]
    """
    found: list[int] = []
    at = 0
    for series in baseline.series:
        own = counts[at : at + width_of_series(series)]
        at += len(own)
        if isinstance(series, NumericSeries):
            below, *bins, above, missing, invalid = own
            bins[0], bins[-1] = bins[0] + below, bins[-1] + above
            ends = (*series.coarse_starts[1:], len(bins))
            own = [sum(bins[s:e]) for s, e in zip(series.coarse_starts, ends, strict=True)] + [missing, invalid]
        found += own
    return found


def segments_of(definition: Definition, prediction: Prediction) -> list[str]:
    """The segments that a prediction lies in, one for each key."""
    return [
        f"{key}={value if value in own else 'other'}"
        for key, own in own_values(definition).items()
        for value in [prediction.category if key == "c" else prediction.region]
    ]


def own_values(definition: Definition) -> dict[str, tuple[str, ...]]:
    """The values of each key that have a segment of their own: those declared, or the most frequent categories."""
    baseline = definition.baseline
    categories = {s.name: s.categories for s in baseline.series if isinstance(s, CategoricalSeries)}
    return {
        key: wanted.values or categories.get(key, ())[: wanted.top]
        for key, wanted in sorted(definition.settings.segments.items())
    }


LATENCY_EDGES: Final = LatencyCounters(SLA_MS, HARD_LIMIT_MS).sketch.inner_edges.tolist()
LATENCY_BIN: Final = {
    latency: len(LATENCY_EDGES) + 1 if latency is None
    else len(LATENCY_EDGES) + 2 if latency in ("slow", -1)
    else sum(edge <= latency for edge in LATENCY_EDGES)
    for latency in LATENCIES
}  # fmt: skip


LATENCY_WIDTH: Final = len(LATENCY_EDGES) + 3  # `missing` and `bad` lie behind the latencies' bins
STATUS_BIN: Final = {"ok": 0, None: 0, "timeout": 1, "OK": 1, 7: 2}


def width_of(definition: Definition) -> int:
    """How many counters a pane has."""
    series = sum(map(width_of_series, definition.baseline.series))
    return series + LATENCY_WIDTH + 3 if definition.settings.errors else series


def input_log(
    random: Random, events: int, *, markers: bool, shares: Mapping[str, float] = MODEL_SHARES
) -> list[Record]:
    """One partition's input; `shares` of the models."""
    records: list[Record] = []
    clock_ms = START_MS + random.randint(0, 1_500)
    drift_from = random.randint(0, events)
    for n in range(events):
        while markers and random.random() < 0.12:
            records.append(Record(None))
        clock_ms += random.choice((0, 50, 150, 300, 300, 600, 600, 1_700 if random.random() < 0.3 else 300))
        size = random.randint(1, 3) if random.random() < 0.1 else 0
        made = [_prediction(random, clock_ms, shares, drifted=n >= drift_from) for _ in range(size or 1)]
        value = json.dumps([j for j, _ in made] if size else made[0][0]).encode()
        truth = tuple(t for _, t in made)
        if not size and random.random() < 0.04:
            value, truth = b"{not json", (NOT_JSON,)
        message = Message(offset=len(records), timestamp_ms=clock_ms, key=None, value=value)
        records.append(Record(message, truth))
    return records


def _prediction(
    random: Random, clock_ms: int, shares: Mapping[str, float], *, drifted: bool
) -> tuple[dict[str, Any], Prediction]:
    back_ms = random.choice((0, 0, 0, 0, 100, 500, 900, 2_500, 12_000 if random.random() < 0.2 else 0))
    ahead_ms = back_ms + SKEW_MS + 1 + random.randint(0, 50_000) if random.random() < 0.03 else 0
    model = random.choices(tuple(shares), tuple(shares.values()))[0]
    x = None if random.random() < 0.05 else round(random.random() * (0.3 if drifted else 1.0), 2)
    category = random.choice(("a", "a", "a", "b", "b", "z", "new", None))
    score = 1.5 if random.random() < 0.04 else round(random.random(), 2)
    event_time_ms = clock_ms - back_ms + ahead_ms
    # By the score, so that no seed makes another schedule than it made before there were latencies, segments and names.
    dice = round(score * 100)
    features: dict[str, Any] = {name: value for name, value in (("x", x), ("c", category)) if value is not None}
    if drifted and dice % 10 < 4:  # x has another name now
        features |= {"w": features.pop("x", 0.5)}
    elif dice % 10 == 5:
        features |= {"extra": dice}
    elif x is None and dice % 2:
        features |= {"x": None}
    stated = {} if event_time_ms == clock_ms and random.random() < 0.3 else {"ts": event_time_ms}
    reason = "future" if ahead_ms else "score_out_of_range" if score > 1 else None
    latency, region, status = (of[dice % len(of)] for of in (LATENCIES, REGIONS, STATUSES))
    truth = Prediction(
        model, None if ahead_ms else event_time_ms, reason, features.get("x"), category, score,
        latency, region, status, features,
    )  # fmt: skip
    message = {"model": model, "score": score, "features": features, "latency_ms": latency, "status": status, **stated}
    return message | {"segment": {"region": region}}, truth
