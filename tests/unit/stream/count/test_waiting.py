"""Predictions that wait for labels: the join hears of each once, whatever is cut or killed."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.durable.log import Outgoing
from stream.ingest.id_hash import id_hashes
from stream.outcomes.covering import OutcomesTopic
from stream.records.outcome import Covering, decode_covering
from stream.records.settings import OutcomeSettings, SegmentSettings
from tests.memory_log import MemoryLog
from tests.small_model import (
    GRID,
    PREDICTIONS,
    START_MS,
    Worker,
    baseline,
    cuts_of,
    outcome_settings,
    plan,
    prediction,
    settings,
)
from tests.unit.stream.count.run import Run, settle

TOPIC = OutcomesTopic(name="outcomes", partitions=3)
ONE, TWO = baseline(1, grid=GRID), baseline(2, edges=(0.1, 0.9), grid=GRID)
OFFSETS = st.lists(st.integers(0, 20_000), min_size=1, max_size=25)


def coverings(outputs: Sequence[Outgoing]) -> dict[int, list[Covering]]:
    """By partition, as they were sent."""
    found: dict[int, list[Covering]] = {p: [] for p in range(TOPIC.partitions)}
    for output in outputs:
        if output.to.topic == TOPIC.name and output.value is not None:
            found[output.to.partition].append(decode_covering(output.value))
    return found


def heard(outputs: Sequence[Outgoing], begin: int = 0) -> list[tuple[int, int, int, bool, str, int]]:
    """What a join takes of it: the unbroken chain, each row once: offset, hash, time, late, baseline, bin."""
    rows = []
    for chain in coverings(outputs).values():
        seen = begin
        for covering in chain:
            assert covering.begin <= seen, "a hole in the chain"
            found = covering.outcome_rows()
            new = found.take(found.offset >= seen)
            seen = max(seen, covering.end)
            rows += [
                (offset, hash_, time_s, late, covering.definitions[model].baseline_id, payload)
                for offset, hash_, time_s, late, model, payload in zip(
                    new.offset.tolist(),
                    new.hash.tolist(),
                    new.time_s.tolist(),
                    new.late.tolist(),
                    new.model.tolist(),
                    new.payload.tolist(),
                    strict=True,
                )
            ]
    return sorted(rows)


def joining_worker(outcomes: OutcomeSettings | None = None, **of_plan: int) -> Worker:
    worker = Worker(ONE, TWO, outcomes=TOPIC)
    worker.wants = plan(ONE, outcomes=outcomes or outcome_settings(), counting=settings(**of_plan))
    return worker


def log_of(values: Sequence[bytes]) -> MemoryLog:
    log = MemoryLog()
    for value in values:
        log.put(PREDICTIONS, value, timestamp_ms=START_MS)
    return log


def sent_of(*values: bytes, worker: Worker | None = None) -> list[Outgoing]:
    run = Run(log_of(values), worker or joining_worker())
    run.take(0, len(values))
    run.send()
    return run.sent


@given(OFFSETS, st.sets(st.integers(0, 24)), st.sets(st.integers(0, 24)), st.integers(0, 25))
def test_no_cutting_and_no_crash_changes_what_the_join_hears(
    times: list[int], ends: set[int], crashes: set[int], promotion: int
) -> None:
    values = [prediction(at, score=at / 20_000, prediction_id=f"p{i}") for i, at in enumerate(times)]
    told = []
    for cut in ({promotion}, ends | crashes | {promotion}):
        worker = joining_worker(allowed_lateness_ms=700)
        run = Run(log_of(values), worker)
        for start, stop in cuts_of(len(times), cut.__contains__):
            if start == promotion:
                worker.wants = plan(TWO, outcomes=outcome_settings(), counting=settings(allowed_lateness_ms=700))
                settle(run.fold)
            run.take(start, stop)
            if stop in crashes and cut != {promotion}:
                run.send()  # sent, and perhaps durable: the next owner repeats it, or goes on behind it
                run.crash()
        run.send()
        told.append(heard(run.sent))
    assert told[0] == told[1]
    assert [row[0] for row in told[0]] == list(range(len(times)))


def test_a_partition_that_was_not_told_of_a_checkpoint_hears_of_its_offsets_after_a_crash() -> None:
    run = Run(log_of([prediction(0, prediction_id=i) for i in range(20)]), joining_worker())
    for start in range(20):
        run.take(start, start + 1)
        run.send()
        if start % 5 == 4:
            run.crash()

    assert [row[0] for row in heard(run.sent)] == list(range(20))


def test_a_row_says_which_prediction_it_is_when_it_was_and_what_it_scored() -> None:
    (row,) = heard(sent_of(prediction(5_400, score=0.6, prediction_id="p-1")))

    (expected,) = id_hashes("m", ["p-1"]).tolist()
    assert row == (0, expected, START_MS // 1_000 + 5, False, "m@0#1", 2)


def test_a_late_prediction_is_sent_and_said_to_be_late() -> None:
    rows = heard(sent_of(prediction(9_000, prediction_id="p"), prediction(1_000, prediction_id="q")))

    assert [late for _, _, _, late, *_ in rows] == [False, True]


@pytest.mark.parametrize(
    "value",
    [
        prediction(0),
        prediction(0, score=None, prediction_id="p"),
        prediction(0, model="unknown", prediction_id="p"),
        b'{"model": "m", "score": 0.5, "ts": 1000000000000, "prediction_id": true}',
    ],
    ids=["no id", "no score", "no baseline", "an id that is none"],
)
def test_what_no_label_can_be_compared_with_does_not_wait(value: bytes) -> None:
    assert heard(sent_of(value)) == []


def test_without_outcomes_settings_or_a_score_grid_nothing_waits() -> None:
    unset = joining_worker()
    unset.wants = plan(ONE)
    no_grid = Worker(baseline(1), outcomes=TOPIC)
    no_grid.wants = plan(baseline(1), outcomes=outcome_settings())

    for worker in (unset, no_grid):
        assert heard(sent_of(prediction(0, prediction_id="p"), worker=worker)) == []


def test_a_sample_keeps_the_same_ids_whatever_else_they_are() -> None:
    values = [prediction(i, prediction_id=i) for i in range(2_000)]

    half = {row[1] for row in heard(sent_of(*values, worker=joining_worker(outcome_settings(sample=0.5))))}
    tenth = {row[1] for row in heard(sent_of(*values, worker=joining_worker(outcome_settings(sample=0.1))))}

    assert tenth < half
    assert 0.4 < len(half) / len(values) < 0.6


def test_settings_of_waiting_change_without_counting_anew() -> None:
    worker = joining_worker()
    run = Run(log_of([prediction(0, prediction_id="p"), prediction(100, prediction_id="q")]), worker)
    run.take(0, 1)
    definitions = [a.definition.id for a in run.fold.plan.active]
    worker.wants = plan(ONE, outcomes=outcome_settings(ttl_ms=120_000), counting=settings())
    settle(run.fold)
    run.take(1, 2)
    run.send()

    assert [a.definition.id for a in run.fold.plan.active] == definitions
    found = [d for chain in coverings(run.sent).values() for c in chain for d in c.definitions]
    assert {d.ttl_ms for d in found} == {60_000, 120_000}
    assert len({d.id for d in found}) == 1
    assert run.fold.proposal() is None


def test_silence_is_told_to_every_outcomes_partition() -> None:
    run = Run(log_of([prediction(0, prediction_id="p")]), joining_worker())
    run.take(0, 1)
    run.send()
    run.sent.clear()
    run.fold.quiet()
    run.send()

    assert [[c.idle for c in chain] for chain in coverings(run.sent).values()] == [[True]] * TOPIC.partitions


def test_rows_of_several_models_stay_in_the_order_of_the_log() -> None:
    other = baseline(1, model="n", grid=GRID)
    worker = Worker(ONE, other, outcomes=TOPIC)
    worker.wants = plan(ONE, other, outcomes=outcome_settings())
    values = [prediction(i, model="mn"[i % 2], prediction_id=i) for i in range(50)]
    run = Run(log_of(values), worker)
    run.take(0, 50)
    run.send()

    for chain in coverings(run.sent).values():
        for covering in chain:
            assert (np.diff(covering.outcome_rows().offset) > 0).all()
    told = [(offset, name) for offset, *_, name, _ in heard(run.sent)]
    assert told == [(i, f"{'mn'[i % 2]}@0#1") for i in range(50)]


def test_during_a_promotion_a_broken_id_is_a_dead_letter_for_both_baselines() -> None:
    broken = b'{"model": "m", "score": 0.5, "ts": 1000000000200, "features": {"x": 0.1}, "prediction_id": 1.5}'
    worker = joining_worker()
    run = Run(log_of([prediction(0, prediction_id="p"), broken]), worker)
    run.take(0, 1)
    worker.wants = plan(TWO, outcomes=outcome_settings())
    settle(run.fold)
    run.take(1, 2)

    assert run.fold.ledger.dead == {"wrong_type": 1}
    assert [int(part.counts[2]) for part in run.fold.panes.open_parts()] == [1], "one row, under the predecessor"


def test_a_prediction_waits_once_and_says_which_segments_it_lies_in() -> None:
    segments = {"plan": SegmentSettings(values=("free",)), "c": SegmentSettings(top=1)}
    said = [
        prediction(i, prediction_id=i, c=c, segment={"plan": of_plan})
        for i, (c, of_plan) in enumerate([("a", "free"), ("b", "free"), ("a", "gold"), ("a", "free")])
    ]
    worker = Worker(ONE, outcomes=TOPIC)
    counting = msgspec.structs.replace(settings(), segments=segments)
    worker.wants = plan(ONE, outcomes=outcome_settings(), counting=counting)
    run = Run(log_of(said), worker)
    run.take(0, len(said))
    run.send()
    found = {}
    for covering in (one for chain in coverings(run.sent).values() for one in chain):
        rows = covering.outcome_rows()
        for offset, model in zip(rows.offset.tolist(), rows.model.tolist(), strict=True):
            assert offset not in found
            found[offset] = covering.definitions[model].segments
    free = ("c=a", "plan=free")
    assert found == {0: free, 1: ("c=other", "plan=free"), 2: ("c=a", "plan=other"), 3: free}
