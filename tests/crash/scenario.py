"""What one crash run is made of: how much traffic, how many deaths, and the event time it is squeezed into."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from stream.service.app import SESSION_TIMEOUT_S

PARTITIONS: Final = 4  # of predictions, outcomes, partials and dead letters
LABEL_PARTITIONS: Final = 3  # of labels: producers may use any number
PANE_MS: Final = 1_000  # the least that the configuration takes
WINDOW_PANES: Final = 10  # more than any label corrects: every window is revised that a correction touches
ALLOWED_LATENESS_MS: Final = 500
IDLE_S: Final = 12  # longer than the producer ever pauses: a source may fall idle at the very end only
CALM_IDLE_S: Final = 2  # of the uncrashed run, which finds everything there
EVENTS_PER_PANE: Final = 2_500
MIN_PANES: Final = 60
TTL_S: Final = 20  # a label later than this after its prediction does not count
EARLY_S: Final = 20  # nor one that lies so long before it
REVISION_S: Final = 6  # cohorts are kept for so long beside `TTL_S`, to be corrected
COHORT_MS: Final = 10_000
STOP_S: Final = 2 * SESSION_TIMEOUT_S  # so that a stopped worker wakes as a zombie
SLICE_MS: Final = 100  # of event time; what is sent at once
SLICES_PER_PANE: Final = PANE_MS // SLICE_MS
FIRST_EVENT_MS: Final = 1_700_000_000_000  # 2023-11-14; a whole number of panes


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One run; equal scenarios send equal bytes and kill in the same order."""

    events: int = 1_000_000  # predictions, the elements of arrays counted one by one
    models: int = 20
    kills: int = 30
    stops: int = 5
    seed: int = 1
    gap_ms: int = 100  # up to so long a worker waits before each send, so that deaths fall between sends
    fault: str = "none"  # see `tests.crash.worker.FAULTS`; for the negative control
    unknown_models: Literal["learn", "dead-letter", "ignore"] = "learn"

    @property
    def silenced(self) -> tuple[str, ...]:
        """The models whose alerts of drift people silence: only while workers die is there time to hear of it."""
        return ("model-00", "parts") if self.kills or self.stops else ()

    @property
    def learns(self) -> bool:
        """Whether the model that nobody registers is learned; then it is one, else each prediction names another."""
        return self.unknown_models == "learn"

    @property
    def panes(self) -> int:
        """How many panes the events are spread over."""
        return max(MIN_PANES, self.events // EVENTS_PER_PANE)


class Move(StrEnum):
    """One thing that is done to the workers. All but STOP end with every victim started anew."""

    KILL = "kill one"
    KILL_AGAIN = "kill one, and again while it joins or recovers"
    KILL_OTHER = "kill one, and the other while the first joins or recovers"
    KILL_BOTH = "kill both at once"
    STOP = "stop one for twice the session timeout"
    STOP_AND_KILL = "stop one, and kill the other meanwhile"


KILLS_OF: Final = {
    Move.KILL: 1,
    Move.KILL_AGAIN: 2,
    Move.KILL_OTHER: 2,
    Move.KILL_BOTH: 2,
    Move.STOP: 0,
    Move.STOP_AND_KILL: 1,
}


@dataclass(frozen=True, kw_only=True)
class Action:
    """A move with its dice already thrown."""

    move: Move
    worker: int  # index of the first victim
    pause_s: float  # after all workers are ready
    second_pause_s: float  # until the second death of a move that has two


def actions(scenario: Scenario) -> list[Action]:
    """At least `kills` kills and exactly `stops` stops, in an order that the seed decides."""
    dice = random.Random(scenario.seed)
    moves = list(_moves(scenario))
    dice.shuffle(moves)
    return [
        Action(
            move=move,
            worker=dice.randrange(2),
            pause_s=dice.uniform(0.2, 4.0),
            second_pause_s=dice.uniform(0.3, 6.0),
        )
        for move in moves
    ]


def _moves(scenario: Scenario) -> Iterator[Move]:
    kills = 0
    for stop in range(scenario.stops):
        move = Move.STOP_AND_KILL if stop % 2 else Move.STOP
        kills += KILLS_OF[move]
        yield move
    kinds = [Move.KILL_AGAIN, Move.KILL_BOTH, Move.KILL_OTHER, Move.KILL]
    while kills < scenario.kills:
        move = kinds.pop(0)
        kinds.append(move)  # every kind in turn: a short run has each of them too
        kills += KILLS_OF[move]
        yield move


def expected_duration_s(scenario: Scenario) -> float:
    """How long the moves take, roughly: the producer makes its events last for that."""
    return (STOP_S + 6.0) * scenario.stops + 5.0 * scenario.kills
