"""What waits is made again from the log, and compared with what was there."""

import pytest

from stream.join.fold import ReadBackMismatch
from tests.unit.stream.join.outcomes import (
    DAY,
    HOUR,
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
