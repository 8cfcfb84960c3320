"""Definitions come and go: their numbers are given again, and what they asked for is not kept for ever."""

import msgspec
import pytest

from stream.join import definitions as definitions_module
from stream.join.definitions import LARGEST_GRID
from stream.join.fold import JoinFold, JoinProgress
from stream.records.outcome import PerformanceDefinition
from tests.unit.stream.join.outcomes import (
    DAY,
    HOUR,
    MINUTE,
    L,
    P,
    Writer,
    definition,
    join,
    labels,
    panes,
    partials,
    predictions,
    read,
    restored,
)

T = 10 * DAY


class World:
    """One source of each kind, their log, and the join that reads it; after a crash it goes on as it was."""

    def __init__(self) -> None:
        self.out, self.truth = predictions(), labels()
        self.log: list[bytes] = []
        self.fold: JoinFold = join(segment_rows=10)
        self.now, self.key = T, 0

    def say(self, writer: Writer, *rows: P | L) -> None:
        """A record, and its watermark."""
        self.log.append(writer.say(*rows, watermark_s=self.now))
        read(self.fold, self.log[-1])

    def step(self, seconds: int, *of: PerformanceDefinition) -> None:
        """Time passes, then a prediction of each definition comes."""
        self.now += seconds
        rows = [P(self.key + i, self.now, of=one) for i, one in enumerate(of, start=1)]
        self.key += len(of)
        self.say(self.out, *rows)
        self.say(self.truth)

    def crash(self) -> None:
        """Another owner goes on."""
        self.fold = restored(self.fold, self.log, segment_rows=10)

    def at(self) -> JoinProgress:
        """What lies in `@`."""
        return msgspec.msgpack.decode(self.fold.progress(), type=JoinProgress)


@pytest.fixture
def room_for_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions_module, "MOST_DEFINITIONS", 3)


@pytest.mark.usefixtures("room_for_three")
def test_rows_of_a_definition_that_finds_no_room_are_refused_and_counted_and_all_else_goes_on():
    world = World()
    models = [definition(f"m{i}", ttl_s=HOUR) for i in range(4)]
    world.step(0, *models)
    world.say(world.truth, L(4, T, of=models[3]), L(9, T, of=models[3]), L(1, T))
    assert (world.fold.ledger.waiting, world.fold.ledger.refused) == (2, 1)
    assert (world.fold.ledger.joined, world.fold.ledger.refused_labels) == (1, 2)
    world.crash()


def test_a_grid_that_rows_have_no_room_for_is_refused():
    world = World()
    wide = msgspec.structs.replace(definition(), bins=LARGEST_GRID + 1)
    world.step(0, wide, definition("credit"))
    assert (world.fold.ledger.waiting, world.fold.ledger.refused) == (1, 1)
    world.crash()


@pytest.mark.usefixtures("room_for_three")
def test_numbers_are_given_again_once_nothing_needs_them():
    """60 models after each other find room, in a table that still holds dead rows of the earlier ones."""
    world = World()
    for generation in range(60):
        model = definition(f"m{generation}", ttl_s=HOUR, cohort_s=HOUR, revision_s=0, window_s=MINUTE)
        for _ in range(40):
            world.step(5 * MINUTE, model)
        if generation % 3 == 0:
            world.crash()
        assert len(world.at().definitions) <= 3
    assert world.fold.ledger.refused == 0
    assert world.fold.waiting.rows < 30, "no dead row comes alive again under another's number"
    assert len(world.at().cohorts_said) <= 3


@pytest.mark.usefixtures("room_for_three")
def test_one_that_was_refused_and_finds_room_later_is_read_back_as_it_was():
    world = World()
    early = [definition(f"m{i}", ttl_s=HOUR, cohort_s=HOUR, revision_s=0, window_s=MINUTE) for i in range(3)]
    late = definition("late", ttl_s=DAY)
    world.step(0, *early)
    for _ in range(60):
        world.step(5 * MINUTE, late)
        world.crash()
    assert world.fold.ledger.refused > 10
    assert world.fold.ledger.waiting > 10


def test_a_dead_row_does_not_come_alive_when_its_number_is_given_to_a_longer_time_to_live():
    world = World()
    brief = definition("brief", ttl_s=HOUR, cohort_s=HOUR, revision_s=0, window_s=MINUTE)
    world.step(0, brief)
    other = definition("other", ttl_s=MINUTE, cohort_s=HOUR, revision_s=0, window_s=MINUTE)
    for _ in range(40):
        world.step(5 * MINUTE, other)
    world.step(0, definition("lasting", ttl_s=30 * DAY))
    assert [held.number for held in world.at().definitions] == [0, 1], "the first one's number is taken"
    world.say(world.truth, L(1, T + MINUTE))
    assert world.fold.ledger.joined == 0, "its prediction expired hours ago"


def test_settings_that_were_changed_and_changed_back_are_in_force():
    week, day = definition(ttl_s=7 * DAY), definition(ttl_s=DAY)
    assert week.id == day.id
    world = World()
    for one in (week, day, week):
        world.step(MINUTE, one)
        world.crash()
        assert world.fold.definitions.newest[week.id] == one
    world.step(3 * DAY, week)
    world.say(world.truth, L(3, world.now))
    assert (world.fold.ledger.joined, world.fold.ledger.missed) == (1, 0)
    assert any(start == T for _, cohort, start in panes(world.fold) if cohort)


def test_a_cohort_is_kept_as_long_as_its_predictions_wait_though_they_wait_less_long_now():
    week, brief = definition(ttl_s=7 * DAY, revision_s=0), definition(ttl_s=HOUR, revision_s=0)
    world = World()
    world.step(0, week)
    for _ in range(30):
        world.step(HOUR, brief)
    world.crash()
    world.say(world.truth, L(1, world.now))
    assert (world.fold.ledger.joined, world.fold.ledger.missed) == (1, 0)


def test_a_long_time_to_live_that_was_given_up_does_not_keep_the_log_for_ever():
    world = World()
    world.step(0, definition(ttl_s=10 * DAY))
    for _ in range(20 * 24):
        world.step(HOUR, definition(ttl_s=HOUR))
    assert world.fold.definitions.reach.longest_ttl_s == HOUR
    assert world.fold.needs_from() > world.fold.next_offset - 20
    world.crash()


def test_panes_of_a_second_that_were_given_up_do_not_make_it_speak_every_second_for_ever():
    world = World()
    world.step(0, definition(ttl_s=HOUR, pane_s=1))
    for _ in range(200):
        world.step(MINUTE // 2, definition("other", ttl_s=HOUR, pane_s=10 * MINUTE))
    partials(world.fold)
    for _ in range(40):
        world.step(MINUTE // 2, definition("other", ttl_s=HOUR, pane_s=10 * MINUTE))
    assert len({message.watermark_ms for _, message in partials(world.fold)}) == 2
    world.crash()
