"""Labels on their way to the join: each is told once, whatever is cut or killed; a ledger says what became of it."""

from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from stream.durable.log import Outgoing
from stream.ingest.dead_letter import DeadLetterTopic
from stream.ingest.id_hash import id_hashes
from stream.ingest.settings import IngestSettings
from stream.labels.fold import LabelFold, LabelOutputs
from stream.outcomes.covering import OutcomesTopic
from stream.records.outcome import NO_MODEL, Kind
from stream.records.source import Source
from tests.memory_log import MemoryLog
from tests.small_model import GRID, START_MS, Worker, baseline, cuts_of, outcome_settings, plan, settings
from tests.unit.stream.count.test_waiting import coverings

LABELS = Source("labels", 0)
TOPIC = OutcomesTopic(name="outcomes", partitions=3)
ONE, TWO, OTHER = baseline(1, grid=GRID), baseline(2, grid=GRID), baseline(1, model="n", grid=GRID)

Row = tuple[int, int, int, float | None, int, bool]


def label(prediction_id: str | int, value: object = 1, *, at_ms: int = 0, model: str = "m", **more: object) -> bytes:
    said = {"prediction_id": prediction_id, "model": model, "label": value, "ts": START_MS + at_ms}
    return orjson.dumps(said | more)


def fold_of(worker: Worker) -> LabelFold:
    return LabelFold(
        source=LABELS,
        sources=2,
        outputs=LabelOutputs(
            outcomes=TOPIC, dead_letters=DeadLetterTopic(name="dead-letters", partitions=1, max_bytes=100)
        ),
        wanted=lambda: worker.wants,
        find_baseline=worker.find,
    )


def labelling_worker(**of_outcomes: Any) -> Worker:
    worker = Worker(ONE, TWO, OTHER)
    worker.wants = plan(
        ONE, OTHER, outcomes=outcome_settings(**of_outcomes), counting=settings(allowed_lateness_ms=500)
    )
    return worker


class Run:
    """A fold under way, with everything that it has sent."""

    def __init__(self, values: list[bytes], worker: Worker | None = None) -> None:
        self.worker = worker or labelling_worker()
        self.fold = fold_of(self.worker)
        self.log = MemoryLog()
        for value in values:
            self.log.put(LABELS, value, timestamp_ms=START_MS)
        self.sent: list[Outgoing] = []
        self.settle()

    def settle(self) -> None:
        """As an owner does between two batches."""
        proposal = self.fold.proposal()
        if proposal is not None:
            self.fold.activate(proposal)

    def take(self, start: int, stop: int) -> None:
        self.fold.fold(self.log.batch(LABELS, start, stop))

    def send(self) -> None:
        self.sent += self.fold.outputs()

    def crash(self) -> None:
        """A new owner restores what this one had made durable just now."""
        restored = fold_of(self.worker)
        restored.restore(self.fold.next_offset, self.fold.progress(), self.fold.live())
        self.fold = restored

    def heard(self) -> list[Row]:
        """What a join takes of it: offset, hash, time, value, payload, late."""
        rows: list[Row] = []
        for chain in coverings(self.sent).values():
            seen = 0
            for covering in chain:
                assert covering.begin <= seen, "a hole in the chain"
                assert (covering.kind, covering.sources) == (Kind.LABELS, 2)
                found = covering.outcome_rows()
                new = found.take(found.offset >= seen)
                seen = max(seen, covering.end)
                values = [None if np.isnan(v) else v for v in new.value.tolist()]
                payloads = np.where(new.model == NO_MODEL, -1, new.payload.astype(np.int64)).tolist()
                columns = (new.offset.tolist(), new.hash.tolist(), new.time_s.tolist())
                rows += zip(*columns, values, payloads, new.late.tolist(), strict=True)
        return sorted(rows, key=lambda row: row[:3])


def run_of(*values: bytes, worker: Worker | None = None) -> Run:
    run = Run(list(values), worker)
    run.take(0, len(values))
    run.send()
    return run


def test_a_label_says_whose_it_is_when_it_came_and_what_it_says() -> None:
    run = run_of(label("p-1", True, at_ms=3_900))

    (expected,) = id_hashes("m", ["p-1"]).tolist()
    assert run.heard() == [(0, expected, START_MS // 1_000 + 3, 1.0, -1, False)]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20_000), st.sampled_from([0, 1, None])), max_size=25),
    st.sets(st.integers(0, 24)),
    st.sets(st.integers(0, 24)),
)
def test_no_cutting_and_no_crash_changes_what_the_join_hears(
    said: list[tuple[int, int, int | None]], ends: set[int], crashes: set[int]
) -> None:
    values = [label(i, value, at_ms=at) for i, at, value in said] + [b"{oops", label("u", model="unknown")]
    told = []
    for cut in (set[int](), ends | crashes):
        run = Run(values)
        for start, stop in cuts_of(len(values), cut.__contains__):
            run.take(start, stop)
            if stop in crashes and cut:
                run.send()
                run.crash()
        run.send()
        assert run.fold.ledger.balance() == 0
        told.append((run.heard(), run.fold.progress()[:1], run.fold.ledger))
    assert told[0] == told[1]
    assert len(told[0][0]) == len(said)


def test_what_is_no_label_is_a_dead_letter_and_what_is_of_no_known_model_follows_the_configuration() -> None:
    values = [label("p", "maybe"), b"[1", label("q", model="unknown"), orjson.dumps({"model": "m", "label": 1})]
    strict = run_of(*values)
    lenient_worker = labelling_worker()
    lenient_worker.wants = type(lenient_worker.wants)(
        IngestSettings(unknown_models="ignore"), lenient_worker.wants.models
    )
    lenient = run_of(*values, worker=lenient_worker)

    letters = [dict(o.headers)["reason"].decode() for o in strict.sent if o.to.topic == "dead-letters"]
    assert letters == ["bad_label", "not_json", "unknown_model", "missing_id"]
    assert (strict.fold.ledger.received, sum(strict.fold.ledger.dead.values())) == (4, 4)
    assert (lenient.fold.ledger.ignored, sum(lenient.fold.ledger.dead.values())) == (1, 3)
    assert strict.heard() == []


def test_numbers_and_texts_of_one_id_are_one_id() -> None:
    rows = run_of(label(17), label("17")).heard()

    assert rows[0][1] == rows[1][1]


def test_a_label_with_a_score_of_its_own_brings_its_bin() -> None:
    run = run_of(
        label("p", score=0.6, version="0"),
        label("q", score=0.6, version="none such"),
        label("r"),
        label("s", score=0.1),
    )

    assert [row[4] for row in run.heard()] == [2, -1, -1, 0]


def test_the_sample_is_that_of_the_predictions() -> None:
    half = run_of(*[label(i) for i in range(1_000)], worker=labelling_worker(sample=0.5))

    kept = len(half.heard())
    assert 400 < kept < 600
    assert (half.fold.ledger.counted, half.fold.ledger.ignored) == (kept, 1_000 - kept)


def test_times_that_do_not_fit_the_wire_cannot_be_joined_and_are_counted() -> None:
    run = Run([])
    year_2200_ms = 7_258_118_400_000
    run.log.put(LABELS, label("p", at_ms=year_2200_ms - START_MS), timestamp_ms=year_2200_ms)
    run.take(0, 1)
    run.send()

    assert run.heard() == []
    assert run.fold.ledger.ignored == 1


def test_a_late_label_is_told_and_said_to_be_late() -> None:
    rows = run_of(label("p", at_ms=9_000), label("q", at_ms=8_600), label("r", at_ms=8_400)).heard()

    assert [row[5] for row in rows] == [False, False, True]


def test_silence_and_gaps_are_told() -> None:
    run = run_of(label("p"))
    run.sent.clear()
    run.fold.quiet()
    run.send()
    assert [[c.idle for c in chain] for chain in coverings(run.sent).values()] == [[True]] * 3
    run.fold.lost(10)
    assert (run.fold.ledger.lost, run.fold.next_offset) == (9, 10)


def test_a_gap_before_anything_was_told_is_covered_too() -> None:
    run = Run([])
    run.fold.lost(10)
    run.send()
    chains = coverings(run.sent).values()
    assert [[(c.begin, c.end) for c in chain] for chain in chains] == [[(0, 10)]] * 3, "another has told of some of it"


def test_nothing_is_told_before_it_is_known_how_early_a_label_may_lie() -> None:
    worker = labelling_worker()
    fold = fold_of(worker)
    assert fold.outputs() == []
    proposal = fold.proposal()
    assert proposal is not None
    fold.activate(proposal)
    assert [c.early_ms for chain in coverings(fold.outputs()).values() for c in chain] == [2_000] * 3


def test_a_worker_that_has_read_less_of_the_registry_does_not_turn_time_back() -> None:
    run = Run([])
    run.worker.wants = plan(TWO, OTHER, outcomes=outcome_settings())
    run.settle()
    run.worker.wants = plan(ONE, OTHER, outcomes=outcome_settings())

    assert run.fold.proposal() is None


def test_a_restored_fold_waits_for_the_baselines_that_it_goes_by() -> None:
    run = run_of(label("p"))
    progress = run.fold.progress()
    knows_nothing = fold_of(labelling_worker())

    assert knows_nothing.needs_to_restore(progress, []) is None
    ignorant = Worker()
    assert fold_of(ignorant).needs_to_restore(progress, []) == "m@0#1"


def test_without_outcomes_settings_a_model_has_no_labels() -> None:
    worker = Worker(ONE)
    worker.wants = plan(ONE)

    assert run_of(label("p"), worker=worker).fold.ledger.dead == {"unknown_model": 1}
