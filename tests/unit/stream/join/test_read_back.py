"""What waits is made again from the log, and compared with what was there."""

from random import Random

import numpy as np
import pytest

import stream.join.fold as fold_module
from stream.join.fold import JoinFold, ReadBackMismatch
from tests.unit.stream.join import test_oracle
from tests.unit.stream.join.outcomes import (
    DAY,
    HOUR,
    NAN,
    PRICE,
    L,
    P,
    batch,
    definition,
    join,
    labels,
    panes,
    predictions,
    read,
    restored,
)

T = 10 * DAY


def log_of(estimate: float = 5.0) -> list[bytes]:
    """Predictions of two models that wait, one joined, and labels that came first."""
    out, truth = predictions(), labels()
    return [
        out.say(P(1, T), P(2, T, 4), P(3, T, estimate, PRICE), watermark_s=T),
        truth.say(L(1, T), L(8, T + 1, 2.5), L(8, T + 2, 0.5), watermark_s=T),
    ]


def test_what_waits_is_there_again_and_nothing_is_counted_twice():
    log = log_of()
    fold = read(join(), *log)
    again = restored(fold, log)
    assert panes(again) == panes(fold)
    assert (again.ledger.joined, again.ledger.waiting, again.ledger.waiting_labels) == (1, 2, 2)
    assert again.reread_rows == 6
    later = predictions()
    later.end = 3
    read(again, later.say(P(8, T, 1.0, PRICE)))
    assert again.ledger.joined == 2


def test_rows_that_are_not_those_that_were_there_are_refused():
    fold = read(join(), *log_of())
    progress = fold.progress()
    fresh = join()
    fresh.restore(fold.next_offset, progress, fold.live())
    fresh.reread(batch(log_of(estimate=5.5), 0))
    with pytest.raises(ReadBackMismatch, match="read back from 0"):
        fresh.end_reread()


def test_nothing_is_read_back_before_anything_was_folded():
    assert restored(join(), []).reread_from() == 0


def test_the_log_is_needed_only_from_where_rows_may_still_matter():
    out, truth = predictions(), labels()
    fold = join(segment_rows=5)
    for hour in range(100):
        now = T + hour * HOUR
        read(fold, out.say(P(hour + 1, now), watermark_s=now), truth.say(watermark_s=now))
    assert fold.needs_from() == 150, "two records an hour, and what is 24.6 hours old is of no use"


@pytest.mark.parametrize("delay_s", [HOUR - 100, 3 * HOUR], ids=["fits", "too late"])
def test_a_score_in_a_label_does_not_stand_by_itself_where_its_prediction_is_no_longer_read_back(delay_s: int):
    """Its prediction is dead long before the label would be: the log is needed for twice the time to live."""
    brief = definition(ttl_s=HOUR)
    out, truth = predictions(), labels()
    log = [out.say(P(1, T, of=brief), watermark_s=T), truth.say(watermark_s=T)]
    fold = read(join(segment_rows=5), *log)
    log.append(truth.say(L(1, T + delay_s, 1, brief, 5)))
    read(fold, log[-1])
    for step in range(400):
        now = T + step * 60
        log += [out.say(P(100 + step, now, of=brief), watermark_s=now), truth.say(watermark_s=now)]
        read(fold, *log[-2:])
        if step % 4 == 0:
            restored(fold, log, segment_rows=5)
    assert fold.needs_from() > 200


def kept(fold: JoinFold) -> dict[str, object]:
    """Everything that waits, wherever it lies in memory."""
    table = fold.waiting.table
    slots = np.flatnonzero(table.key)
    rows = table.rows(slots)
    alive = fold.waiting.alive(rows)
    by_id = sorted(zip(table.key[slots][alive].tolist(), *(c[alive].tolist() for c in rows), strict=True))
    beside = {key: [x for x in held if fold.waiting.label_is_alive(x[0])] for key, held in fold.waiting.more.items()}
    return {
        "rows": [tuple(map(repr, row)) for row in by_id],
        "beside": sorted((key, repr(held)) for key, held in beside.items() if held),
        "waiting": fold.waiting.waiting.tolist(),
        "held": fold.waiting.held.tolist(),
        "progress": fold.progress(),
    }


@pytest.mark.parametrize("seed", range(4))
def test_records_that_are_read_back_together_leave_what_they_leave_one_by_one(
    seed: int, monkeypatch: pytest.MonkeyPatch
):
    """Ids that come again within one bucket of time, gates that close, labels with scores: bit for bit."""
    random = Random(seed)
    log = test_oracle.traffic(random, 300)
    small = {"max_waiting": 12} if seed % 2 else {}
    if small:
        monkeypatch.setattr(test_oracle, "DEFINITIONS", [definition("fraud", ttl_s=2 * HOUR, **small)])
        log = test_oracle.traffic(random, 300)
    for cut in sorted(random.sample(range(1, len(log)), 6)):
        fold = read(join(segment_rows=100), *log[:cut])
        monkeypatch.setattr(fold_module, "LARGE", 0)
        single = restored(fold, log, segment_rows=100)
        monkeypatch.setattr(fold_module, "LARGE", 1_000)
        assert kept(restored(fold, log, segment_rows=100)) == kept(single), cut


def test_one_id_in_every_record_is_taken_in_order():
    """A prediction, its label, its correction, all in one bucket: one round each."""
    out, truth = predictions(), labels()
    log = [out.say(P(1, T), P(2, T)), truth.say(L(1, T + 1, 0.0)), truth.say(L(1, T + 3, 1.0), L(2, T + 1, 0.0))]
    log += [truth.say(L(1, T + 2, 0.0)), truth.say(L(2, T + 4, NAN))]
    fold = restored(read(join(), *log), log)
    read(fold, truth.say(L(2, T + 5)))
    assert (fold.ledger.joined, fold.ledger.revised, fold.ledger.retracted) == (2, 2, 1)


def test_what_a_gate_has_kept_out_stays_out_although_records_are_taken_together():
    few = definition(max_waiting=4)
    out = predictions()
    log = [out.say(*(P(i, T, of=few) for i in ids)) for ids in ([1, 2], [3, 4, 5, 6], [7], [8, 9])]
    fold = read(join(), *log)
    assert (fold.ledger.waiting, fold.ledger.refused) == (4, 5)
    assert restored(fold, log).ledger.waiting == 4
