"""Rows of models that nobody has registered: which are drawn, in what order they go out, what a cap refuses."""

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.baseline import Learned
from stream.durable.log import Outgoing
from stream.ingest.settings import IngestSettings
from stream.records.learning import (
    LearningSettings,
    SampledRow,
    SampleRecord,
    decode_sample,
    is_sample,
    place_hash,
)
from stream.records.partial import decode_partial
from tests.memory_log import MemoryLog
from tests.small_model import PREDICTIONS, START_MS, Worker, baseline, plan, prediction
from tests.unit.stream.count.run import Run, settle

ONE = baseline(1)


def settings(rows: int = 200, models: int = 3, lateness_ms: int = 0) -> LearningSettings:
    return LearningSettings(
        pane_ms=1_000, allowed_lateness_ms=lateness_ms, span_ms=3_000, rows=rows, models=models, features=10
    )


def learner(learning: LearningSettings) -> Worker:
    worker = Worker(ONE)
    ingest = IngestSettings(unknown_models="learn", learning=learning)
    worker.wants = msgspec.structs.replace(plan(ONE), ingest=ingest)
    return worker


def log_of(*rows: tuple[str, int]) -> MemoryLog:
    """Predictions by model and time."""
    log = MemoryLog()
    for model, at_ms in rows:
        log.put(PREDICTIONS, prediction(at_ms, model=model), timestamp_ms=START_MS)
    return log


def run_of(log: MemoryLog, learning: LearningSettings, cuts: list[int] | None = None) -> Run:
    run = Run(log, learner(learning))
    ends = [*(cuts or []), len(log.records[PREDICTIONS])]
    for start, stop in zip([0, *ends[:-1]], ends, strict=True):
        run.take(start, stop)
        run.send()
        assert run.fold.ledger.balance() == 0
    return run


def samples(sent: list[Outgoing]) -> list[SampleRecord]:
    return [decode_sample(o.value) for o in sent if o.value and o.to.topic == "partials" and is_sample(o.value)]


def drawn(sent: list[Outgoing], model: str = "n") -> list[SampledRow]:
    return [row for record in samples(sent) if record.model == model for row in record.rows]


def test_rows_of_an_unknown_model_are_in_the_ledger_and_on_their_way_to_its_owner() -> None:
    run = run_of(log_of(("m", 0), ("n", 1_500), ("n", 1_600)), settings())
    ledger = run.fold.ledger
    assert (ledger.counted, ledger.learning, ledger.received) == (1, 2, 3)
    [record] = samples(run.sent)
    assert (record.source, record.model, record.version, record.settings) == ("predictions/0", "n", "0", settings())
    assert [(r.hash, r.pane_ms) for r in record.rows] == [
        (place_hash("predictions/0", offset, None), START_MS + 1_000) for offset in (1, 2)
    ]
    assert orjson.loads(record.rows[0].content) == {"features": {"x": 0.1, "c": "a"}, "score": 0.9}


def test_each_element_of_an_array_has_a_place_of_its_own() -> None:
    log = MemoryLog()
    value = b"[" + prediction(0, model="n") + b"," + prediction(1, model="n") + b"]"
    log.put(PREDICTIONS, value, timestamp_ms=START_MS)
    rows = drawn(run_of(log, settings()).sent)
    assert [r.hash for r in rows] == [place_hash("predictions/0", 0, 0), place_hash("predictions/0", 0, 1)]


def test_a_row_whose_pane_has_closed_is_late_and_not_drawn() -> None:
    #  pane 0 closes with the second row: the third is late, the fourth's pane is open
    run = run_of(log_of(("n", 500), ("n", 1_500), ("n", 900), ("n", 1_100)), settings())
    assert (run.fold.ledger.late, run.fold.ledger.learning) == (1, 3)
    assert [r.pane_ms - START_MS for r in drawn(run.sent)] == [0, 1_000, 1_000]


def test_the_allowed_lateness_holds_for_models_that_are_learned() -> None:
    run = run_of(log_of(("n", 500), ("n", 1_500), ("n", 900)), settings(lateness_ms=600))
    assert (run.fold.ledger.late, run.fold.ledger.learning) == (0, 3)


def test_a_broken_envelope_is_a_dead_letter_of_an_unknown_model_too() -> None:
    log = MemoryLog()
    for value in (
        {"model": "n", "score": 1.5},
        {"model": "n"},
        {"model": "n", "score": 0.5, "ts": 5},
        {"model": "n" * 300, "score": 0.5},
    ):
        log.put(PREDICTIONS, orjson.dumps(value), timestamp_ms=START_MS)
    ledger = run_of(log, settings()).fold.ledger
    assert ledger.dead == {"score_out_of_range": 1, "missing_answer": 1, "bad_time": 1, "wrong_type": 1}
    assert ledger.learning == 0


def test_one_model_too_many_is_a_dead_letter_that_says_so() -> None:
    run = run_of(log_of(("a", 0), ("b", 0), ("a", 1), ("c", 2)), settings(models=2))
    assert (run.fold.ledger.learning, run.fold.ledger.dead) == (3, {"unknown_model": 1})
    [letter] = [o for o in run.sent if o.to.topic == "dead-letters"]
    assert b"as many are learned as `learning.models` allows (2)" in dict(letter.headers)["detail"]


def test_models_that_have_been_learned_take_places_too() -> None:
    learned = msgspec.structs.replace(
        baseline(1, model="k"), number=0, learned=Learned(from_ms=0, to_ms=1, left_out=())
    )
    worker = Worker(ONE, learned)
    worker.wants = msgspec.structs.replace(
        plan(learned, ONE), ingest=IngestSettings(unknown_models="learn", learning=settings(models=2))
    )
    run = Run(log_of(("a", 0), ("b", 0)), worker)
    run.take(0, 2)
    assert (run.fold.ledger.learning, run.fold.ledger.dead) == (1, {"unknown_model": 1})


def test_a_model_that_gets_a_baseline_is_learned_no_longer_and_makes_room() -> None:
    run = run_of(log_of(("a", 0), ("b", 1)), settings(models=1))
    own = baseline(1, model="a")
    run.worker.known[own.id] = own
    run.worker.wants = msgspec.structs.replace(run.worker.wants, models=plan(own, ONE).models)
    settle(run.fold)
    run.log.put(PREDICTIONS, prediction(2, model="b"), timestamp_ms=START_MS)
    run.take(2, 3)
    assert run.fold.ledger.learning == 2  # one of each
    assert [m.model for m in run.fold.learning.models] == ["b"]


def test_the_watermark_comes_behind_the_samples_of_its_round() -> None:
    run = run_of(log_of(("n", 500), ("n", 1_500)), settings())
    told = [o for o in run.sent if o.to.topic == "partials" and o.value and not is_sample(o.value)]
    assert told
    assert all(o.after_others for o in told)


def test_evaluate_hears_of_the_watermark_although_no_model_has_a_baseline() -> None:
    worker = learner(settings())
    worker.wants = msgspec.structs.replace(worker.wants, models=[])
    run, said = Run(log_of(("n", 500), ("n", 700), ("n", 1_500)), worker), []
    for i in range(3):
        run.take(i, i + 1)
        sent = [o.value for o in run.fold.outputs() if o.to.topic == "partials" and o.value and not is_sample(o.value)]
        said.append([decode_partial(value).newest_event_ms - START_MS for value in sent])
    assert said == [[500], [], [1_500]]  # whenever another pane is reached


@given(st.lists(st.tuples(st.sampled_from("mnk"), st.integers(0, 9_000)), min_size=1, max_size=30), st.data())
def test_what_is_drawn_does_not_depend_on_how_fetches_are_cut_or_on_crashes(
    rows: list[tuple[str, int]], data: st.DataObject
) -> None:
    whole = run_of(log_of(*rows), settings(rows=200))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(rows) - 1, 1)), max_size=4))) if len(rows) > 1 else []
    pieces = Run(log_of(*rows), learner(settings(rows=200)))
    for start, stop in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        pieces.take(start, stop)
        pieces.send()
        pieces.crash()
    for model in "nk":
        assert drawn(pieces.sent, model) == drawn(whole.sent, model)
    assert pieces.fold.progress() == whole.fold.progress()


def test_the_rows_with_the_smallest_hashes_of_all_are_drawn_and_far_from_all_rows_are() -> None:
    rows = 20_000
    run = run_of(log_of(*[("n", 500)] * rows), settings(rows=200))
    smallest = sorted(place_hash("predictions/0", offset, None) for offset in range(rows))[:200]
    found = {r.hash for r in drawn(run.sent)}
    assert found.issuperset(smallest)
    assert 1_500 < len(found) < 3_000  # 400 * (1 + ln 50) = 1,965


def test_a_prediction_of_many_bytes_is_counted_and_not_drawn() -> None:
    log = MemoryLog()
    value = orjson.dumps({"model": "n", "score": 0.5, "features": {"text": "x" * 40_000}})
    log.put(PREDICTIONS, value, timestamp_ms=START_MS)
    run = run_of(log, settings())
    assert (run.fold.ledger.learning, drawn(run.sent)) == (1, [])


def test_when_learning_is_switched_off_what_was_begun_is_forgotten() -> None:
    run = run_of(log_of(("n", 0), ("n", 1)), settings())
    run.worker.wants = plan(ONE)
    settle(run.fold)
    assert run.fold.learning.models == []
