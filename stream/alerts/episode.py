"""An episode: one stretch of time in which one thing is wrong, with all that its life cycle must remember."""

import enum
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from detectors import Verdict
from stream.alerts.silences import Acknowledgement

SEVERITIES: Final = tuple(verdict for verdict in Verdict if verdict not in (Verdict.OK, Verdict.UNDEFINED))
"""The verdicts that make an alert, from the mildest to the worst."""

NEVER: Final = -1  # before any event time


class State(enum.StrEnum):
    """Where an alert is in its life; without an episode it is inactive."""

    INACTIVE = "inactive"
    PENDING = "pending"  # in breach, not yet for long enough
    FIRING = "firing"
    RESOLVED = "resolved"  # over, and a breach within the cooldown would open it again


class Reason(enum.StrEnum):
    """Why an episode ended."""

    RECOVERED = "recovered"  # no window within the hold was in breach
    BASELINE = "baseline"  # another baseline is in force, and by that one nothing is wrong
    UNWATCHED = "unwatched"  # it is not judged any more


class Holds(NamedTuple):
    """How long things must last before an alert moves, in ms of event time."""

    pending_ms: int = 0  # in breach before it fires
    resolve_ms: int = 0  # without a breach before it is resolved, or its severity falls
    cooldown_ms: int = 0  # after the end, in which a breach goes on with the same episode


NO_HOLDS: Final = Holds()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules:
    """How a model's alerts live."""

    holds: Holds = NO_HOLDS
    group_above: int | None = 5  # subjects of one check that fire at once and are told apart; None: always apart


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What the newest message of an episode said: whatever is otherwise by now is news."""

    firing: bool
    severity: Verdict
    subjects: tuple[str, ...] = ()  # of a group
    acknowledged: Acknowledgement | None = None
    severities: tuple[Verdict, ...] = ()  # of the subjects, in their order


class Episode(msgspec.Struct, frozen=True, array_like=True):
    """One alert from its first breach to its end."""

    id: str
    severity: Verdict  # one of SEVERITIES
    starts_at_ms: int  # end of the first window in breach: when it could be known
    state: State
    last_ms: tuple[int, ...]  # by severity: end of the newest window at least so bad, by the baseline below
    baseline: str  # that the newest verdict compared with; "" if there is nothing to compare with
    seq: int = 0  # messages published so far
    told: Told | None = None  # None: nobody has heard of it yet
    ended_at_ms: int | None = None
    reason: Reason | None = None  # why it ended
    grouped: bool = False  # told by its check's group, not by itself
    acknowledged: Acknowledgement | None = None
    silence: str = ""  # the id of the silence that the newest window found it under

    @property
    def is_firing(self) -> bool:
        """Whether it goes on."""
        return self.state is State.FIRING

    def worst_since(self, end_ms: int, hold_ms: int) -> Verdict | None:
        """The worst verdict of the windows that end less than `hold_ms` before `end_ms`; the one at `end_ms` counts."""
        for severity, last_ms in zip(reversed(SEVERITIES), reversed(self.last_ms), strict=True):
            if last_ms != NEVER and (last_ms == end_ms or end_ms - last_ms < hold_ms):
                return severity
        return None

    @property
    def is_told(self) -> bool:
        """Whether people know that it fires."""
        return self.told is not None and self.told.firing

    @property
    def owed(self) -> bool:
        """Whether it ended and those who heard that it fired have not heard that."""
        return self.state is State.RESOLVED and self.is_told

    def is_over(self, end_ms: int, holds: Holds) -> bool:
        """Whether nothing can come of it any more, and everybody knows."""
        return self.ended_at_ms is not None and end_ms - self.ended_at_ms >= holds.cooldown_ms and not self.owed


def name_of(check: str, subject: str) -> str:
    """What an alert is kept under; the group of a check under the check's name alone.

    >>> name_of("psi", "distance")
    'psi|distance'
    """
    return f"{check}|{subject}"


def named(name: str) -> tuple[str, str]:
    """Check and subject; of a group, which is kept under its check alone, the subject is empty.

    >>> named("psi|a|b"), named("psi")
    (('psi', 'a|b'), ('psi', ''))
    """
    check, _, subject = name.partition("|")
    return check, subject


def severities_at(verdict: Verdict, end_ms: int) -> tuple[int, ...]:
    """The memory of an episode whose only window has this verdict.

    >>> severities_at(Verdict.WARNING, 60_000)
    (60000, 60000, -1)
    """
    rank = SEVERITIES.index(verdict) if verdict in SEVERITIES else -1
    return tuple(end_ms if i <= rank else NEVER for i in range(len(SEVERITIES)))
