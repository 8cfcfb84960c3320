"""The cap on predictions that wait: what it refuses, and that reading back refuses the same."""

from random import Random

import pytest

from stream.join import caps
from tests.unit.stream.join.outcomes import (
    DAY,
    HOUR,
    MINUTE,
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
    brief = definition(max_waiting=3, ttl_s=HOUR)
    out, truth = predictions(), labels()
    fold = read(join(), out.say(*(P(i, T, of=brief) for i in range(1, 6))), truth.say(L(1, T), L(2, T)))
    assert fold.refusing() == [key_of("fraud")], "labelled ones are held all the same"
    read(fold, out.say(watermark_s=T + 2 * HOUR), truth.say(watermark_s=T + 2 * HOUR))
    assert fold.refusing() == []
    read(fold, out.say(P(6, T + 2 * HOUR, of=brief)))
    assert (fold.ledger.waiting, fold.ledger.refused) == (1, 2)


def test_without_dedupe_a_labelled_prediction_gives_its_place_up_once_it_cannot_be_corrected():
    brief = definition(max_waiting=3, dedupe=False, revision_s=MINUTE)
    out, truth = predictions(), labels()
    fold = read(join(), out.say(*(P(i, T, of=brief) for i in range(1, 4))), truth.say(L(1, T), L(2, T)))
    read(fold, out.say(watermark_s=T + HOUR), truth.say(watermark_s=T + HOUR))
    read(fold, out.say(P(6, T + HOUR, of=brief), P(7, T + HOUR, of=brief)))
    assert (fold.ledger.waiting, fold.ledger.refused) == (3, 0)


def test_all_rows_of_a_model_version_are_held_against_one_cap_whatever_its_settings_are():
    """Those that wait, those that have a label, and scores that labels brought; the largest cap said is in force."""
    small, large = definition(max_waiting=3), definition(max_waiting=5, ttl_s=2 * DAY)
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T, of=small), P(2, T, of=large)), truth.say(L(1, T), L(3, T, of=small)))
    read(fold, out.say(*(P(i, T, of=of) for i, of in ((4, small), (5, large), (6, small), (7, large)))))
    assert (fold.ledger.waiting, fold.ledger.joined, fold.ledger.inline, fold.ledger.refused) == (3, 1, 1, 2)
    assert fold.waiting.rows == 5


def test_scores_that_labels_bring_are_refused_from_the_next_record_on():
    truth = labels()
    log = [truth.say(*(L(key, T, of=SMALL) for key in range(start, start + 3))) for start in (1, 11, 21)]
    log.append(truth.say(L(1, T + 5, 0)))
    fold = read(join(), *log)
    assert (fold.ledger.inline, fold.ledger.refused_labels, fold.waiting.rows) == (6, 3, 6)
    assert fold.ledger.revised == 1, "one that is held may still be corrected"
    restored(fold, log)


def test_labels_that_come_first_are_bounded_too_and_a_refused_one_is_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(caps, "LEAST_LABELS", 10)
    out, truth = predictions(), labels()
    log = [truth.say(*(L(key, T) for key in range(start, start + 6))) for start in (1, 11, 21)]
    log += [truth.say(L(1, T + 1), L(1, T + 2)), out.say(P(1, T, of=SMALL), P(21, T, of=SMALL))]
    fold = read(join(), *log)
    assert (fold.ledger.refused_labels, fold.ledger.waiting_labels, fold.ledger.joined) == (8, 11, 1)
    fold = restored(fold, log)
    log += [out.say(watermark_s=T + HOUR), truth.say(L(5, T + HOUR))]
    read(fold, *log[-2:])
    assert (fold.ledger.refused_labels, fold.ledger.waiting_labels) == (8, 1), "enough have gone"
    restored(fold, log)


def test_labels_of_one_id_that_wait_beside_each_other_count_against_their_cap(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(caps, "LEAST_LABELS", 10)
    truth = labels()
    fold = read(join(), *(truth.say(*(L(key, T + i) for key in range(1, 9))) for i in range(5)))
    assert fold.ledger.waiting_labels == 16
    assert sum(map(len, fold.waiting.more.values())) == 8


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
