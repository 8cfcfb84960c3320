"""One alert instead of many: subjects of one check that fire together.

When more than `group_above` subjects of a check fire at once, those of which nobody has heard yet are told by one
alert with its subjects listed. Whoever begins to fire while the group does joins it; whoever recovers leaves it; each
change, of a member's severity too, is the group's next message, and it ends with the last of them. An alert that was
told by itself before goes on by itself, so everything that fires is told in exactly one place. What is silenced is in
no group.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from detectors import Verdict
from stream.alerts.episode import SEVERITIES, Episode, Holds, Reason, State, named
from stream.alerts.lifecycle import ended
from stream.evaluate.alert_message import AlertWindow, Content, JudgedCheck
from stream.records.times import rfc3339

EVERY: Final = "*"  # the subject of a group
MOST_NAMED: Final = 5  # subjects in a summary
MOST_SHOWN: Final = 20  # members whose evidence is in the message
MOST_LISTED: Final = 1_000  # members in the message: it must not be longer than the topic takes
SHARED: Final = ("counting", "sources", "newest_events", "outcomes")  # evidence that is the window's, not the subject's


class Member(NamedTuple):
    """A subject that a group tells of."""

    episode: Episode
    check: JudgedCheck


def is_group(name: str) -> bool:
    """Whether an episode is a group's: it is kept under the name of its check alone.

    >>> is_group("psi"), is_group("psi|distance")
    (True, False)
    """
    return "|" not in name


def gather(window: AlertWindow, episodes: dict[str, Episode], *, above: int | None, holds: Holds) -> None:
    """Let subjects join and leave the groups, and the groups begin and end.

    Args:
        window: that has just moved the alerts.
        episodes: by name; changed.
        above: more subjects that fire at once are told together; None: groups that are there go on, none begins.
        holds: of the model's alerts.
    """
    firing: dict[str, list[str]] = {name: [] for name in episodes if is_group(name)}
    for name, episode in episodes.items():
        if episode.is_firing and not episode.silence and not is_group(name):
            firing.setdefault(named(name)[0], []).append(name)
    for check, names in sorted(firing.items()):
        group = episodes.get(check)
        if (group is not None and group.is_firing) or (above is not None and len(names) > above):
            for name in names:
                if not episodes[name].is_told:
                    episodes[name] = msgspec.structs.replace(episodes[name], grouped=True)
        members = [episodes[name] for name in names if episodes[name].grouped]
        moved = _moved(window, check, group, members, holds)
        if moved is not None:
            episodes[check] = moved


def _moved(
    window: AlertWindow, check: str, group: Episode | None, members: list[Episode], holds: Holds
) -> Episode | None:
    """The group's episode with the members that it has now."""
    if not members:
        return ended(group, window.end_ms, Reason.RECOVERED) if group is not None and group.is_firing else group
    severity = max((member.severity for member in members), key=SEVERITIES.index)
    if group is None or group.is_over(window.end_ms, holds):
        group = Episode(window.new_id(check, EVERY), severity, window.end_ms, State.FIRING, (), window.baseline)
    return msgspec.structs.replace(group, state=State.FIRING, severity=severity, ended_at_ms=None, reason=None)


def members_of(
    check: str, episodes: dict[str, Episode], checks: dict[str, JudgedCheck]
) -> tuple[list[Member], list[str]]:
    """Whom the group of a check tells of, by subject, and the subjects that fire beside it, told by themselves."""
    names = sorted(name for name in episodes if name in checks and named(name)[0] == check)
    firing = [name for name in names if episodes[name].is_firing and not episodes[name].silence]
    together = [Member(episodes[name], checks[name]) for name in firing if episodes[name].grouped]
    return together, [named(name)[1] for name in firing if not episodes[name].grouped]


def group_content(window: AlertWindow, members: Sequence[Member], apart: Sequence[str], beyond: int = 0) -> Content:
    """What the message of a group that fires says: the worst first.

    Args:
        window: newest.
        members: at least one.
        apart: subjects of the same check that fire with alerts of their own.
        beyond: members besides those given, none of them worse.
    """
    said = [(member, window.content(member.check, member.episode.severity, False)) for member in members]
    said.sort(key=lambda one: _order(*one))
    (worst, of_worst), total = said[0], len(said) + beyond
    names = listed([member.check.subject for member, _ in said], total)
    beside = f" ({len(apart)} more have alerts of their own)" if apart else ""
    what = f"{total} {'subject' if total == 1 else 'subjects'} of {worst.check.check} together{beside}"
    shown = enumerate(said[:MOST_LISTED])
    return Content(
        f"{what}: {names}; worst: {of_worst.summary}",
        "; ".join(content.summary for _, content in said[:MOST_NAMED]) + f". {of_worst.description}",
        of_worst.value,
        of_worst.threshold,
        {
            "subjects": [_shown(member, content, full=number < MOST_SHOWN) for number, (member, content) in shown],
            "beyond": max(total - MOST_LISTED, 0),
            "apart": list(apart),
            **{name: of_worst.evidence[name] for name in SHARED if name in of_worst.evidence},
        },
    )


def end_of_group(check: str, subjects: Sequence[str]) -> Content:
    """What the last message of a group says; the subjects are those that it told of last."""
    return Content(
        f"{check} of {listed(subjects, len(subjects))}, the last of a group, is back or silenced",
        "No subject is left in the group: each has ended as an alert of its own would have, or is silenced.",
        evidence={"subjects": [], "beyond": 0, "apart": []},
    )


def listed(names: Sequence[str], total: int) -> str:
    """The first few of them, and how many more there are of all.

    >>> listed(["a", "b"], 2), listed(list("abcdefg"), 9)
    ('a, b', 'a, b, c, d, e and 4 more')
    """
    more = total - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _order(member: Member, content: Content) -> tuple[int, float, str]:
    value = 0.0 if content.value is None else content.value
    return -SEVERITIES.index(Verdict(member.episode.severity)), -value, member.check.subject


def _shown(member: Member, content: Content, *, full: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "subject": member.check.subject,
        "id": member.episode.id,
        "severity": str(member.episode.severity),
        "startsAt": rfc3339(member.episode.starts_at_ms),
        "value": content.value,
        "threshold": content.threshold,
        "evidence": None,
    }
    if full:
        shown["evidence"] = {name: found for name, found in content.evidence.items() if name not in SHARED}
    return shown
