"""The life of an alert: one table of moves, pure, event time only.

    inactive --breach--> pending --lasts `pending`--> firing --none for `resolve`--> resolved --`cooldown`--> inactive
                            `--fine--> inactive          ^                              |
                                                         `--breach within `cooldown`----'   the same episode

* A verdict that is undefined moves nothing: too few rows are no sign that a drift is over.
* The severity is the worst of the last `resolve`: it rises at once and falls only when the worse has been away as long,
  and with a window that is that bad itself: no message says that something is wrong and shows a window that is fine.
* A window is in breach of one baseline. When another comes into force, what was said by the old one is forgotten: an
  alert that the new one explains ends at the first verdict by it, without a hold; one that it does not explain goes on.
"""

import enum
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from detectors import Verdict
from stream.alerts.episode import NEVER, SEVERITIES, Episode, Holds, Reason, State, severities_at


class Reading(NamedTuple):
    """What one window says."""

    verdict: Verdict
    end_ms: int  # of the window
    baseline: str  # that it was compared with; "" for a check that compares with none


class Signal(enum.StrEnum):
    """What a reading means to an alert, with what the alert remembers."""

    UNKNOWN = "unknown"  # undefined
    CALM = "calm"  # not in breach, and none has been within the hold
    FINE = "fine"  # not in breach, but one within the hold was
    BREACH = "breach"  # in breach, for less than `pending`
    LASTING = "lasting"  # in breach, for at least `pending`
    CHANGED = "changed"  # in breach, the worst within the hold, and not the severity that it fires with


class Move(enum.StrEnum):
    """What a reading does to an alert."""

    NOTHING = "nothing"
    WAIT = "wait"  # an episode begins, and nobody is told yet
    FORGET = "forget"  # it ends before anybody was told
    FIRE = "fire"
    CHANGE = "change"  # of severity
    RESOLVE = "resolve"
    REOPEN = "reopen"  # the episode that had ended goes on


_MOVES: Final = {
    (State.INACTIVE, Signal.UNKNOWN): Move.NOTHING,
    (State.INACTIVE, Signal.CALM): Move.NOTHING,
    (State.INACTIVE, Signal.BREACH): Move.WAIT,
    (State.INACTIVE, Signal.LASTING): Move.FIRE,
    (State.PENDING, Signal.UNKNOWN): Move.NOTHING,
    (State.PENDING, Signal.CALM): Move.FORGET,
    (State.PENDING, Signal.FINE): Move.FORGET,
    (State.PENDING, Signal.BREACH): Move.NOTHING,
    (State.PENDING, Signal.LASTING): Move.FIRE,
    (State.FIRING, Signal.UNKNOWN): Move.NOTHING,
    (State.FIRING, Signal.CALM): Move.RESOLVE,
    (State.FIRING, Signal.FINE): Move.NOTHING,
    (State.FIRING, Signal.BREACH): Move.NOTHING,
    (State.FIRING, Signal.LASTING): Move.NOTHING,
    (State.FIRING, Signal.CHANGED): Move.CHANGE,
    (State.RESOLVED, Signal.UNKNOWN): Move.NOTHING,
    (State.RESOLVED, Signal.CALM): Move.NOTHING,
    (State.RESOLVED, Signal.FINE): Move.NOTHING,
    (State.RESOLVED, Signal.BREACH): Move.REOPEN,
    (State.RESOLVED, Signal.LASTING): Move.REOPEN,
}


def step(held: Episode | None, reading: Reading, holds: Holds, new_id: Callable[[], str]) -> Episode | None:
    """The episode after a window; None: the alert is inactive.

    >>> step(None, Reading(Verdict.OK, 60_000, ""), Holds(), lambda: "9f2c") is None
    True
    >>> step(None, Reading(Verdict.WARNING, 60_000, ""), Holds(), lambda: "9f2c").state
    <State.FIRING: 'firing'>
    >>> step(None, Reading(Verdict.WARNING, 60_000, ""), Holds(pending_ms=60_000), lambda: "9f2c").state
    <State.PENDING: 'pending'>
    """
    if held is not None and held.is_over(reading.end_ms, holds):
        held = None
    if held is None and reading.verdict not in SEVERITIES:
        return None  # as the table says; most checks of most windows end here
    known = _remember(held, reading) if held is not None else _begin(reading, new_id)
    return _DO[next_move(known, reading, holds)](known, reading, holds)


def next_move(episode: Episode, reading: Reading, holds: Holds) -> Move:
    """What a reading, already in the episode's memory, does."""
    return _MOVES[episode.state, _signal(episode, reading, holds)]


def ended(episode: Episode, end_ms: int, reason: Reason) -> Episode:
    """The episode, over."""
    return msgspec.structs.replace(episode, state=State.RESOLVED, ended_at_ms=end_ms, reason=reason)


def _begin(reading: Reading, new_id: Callable[[], str]) -> Episode:
    return Episode(
        id=new_id(),
        severity=reading.verdict,
        starts_at_ms=reading.end_ms,
        state=State.INACTIVE,
        last_ms=severities_at(reading.verdict, reading.end_ms),
        baseline=reading.baseline,
    )


def _remember(episode: Episode, reading: Reading) -> Episode:
    if reading.verdict is Verdict.UNDEFINED:
        return episode
    now = severities_at(reading.verdict, reading.end_ms)
    if reading.baseline != episode.baseline:
        return msgspec.structs.replace(episode, last_ms=now, baseline=reading.baseline)
    return msgspec.structs.replace(episode, last_ms=tuple(map(max, episode.last_ms, now)))


def _signal(episode: Episode, reading: Reading, holds: Holds) -> Signal:
    if reading.verdict is Verdict.UNDEFINED:
        return Signal.UNKNOWN
    worst = episode.worst_since(reading.end_ms, holds.resolve_ms)
    if worst is None:
        return Signal.CALM
    if reading.verdict not in SEVERITIES:
        return Signal.FINE
    if episode.is_firing and worst is reading.verdict and worst is not episode.severity:
        return Signal.CHANGED
    return Signal.LASTING if reading.end_ms - episode.starts_at_ms >= holds.pending_ms else Signal.BREACH


def _keep(episode: Episode, _reading: Reading, _holds: Holds) -> Episode:
    return episode


def _wait(episode: Episode, _reading: Reading, _holds: Holds) -> Episode:
    return msgspec.structs.replace(episode, state=State.PENDING)


def _forget(_episode: Episode, _reading: Reading, _holds: Holds) -> None:
    return None


def _fire(episode: Episode, reading: Reading, holds: Holds) -> Episode:
    worst = episode.worst_since(reading.end_ms, holds.resolve_ms)
    return msgspec.structs.replace(
        episode, state=State.FIRING, severity=worst or reading.verdict, ended_at_ms=None, reason=None
    )


def _resolve(episode: Episode, reading: Reading, _holds: Holds) -> Episode:
    by_another_baseline = max(episode.last_ms) == NEVER  # by this one nothing has ever been wrong
    return ended(episode, reading.end_ms, Reason.BASELINE if by_another_baseline else Reason.RECOVERED)


_DO: Final[dict[Move, Callable[[Episode, Reading, Holds], Episode | None]]] = {
    Move.NOTHING: _keep,
    Move.WAIT: _wait,
    Move.FORGET: _forget,
    Move.FIRE: _fire,
    Move.CHANGE: _fire,
    Move.RESOLVE: _resolve,
    Move.REOPEN: _fire,
}
