"""An episode: its id, and what it remembers."""

import re

import pytest

from detectors import Verdict
from stream.alerts.episode import SEVERITIES, Episode, Holds, State, Told, severities_at
from stream.records.alert import alert_id


def identity(**changed: str | int) -> str:
    parts = {"model": "m", "version": "0", "check": "psi", "subject": "x", "segment": "", "first_pane_ms": 1_000}
    return alert_id(**{**parts, **changed})


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


def test_severities_are_in_order() -> None:
    assert SEVERITIES == (Verdict.NOTICE, Verdict.WARNING, Verdict.CRITICAL)


@pytest.mark.parametrize(
    ("verdict", "last"),
    [
        (Verdict.OK, (-1, -1, -1)),
        (Verdict.NOTICE, (7, -1, -1)),
        (Verdict.WARNING, (7, 7, -1)),
        (Verdict.CRITICAL, (7, 7, 7)),
    ],
)
def test_a_window_is_at_least_as_bad_as_all_that_is_milder(verdict: Verdict, last: tuple[int, ...]) -> None:
    assert severities_at(verdict, 7) == last


def over(ended_at_ms: int | None, told: Told | None) -> Episode:
    state = State.FIRING if ended_at_ms is None else State.RESOLVED
    return Episode("9f2c", Verdict.WARNING, 0, state, (0, 0, -1), "", told=told, ended_at_ms=ended_at_ms)


TOLD_OF_THE_END = Told(False, Verdict.WARNING)


@pytest.mark.parametrize(
    ("episode", "end_ms", "is_over"),
    [
        (over(None, None), 10**12, False),  # it fires
        (over(5_000, TOLD_OF_THE_END), 5_999, False),
        (over(5_000, TOLD_OF_THE_END), 6_000, True),  # the cooldown of 1 s is over
        (over(5_000, Told(True, Verdict.WARNING)), 10**12, False),  # nobody knows yet that it ended
        (over(5_000, None), 6_000, True),  # nobody knew that it fired
    ],
)
def test_an_episode_is_over_when_the_cooldown_is_and_everybody_knows(
    episode: Episode, end_ms: int, is_over: bool
) -> None:
    assert episode.is_over(end_ms, Holds(cooldown_ms=1_000)) is is_over
