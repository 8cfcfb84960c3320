"""The life of an alert: one table of moves, pure, event time only.

A verdict that is undefined moves nothing: too few rows are no sign that a drift is over.
Hold times, cooldown and grouping come with the false-alarm budget.
"""

import enum
import hashlib
from typing import Final

import msgspec

from detectors import Verdict


class Move(enum.StrEnum):
    """What one evaluation does to an alert."""

    NOTHING = "nothing"
    FIRE = "fire"  # a new episode begins
    CHANGE = "change"  # the severity of a running episode changes
    RESOLVE = "resolve"  # the episode ends


_OK, _NOTICE, _WARNING, _CRITICAL, _UNDEFINED = Verdict
_MOVES: Final = {
    # firing with severity, verdict: move
    (None, _OK): Move.NOTHING,
    (None, _NOTICE): Move.FIRE,
    (None, _WARNING): Move.FIRE,
    (None, _CRITICAL): Move.FIRE,
    (None, _UNDEFINED): Move.NOTHING,
    (_NOTICE, _OK): Move.RESOLVE,
    (_NOTICE, _NOTICE): Move.NOTHING,
    (_NOTICE, _WARNING): Move.CHANGE,
    (_NOTICE, _CRITICAL): Move.CHANGE,
    (_NOTICE, _UNDEFINED): Move.NOTHING,
    (_WARNING, _OK): Move.RESOLVE,
    (_WARNING, _NOTICE): Move.CHANGE,
    (_WARNING, _WARNING): Move.NOTHING,
    (_WARNING, _CRITICAL): Move.CHANGE,
    (_WARNING, _UNDEFINED): Move.NOTHING,
    (_CRITICAL, _OK): Move.RESOLVE,
    (_CRITICAL, _NOTICE): Move.CHANGE,
    (_CRITICAL, _WARNING): Move.CHANGE,
    (_CRITICAL, _CRITICAL): Move.NOTHING,
    (_CRITICAL, _UNDEFINED): Move.NOTHING,
}


class Episode(msgspec.Struct, frozen=True, array_like=True):
    """One stretch of time in which an alert fires."""

    id: str
    severity: Verdict  # NOTICE, WARNING or CRITICAL
    starts_at_ms: int  # end of the first window in breach: when it could be known
    seq: int  # messages published so far


def next_move(episode: Episode | None, verdict: Verdict) -> Move:
    """What the verdict on the newest window does.

    >>> next_move(None, Verdict.CRITICAL)
    <Move.FIRE: 'fire'>
    >>> next_move(Episode("9f2c", Verdict.CRITICAL, 0, 1), Verdict.UNDEFINED)
    <Move.NOTHING: 'nothing'>
    """
    return _MOVES[episode.severity if episode else None, verdict]


def episode_id(*, model: str, version: str, check: str, subject: str, segment: str, first_pane_ms: int) -> str:
    """16 hex digits of SHA-256 over what an episode is: the same after a crash, a replay or a repeat.

    >>> episode_id(model="fraud", version="3", check="psi", subject="amount", segment="", first_pane_ms=0)
    '39440c1c3bd7a91e'
    """
    identity = msgspec.json.encode((model, version, check, subject, segment, first_pane_ms))
    return hashlib.sha256(identity).hexdigest()[:16]


def moved(episode: Episode, severity: Verdict) -> Episode:
    """The episode with one more message, at a severity."""
    return msgspec.structs.replace(episode, severity=severity, seq=episode.seq + 1)
