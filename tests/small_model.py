"""A model with a numeric feature, a categorical one and a score: small enough to count its rows by hand."""

from collections.abc import Callable

import orjson

from stream.baselines.baseline import Baseline, CategoricalSeries, NumericSeries, Provenance
from stream.baselines.grid import ScoreGrid
from stream.count.counter import CountFold, CountOutputs
from stream.count.slow_answers import AlertTopic
from stream.ingest.dead_letter import DeadLetterTopic
from stream.ingest.plan import Plan, PlannedModel
from stream.ingest.settings import IngestSettings
from stream.outcomes.covering import OutcomesTopic
from stream.records.settings import CountingSettings, OutcomeSettings
from stream.records.source import Source

EDGES = (0.25, 0.5, 0.75)
PANE_MS = 1_000
PREDICTIONS = Source("predictions", 0)
START_MS = 1_000_000_000_000  # a pane begins here


def numeric(name: str, edges: tuple[float, ...] = EDGES) -> NumericSeries:
    """A numeric series with as many rows in each bin."""
    bins = len(edges) + 1
    return NumericSeries(
        name=name,
        inner_edges=edges,
        coarse_starts=tuple(range(bins)),
        counts=(100,) * bins,
        missing=0,
        invalid=0,
        minimum=0.0,
        maximum=1.0,
        mean=0.5,
        deviation=0.3,
    )


def categorical(name: str) -> CategoricalSeries:
    """Two categories that are kept, one that is known."""
    return CategoricalSeries(
        name=name, categories=("a", "b"), other_categories=("z",), counts=(200, 190), other=10, missing=0, invalid=0
    )


def baseline(
    number: int = 1, *, model: str = "m", edges: tuple[float, ...] = EDGES, grid: ScoreGrid | None = None
) -> Baseline:
    """One baseline of the model; another number or other edges make another definition."""
    return Baseline(
        model=model,
        version="0",
        number=number,
        task="binary",
        answer="score",
        rows=400,
        series=(numeric("x", edges), categorical("c"), numeric("score")),
        provenance=Provenance(
            created_at="2024-01-01T00:00:00Z",
            rows=400,
            files=(),
            data_sha256="",
            git_hash=None,
            libraries={},
            seed=0,
        ),
        grid=grid,
    )


GRID = ScoreGrid(edges=EDGES, means=(0.1, 0.4, 0.6, 0.9), threshold=0.5)


def outcome_settings(sample: float = 1.0, ttl_ms: int = 60_000) -> OutcomeSettings:
    """Labels within a minute, cohorts of ten seconds."""
    return OutcomeSettings(
        ttl_ms=ttl_ms,
        early_ms=2_000,
        revision_ms=30_000,
        cohort_ms=10_000,
        sample=sample,
        dedupe=True,
        max_waiting=1_000,
    )


def settings(pane_ms: int = PANE_MS, allowed_lateness_ms: int = 0) -> CountingSettings:
    """Panes of a second, nothing late is waited for."""
    return CountingSettings(
        pane_ms=pane_ms, allowed_lateness_ms=allowed_lateness_ms, max_clock_skew_ms=1_000_000_000_000
    )


def plan(
    *baselines: Baseline,
    counting: CountingSettings | None = None,
    window_ms: int = 3 * PANE_MS,
    outcomes: OutcomeSettings | None = None,
) -> Plan:
    """What a worker would count with."""
    of_all = counting or settings()
    return Plan(IngestSettings(), [PlannedModel(b.id, of_all, window_ms, outcomes) for b in baselines])


def prediction(
    at_ms: int,
    *,
    x: float | None = 0.1,
    c: str = "a",
    score: float | None = 0.9,
    model: str = "m",
    prediction_id: str | int | None = None,
    segment: object = None,
) -> bytes:
    """One prediction, `at_ms` after START_MS."""
    said = {"model": model, "ts": START_MS + at_ms, "score": score, "features": {"x": x, "c": c}}
    named = {"prediction_id": prediction_id, "segment": segment}
    return orjson.dumps(said | {field: value for field, value in named.items() if value is not None})


class Worker:
    """What a worker knows: the baselines that it has read, and what it wants to count with."""

    def __init__(self, *known: Baseline, outcomes: OutcomesTopic | None = None) -> None:
        self.outcomes = outcomes
        self.known = {b.id: b for b in known}
        self.wants = plan(*known)
        self.learned: list[str] = []
        self.not_read_yet: dict[str, Baseline] = {}

    def find(self, baseline_id: str) -> Baseline | None:
        """As the registry does."""
        return self.known.get(baseline_id)

    async def learn(self, baseline_id: str) -> None:
        """Read on in the registry's topic."""
        self.learned.append(baseline_id)
        self.known[baseline_id] = self.not_read_yet.pop(baseline_id)

    def count(self, source: Source = PREDICTIONS, *, sources: int = 1, partials: int = 1) -> CountFold:
        """A new fold of a predictions partition."""
        return CountFold(
            source=source,
            sources=sources,
            outputs=CountOutputs(
                partials="partials",
                partials_partitions=partials,
                dead_letters=DeadLetterTopic(name="dead-letters", partitions=1, max_bytes=20),
                outcomes=self.outcomes,
                alerts=AlertTopic(name="alerts", partitions=1),
            ),
            wanted=lambda: self.wants,
            find_baseline=self.find,
        )


def cuts_of(length: int, draw: Callable[[int], bool]) -> list[tuple[int, int]]:
    """A cutting of [0, length) into batches; `draw(i)` says whether one ends before i."""
    ends = [i for i in range(1, length) if draw(i)] + [length]
    return list(zip([0, *ends[:-1]], ends, strict=True))
