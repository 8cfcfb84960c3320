"""More than one label of an id: the newest is in force, the old one is taken out of its panes again."""

import pytest

from tests.unit.stream.join.outcomes import (
    DAY,
    FRAUD,
    HOUR,
    MINUTE,
    NAN,
    PRICE,
    L,
    P,
    definition,
    join,
    labels,
    panes,
    predictions,
    read,
    restored,
    scored,
)

T = 10 * DAY


def test_a_newer_label_takes_the_old_one_out_and_comes_in_itself():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T, 4)), truth.say(L(7, T + MINUTE, 0)), truth.say(L(7, T + 30 * MINUTE, 1)))
    assert (fold.ledger.joined, fold.ledger.revised, fold.ledger.duplicate_labels) == (1, 1, 0)
    assert scored(fold, T + MINUTE) == ({}, {}, 0), "-1 the old class, in its own pane"
    assert scored(fold, T + 30 * MINUTE).positives == {4: 1}
    assert scored(fold, T, cohort=True) == ({}, {4: 1}, 1)


@pytest.mark.parametrize("second", [L(7, T + MINUTE, 0), L(7, T + 30, 1)], ids=["the same again", "an older one"])
def test_a_label_that_is_not_newer_is_a_duplicate(second: L):
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T, 4)), truth.say(L(7, T + MINUTE, 0)), truth.say(second))
    assert (fold.ledger.joined, fold.ledger.duplicate_labels) == (1, 1)
    assert scored(fold, T + MINUTE).negatives == {4: 1}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_labels_with_one_time_the_larger_value_is_in_force_in_any_order(order: tuple[int, int]):
    both = L(7, T, 0), L(7, T, 1)
    truth = labels()
    fold = read(join(), predictions().say(P(7, T, 4)), *(truth.say(both[i]) for i in order))
    assert scored(fold, T) == ({}, {4: 1}, 0)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_however_long_after_it_the_newer_label_is_in_force(order: tuple[int, int]):
    """Else which of the two counted would be a matter of which came first, and of where the log is read back from."""
    both, truth = (L(7, T, 0), L(7, T + 20 * HOUR, 1)), labels()
    fold = read(join(), predictions().say(P(7, T, 4)), *(truth.say(both[i]) for i in order))
    assert (fold.ledger.joined, fold.ledger.revised + fold.ledger.duplicate_labels) == (1, 1)
    assert scored(fold, T, cohort=True) == ({}, {4: 1}, 1)


def test_a_retraction_takes_the_pair_out_and_the_prediction_waits_again():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T, 4)), truth.say(L(7, T + MINUTE)), truth.say(L(7, T + 2 * MINUTE, NAN)))
    assert (fold.ledger.joined, fold.ledger.waiting, fold.ledger.retracted, fold.ledger.revised) == (0, 1, 1, 1)
    assert scored(fold, T, cohort=True) == ({}, {}, 1)
    read(fold, truth.say(L(7, T + MINUTE)))
    assert (fold.ledger.joined, fold.ledger.duplicate_labels) == (0, 1), "what was taken back does not come again"
    read(fold, truth.say(L(7, T + 3 * MINUTE, 0)))
    assert scored(fold, T, cohort=True) == ({4: 1}, {}, 1)


@pytest.mark.parametrize("label_first", [True, False])
def test_a_retraction_counts_on_whichever_side_of_the_prediction_it_comes(label_first: bool):
    truth = labels()
    said = [predictions().say(P(7, T)), truth.say(L(7, T + 1)), truth.say(L(7, T + 2, NAN))]
    fold = read(join(), *(said[1:] + said[:1] if label_first else said))
    assert (fold.ledger.joined, fold.ledger.waiting, fold.ledger.retracted) == (0, 1, 1)
    assert {start: 0 for (_, cohort, start) in panes(fold) if not cohort} == {}


def test_a_retracted_prediction_expires():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T)), truth.say(L(7, T + 1)), truth.say(L(7, T + 2, NAN)))
    read(fold, out.say(watermark_s=T + 2 * DAY), truth.say(watermark_s=T + 2 * DAY))
    assert (fold.ledger.expired, fold.ledger.waiting) == (1, 0)


def test_several_labels_that_wait_are_all_remembered_and_the_newest_one_joins():
    truth = labels()
    fold = read(join(), truth.say(L(7, T + 1, 0)), truth.say(L(7, T + 3, 1)), truth.say(L(7, T + 2, 0)))
    assert fold.ledger.waiting_labels == 3
    read(fold, predictions().say(P(7, T, 4)))
    assert (fold.ledger.waiting_labels, fold.ledger.revised, fold.ledger.joined) == (0, 2, 1)
    assert scored(fold, T) == ({}, {4: 1}, 0)


def test_of_many_labels_that_wait_the_eight_newest_are_kept():
    truth = labels()
    log = [truth.say(L(7, T + i, 1)) for i in range(20)]
    fold = read(join(), *log)
    assert (fold.ledger.waiting_labels, fold.ledger.revised) == (8, 12)
    assert fold.waiting.rows == 8
    restored(fold, log)


def test_a_million_labels_for_one_id_in_one_record_are_one_row():
    truth = labels()
    out = predictions().say(P(7, T, 4), P(8, T, 5))
    rows = [L(7, T + i % 50, i % 2) for i in range(20_000)]
    fold = read(join(), out, truth.say(*rows, L(8, T, 0)))
    assert (fold.ledger.joined, fold.ledger.labels) == (2, 20_001)
    assert fold.ledger.duplicate_labels + fold.ledger.revised == 19_999
    assert scored(fold, T) == ({5: 1}, {4: 1}, 0), "of the newest time, the larger value"
    assert fold.waiting.table.used == 2


def test_labels_of_one_id_in_one_record_are_taken_in_order_of_time():
    fold = read(join(), predictions().say(P(7, T)), labels().say(L(7, T + 9, 0), L(7, T + 3, 1), L(7, T + 9, NAN)))
    assert (fold.ledger.joined, fold.ledger.retracted, fold.ledger.waiting) == (0, 1, 1)


def test_a_revised_label_moves_the_prediction_to_an_earlier_end_without_dedupe():
    brief = definition(dedupe=False, revision_s=2 * HOUR)
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T, of=brief)), truth.say(L(7, T, 0)), truth.say(L(7, T + HOUR, 1)))
    read(fold, out.say(watermark_s=T + 2 * HOUR + 30 * MINUTE), truth.say(watermark_s=T + 2 * HOUR + 30 * MINUTE))
    assert fold.waiting.rows == 1, "may still be corrected: the newest label counts, not the first"


def test_a_score_in_a_label_can_be_revised_and_retracted():
    truth = labels()
    own = definition()
    fold = read(join(), truth.say(L(7, T, 0, own, 5)), truth.say(L(7, T + 9, 1)))
    assert scored(fold, T) == ({}, {5: 1}, 0)
    read(fold, truth.say(L(7, T + 10, NAN)))
    assert (fold.ledger.inline, fold.ledger.retracted, fold.ledger.waiting) == (0, 1, 0)
    assert scored(fold, T) == ({}, {}, 0)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), None])
@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (L(7, T, 0, FRAUD, 2), L(7, T + 5, 1, FRAUD, 8)),
        (L(7, T, 0, FRAUD, 2), L(7, T + 20 * MINUTE, 1, FRAUD, 8)),
        (L(7, T, 0, FRAUD, 8), L(7, T, 1, FRAUD, 2)),
        (L(7, T, 1, FRAUD, 2), L(7, T, 1, FRAUD, 8)),
        (L(7, T, 0, FRAUD, 2), L(7, T + 5, 1, definition(baseline=2), 8)),
        (L(7, T, 0, PRICE, 2.5), L(7, T + 5, 1, PRICE, 8.5)),
    ],
)
def test_the_score_in_a_label_counts_with_that_label(older: L, newer: L, order: tuple[int, int] | None):
    """The pair of the newest label is one that was sent, whichever came first."""
    several = [labels(i, sources=2) for i in (0, 1)]
    said = [writer.say(label) for writer, label in zip(several, (older, newer), strict=True)]
    fold = read(join(), *((said[i] for i in order) if order else [labels().say(newer, older)]))
    assert fold.ledger.inline == 1
    assert panes(fold) == panes(read(join(), labels().say(newer)))


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2)])
def test_a_later_label_without_a_score_is_in_force_with_the_newest_score(order: tuple[int, ...]):
    several = [labels(i, sources=3) for i in range(3)]
    rows = [L(7, T, 0, FRAUD, 2), L(7, T + 5, 0, FRAUD, 8), L(7, T + 9, 1)]
    said = [writer.say(row) for writer, row in zip(several, rows, strict=True)]
    fold = read(join(), *(said[i] for i in order))
    assert scored(fold, T) == ({}, {8: 1}, 0)
    assert (fold.ledger.inline, fold.ledger.revised + fold.ledger.duplicate_labels) == (1, 2)


def test_a_score_beyond_the_time_to_live_of_what_is_there_stands_by_itself_whether_that_is_forgotten_or_not():
    brief = definition(ttl_s=HOUR)
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T, 4, brief)), truth.say(L(7, T + 2 * HOUR, 1, brief, 5)))
    assert (fold.ledger.expired, fold.ledger.waiting, fold.ledger.inline) == (1, 0, 1)
    assert scored(fold, T, cohort=True, of=brief).predictions == 1
    assert scored(fold, T + 2 * HOUR, of=brief) == ({}, {5: 1}, 0)
    read(fold, truth.say(L(7, T + 4 * HOUR, 0, brief, 6)))
    assert (fold.ledger.inline, scored(fold, T + 4 * HOUR, of=brief)) == (2, ({6: 1}, {}, 0))


@pytest.mark.parametrize("together", [True, False])
def test_how_labels_are_cut_into_records_does_not_decide_which_joins(together: bool):
    """Eight labels too late for the prediction do not crowd out the one that fits, nor do eight too early ones."""
    brief = definition(ttl_s=100)
    truth = labels(early_s=10)
    late = [L(7, T + 200 + i) for i in range(9)]
    early = [L(7, T - 100 + i) for i in range(9)]
    said = (
        [truth.say(*late, L(7, T + 50), *early)] if together else [truth.say(r) for r in (*late, L(7, T + 50), *early)]
    )
    fold = read(join(), predictions().say(P(7, T, 4, brief)), *said)
    assert (fold.ledger.joined, fold.ledger.waiting_labels, fold.ledger.revised, fold.ledger.orphans) == (1, 8, 1, 9)
    assert scored(fold, T, of=brief) == ({}, {4: 1}, 0)


def test_a_score_among_many_labels_of_one_record_is_not_lost():
    fold = read(join(), labels().say(L(7, T, 0, FRAUD, 5), *(L(7, T + i, 1) for i in range(1, 30))))
    assert (fold.ledger.inline, fold.ledger.revised) == (1, 29)
    assert scored(fold, T) == ({}, {5: 1}, 0)


@pytest.mark.parametrize("size", [1, 30])
def test_many_labels_of_one_record_leave_the_ledger_that_as_many_records_would(size: int):
    truth = labels()
    rows = [L(7, T + i, [0.0, 1.0, NAN][i % 3]) for i in range(30)]
    said = [truth.say(L(7, T + 4, 1)), *(truth.say(*rows[i : i + size]) for i in range(0, 30, size))]
    fold = read(join(), predictions().say(P(7, T)), *said)
    assert (fold.ledger.retracted, fold.ledger.revised, fold.ledger.duplicate_labels) == (9, 17, 5)
