"""What one judged window does to the alerts of its model: each moves by the table, and what is new is told.

What an episode is and what was told of it are two things. A message is due whenever they differ, so that one rule
serves the first message, a severity that changes, the end, and whatever could not be told when it came to be. What
fires together with many others is told by their group.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from stream.alerts.episode import SEVERITIES, AlertRules, Episode, Holds, Reason, State, Told, name_of, named
from stream.alerts.lifecycle import Reading, ended, step
from stream.alerts.rules import WITHOUT_BASELINE
from stream.alerts.silences import NO_REQUESTS, Requests
from stream.evaluate.alert_groups import EVERY, end_of_group, gather, group_content, is_group, members_of
from stream.evaluate.alert_message import AlertWindow, Content, JudgedCheck

Episodes = dict[str, Episode]
Checks = dict[str, JudgedCheck]


def move_alerts(
    window: AlertWindow, episodes: Episodes, rules: AlertRules, requests: Requests = NO_REQUESTS
) -> list[dict[str, Any]]:
    """Move the alerts; the messages that are due, in the order of the checks.

    Args:
        window: with its verdicts.
        episodes: of the model, by `name_of`; they are changed.
        rules: how its alerts live.
        requests: what people have said. What is silenced moves on as ever, and is not told.
    """
    checks = _move(window, episodes, rules.holds)
    if not episodes:
        return []
    _heed(window, episodes, list(episodes), requests)
    gather(window, episodes, above=rules.group_above, holds=rules.holds)
    _heed(window, episodes, [name for name in episodes if is_group(name)], requests)
    messages = list(_tell(window, episodes, checks))
    for name in [name for name, episode in episodes.items() if episode.is_over(window.end_ms, rules.holds)]:
        del episodes[name]
    return messages


def _move(window: AlertWindow, episodes: Episodes, holds: Holds) -> Checks:
    """The checks by name, after each has moved its alert."""
    checks: Checks = {}
    for check in window.checks:
        name = name_of(check.check, check.subject)
        checks[name] = check
        held = episodes.get(name)
        if held is not None or check.verdict in SEVERITIES:
            moved = step(held, _reading(window, check), holds, partial(window.new_id, check.check, check.subject))
            _put(episodes, name, moved)
    for name in [name for name in episodes if name not in checks and not is_group(name)]:
        _put(episodes, name, _unwatched(episodes[name], window.end_ms))
    return checks


def _reading(window: AlertWindow, check: JudgedCheck) -> Reading:
    return Reading(check.verdict, window.end_ms, "" if check.check in WITHOUT_BASELINE else window.baseline)


def _unwatched(episode: Episode, end_ms: int) -> Episode | None:
    """What is not judged any more ends: nothing would ever move it."""
    if episode.state is State.PENDING:
        return None
    return ended(episode, end_ms, Reason.UNWATCHED) if episode.is_firing else episode


def _put(episodes: Episodes, name: str, episode: Episode | None) -> None:
    if episode is None:
        episodes.pop(name, None)
    else:
        episodes[name] = episode


def _heed(window: AlertWindow, episodes: Episodes, names: list[str], requests: Requests) -> None:
    """Note of each the silence that it is under at this window, and who looks after it."""
    silences = requests.at(window.end_ms)
    for name in names:
        episode, (check, subject) = episodes[name], named(name)
        labels = window.labels(check, EVERY if is_group(name) else subject) | {"severity": str(episode.severity)}
        silence = next((one.id for one in silences if one.is_about(labels)), "")
        acknowledged = requests.acknowledgement_of(episode.id) or episode.acknowledged
        if (silence, acknowledged) != (episode.silence, episode.acknowledged):
            episodes[name] = msgspec.structs.replace(episode, silence=silence, acknowledged=acknowledged)


def _tell(window: AlertWindow, episodes: Episodes, checks: Checks) -> Iterator[dict[str, Any]]:
    """The messages that are due: of what is judged in the order of the checks, then of what is not any more."""
    place = {name: number for number, name in enumerate(checks)}
    for name in sorted(episodes, key=lambda name: (place.get(name, len(place)), name)):
        said = _said_now(name, episodes, checks)
        if said is None or episodes[name].silence:
            continue
        before = episodes[name]
        episodes[name] = now = msgspec.structs.replace(before, seq=before.seq + 1, told=said)
        if is_group(name):
            yield window.message(name, EVERY, now, _group(window, name, before, episodes, checks))
        else:
            content = content_of(window, now, checks[name]) if name in checks else window.unwatched(*named(name))
            yield window.message(*named(name), now, content)


def _said_now(name: str, episodes: Episodes, checks: Checks) -> Told | None:
    """What there is to say of an episode; None: nothing that people do not know."""
    episode = episodes[name]
    if not episode.is_firing:
        return Told(False, episode.severity, acknowledged=episode.acknowledged) if episode.owed else None
    if episode.grouped:
        return None
    members = members_of(name, episodes, checks)[0] if is_group(name) else []
    subjects = tuple(member.check.subject for member in members)
    severities = tuple(member.episode.severity for member in members)
    now = Told(True, episode.severity, subjects, episode.acknowledged, severities)
    shown = [member.check for member in members] if is_group(name) else [checks[name]]
    return None if now == episode.told or _is_early(now, episode.told, shown) else now


def _is_early(now: Told, before: Told | None, shown: list[JudgedCheck]) -> bool:
    """Whether all that is new is lower severities, none of which its check has in this window: people hear later."""
    if before is None or msgspec.structs.replace(now, severity=before.severity, severities=before.severities) != before:
        return False
    held, known = now.severities or (now.severity,), before.severities or (before.severity,)
    moved = [(new, old, check) for new, old, check in zip(held, known, shown, strict=False) if new is not old]
    rank = SEVERITIES.index
    return bool(moved) and all(rank(new) < rank(old) and check.verdict is not new for new, old, check in moved)


def _group(window: AlertWindow, check: str, before: Episode, episodes: Episodes, checks: Checks) -> Content:
    if episodes[check].is_firing:
        return group_content(window, *members_of(check, episodes, checks))
    return end_of_group(check, before.told.subjects if before.told is not None else ())


def content_of(window: AlertWindow, episode: Episode, check: JudgedCheck) -> Content:
    """What the message of an episode says of the check that it is about."""
    content = window.content(check, episode.severity, not episode.is_firing)
    return _explained(content, window.baseline) if episode.reason is Reason.BASELINE else content


def _explained(content: Content, baseline: str) -> Content:
    return content._replace(
        summary=f"{content.summary}; explained by baseline {baseline}",
        description=f"The alert ends because baseline {baseline} came into force, by which nothing is wrong, "
        f"not because the traffic is as it was. {content.description}",
    )
