"""What evaluate is told, when, and that it is told once."""

import pytest

from stream.join import emission
from stream.records.partial import NO_TIME
from stream.records.performance import PerformancePartial, Sections, unpack_sparse
from tests.unit.stream.join.outcomes import (
    DAY,
    FRAUD,
    HOUR,
    MINUTE,
    L,
    P,
    definition,
    join,
    labels,
    panes,
    partials,
    predictions,
    read,
    restored,
    scored,
)

T = 10 * DAY


def told(partial: PerformancePartial) -> list[tuple[bool, int]]:
    """The panes of a message: cohort?, start in minutes after T."""
    return [(part.cohort, part.start_ms // 60_000 - T // 60) for part in partial.panes]


def test_every_partials_partition_hears_of_the_watermark_when_it_leaves_a_pane():
    out, truth = predictions(), labels()
    fold = read(join(partials=3), out.say(P(7, T), watermark_s=T), truth.say(watermark_s=T))
    said = partials(fold)
    assert [partition for partition, _ in said] == [0, 1, 2]
    assert {(p.watermark_ms, p.last, p.next_offset, p.source, p.sources) for _, p in said} == {
        (T * 1000, True, 2, "driftline.outcomes/0", 1)
    }
    read(fold, out.say(watermark_s=T + 59), truth.say(watermark_s=T + 59))
    assert partials(fold) == [], "not before it leaves a pane"
    read(fold, out.say(watermark_s=T + 60), truth.say(watermark_s=T + 61))
    assert [p.watermark_ms for _, p in partials(fold)] == [(T + 60) * 1000] * 3


def test_a_closed_pane_is_told_with_all_its_pairs_at_its_model_s_home_only():
    out, truth = predictions(), labels()
    credit = definition("credit")
    fold = read(join(), out.say(P(7, T), P(8, T, 5, credit)), truth.say(L(7, T + 5, 0), L(8, T + 5, 1), L(9, T)))
    assert partials(fold) == [], "nothing has closed"
    read(fold, out.say(watermark_s=T + 60), truth.say(watermark_s=T + 60))
    (_, fraud), (_, other) = partials(fold)
    assert list(fraud.definitions) == [FRAUD.id]
    assert list(other.definitions) == [credit.id]
    assert told(fraud) == [(False, 0), (True, 0)]
    part = fraud.panes[0]
    counts = unpack_sparse(part.counts, Sections.of(FRAUD).width)
    assert counts[Sections.of(FRAUD).negatives].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert part.next_offset == 2, "of its last change"


def test_what_has_been_told_is_told_again_only_when_it_changes():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T), P(8, T)), truth.say(L(7, T)))
    read(fold, out.say(watermark_s=T + 60), truth.say(watermark_s=T + 60))
    partials(fold)
    read(fold, out.say(watermark_s=T + 120), truth.say(watermark_s=T + 120))
    assert [told(p) for _, p in partials(fold)] == [[], []]
    read(fold, truth.say(L(8, T + 1, late=True)), out.say(watermark_s=T + 180), truth.say(watermark_s=T + 180))
    assert told(partials(fold)[0][1]) == [(False, 0), (True, 0)], "a late label: a revision"


def test_an_open_pane_is_not_told_and_an_open_cohort_is():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T + 70)), truth.say(L(7, T + 70)))
    read(fold, out.say(watermark_s=T + 61), truth.say(watermark_s=T + 61))
    assert told(partials(fold)[0][1]) == [(True, 0)]


def test_cohorts_are_told_a_few_times_while_they_fill_and_not_with_every_pane():
    daily = definition(cohort_s=DAY)
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T, of=daily), watermark_s=T), truth.say(watermark_s=T))
    partials(fold)
    often = 0
    for minute in range(1, 121):
        rows = [P(minute + 1, T + minute * 60, of=daily)]
        read(fold, out.say(*rows, watermark_s=T + minute * 60), truth.say(watermark_s=T + minute * 60))
        often += any(part.cohort for _, p in partials(fold) for part in p.panes)
    assert often == 2, "once in 1/24 of a day"


def test_what_does_not_fit_into_one_message_comes_in_several_and_the_watermark_with_the_last(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(emission, "MAX_PARTIAL_BYTES", 100)
    out, truth = predictions(), labels()
    rows = [P(i, T + 60 * i) for i in range(1, 6)]
    fold = read(join(partials=1), out.say(*rows), truth.say(*(L(row.key, row.t) for row in rows)))
    read(fold, out.say(watermark_s=T + HOUR), truth.say(watermark_s=T + HOUR))
    messages = fold.outputs()
    assert [m.after_others for m in messages] == [False] + [True] * (len(messages) - 1), "the first must be first"
    fold._to_send = list(messages)
    said = [p for _, p in partials(fold)]
    assert [(p.after, p.chunk) for p in said] == [(0, i) for i in range(len(said))]
    assert [p.last for p in said] == [False] * (len(said) - 1) + [True]
    assert [p.watermark_ms == NO_TIME for p in said] == [True] * (len(said) - 1) + [False]
    assert sum(len(p.panes) for p in said) == 6


def test_what_is_said_names_what_it_follows_and_waits_only_for_the_very_first():
    out, truth = predictions(), labels()
    fold = read(join(partials=1), out.say(P(1, T)), truth.say(L(1, T)))
    for minutes in (1, 2):
        read(fold, out.say(watermark_s=T + 60 * minutes), truth.say(watermark_s=T + 60 * minutes))
    messages = fold.outputs()
    assert [m.after_others for m in messages] == [False, True]
    fold._to_send = list(messages)
    assert [(p.after, p.next_offset) for _, p in partials(fold)] == [(0, 4), (4, 6)]
    for minutes in (3, 4):
        read(fold, out.say(watermark_s=T + 60 * minutes), truth.say(watermark_s=T + 60 * minutes))
    assert [m.after_others for m in fold.outputs()] == [False, False]


def test_panes_that_no_report_needs_are_dropped_and_what_would_change_them_is_counted():
    brief = definition(window_s=10 * MINUTE)
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T, of=brief), P(2, T, of=brief)), truth.say(L(1, T)))
    later = T + 22 * MINUTE
    read(fold, out.say(watermark_s=later), truth.say(watermark_s=later))
    assert [key for key in panes(fold) if not key[1]] == []
    read(fold, truth.say(L(2, T, late=True)))
    assert fold.ledger.missed == 1
    assert scored(fold, T, cohort=True).positives == {3: 2}, "its cohort is still corrected"


def test_cohorts_are_dropped_when_no_label_can_change_them():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T)), truth.say(L(1, T)))
    for end in (T + DAY + 2 * HOUR, T + DAY + 2 * HOUR + 61):
        read(fold, out.say(watermark_s=end), truth.say(watermark_s=end))
        assert bool(panes(fold)) == (end == T + DAY + 2 * HOUR)


def test_a_crash_after_an_emission_tells_the_same_bytes_again_or_nothing():
    out, truth = predictions(), labels()
    log = [out.say(P(7, T), P(8, T)), truth.say(L(7, T)), out.say(watermark_s=T + 60), truth.say(watermark_s=T + 60)]
    whole = read(join(), *log)
    fold = restored(read(join(), *log[:3]), log)
    assert fold.outputs() == []
    read(fold, log[3])
    assert fold.outputs() == whole.outputs()
    again = restored(fold, log)
    assert again.outputs() == []
    assert again.changed() == []


def test_panes_survive_being_packed_and_changed_again():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(*(P(i, T, i % 10) for i in range(1, 300))))
    for i in range(1, 300):
        read(fold, truth.say(L(i, T, i % 2)))
        if i % 7 == 0:
            fold.changed()
    assert sum(scored(fold, T).negatives.values()) == 149
    assert scored(fold, T, cohort=True).predictions == 299


def test_a_pane_that_was_open_when_its_last_pair_was_told_of_is_told_when_it_closes():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T + 70)), truth.say(L(7, T + 70)))
    for end in (T + 61, T + 121):
        read(fold, out.say(watermark_s=end), truth.say(watermark_s=end))
    assert [told(p) for partition, p in partials(fold) if partition == 0] == [[(True, 0)], [(False, 1)]]


def test_after_a_restart_what_was_open_or_has_changed_is_told_and_nothing_else():
    """What was told, was open, was changed by a late label, or waits for its cohort's turn: as without a restart."""
    daily = definition("credit", cohort_s=DAY)
    out, truth = predictions(), labels()
    log = [
        out.say(P(1, T), P(2, T), P(3, T, of=daily), P(4, T + 70), watermark_s=T),
        truth.say(L(1, T), L(3, T), L(4, T + 70), watermark_s=T),
        out.say(watermark_s=T + 60),
        truth.say(watermark_s=T + 60),
        truth.say(L(2, T + 1, late=True)),
        out.say(watermark_s=T + 120),
        truth.say(watermark_s=T + 120),
        out.say(watermark_s=T + 2 * HOUR),
        truth.say(watermark_s=T + 2 * HOUR),
    ]
    whole = read(join(), *log)
    for cut in range(len(log)):
        before = read(join(), *log[:cut])
        sent = [*before.outputs()]
        again = read(restored(before, log), *log[cut:])
        assert [(m.to, m.value) for m in [*sent, *again.outputs()]] == [(m.to, m.value) for m in whole._to_send], cut
