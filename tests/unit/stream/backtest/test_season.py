"""Windows compared with the same hours: a value that is high by day and low by night, and a day turned round."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from stream.cli import main

START_MS = 1_577_836_800_000  # midnight
HOUR_MS = 3_600_000
TURNED = range(24, 48)  # hours of the judged file in which night and day are exchanged


def put(path: Path, days: int, seed: int, turned: range = range(0)) -> str:
    hour = np.repeat(np.arange(24 * days), 250)
    by_day = ((hour + 12 * np.isin(hour, turned)) % 24 >= 12) * 3.0
    x = np.random.default_rng(seed).normal(size=len(hour)) + by_day
    pyarrow.parquet.write_table(pa.table({"ts": START_MS + hour * HOUR_MS, "x": x}), path)
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return ["--baseline", put(tmp_path / "base.parquet", 28, seed=1), put(tmp_path / "f.parquet", 3, 2, TURNED)]


def alerting(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[list[int], dict[str, Any]]:
    assert main(["backtest", *options, "--window", "1h", "--json"]) in (0, 1)
    result = json.loads(capsys.readouterr().out)
    return [w["index"] for w in result["windows"] if w["alerts"]], result["rules"]


@pytest.mark.parametrize("rule", ["budget", "threshold"])
def test_the_turned_day_is_seen_and_the_others_are_not(
    files: list[str], capsys: pytest.CaptureFixture[str], rule: str
) -> None:
    found, rules = alerting(capsys, *files, "--season", "hour-of-day", "--rule", rule)
    assert found == list(TURNED)
    assert rules["season"] == "hour-of-day UTC"


def test_without_a_season_the_plain_rule_alarms_always_and_the_budget_never(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(alerting(capsys, *files, "--rule", "threshold")[0]) == 72
    assert alerting(capsys, *files)[0] == []


def test_the_season_of_the_configuration_counts_unless_told_otherwise(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("models: {m: {season: hour-of-day, timezone: Asia/Kolkata}}\n", encoding="utf-8")
    options = [*files, "--config", str(rules)]
    assert alerting(capsys, *options, "--timezone", "UTC")[0] == list(TURNED)
    assert alerting(capsys, *options)[1]["season"] == "hour-of-day Asia/Kolkata"
    found, said = alerting(capsys, *options, "--season", "none")
    assert (found, said["season"]) == ([], None)


@pytest.mark.parametrize(("options", "message"), [
    (["--season", "hour-of-day", "--timezone", "Utopia"], "--timezone: "),
    (["--season", "winter"], "'winter' is not one of"),
])  # fmt: skip
def test_a_season_or_a_zone_that_is_none_is_refused(
    files: list[str], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backtest", *files, "--window", "1h", *options]) == 2
    assert message in capsys.readouterr().err
