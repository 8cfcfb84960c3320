"""Learned baselines: of which panes and rows, when, and that it is the same one whatever happens on the way."""

import zlib
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.baseline import Baseline
from stream.count.counter import CountFold, CountOutputs
from stream.durable.fold import Register
from stream.durable.log import Outgoing
from stream.ingest.dead_letter import DeadLetterTopic
from stream.ingest.plan import Plan
from stream.ingest.settings import IngestSettings
from stream.records.learning import LearningSettings, SampledRow, SampleRecord, encode_sample, place_hash
from stream.records.prediction import ModelKey
from stream.records.source import Source
from tests.memory_log import MemoryLog
from tests.small_model import START_MS, baseline, prediction
from tests.unit.stream.evaluate.partials import Evaluate, Speaker

PANE_MS = 1_000
KEY = ModelKey("n", "0")


def settings(rows: int = 250, models: int = 3) -> LearningSettings:
    return LearningSettings(
        pane_ms=PANE_MS, allowed_lateness_ms=0, span_ms=3 * PANE_MS, rows=rows, models=models, features=10
    )


def sampled(pane: int, count: int, *, first: int = 0, x: float = 1.0) -> list[SampledRow]:
    """Rows of the pane that begins so many panes after START_MS."""
    content = msgspec.json.encode({"features": {"x": x}, "score": 0.5})
    return [
        SampledRow(place_hash("predictions/0", pane * 10_000 + i, None), START_MS + pane * PANE_MS, content)
        for i in range(first, first + count)
    ]


def record(*rows: SampledRow, learning: LearningSettings | None = None, model: str = "n", source: int = 0) -> bytes:
    return encode_sample(SampleRecord(f"predictions/{source}", model, "0", learning or settings(), list(rows)))


def learned(evaluate: Evaluate) -> list[Baseline]:
    return [Baseline.from_bytes(o.value) for o in evaluate.sent if o.to == Source("baselines", 0) and o.value]


def span_of(made: Baseline) -> tuple[int, int]:
    assert made.learned is not msgspec.UNSET
    return (made.learned.from_ms - START_MS) // PANE_MS, (made.learned.to_ms - START_MS) // PANE_MS


def test_the_baseline_is_made_of_the_first_panes_when_the_watermark_has_passed_them() -> None:
    #  panes    0   1   2   3   4        span 3 from the first pane with rows, 1: [1, 4)
    #  rows         90  90  90  90
    evaluate, source = Evaluate(), Speaker()
    for pane in (1, 2, 3, 4):
        evaluate.hears(record(*sampled(pane, 90, x=pane)), source.says((pane + 1) * PANE_MS - 1))
        assert learned(evaluate) == ([] if pane < 4 else learned(evaluate))
    [made] = learned(evaluate)
    assert (made.id, span_of(made), made.rows) == ("n@0#0", (1, 4), 250)
    assert {s.name for s in made.series} == {"x", "score"}
    assert made.series[0].maximum == 3.0  # none of the fourth pane


def test_it_is_one_message_under_its_id_and_no_second_one_follows() -> None:
    evaluate, source = Evaluate(), Speaker()
    for pane in range(12):
        evaluate.hears(record(*sampled(pane, 90)), source.says((pane + 1) * PANE_MS))
    [sent] = [o for o in evaluate.sent if o.to.topic == "baselines"]
    assert sent.key == b"n@0#0"
    assert evaluate.fold.learned.learning == []


def test_with_too_few_rows_the_span_is_prolonged_pane_by_pane() -> None:
    #  50 rows a pane: 200 are there when the fourth pane has closed
    evaluate, source = Evaluate(), Speaker()
    for pane in range(6):
        evaluate.hears(record(*sampled(pane, 50)), source.says((pane + 1) * PANE_MS))
    [made] = learned(evaluate)
    assert (span_of(made), made.rows) == ((0, 4), 200)


def test_of_more_rows_those_with_the_smallest_hashes_are_taken() -> None:
    evaluate, source, rows = Evaluate(), Speaker(), sampled(0, 900)
    numbered = [msgspec.structs.replace(r, content=b'{"features":{"x":%d}}' % i) for i, r in enumerate(rows)]
    evaluate.hears(record(*numbered), source.says(9 * PANE_MS))
    [made] = learned(evaluate)
    smallest = sorted(range(900), key=lambda i: rows[i].hash)[:250]
    assert made.rows == 250
    assert (made.series[0].minimum, made.series[0].maximum, made.series[0].mean) == (
        min(smallest), max(smallest), pytest.approx(sum(smallest) / 250),
    )  # fmt: skip


def test_it_waits_for_every_source_and_begins_with_the_first_pane_of_any() -> None:
    evaluate, one, other = Evaluate(), Speaker(0, sources=2), Speaker(1, sources=2)
    evaluate.hears(record(*sampled(2, 300)), one.says(9 * PANE_MS))
    assert learned(evaluate) == []
    evaluate.hears(record(*sampled(1, 10, first=5_000), source=1), other.says(3 * PANE_MS))
    assert learned(evaluate) == []
    evaluate.hears(other.says(4 * PANE_MS))
    assert span_of(learned(evaluate)[0]) == (1, 4)


def test_rows_that_come_again_are_there_once() -> None:
    evaluate, source, rows = Evaluate(), Speaker(), sampled(0, 201)
    for _ in range(3):
        evaluate.hears(record(*rows))
    evaluate.hears(source.says(3 * PANE_MS))
    assert learned(evaluate)[0].rows == 201


def test_a_model_that_somebody_registers_meanwhile_is_not_learned() -> None:
    own = baseline(1, model="n")
    evaluate, source = Evaluate(own), Speaker()
    evaluate.hears(record(*sampled(0, 300)), source.says(PANE_MS))
    source.counts_with(own)
    evaluate.hears(source.says(2 * PANE_MS))
    evaluate.hears(record(*sampled(2, 300)), source.says(9 * PANE_MS))  # of a source that has not heard of it
    assert learned(evaluate) == []
    assert evaluate.fold.live() == []


def test_models_beyond_the_cap_are_refused_and_counted_and_keep_no_row() -> None:
    evaluate, source = Evaluate(), Speaker()
    for model in ("n", "k", "j"):
        evaluate.hears(record(*sampled(0, 3), model=model, learning=settings(models=2)))
    evaluate.hears(source.says(1))
    assert evaluate.fold.learned.learning == [ModelKey("k", "0"), ModelKey("n", "0")]
    assert (evaluate.fold.learned.refused, len(evaluate.fold.live())) == (1, 6)


def test_a_model_of_which_there_can_be_no_baseline_is_refused_from_then_on() -> None:
    evaluate, source = Evaluate(), Speaker()
    rows = [msgspec.structs.replace(r, content=b'{"features":{"x":[]}}') for r in sampled(0, 300)]
    evaluate.hears(record(*rows), source.says(9 * PANE_MS))
    assert (learned(evaluate), evaluate.fold.learned.refused) == ([], 0)
    evaluate.hears(record(*rows))
    assert evaluate.fold.learned.refused == 1
    assert "needs series" in str(evaluate.fold.learned.progress[0].complaint)


def test_what_is_kept_is_bounded_however_many_rows_come() -> None:
    evaluate, source = Evaluate(), Speaker(sources=2)  # the other source is silent: nothing settles
    for i in range(10):
        evaluate.hears(record(*sampled(0, 200, first=200 * i)), record(*sampled(1, 200, first=200 * i)))
    evaluate.hears(source.says(9 * PANE_MS))
    assert len(evaluate.fold.live()) == 2 * 250
    evaluate.hears(Speaker(1, sources=2).says(2 * PANE_MS))  # both panes have closed
    assert len(evaluate.fold.live()) == 250


@given(st.data())
def test_a_crash_between_any_two_records_changes_nothing(data: st.DataObject) -> None:
    panes = data.draw(st.lists(st.integers(0, 5), min_size=3, max_size=12))
    crashes = data.draw(st.sets(st.integers(0, len(panes))))
    calm, shaken = Evaluate(), Evaluate()
    for evaluate in (calm, shaken):
        source = Speaker()
        for i, pane in enumerate(panes):
            evaluate.hears(record(*sampled(pane, 60, first=60 * i)), source.says(max(panes[: i + 1]) * PANE_MS))
            if evaluate is shaken and i in crashes:
                evaluate.crash()
        evaluate.hears(source.says(20 * PANE_MS))
    assert shaken.state() == calm.state()
    assert [o.value for o in shaken.sent] == [o.value for o in calm.sent]


def test_rows_left_out_are_left_out_again_by_who_reads_the_changelog() -> None:
    evaluate, source = Evaluate(), Speaker()
    written: list[Register] = []
    for pane in (0, 1):
        evaluate.hears(record(*sampled(pane, 240)), source.says((pane + 1) * PANE_MS))
        written += evaluate.fold.changed()
    assert len(written) > 250
    restored = evaluate.new_fold()
    restored.restore(evaluate.fold.next_offset, evaluate.fold.progress(), written)
    assert restored.live() == evaluate.fold.live()
    assert len(restored.live()) == 250


# -- from predictions to the registry


class Deployment:
    """Counts of three partitions and one evaluate, whose outputs reach the partials topic in some order."""

    def __init__(self, log: MemoryLog, sources: list[Source]) -> None:
        self.log, self.evaluate = log, Evaluate()
        self.plan = Plan(IngestSettings(unknown_models="learn", learning=settings()), [])
        self.counts = {source: self.new_count(source) for source in sources}
        self.durable = {source: (0, fold.progress()) for source, fold in self.counts.items()}

    def new_count(self, source: Source) -> CountFold:
        letters = DeadLetterTopic(name="dead-letters", partitions=1, max_bytes=20)
        to = CountOutputs(partials="partials", partials_partitions=1, dead_letters=letters)
        fold = CountFold(source=source, sources=3, outputs=to, wanted=lambda: self.plan, find_baseline=lambda _: None)
        fold.activate(msgspec.msgpack.encode(self.plan))
        return fold

    def checkpoint(self, source: Source, *, dies: bool) -> None:
        """Send what a partition has to say; if its owner dies before `@`, all of it is said again later."""
        outputs: list[Outgoing] = list(self.counts[source].outputs())
        for o in sorted((o for o in outputs if o.to.topic == "partials"), key=lambda o: o.after_others):
            self.evaluate.hears(o.value or b"")
        if dies:
            offset, progress = self.durable[source]
            self.counts[source] = self.new_count(source)
            self.counts[source].restore(offset, progress, [])
        else:
            self.durable[source] = self.counts[source].next_offset, self.counts[source].progress()


def run(seed: Callable[[int], int], dies: Callable[[int], bool], *, batch: int) -> Baseline:
    """The baseline that is learned of 3 x 400 predictions of ten seconds."""
    sources = [Source("predictions", p) for p in range(3)]
    log = MemoryLog()
    for i in range(1_200):
        value = prediction(i * 8 + zlib.crc32(b"%d" % i) % 300, model="n", x=i % 17, score=(i % 10) / 10)
        log.put(sources[i % 3], value, timestamp_ms=START_MS)
    deployment = Deployment(log, sources)
    for turn in range(5_000):
        source = sources[seed(turn) % 3]
        fold = deployment.counts[source]
        if fold.next_offset < 400:
            fold.fold(log.batch(source, fold.next_offset, min(fold.next_offset + batch, 400)))
        deployment.checkpoint(source, dies=dies(turn) and turn < 200)
        if all(f.next_offset == 400 for f in deployment.counts.values()):
            break
    [made] = learned(deployment.evaluate)
    return made


@pytest.fixture(scope="module")
def calm() -> Baseline:
    made = run(lambda turn: turn, lambda _: False, batch=400)
    assert (made.rows, span_of(made)) == (250, (0, 3))
    return made


@pytest.mark.parametrize("seed", range(12))
def test_every_schedule_of_crashes_cuts_and_orders_learns_the_same_baseline(seed: int, calm: Baseline) -> None:
    dice = [zlib.crc32(b"%d/%d" % (seed, turn)) for turn in range(5_000)]
    shaken = run(lambda turn: dice[turn], lambda turn: dice[turn] % 7 < 2, batch=13 + 11 * seed)
    assert shaken.to_bytes() == calm.to_bytes()
