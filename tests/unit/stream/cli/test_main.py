"""The front of the command line: exit codes, one line for a mistake, a traceback for a bug only."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from stream import cli
from stream.cli import (
    COMMANDS,
    EXIT_BUG,
    EXIT_CALLER,
    EXIT_DRIFT,
    EXIT_FINE,
    EXIT_INTERRUPTED,
    EXIT_UNREAD,
    main,
)
from stream.errors import BrokerUnavailable

Capture = pytest.CaptureFixture[str]


def command_that(monkeypatch: pytest.MonkeyPatch, outcome: object) -> None:
    """Make `driftline check` return the outcome, or raise it."""

    def body() -> object:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: click.Command("check", callback=body))


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (None, EXIT_FINE),
        (EXIT_DRIFT, EXIT_DRIFT),
        (BrokerUnavailable("localhost:9092", "connection refused"), EXIT_CALLER),
        (click.UsageError("no such column"), EXIT_CALLER),
        (RuntimeError("ours"), EXIT_BUG),
        (AssertionError("ours"), EXIT_BUG),
        (KeyboardInterrupt(), EXIT_INTERRUPTED),
    ],
)
def test_each_outcome_has_its_exit_code(monkeypatch: pytest.MonkeyPatch, outcome: object, code: int) -> None:
    command_that(monkeypatch, outcome)
    assert main(["check"]) == code


def test_a_mistake_is_one_line_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    command_that(monkeypatch, BrokerUnavailable("localhost:9092", "connection refused"))
    main(["check"])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("driftline: no Kafka broker answers at localhost:9092")


def test_a_bug_shows_its_traceback_and_says_that_it_is_one(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    command_that(monkeypatch, RuntimeError("ours"))
    main(["check"])
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "RuntimeError: ours" in err
    assert "driftline: this is a bug" in err


@pytest.mark.parametrize("arguments", [["chekc"], ["--nope"], ["check", "--nope"], ["check", "surplus"]])
def test_a_wrong_call_is_one_line_that_names_the_help(arguments: list[str], capsys: Capture) -> None:
    assert main(arguments) == EXIT_CALLER
    err = capsys.readouterr().err
    assert err.startswith("driftline: ")
    assert err.count("\n") == 1
    assert "--help`" in err


def test_without_a_command_the_help_is_shown_and_nothing_pretends_to_have_worked(capsys: Capture) -> None:
    assert main([]) == EXIT_CALLER
    assert "Commands:" in capsys.readouterr().err


def test_the_help_lists_every_command_and_imports_none_of_them() -> None:
    code = "import sys, stream.cli; stream.cli.main(['--help']); print([m for m in sys.modules if 'faust' in m])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert [name for name in COMMANDS if f"  {name} " not in shown] == []
    assert shown.endswith("[]\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_explains_itself(name: str, capsys: Capture) -> None:
    assert main([name, "--help"]) == EXIT_FINE
    assert capsys.readouterr().out.startswith(f"Usage: driftline {name}")


def test_python_m_stream_is_the_same_command() -> None:
    ran = subprocess.run([sys.executable, "-m", "stream", "chekc"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == EXIT_CALLER
    assert ran.stderr.startswith("driftline: No such command 'chekc'")


def test_check_shows_what_is_in_effect(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text("models: {flight-delay: {windows: {pane: 1h, length: 24h}}}\n", encoding="utf-8")
    assert main(["check", "-c", str(path)]) == EXIT_FINE
    out = capsys.readouterr().out
    assert "model flight-delay  windows of 1d in panes of 1h" in out
    assert out.endswith("the configuration is good\n")


def test_check_as_json_has_every_key_with_what_it_inherits(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "driftline.yaml"
    text = "models: {m: {windows: {length: 2h}, checks: {psi: {features: {f: {critical: 0.5}, g: off}}}}}\n"
    path.write_text(text, encoding="utf-8")
    assert main(["check", "-c", str(path), "--json"]) == EXIT_FINE
    shown = json.loads(capsys.readouterr().out)
    assert shown["windows"]["length"] == "1h"
    model = shown["models"]["m"]
    assert (model["windows"]["length"], model["windows"]["pane"]) == ("2h", "1m")
    assert model["checks"]["psi"]["features"] == {
        "f": {"notice": 0.02, "warning": 0.1, "critical": 0.5, "min_count": 200},
        "g": "off",
    }


def test_check_tells_each_refused_key_in_a_line_of_its_own(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text("web: {port: x}\nwindows: {pane: 1}\n", encoding="utf-8")
    assert main(["check", "-c", str(path)]) == EXIT_CALLER
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["driftline", "driftline"]
    assert [key in line for key, line in zip(("web.port", "windows.pane"), lines, strict=True)] == [True, True]


@pytest.mark.parametrize("arguments", ["check --json", "--help", "backtest --help"])
def test_a_reader_that_goes_away_ends_it_quietly(arguments: str) -> None:
    """The code is the one of `cat FILE | head`; 1 would say that there is drift."""
    command = f"(sleep 0.1; exec '{sys.executable}' -m stream {arguments})"
    shell = f"{command} | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (EXIT_UNREAD, "")


INTERRUPTED = """
import importlib.abc, runpy, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "stream.config":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
sys.argv = ["driftline", "check"]
runpy.run_module("stream", run_name="__main__")
"""


def test_ctrl_c_while_it_is_imported_shows_no_traceback() -> None:
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (EXIT_INTERRUPTED, "", "")


def test_the_installed_command_is_the_one_that_hears_ctrl_c() -> None:
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"driftline": "stream.__main__:main"}
