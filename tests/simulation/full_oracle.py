"""The judge of a finished full world: what holds of any, and what people said, and what was learned."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from stream.baselines.baseline import Baseline
from stream.baselines.learned import Span, learned_baseline
from stream.durable.log import Outgoing
from stream.ingest.unknown_rows import unknown_row
from stream.records.learning import HASHES, SampledRow, place_hash
from stream.records.prediction import ModelKey
from stream.records.source import Source
from tests.simulation.full_world import BASELINES, LEARNING, FullWorld
from tests.simulation.oracle import check
from tests.simulation.peace import Peace, equal
from tests.simulation.recorded import RecordedEvaluate
from tests.simulation.traffic import LATENESS_MS, PANE_MS, Record
from tests.simulation.truth import NEVER

UNKNOWN = ModelKey("u", "0")


def check_full(world: FullWorld) -> None:
    """Every promise, once."""
    check(world)
    with world.limits():
        for partials in world.partials:
            silences_change_what_is_told_and_nothing_else(world, partials)
    what_is_learned_is_the_same_for_all(world)
    what_is_learned_equals_brute_force(world)


# -- what people say


def silences_change_what_is_told_and_nothing_else(world: FullWorld, partials: Source) -> None:
    """Windows, verdicts and revisions are those of an evaluate that nobody ever said anything to."""
    fold = world.holder_of[partials].fold
    assert isinstance(fold, RecordedEvaluate)
    if not fold.history:
        return
    heeding, deaf = Peace(world, partials, fold.history).run(), Peace(world, partials, ()).run()
    equal(f"reports of {partials} but for alerts", list(_judged(heeding.outputs)), list(_judged(deaf.outputs)))


def _judged(outputs: Sequence[Outgoing]) -> Iterator[dict[str, Any]]:
    for output in outputs:
        if output.to.topic == "reports":
            yield orjson.loads(output.value or b"") | {"alerts_firing": None, "alerts_silenced": None}


# -- what is learned


def what_is_learned_is_the_same_for_all(world: FullWorld) -> None:
    """Whoever makes a baseline, whenever, makes the same."""
    copies: dict[bytes | None, bytes | None] = {}
    for message in world.cluster.records(BASELINES):
        equal(f"copies of {message.key!r}", message.value, copies.setdefault(message.key, message.value))


def what_is_learned_equals_brute_force(world: FullWorld) -> None:
    """From the inputs alone: which rows of the model that nobody registers make its baseline."""
    if not world.shape.learns or world.shape.idle or world.shape.retention:
        return
    found = [m.value for m in world.cluster.records(BASELINES) if m.key == f"{UNKNOWN}#0".encode()]
    expected = _learned(world)
    equal("baselines of an unknown model", set(found), {expected.to_bytes()} if expected else set())


def _learned(world: FullWorld) -> Baseline | None:
    """The smallest hashes of the panes from the first one on, as many as make it; None: there are too few."""
    panes: dict[int, list[SampledRow]] = defaultdict(list)
    newest_ms = NEVER
    for source in world.sources:
        newest_ms = max(newest_ms, *_drawn(source, world.inputs[source], panes))
    ends = [min(panes, default=0) + LEARNING.span_ms]
    ends += [start + PANE_MS for start in sorted(panes) if start >= ends[0]]
    for end_ms in ends if panes else ():
        rows = sorted((row for start, pane in panes.items() if start < end_ms for row in pane), key=lambda r: r.hash)
        if len(rows) >= LEARNING.rows:
            if end_ms > newest_ms - LATENESS_MS:
                return None
            made = learned_baseline(UNKNOWN, rows[: LEARNING.rows], Span(min(panes), end_ms), LEARNING.features)
            return made if isinstance(made, Baseline) else None
    return None


def _drawn(source: Source, records: Sequence[Record], panes: dict[int, list[SampledRow]]) -> Iterator[int]:
    """Put one partition's rows into their panes; the event times on the way, NEVER first."""
    newest_ms, rows = NEVER, 0
    yield newest_ms
    for offset, record in enumerate(records):
        message: Any = orjson.loads(record.message.value or b"") if _has_models(record) and record.message else None
        for place, row in enumerate(record.predictions):
            if row.event_time_ms is None:
                continue
            yield (newest_ms := max(newest_ms, row.event_time_ms))
            start_ms = row.event_time_ms - row.event_time_ms % PANE_MS
            if row.model != UNKNOWN.model or row.reason or start_ms + PANE_MS <= newest_ms - LATENESS_MS:
                continue
            rows += 1
            array = isinstance(message, list)
            drawn = place_hash(str(source), offset, place if array else None)
            if drawn * rows < 2 * LEARNING.rows * HASHES:
                content = unknown_row(UNKNOWN, row.event_time_ms, message[place] if array else message).content
                panes[start_ms].append(SampledRow(drawn, start_ms, content))


def _has_models(record: Record) -> bool:
    return any(row.model for row in record.predictions)
