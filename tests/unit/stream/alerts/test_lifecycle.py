"""The life of an alert: every state meets every signal, holds in both directions, one episode through a cooldown."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import Verdict
from stream.alerts.episode import SEVERITIES, Episode, Holds, Reason, State, Told
from stream.alerts.lifecycle import _MOVES, Move, Reading, Signal, next_move, step

OF_LETTER = {".": Verdict.OK, "i": Verdict.NOTICE, "w": Verdict.WARNING, "c": Verdict.CRITICAL, "?": Verdict.UNDEFINED}
OTHER_BASELINE = "m@0#2"


def life(letters: str, *, pending: int = 0, resolve: int = 0, cooldown: int = 0) -> str:
    """What the alert is after each window: a window a second, holds in seconds.

    `.` inactive, `p` pending, `i`, `w`, `c` firing with that severity, `r` resolved, in its cooldown. Everybody is
    told at once; a window behind `|` is compared with another baseline.
    """
    return "".join(_letter(e) for e in episodes(letters, Holds(1_000 * pending, 1_000 * resolve, 1_000 * cooldown)))


def episodes(letters: str, holds: Holds) -> list[Episode | None]:
    episode: Episode | None = None
    found: list[Episode | None] = []
    before, _, behind = letters.partition("|")
    for second, letter in enumerate(before + behind, start=1):
        baseline = "m@0#1" if second <= len(before) else OTHER_BASELINE
        reading = Reading(OF_LETTER[letter], 1_000 * second, baseline)
        episode = step(episode, reading, holds, lambda second=second: f"of {second}")  # type: ignore[misc]
        if episode is not None and episode.state in (State.FIRING, State.RESOLVED):
            episode = _told(episode)
        if episode is not None and episode.is_over(reading.end_ms, holds):
            episode = None
        found.append(episode)
    return found


def _told(episode: Episode) -> Episode:
    fields = {name: getattr(episode, name) for name in episode.__struct_fields__}
    return Episode(**{**fields, "told": Told(episode.is_firing, episode.severity)})


def _letter(episode: Episode | None) -> str:
    if episode is None:
        return "."
    if episode.state is State.FIRING:
        return {Verdict.NOTICE: "i", Verdict.WARNING: "w", Verdict.CRITICAL: "c"}[episode.severity]
    return {State.PENDING: "p", State.RESOLVED: "r"}[episode.state]


def test_without_holds_an_alert_is_what_the_window_says() -> None:
    assert life("..i.w.c.iwcwi.") == "..i.w.c.iwcwi."


def test_an_undefined_verdict_moves_nothing() -> None:
    assert life("?w??.?") == ".www.."
    assert life("w??w", pending=2) == "pppw"


def test_a_breach_must_last_before_it_fires() -> None:
    assert life("www.ww.", pending=2) == "ppw.pp."
    assert life("w.w.w.w", pending=1) == "p.p.p.p"


def test_what_fires_has_the_worst_severity_of_its_hold() -> None:
    assert life("cww", pending=2, resolve=5) == "ppc"
    assert life("cww", pending=2) == "ppw"


def test_it_ends_when_no_window_within_the_hold_was_in_breach() -> None:
    assert life("w...", resolve=3) == "www."
    assert life("w..w...", resolve=3) == "wwwwww."  # it flaps, and nobody hears of it


def test_the_severity_rises_at_once_and_falls_when_the_worse_has_been_away_as_long() -> None:
    assert life("wcwww", resolve=3) == "wcccw"
    assert life("cwwiii..", resolve=2) == "ccwwiii."  # each step down by itself
    assert life("ciiwi.", resolve=2) == "cciwww"


def test_the_severity_falls_only_with_a_window_that_is_that_bad_itself() -> None:
    assert life("cw...", resolve=2) == "ccc.."  # the warning is the worst of 3 s, in which nothing is wrong
    assert life("cw.w..", resolve=2) == "cccww."
    assert life("cwi..", resolve=2) == "cccc."  # the warning is the worst at 3 s, and its window says info
    assert life("cw??w", resolve=2) == "ccccw"


def test_a_breach_in_the_cooldown_goes_on_with_the_episode() -> None:
    found = episodes("w...w...w....w", Holds(0, 0, 4_000))
    assert "".join(map(_letter, found)) == "wrrrwrrrwrrrrw"
    assert [e.id for e in found if e is not None and e.is_firing] == ["of 1", "of 1", "of 1", "of 14"]
    reopened = found[4]
    assert reopened is not None
    assert (reopened.starts_at_ms, reopened.ended_at_ms, reopened.reason) == (1_000, None, None)


def test_a_breach_in_the_cooldown_need_not_last_again() -> None:
    assert life("ww.w", pending=1, cooldown=5) == "pwrw"


def test_an_episode_starts_with_its_first_breach_and_is_named_by_it() -> None:
    *_, fired = episodes(".www", Holds(2_000))
    assert fired is not None
    assert (fired.id, fired.starts_at_ms, fired.state) == ("of 2", 2_000, State.FIRING)


def test_another_baseline_that_explains_it_ends_an_alert_without_the_hold() -> None:
    found = episodes("ccc|.", Holds(0, 60_000, 10_000))
    assert [_letter(e) for e in found] == ["c", "c", "c", "r"]
    assert found[-1] is not None
    assert found[-1].reason is Reason.BASELINE


def test_an_alert_that_another_baseline_does_not_explain_goes_on() -> None:
    found = episodes("ccc|w.....", Holds(0, 2_000, 10_000))
    assert "".join(map(_letter, found)) == "cccwwrrrr"  # by the new one it was never critical
    assert {e.id for e in found if e is not None} == {"of 1"}
    assert found[-1] is not None
    assert found[-1].reason is Reason.RECOVERED


def test_an_undefined_verdict_by_another_baseline_explains_nothing() -> None:
    assert life("c|??.", resolve=60, cooldown=5) == "cccr"


def test_what_waits_is_forgotten_when_another_baseline_explains_it() -> None:
    assert life("w|.w", pending=1) == "p.p"


def test_the_table_knows_every_state_and_signal_that_can_meet() -> None:
    impossible = {
        (State.INACTIVE, Signal.FINE),  # it remembers no breach
        *((state, Signal.CHANGED) for state in State if state is not State.FIRING),
    }
    assert set(_MOVES) == {(state, signal) for state in State for signal in Signal} - impossible
    assert set(_MOVES.values()) == set(Move)


@pytest.mark.parametrize("state", list(State))
def test_an_undefined_verdict_is_no_move_in_any_state(state: State) -> None:
    episode = Episode("9f2c", Verdict.WARNING, 0, state, (0, 0, -1), "")
    assert next_move(episode, Reading(Verdict.UNDEFINED, 1_000, ""), Holds()) is Move.NOTHING


def firing_by_hand(verdicts: Sequence[Verdict], pending: int, resolve: int) -> list[Verdict | None]:
    """The severity after each window, by looking at all windows again: the rules in words, without any state."""
    found: list[Verdict | None] = []
    begun: int | None = None  # the second of the first breach of the episode
    for now, verdict in enumerate(verdicts, start=1):
        before = found[-1] if found else None
        if verdict is Verdict.UNDEFINED:
            found.append(before)
            continue
        if begun is None and verdict in SEVERITIES:
            begun = now
        since = range(max(now - max(resolve, 1) + 1, begun or now), now + 1)
        worst = max(
            (verdicts[s - 1] for s in since if verdicts[s - 1] in SEVERITIES), key=SEVERITIES.index, default=None
        )
        if before is None and (begun is None or verdict not in SEVERITIES or now - begun < pending):
            begun = begun if verdict in SEVERITIES else None
            found.append(None)
            continue
        begun = begun if worst is not None else None
        found.append(before if before is not None and worst not in (None, verdict) else worst)
    return found


@given(st.lists(st.sampled_from(list(Verdict)), max_size=40), st.integers(0, 4), st.integers(0, 6))
def test_it_fires_as_the_rules_in_words_say(verdicts: list[Verdict], pending: int, resolve: int) -> None:
    letter = {verdict: letter for letter, verdict in OF_LETTER.items()}
    found = episodes("".join(letter[v] for v in verdicts), Holds(1_000 * pending, 1_000 * resolve))
    told = [e.severity if e is not None and e.is_firing else None for e in found]
    assert told == firing_by_hand(verdicts, pending, resolve)
