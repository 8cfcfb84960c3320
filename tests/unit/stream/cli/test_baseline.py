"""`driftline baseline create`: what it refuses before it asks any broker, and `--dry-run`."""

import json
from pathlib import Path

import pytest

from stream.cli import main


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "a.csv"
    path.write_text(
        "x,c,score,day,ts\n1,a,0.5,2024-01-01,2024-01-01T00:00:00Z\n2,b,0.7,2024-01-02,2024-01-02T00:00:00Z\n"
    )
    return str(path)


def test_a_dry_run_needs_no_broker_and_shows_what_it_found(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", "create", "--model", "m", "--version", "1", "--dry-run", file]) == 0
    captured = capsys.readouterr()
    assert "m@1 (not registered)" in captured.out
    assert "column 'day' holds date32[day] and is left out" in captured.err


def test_a_dry_run_prints_the_entry_as_json_and_writes_it(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = tmp_path / "entry.json"
    command = ["baseline", "create", "--model", "m", "--version", "1", "--dry-run", file, "--json"]
    assert main([*command, "--output", str(entry), "--features", "c,x"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(entry.read_text())
    assert [s["name"] for s in printed["series"]] == ["x", "c", "score"]
    assert printed["provenance"]["from_ms"] == 1_704_067_200_000


@pytest.mark.parametrize(("options", "message"), [
    ([], "give one or more FILEs"),
    (["FILE", "--from-topic"], "not from both"),
    (["FILE", "--last", "5"], "--last goes with --from-topic"),
    (["--from-topic", "--score", "x"], "messages say what their fields are"),
    (["--from-topic", "--last", "0"], "--last"),
    (["none.csv"], "none.csv cannot be read: No such file"),
    (["FILE", "--score", "y"], "there is no column 'y'; the columns are x, c, score, day, ts"),
    (["FILE", "--score", "ts"], "shall be the score but holds timestamp"),
    (["FILE", "--output", "/no/such/folder/entry.json"], "cannot be written"),
    (["FILE", "--model", ""], "--model must be printable text, got ''"),
])  # fmt: skip
def test_a_mistake_is_one_sentence_and_exit_code_2(
    file: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [file if option == "FILE" else option for option in options]
    assert main(["baseline", "create", "--model", "m", "--version", "1", "--dry-run", *arguments]) == 2
    assert message in capsys.readouterr().err
