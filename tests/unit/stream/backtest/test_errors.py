"""`driftline backtest --status`: how many answers of each window failed, and the service's own alert."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stream.cli import main
from tests.unit.stream.backtest.test_command import put

ROWS, WINDOW = 3_000, 1_000
STATUSES = ["ok"] * ROWS
STATUSES[2_000:2_060] = ["timeout"] * 60
STATUSES[10] = "error"


@pytest.fixture
def base(tmp_path: Path) -> str:
    return put(tmp_path / "base.parquet", x=np.random.default_rng(1).normal(size=ROWS))


def file_of(tmp_path: Path, statuses: list[Any]) -> str:
    path = tmp_path / "file.parquet"
    pq.write_table(pa.table({"x": np.random.default_rng(3).normal(size=len(statuses)), "state": statuses}), path)
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, Any]:
    code = main(["backtest", *options, "--chunk-rows", str(WINDOW), "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else told.err


def test_each_window_says_how_many_failed_and_the_bad_one_has_its_alert(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = run(capsys, "--baseline", base, file_of(tmp_path, [*STATUSES[:-1], None]), "--status", "state")
    told = [w["errors"] for w in result["windows"]]
    assert [(one["n"], one["failed"], one["bad"]) for one in told] == [(WINDOW, 1, 0), (WINDOW, 0, 0), (WINDOW, 60, 0)]
    assert list(result["windows"][0]["psi"]) == ["x"]  # it is no feature
    (alert,) = [a for w in result["windows"] for a in w["alerts"]]
    assert (code, alert["check"], alert["subject"], alert["severity"]) == (1, "error_rate", "status", "critical")
    assert (alert["value"], alert["threshold"], alert["rule"]) == (0.06, 0.05, "budget")
    assert alert["p_value"] < 1e-20
    assert alert["provisional"]


def test_a_column_named_status_is_a_feature_only_if_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.random.default_rng(1).normal(size=WINDOW)
    files = [put(tmp_path / name, x=x, status=np.array(STATUSES[:WINDOW])) for name in ("base.parquet", "file.parquet")]
    given = ["--baseline", *files, "--chunk-rows", str(WINDOW), "--json"]
    for features, counted in (([], ["x"]), (["--features", "x,status"], ["x", "status"])):
        assert main(["backtest", *given, *features]) == 0
        told = capsys.readouterr()
        assert list(json.loads(told.out)["windows"][0]["psi"]) == counted
        assert ("column 'status' belongs to the envelope and is left out" in told.err) is (not features)


def test_the_configuration_gives_the_limits_and_the_command_line_the_rule(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "rules.yaml"
    config.write_text("models: {m: {checks: {errors: {warning: 0.0005, critical: 0.5}}}}", encoding="utf-8")
    given = ("--baseline", base, file_of(tmp_path, STATUSES), "--status", "state", "-c", str(config))
    _, result = run(capsys, *given)
    assert [[a["severity"] for a in w["alerts"]] for w in result["windows"]] == [[], [], ["warning"]]
    _, result = run(capsys, *given, "--rule", "threshold")
    first = [a for a in result["windows"][0]["alerts"] if a["check"] == "error_rate"]
    assert [(a["severity"], a["value"], a["rule"]) for a in first] == [("warning", 0.001, "threshold")]


def test_the_text_shows_it(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = file_of(tmp_path, STATUSES)
    assert main(["backtest", "--baseline", base, file, "--chunk-rows", str(WINDOW), "--status", "state"]) == 1
    text = capsys.readouterr().out
    assert "failed" in text.splitlines()[0]
    assert "error rate critical" in text


def test_without_the_option_nothing_is_said(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = run(capsys, "--baseline", base, file_of(tmp_path, STATUSES), "--ignore", "state")
    assert (code, result["windows"][2]["errors"]) == (0, None)


@pytest.mark.parametrize(
    ("statuses", "named", "message"),
    [
        ([200] * ROWS, "state", "column 'state' holds int64; a status must be text"),
        (STATUSES, "nope", "there is no column 'nope'"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    base: str, tmp_path: Path, statuses: list[Any], named: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = run(capsys, "--baseline", base, file_of(tmp_path, statuses), "--status", named)
    assert code == 2
    assert message in told
