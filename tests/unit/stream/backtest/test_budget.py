"""The false-alarm budget over a file: evidence from the baseline's file, and what is told without it.

The traffic: hours of 300 rows. One series has a level of its own in each hour, as weather has, so windows differ from
the whole by far more than sampling explains, and are healthy all the same. The other never changes, but for a
day of the judged week.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from stream.cli import main

START_MS = 1_577_836_800_000
HOUR_MS = 3_600_000
ROWS = 300  # in an hour
MOVED = range(72, 96)  # hours of the judged week

Run = Callable[..., tuple[dict[str, Any], str]]


def hours(path: Path, count: int, seed: int, *, timed: bool = True, moved: range = range(0)) -> str:
    rng = np.random.default_rng(seed)
    hour = np.repeat(np.arange(count), ROWS)
    level = rng.normal(0, 0.7, count)
    columns: dict[str, Any] = {
        "clumped": rng.normal(size=len(hour)) + level[hour],
        "calm": rng.normal(size=len(hour)) + 0.8 * np.isin(hour, moved),
    }
    if timed:
        columns["ts"] = START_MS + hour * HOUR_MS
    pyarrow.parquet.write_table(pa.table(columns), path)
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return hours(tmp_path / "file.parquet", 168, seed=2, moved=MOVED)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def backtest(*options: object) -> tuple[dict[str, Any], str]:
        code = main(["backtest", *map(str, options), "--json"])
        captured = capsys.readouterr()
        assert code in (0, 1), captured.err
        return json.loads(captured.out), captured.err

    return backtest


def test_learned_from_the_times_of_the_baseline_only_what_moved_alerts(run: Run, tmp_path: Path, file: str) -> None:
    base = hours(tmp_path / "base.parquet", 336, seed=1)
    result, said = run("--baseline", base, file, "--window", "1h")
    assert {e["subject"] for e in result["episodes"]} == {"calm"}
    assert [w["index"] for w in result["windows"] if w["alerts"]] == list(MOVED)
    alert = result["windows"][MOVED[0]]["alerts"][0]
    assert (alert["rule"], alert["provisional"]) == ("budget", False)
    assert alert["p_value"] <= alert["level"] < 1e-3
    assert alert["psi_corrected"] < alert["value"]
    assert "provisional" not in said

    plain, _ = run("--baseline", base, file, "--window", "1h", "--rule", "threshold")
    assert sum(bool(w["alerts"]) for w in plain["windows"]) > 100  # in alarm most of a healthy week
    assert plain["windows"][0]["p_value"] == {}
    assert plain["rules"]["false_alarms"] is None


def test_without_times_healthy_windows_are_learned_from_the_judged_ones_as_in_the_service(
    run: Run, tmp_path: Path, file: str
) -> None:
    base = hours(tmp_path / "base.parquet", 336, seed=1, timed=False)
    result, said = run("--baseline", base, file, "--window", "1h")
    assert "how much healthy windows differ is not known and alerts are provisional" in said
    assert "is learned of the judged ones, as the service does, first at 24 of them" in said
    alerts = [(w["index"], a["subject"], a["provisional"]) for w in result["windows"] for a in w["alerts"]]
    before, after = [a for a in alerts if a[0] < 23], [a for a in alerts if a[0] >= 23]  # the 24th is judged by it
    assert len(before) > 10
    assert {(subject, provisional) for _, subject, provisional in before} == {("clumped", True)}
    assert {(subject, provisional) for _, subject, provisional in after} == {("calm", False)}
    # By the plain rule nobody asks how much they differ.
    assert "provisional" not in run("--baseline", base, file, "--window", "1h", "--rule", "threshold")[1]


def test_what_lasts_beyond_the_first_lesson_stays_an_alarm_and_an_outage_does_not_hide_the_next(
    run: Run, tmp_path: Path
) -> None:
    """The next lessons are due at 48 and 96 windows; what is in breach is no part of them."""
    base = hours(tmp_path / "base.parquet", 336, seed=1, timed=False)
    for seed, moved, silent in ((2, range(30, 168), range(0)), (3, range(0), range(40, 44))):
        file = hours(tmp_path / "file.parquet", 168, seed=seed, moved=moved)
        table = pyarrow.parquet.read_table(file)
        hour = (table["ts"].to_numpy() - START_MS) // HOUR_MS
        pyarrow.parquet.write_table(table.filter(~np.isin(hour, [*silent, *range(120, 124)])), file)
        result, _ = run("--baseline", base, file, "--window", "1h")
        check = "psi" if moved else "throughput"
        alerting = {
            w["index"] for w in result["windows"] for a in w["alerts"] if a["check"] == check and w["index"] > 23
        }
        outages = {*silent, *range(120, 124)}
        assert alerting == (set(moved) - outages if moved else outages)


def test_a_baseline_of_a_few_windows_is_provisional(run: Run, tmp_path: Path) -> None:
    base = hours(tmp_path / "base.parquet", 12, seed=1)
    file = hours(tmp_path / "file.parquet", 168, seed=2, moved=range(4, 8))
    result, said = run("--baseline", base, file, "--window", "1h")
    assert "is known from 12 of them only: provisional" in said
    alerts = [(w["index"], a["subject"], a["provisional"]) for w in result["windows"] for a in w["alerts"]]
    assert {("calm", True)} == {(subject, provisional) for index, subject, provisional in alerts if index < 23}
    assert "is learned of the judged ones" in said


def test_windows_of_rows_are_provisional(run: Run, tmp_path: Path, file: str) -> None:
    base = hours(tmp_path / "base.parquet", 336, seed=1)
    result, said = run("--baseline", base, file, "--chunk-rows", ROWS)
    assert "windows are cut by rows, so how much healthy windows differ is not learned" in said
    assert all(a["provisional"] for w in result["windows"] for a in w["alerts"])


def test_times_of_the_baseline_that_cannot_be_read_are_said(run: Run, tmp_path: Path, file: str) -> None:
    base = str(tmp_path / "base.parquet")
    rng = np.random.default_rng(1)
    unknown = pa.array([None, *[START_MS] * 999], pa.int64())
    pyarrow.parquet.write_table(pa.table({"clumped": rng.normal(size=1_000), "calm": rng.normal(size=1_000),
                                          "ts": unknown}), base)  # fmt: skip
    _, said = run("--baseline", base, file, "--window", "1h", "--time", "ts")
    assert "the baseline's time column 'ts' has no value in 1 rows" in said


@pytest.mark.parametrize("least", [True, False])
def test_the_budget_decides_how_sure_an_alert_must_be(run: Run, tmp_path: Path, file: str, least: bool) -> None:
    base = hours(tmp_path / "base.parquet", 336, seed=1)
    rules = tmp_path / "rules.yaml"
    rules.write_text("false_alarms: 2 per 30d\n", encoding="utf-8")
    options = ["--false-alarms", "0.02 per 30d"] if least else []
    result, _ = run("--baseline", base, file, "--window", "1h", "--config", rules, *options)
    assert result["rules"]["false_alarms"] == ("0.02 per 30d" if least else "2 per 30d")
    alert = next(a for w in result["windows"] for a in w["alerts"])
    # Two features share it, an hour of 720: half of it each.
    of_features = 0.5 / 0.6  # the rest is for data quality and throughput
    assert alert["level"] == pytest.approx((0.02 if least else 2) * of_features / 720 / 2)


@pytest.mark.parametrize(("budget", "said"), [
    ("100 per 1d", "which is no evidence (at most 0.01); try 0.5 per 1d"),
    ("0.0000001 per 9999d", "which no data can show"),
])  # fmt: skip
def test_a_budget_that_cannot_be_met_is_refused(
    tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str], budget: str, said: str
) -> None:
    base = hours(tmp_path / "base.parquet", 30, seed=1)
    assert main(["backtest", "--baseline", base, file, "--window", "1h", "--false-alarms", budget]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("budget", "said"), [
    ("600 per 30d", "which is no evidence (at most 0.01); try 10 per 30d"),  # of panes of a minute it would be
    ("0.0000001 per 30d", "which no data can show"),
])  # fmt: skip
@pytest.mark.parametrize("key", ["false_alarms.budget", "models.m.false_alarms.budget"])
def test_so_is_one_of_a_configuration_by_its_key(
    tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str], budget: str, said: str, key: str
) -> None:
    base, rules = hours(tmp_path / "base.parquet", 30, seed=1), tmp_path / "rules.yaml"
    text = f"false_alarms: {budget}"
    rules.write_text(text if key == "false_alarms.budget" else f"models: {{m: {{{text}}}}}", encoding="utf-8")
    pane = "1h" if budget.startswith("600") else "1m"
    given = ["backtest", "--baseline", base, file, "--window", "1h", "--pane", pane, "--config", str(rules)]
    assert main(given) == 2
    told = capsys.readouterr().err
    assert f"{rules}: {key}: for features, {budget} is a chance of " in told
    assert said in told
    assert main([*given, "--false-alarms", "1 per 30d"]) in (0, 1)  # which is said instead
