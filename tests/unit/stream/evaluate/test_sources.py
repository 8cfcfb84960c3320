"""How far the sources have come: the slowest decides, silence does not count, an unheard one is waited for."""

from stream.evaluate.sources import Sources
from stream.records.partial import NO_TIME, Partial
from tests.small_model import START_MS
from tests.unit.stream.evaluate.partials import Speaker


def heard(*partials: Partial) -> Sources:
    sources = Sources()
    for partial in partials:
        sources.hear(partial)
    return sources


def reached(*partials: Partial) -> int:
    newest = heard(*partials).newest_ms()
    return newest if newest == NO_TIME else newest - START_MS


def test_the_slowest_source_decides() -> None:
    assert reached(Speaker(0, sources=2).says(900), Speaker(1, sources=2).says(400)) == 400


def test_a_source_that_has_said_nothing_is_waited_for() -> None:
    sources = heard(Speaker(0, sources=3).says(900))
    assert sources.newest_ms() == NO_TIME
    assert sources.waiting_for() == ["2 sources not heard of"]


def test_a_source_without_any_event_is_waited_for_by_name() -> None:
    sources = heard(Speaker(0, sources=2).says(900), Speaker(1, sources=2).says(None))
    assert sources.newest_ms() == NO_TIME
    assert sources.waiting_for() == ["predictions/1"]


def test_an_idle_source_does_not_hold_the_others_back() -> None:
    assert reached(Speaker(0, sources=2).says(900), Speaker(1, sources=2).says(400, idle=True)) == 900


def test_an_idle_source_that_never_had_an_event_does_not_hold_the_others_back() -> None:
    assert reached(Speaker(0, sources=2).says(900), Speaker(1, sources=2).says(None, idle=True)) == 900


def test_if_all_are_idle_the_newest_decides() -> None:
    assert reached(Speaker(0, sources=2).says(900, idle=True), Speaker(1, sources=2).says(400, idle=True)) == 900


def test_a_source_that_speaks_again_holds_the_others_back_again() -> None:
    slow = Speaker(1, sources=2)
    assert reached(Speaker(0, sources=2).says(900), slow.says(400, idle=True), slow.says(500)) == 500


def test_a_replayed_word_takes_nothing_back() -> None:
    source = Speaker(0)
    early, late = source.says(400), source.says(900, idle=True)
    sources = heard(early, late, early)
    assert sources.newest_ms() == START_MS + 900
    assert sources.heard["predictions/0"].idle
    assert not sources.is_newest_word(early)
    assert sources.is_newest_word(late)


def test_a_new_partition_of_the_topic_is_waited_for() -> None:
    assert reached(Speaker(0, sources=1).says(400), Speaker(0, sources=2).says(900)) == NO_TIME


def test_of_an_incarnation_that_is_over_nothing_is_heard() -> None:
    old, new = Speaker(0), Speaker(0)
    new.incarnation = 1
    sources = heard(old.says(900), new.says(100))
    assert sources.newest_ms() == START_MS + 100
    assert not sources.hear(old.says(950))


def test_only_records_that_were_not_known_to_be_lost_are_newly_lost() -> None:
    source, sources = Speaker(0), Sources()
    found = []
    for lost in (0, 8, 8, 13, 8):
        source.lost = lost
        partial = source.says(100)
        found.append(sources.newly_lost(partial))
        sources.hear(partial)
    assert found == [0, 8, 0, 5, 0]


def test_a_new_incarnation_loses_from_nought() -> None:
    source, sources = Speaker(0), Sources()
    source.lost = 8
    sources.hear(source.says(100))
    source.incarnation, source.lost = 1, 3
    assert sources.newly_lost(source.says(100)) == 3
