"""`driftline silence add`: what is refused before anything is written, each with what to do."""

import json

import pytest

from stream.alerts.silences import Silence, matcher_of
from stream.cli import EXIT_CALLER, main
from stream.cli.silence import state_at

WELL = ("silence", "add", "model=fraud")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("silence", "add", "--for", "1h"), "name a label, such as model=NAME, or say --all"),
        (("silence", "add", "model=*", "--for", "1h"), "or say --all"),
        (("silence", "add", "model!=fraud", "--for", "1h"), "or say --all"),
        (("silence", "add", "alertname=Driftline*", "--for", "1h"), "or say --all"),
        (("silence", "add", "model=*a*", "check=*s*", "--for", "1h"), "or say --all"),
        (("silence", "add", "colour=red", "--for", "1h"), "'colour=red' is no matcher; write LABEL=TEXT"),
        (WELL, "say how long it lasts: --for 2h, or --end TIME"),
        ((*WELL, "--for", "1h", "--end", "2013-10-02T00:00:00Z"), "--for 2h, or --end TIME"),
        ((*WELL, "--for", "0s"), "must be longer than 0"),
        ((*WELL, "--for", "1 hour"), "'1 hour'"),
        ((*WELL, "--end", "2013-10-02T00:00:00Z"), "before it starts at"),
        ((*WELL, "--start", "2013-10-02", "--for", "1h"), "is no time with a zone; write 2013-10-02T06:00:00Z"),
        ((*WELL, "--start", "soon", "--for", "1h"), "is no time with a zone"),
        ((*WELL, "--for", "1h", "--comment", "x" * 501), "must be at most 500 characters long"),
        (("silence", "add", *["model=fraud"] * 21, "--for", "1h"), "at most 20 matchers, got 21"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(
    arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == EXIT_CALLER
    told = capsys.readouterr().err
    assert complaint in told
    assert len(told.strip().splitlines()) == 1


@pytest.mark.parametrize(("now_ms", "state"), [(999, "pending"), (1_000, "active"), (2_000, "expired")])
def test_a_silence_is_to_come_or_active_or_over(now_ms: int, state: str) -> None:
    assert state_at(Silence("5c1d", (matcher_of("model=fraud"),), 1_000, 2_000, "ann", ""), now_ms) == state


@pytest.mark.parametrize(("start", "in_a_replay"), [("2013-10-02T00:00:00Z", True), ("2999-01-01T00:00:00Z", False)])
def test_a_silence_of_the_past_says_that_it_counts_in_a_replay(
    start: str, in_a_replay: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def written(*_: object) -> None:
        pass

    monkeypatch.setattr("stream.cli.silence._write", written)
    assert main((*WELL, "--start", start, "--for", "1h")) == 0
    line, *more = capsys.readouterr().out.splitlines()
    assert ("expired" if in_a_replay else "pending") in line
    assert any("do count in a replay" in one for one in more) is in_a_replay
    assert main((*WELL, "--start", start, "--for", "1h", "--json")) == 0
    json.loads(capsys.readouterr().out)
