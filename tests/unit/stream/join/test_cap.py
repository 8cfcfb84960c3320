"""The cap on predictions that wait: what it refuses, and that reading back refuses the same."""

from random import Random

from tests.unit.stream.join.outcomes import (
    DAY,
    HOUR,
    L,
    P,
    definition,
    join,
    key_of,
    labels,
    predictions,
    read,
    restored,
    scored,
)

T = 10 * DAY
SMALL = definition(max_waiting=3)


def test_beyond_the_cap_predictions_are_refused_and_counted():
    fold = read(join(), predictions().say(*(P(i, T, of=SMALL) for i in range(1, 6)), P(9, T, of=definition("credit"))))
    assert (fold.ledger.waiting, fold.ledger.refused) == (4, 2)
    assert fold.refusing() == [key_of("fraud")]
    assert scored(fold, T, cohort=True, of=SMALL).predictions == 3, "what is refused is in no cohort"
    assert fold.waiting_of() == {key_of("fraud"): 3, key_of("credit"): 1}


def test_the_label_of_a_refused_prediction_is_an_orphan_in_the_end():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(*(P(i, T, of=SMALL) for i in range(1, 6))), truth.say(L(5, T)))
    read(fold, out.say(watermark_s=T + HOUR))
    assert fold.ledger.orphans == 1


def test_once_enough_have_gone_predictions_are_let_in_again():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(*(P(i, T, of=SMALL) for i in range(1, 6))), truth.say(L(1, T), L(2, T)))
    assert fold.refusing() == []
    read(fold, out.say(P(6, T, of=SMALL)))
    assert (fold.ledger.waiting, fold.ledger.refused) == (2, 2)


def test_a_copy_is_a_duplicate_whether_the_gate_is_closed_or_not():
    out = predictions()
    fold = read(join(), out.say(*(P(i, T, of=SMALL) for i in range(1, 6))), out.say(P(1, T, of=SMALL)))
    assert (fold.ledger.duplicates, fold.ledger.refused) == (1, 2)


def test_reading_back_refuses_what_was_refused_although_what_kept_it_out_is_gone():
    random = Random(3)
    cap = definition(max_waiting=40, ttl_s=HOUR)
    out, truth = predictions(), labels()
    log: list[bytes] = []
    fold = join(segment_rows=30)
    for step in range(600):
        now = T + step * 30
        new = [P(random.randrange(1, 1 << 60), now, of=cap) for _ in range(random.randrange(3))]
        log += [out.say(*new, watermark_s=now), truth.say(watermark_s=now)]
        read(fold, *log[-2:])
        if step % 20 == 19:
            fold = restored(fold, log, segment_rows=30)
    assert fold.ledger.refused > 50
    assert fold.ledger.expired > 100
    assert fold.needs_from() > 100
    assert sum(len(held) for held in fold.gates.closed.values()) < 20, "old ones are forgotten"
