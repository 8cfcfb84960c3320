"""The life of an alert: every state meets every verdict, and the ids never change."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import Verdict
from stream.alerts.lifecycle import Episode, Move, episode_id, moved, next_move

OK, NOTICE, WARNING, CRITICAL, UNDEFINED = Verdict


def firing(severity: Verdict | None) -> Episode | None:
    return Episode("9f2c", severity, 60_000, seq=1) if severity else None


@pytest.mark.parametrize(
    ("state", "verdict", "move"),
    [
        (None, OK, Move.NOTHING),
        (None, NOTICE, Move.FIRE),
        (None, WARNING, Move.FIRE),
        (None, CRITICAL, Move.FIRE),
        (None, UNDEFINED, Move.NOTHING),
        (NOTICE, OK, Move.RESOLVE),
        (NOTICE, NOTICE, Move.NOTHING),
        (NOTICE, WARNING, Move.CHANGE),
        (NOTICE, CRITICAL, Move.CHANGE),
        (NOTICE, UNDEFINED, Move.NOTHING),
        (WARNING, OK, Move.RESOLVE),
        (WARNING, NOTICE, Move.CHANGE),
        (WARNING, WARNING, Move.NOTHING),
        (WARNING, CRITICAL, Move.CHANGE),
        (WARNING, UNDEFINED, Move.NOTHING),  # too few rows are no sign that it is over
        (CRITICAL, OK, Move.RESOLVE),
        (CRITICAL, NOTICE, Move.CHANGE),
        (CRITICAL, WARNING, Move.CHANGE),
        (CRITICAL, CRITICAL, Move.NOTHING),
        (CRITICAL, UNDEFINED, Move.NOTHING),
    ],
)
def test_a_verdict_moves_an_alert(state: Verdict | None, verdict: Verdict, move: Move) -> None:
    assert next_move(firing(state), verdict) is move


def test_every_state_meets_every_verdict() -> None:
    for state in (None, NOTICE, WARNING, CRITICAL):
        for verdict in Verdict:
            assert isinstance(next_move(firing(state), verdict), Move)


@given(st.lists(st.sampled_from(list(Verdict)), max_size=30))
def test_messages_of_an_episode_are_numbered_and_it_ends_once(verdicts: list[Verdict]) -> None:
    episode, messages = None, []
    for verdict in verdicts:
        match next_move(episode, verdict):
            case Move.FIRE:
                episode = firing(verdict)
                messages.append((1, "firing"))
            case Move.CHANGE if episode:
                episode = moved(episode, verdict)
                messages.append((episode.seq, "firing"))
            case Move.RESOLVE if episode:
                messages.append((moved(episode, episode.severity).seq, "resolved"))
                episode = None
    for (seq, status), (following, _) in itertools.pairwise(messages):
        assert following == (1 if status == "resolved" else seq + 1)
    assert (messages[-1][1] == "firing" if messages else False) == (episode is not None)


def test_a_moved_episode_keeps_what_it_is() -> None:
    assert moved(Episode("9f2c", WARNING, 60_000, seq=3), CRITICAL) == Episode("9f2c", CRITICAL, 60_000, seq=4)


def identity(**changed: str | int) -> str:
    parts = {"model": "m", "version": "0", "check": "psi", "subject": "x", "segment": "", "first_pane_ms": 1_000}
    return episode_id(**{**parts, **changed})


def test_an_id_is_frozen() -> None:
    # Alerts of an earlier release are resolved under their ids: a change of this is a break of the contract.
    # printf '["m","0","psi","x","",1000]' | sha256sum | cut -c1-16
    assert identity() == "4aeebc6ca78ea7d5"
    assert re.fullmatch(r"[0-9a-f]{16}", identity())


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "k"}, {"version": "1"}, {"check": "auc"}, {"subject": "y"}, {"segment": "EWR"},
        {"first_pane_ms": 2_000}, {"model": "m0", "version": ""}, {"subject": "", "segment": "x"},
    ],
)  # fmt: skip
def test_each_part_of_what_an_episode_is_makes_another_id(changed: dict[str, str | int]) -> None:
    assert identity(**changed) != identity()
