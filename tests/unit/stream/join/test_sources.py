"""What a join believes of its sources: chains, watermarks, idleness, incarnations."""

import pytest

from stream.errors import CallerError
from stream.join.watermarks import PROOF, missing_sources
from stream.records.outcome import Kind
from stream.records.partial import NO_TIME
from tests.unit.stream.join.outcomes import (
    DAY,
    HOUR,
    MINUTE,
    L,
    P,
    definition,
    join,
    labels,
    predictions,
    read,
    restored,
)

T = 10 * DAY


def test_what_a_zombie_says_again_is_counted_once():
    out = predictions()
    first, second = out.say(P(1, T), P(2, T)), out.say(P(3, T))
    fold = read(join(), first, first, second, first, second)
    assert (fold.ledger.predictions, fold.ledger.duplicates, fold.ledger.repeats) == (3, 0, 5)


def test_of_a_record_that_overlaps_only_the_new_rows_are_taken():
    out, longer = predictions(), predictions()
    fold = read(join(), out.say(P(1, T), P(2, T)), longer.say(P(1, T), P(2, T), P(3, T)))
    assert (fold.ledger.predictions, fold.ledger.duplicates, fold.ledger.repeats) == (3, 0, 2)


def test_a_record_whose_predecessor_is_missing_waits_until_it_comes_again():
    out = predictions()
    first, missing, third = out.say(P(1, T)), out.say(P(2, T)), out.say(P(3, T), watermark_s=T)
    fold = read(join(), first, third)
    assert (fold.ledger.gaps, fold.ledger.predictions) == (1, 1)
    assert fold.heard.sources["predictions/0"].watermark_ms == NO_TIME, "nor is its watermark believed"
    read(fold, missing, third)
    assert fold.ledger.predictions == 3


def test_what_the_log_has_lost_is_given_up_once_it_is_certain_that_nobody_repeats_it():
    """Ten checkpoints beyond the gap: their sender has had the missing one acknowledged."""
    out, truth = predictions(), labels()
    log = [out.say(P(1, T), watermark_s=T), truth.say(watermark_s=T)]
    out.say(P(2, T + 1), P(3, T + 1))
    for i in range(4, 4 + PROOF - 1):
        record = out.say(P(i, T + i), watermark_s=T + i)
        log += [record, record, truth.say(watermark_s=T + i)]  # repeated: that proves nothing
    fold = read(join(), *log)
    assert (fold.ledger.predictions, fold.ledger.lost, fold.heard.predictions_ms) == (1, 0, T * 1000)
    last = [out.say(P(i, T + i), watermark_s=T + i) for i in (50, 51)]
    read(fold, *last)
    assert (fold.ledger.predictions, fold.ledger.lost) == (3, PROOF - 1 + 2)
    assert fold.heard.predictions_ms == (T + 51) * 1000
    for cut in range(len(log)):
        again = read(restored(read(join(), *log[:cut]), log), *log[cut:], *last)
        assert restored(again, log + last).heard == fold.heard


def test_links_of_one_checkpoint_beyond_a_gap_prove_nothing():
    """Only the last of them has the watermark; their sender may be dead, and its heir fills the gap."""
    out = predictions()
    first, missing = out.say(P(1, T), watermark_s=T), out.say(P(2, T))
    out.watermark_s = None
    links = [out.say(P(i, T)) for i in range(3, 3 * PROOF)]
    fold = read(join(), first, *links)
    assert (fold.ledger.lost, fold.ledger.gaps) == (0, len(links))
    read(fold, missing, *links)
    assert fold.ledger.predictions == len(links) + 2


def test_a_gap_that_is_filled_leaves_no_proof_behind():
    out = predictions()
    first, missing, third = (out.say(P(i, T + i), watermark_s=T + i) for i in (1, 2, 3))
    fold = read(join(), first, third, missing, third)
    assert fold.heard.sources["predictions/0"].beyond == 0


def test_a_record_of_another_version_stops_the_worker_and_broken_bytes_do_not():
    out = predictions()
    record = out.say(P(1, T))
    fold = read(join(), b"\xff" + record[1:], b"\x02", b"", None, record[:20])
    assert fold.ledger.unreadable == 5
    with pytest.raises(CallerError, match="outcomes/0 offset 5 is in outcomes format 2, this Driftline reads 1"):
        read(fold, b"\x02" + record[1:])


def test_a_source_that_begins_beyond_zero_is_taken_from_there():
    out = predictions()
    out.end = 1_000
    assert read(join(), out.say(P(1, T))).ledger.predictions == 1


def test_a_new_incarnation_begins_anew_and_the_old_one_is_heard_no_more():
    old, new = predictions(), predictions()
    new.incarnation = 1
    fold = read(join(), old.say(P(1, T), P(2, T)), new.say(P(3, T)), old.say(P(4, T)))
    assert (fold.ledger.predictions, fold.ledger.stale) == (3, 1)


def test_a_prediction_expires_once_both_watermarks_have_passed_its_time_to_live():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T)), out.say(watermark_s=T + 3 * DAY))
    assert fold.ledger.waiting == 1, "its label may still be on the way"
    read(fold, truth.say(watermark_s=T + DAY))
    assert fold.ledger.waiting == 1
    read(fold, truth.say(watermark_s=T + DAY + HOUR))
    assert (fold.ledger.waiting, fold.ledger.expired, fold.waiting.rows) == (0, 1, 0)


def test_labels_ahead_of_predictions_expire_nothing():
    """One clock for both would expire what has not even met its labels."""
    out, truth = predictions(), labels()
    fold = read(join(), truth.say(L(1, T + 60), watermark_s=T + 3 * DAY), out.say(P(1, T), watermark_s=T))
    assert (fold.ledger.joined, fold.ledger.orphans) == (1, 0)


def test_a_label_is_an_orphan_once_no_prediction_can_come_for_it():
    out, truth = predictions(), labels(early_s=300)
    fold = read(join(), truth.say(L(1, T)), out.say(watermark_s=T + 299))
    assert (fold.ledger.waiting_labels, fold.ledger.orphans) == (1, 0)
    read(fold, out.say(watermark_s=T + 300 + MINUTE))
    assert (fold.ledger.waiting_labels, fold.ledger.orphans) == (0, 1)
    read(fold, truth.say(L(2, T, late=True)))
    assert fold.ledger.orphans == 2, "one that comes too late is one at once"


def test_a_late_row_still_joins_what_is_there():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T)), truth.say(watermark_s=T + 2 * HOUR), truth.say(L(1, T + MINUTE, late=True)))
    assert (fold.ledger.joined, fold.ledger.late, fold.ledger.below) == (1, 1, 0)


def test_a_prediction_that_comes_after_its_time_to_live_expires_at_once():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(watermark_s=T), truth.say(watermark_s=T), out.say(P(1, T - 3 * DAY, late=True)))
    assert (fold.ledger.expired, fold.ledger.waiting, fold.waiting.rows) == (1, 0, 0)


def test_rows_below_a_watermark_that_was_declared_are_seen():
    out = predictions()
    fold = read(join(), out.say(P(1, T), watermark_s=T))
    read(fold, out.say(P(2, T), P(3, T - 1, late=True)))
    assert fold.ledger.below == 0
    read(fold, out.say(P(4, T - 1)))
    assert fold.ledger.below == 1, "not flagged as late: packed with the watermark of rows behind it"


@pytest.mark.parametrize("kind", list(Kind))
def test_all_sources_of_a_kind_must_have_been_heard(kind: Kind):
    make, other = (predictions, labels) if kind is Kind.PREDICTIONS else (labels, predictions)
    fold = read(join(), other().say(watermark_s=T), make(0, sources=2).say(watermark_s=T))
    assert fold.heard.watermark_ms == NO_TIME
    assert missing_sources(fold.heard)[kind] == 1
    read(fold, make(1, sources=2).say(watermark_s=T - 60))
    assert fold.heard.watermark_ms == (T - 60) * 1000


def test_an_idle_source_holds_nobody_back():
    slow, quick, truth = predictions(0, sources=2), predictions(1, sources=2), labels()
    fold = read(join(), slow.say(watermark_s=T), quick.say(watermark_s=T + HOUR), truth.say(watermark_s=T + HOUR))
    assert fold.heard.predictions_ms == T * 1000
    read(fold, slow.say(idle=True))
    assert fold.heard.predictions_ms == (T + HOUR) * 1000
    read(fold, slow.say(watermark_s=T + 60))
    assert fold.heard.predictions_ms == (T + HOUR) * 1000, "a watermark never falls"


def test_a_source_s_own_watermark_does_not_fall_when_a_zombie_repeats_an_older_one():
    out, truth = predictions(), labels()
    old = out.say(watermark_s=T)
    fold = read(join(), old, truth.say(watermark_s=T), out.say(watermark_s=T + 60), old)
    assert fold.heard.sources["predictions/0"].watermark_ms == (T + 60) * 1000


def test_a_zombie_s_older_word_does_not_wake_a_silent_source():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T), watermark_s=T), truth.say())
    awake = truth.say()  # what a zombie says once more, later
    read(fold, truth.say(idle=True), awake)
    for hour in range(1, 4):
        read(fold, out.say(watermark_s=T + hour * HOUR))
    assert fold.heard.labels_ms == (T + 3 * HOUR) * 1000, "else it would hold everything back for ever"
    read(fold, truth.say(L(1, T)))
    assert not fold.heard.sources["labels/0"].idle, "it speaks again"


def test_of_a_new_incarnation_the_old_watermark_is_not_believed():
    old, new, truth = predictions(), predictions(), labels()
    new.incarnation = 1
    fold = read(join(), old.say(P(1, T), watermark_s=T), old.say(idle=True), truth.say(watermark_s=T))
    read(fold, new.say(P(2, T - HOUR), watermark_s=T - HOUR))
    assert (fold.ledger.below, fold.heard.predictions_ms) == (0, T * 1000), "but the partition's never falls"
    read(fold, new.say(P(3, T - 2 * HOUR)))
    assert fold.ledger.below == 1
    again = predictions()
    again.incarnation = 2
    read(fold, new.say(idle=True), again.say())
    assert not fold.heard.sources["predictions/0"].idle, "nor is its silence"


def test_silent_labels_hold_nothing_back():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T)), truth.say(idle=True), out.say(watermark_s=T + 2 * DAY))
    assert fold.heard.labels_ms == (T + 2 * DAY) * 1000
    assert fold.ledger.expired == 1


def test_only_silent_predictions_stand_at_their_newest():
    ahead, behind = predictions(0, sources=2), predictions(1, sources=2)
    fold = read(join(), ahead.say(watermark_s=T + 60, idle=True), behind.say(watermark_s=T, idle=True))
    assert fold.heard.predictions_ms == (T + 60) * 1000


def test_what_is_no_outcome_is_counted_and_passed_over():
    fold = read(join(), None, b"", b"\xff", b"\x01nonsense", predictions().say(P(1, T)))
    assert (fold.ledger.unreadable, fold.ledger.predictions) == (4, 1)


def test_the_early_allowance_is_known_only_once_a_source_of_labels_has_said_it():
    out = predictions()
    fold = read(join(), out.say(watermark_s=T), labels(early_s=300).say(L(1, T - 200)))
    assert (fold.ledger.waiting_labels, fold.ledger.orphans) == (1, 0)
    read(fold, out.say(P(1, T)))
    assert fold.ledger.joined == 1


def test_a_log_that_lost_records_begins_again_without_what_waited():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T), P(2, T)), truth.say(L(1, T), L(9, T)))
    fold.lost(10)
    assert fold.ledger.balances() == (0, 0)
    assert (fold.ledger.lost, fold.ledger.waiting, fold.waiting.rows) == (8, 0, 0)
    out.say(P(5, T))  # one of the lost records
    read(fold, out.say(P(3, T), P(4, T), skip=3))
    assert (fold.ledger.waiting, fold.ledger.gaps) == (2, 0), "what each source says next is taken"


def test_definitions_that_differ_only_below_the_line_keep_their_own_times():
    brief, lasting = definition(ttl_s=HOUR), definition(ttl_s=DAY)
    assert brief.id == lasting.id
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T, of=brief), P(2, T, of=lasting)))
    read(fold, out.say(watermark_s=T + 2 * HOUR), truth.say(watermark_s=T + 2 * HOUR))
    assert (fold.ledger.expired, fold.ledger.waiting) == (1, 1)
