"""Data quality, throughput and groups in what a backtest prints: text, JSON, the page, and marked incidents."""

import json
import re
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
NAMES = [f"x{i}" for i in range(7)]

Run = Callable[..., tuple[dict[str, Any], str]]


def at(hour: int) -> str:
    return f"2020-01-01T{hour:02}:00:00Z"


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Twelve hours: in 3 half of x0 is missing, in 6 seven series move at once, x6 up to 8; hour 9 has 15 rows."""
    rng = np.random.default_rng(1)
    hour = np.repeat(np.arange(12), ROWS)
    columns: dict[str, Any] = {name: rng.normal(size=len(hour)) + 3 * (hour == 6) for name in NAMES}
    columns["x6"] += 3 * ((hour == 7) | (hour == 8))
    columns["x0"][(hour == 3) & (np.arange(len(hour)) % 2 == 0)] = np.nan
    kept = (hour != 9) | (np.arange(len(hour)) % 20 == 0)
    judged = {"ts": START_MS + hour * HOUR_MS} | columns
    normal: dict[str, Any] = {"ts": START_MS + np.repeat(np.arange(200), ROWS) * HOUR_MS}
    normal |= {name: rng.normal(size=200 * ROWS) for name in NAMES}
    pyarrow.parquet.write_table(pa.table(normal), tmp_path / "base.parquet")
    pyarrow.parquet.write_table(pa.table({n: v[kept] for n, v in judged.items()}), tmp_path / "file.parquet")
    files = ["--baseline", str(tmp_path / "base.parquet"), str(tmp_path / "file.parquet"), "--window", "1h"]

    def backtest(*options: object) -> tuple[dict[str, Any], str]:
        said = []
        for form in (["--json"], []):
            assert main(["backtest", *files, *map(str, options), *form]) == 1
            said.append(capsys.readouterr().out)
        return json.loads(said[0]), said[1]

    return backtest


def test_each_kind_of_check_makes_alerts_and_many_at_once_are_one(run: Run) -> None:
    result, text = run()
    episodes = {(e["check"], e["subject"]): e for e in result["episodes"]}
    assert episodes.keys() == {("missing", "x0"), ("psi", "x0"), ("psi", "*"), ("out_of_range", "*"),
                               ("cardinality", "*"), ("throughput", "predictions")}  # fmt: skip
    missing = episodes["missing", "x0"]
    assert (missing["start"], missing["end"], missing["severity"]) == (at(4), at(5), "critical")
    assert (missing["value"], missing["threshold"]) == (0.5, pytest.approx(0.1, abs=1e-4))
    assert missing["p_value"] < missing["level"]
    together = episodes["psi", "*"]
    assert (together["start"], together["end"], sorted(together["subjects"])) == (at(7), at(11), NAMES)
    little = episodes["throughput", "predictions"]
    assert (little["start"], little["severity"], little["value"]) == (at(10), "critical", pytest.approx(0.95, abs=0.01))
    assert re.search(r"04:00:00Z +2020-01-01T05:00:00Z +missing of x0 +critical +0.5 +0.1$", text, re.MULTILINE)
    assert re.search(r"07:00:00Z +2020-01-01T11:00:00Z +x\d(, x\d){4} and 2 more +critical", text)
    assert text.endswith(f"{sum(bool(w['alerts']) for w in result['windows'])} of 12 windows alert: 6 episodes in 0.5 "
                         "days, 3.6e+02 a month\n")  # fmt: skip


def test_a_window_says_what_its_data_are_like(run: Run) -> None:
    result, _ = run()
    assert [w["quality"].get("missing") for w in result["windows"]] == [None] * 3 + [{"x0": 0.5}] + [None] * 8
    assert result["windows"][9]["usual_rows"] == ROWS
    assert result["windows"][0]["quality"]["stuck"].keys() == set(NAMES)


def test_an_incident_is_found_by_a_group_that_has_one_of_its_series(run: Run, tmp_path: Path) -> None:
    marked = tmp_path / "marked.yaml"
    marked.write_text(
        f"- {{start: '{at(6)}', end: '{at(7)}', name: all, check: psi, subject: [x5, ts]}}\n"
        f"- {{start: '{at(3)}', end: '{at(4)}', name: gap, check: missing}}\n"
        f"- {{start: '{at(8)}', end: '{at(10)}', name: over, check: psi, subject: x1}}\n"
        f"- {{start: '{at(8)}', end: '{at(10)}', name: goes on, check: psi, subject: x6}}\n"
    )
    result, text = run("--incidents", marked)
    by_name = {i["name"]: i for i in result["incidents"]["incidents"]}
    assert (by_name["all"]["by"]["subject"], by_name["all"]["subjects"], by_name["all"]["delay"]) == (
        "x5",
        ["x5"],
        3600,
    )
    assert [by_name[name]["outcome"] for name in ("gap", "over", "goes on")] == ["found", "missed", "missed"]
    # x1 had left the group when the two incidents began, x6 was still in it.
    assert (by_name["over"]["already_firing"], by_name["goes on"]["already_firing"]) == ([], ["x6"])
    # The one of missing values and the group of drift are for them, the other four are not.
    assert result["incidents"]["false_episodes"] == 4
    assert "found after 1 h by x5" in text


def test_off_is_off_and_a_group_has_as_many_as_it_takes(run: Run, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("models: {m: {alerts: {group_above: 7}, checks: {quality: off, throughput: off}}}\n")
    result, _ = run("--config", rules)
    assert {e["check"] for e in result["episodes"]} == {"psi"}
    assert len(result["episodes"]) == 1 + len(NAMES)
    assert result["windows"][3]["quality"] == {}
    assert result["windows"][3]["usual_rows"] is None


def test_the_page_draws_what_alerts(run: Run, tmp_path: Path) -> None:
    run("--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h2>missing of x0 <small>highest 0.5</small></h2>" in page
    assert "<h2>throughput <small>" in page
    assert page.count("<h2>out of range of x") == len(NAMES)
    assert "<h2>stuck of" not in page


@pytest.mark.parametrize("more", [0, HOUR_MS])
def test_the_window_that_the_file_ends_in_says_nothing_of_throughput(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: int
) -> None:
    ts = START_MS + np.repeat(np.arange(60), ROWS) * HOUR_MS
    cut = [*ts[: 30 * ROWS + 3], ts[30 * ROWS] + more]  # hour 30 has three rows, and then nothing, or one row more
    for name, times in (("base", ts), ("file", cut)):
        table = pa.table({"ts": np.array(times), "x": np.random.default_rng(1).normal(size=len(times))})
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet")
    files = ["--baseline", str(tmp_path / "base.parquet"), str(tmp_path / "file.parquet")]
    main(["backtest", *files, "--window", "1h", "--json"])
    alerts = [(w["index"], a["check"]) for w in json.loads(capsys.readouterr().out)["windows"] for a in w["alerts"]]
    assert alerts == ([(30, "throughput")] if more else [])


def test_windows_of_rows_have_no_throughput(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file.parquet"
    pyarrow.parquet.write_table(pa.table({"x": np.arange(500.0)}), file)
    main(["backtest", "--baseline", str(file), str(file), "--chunk-rows", "250", "--json"])
    (first, _) = json.loads(capsys.readouterr().out)["windows"]
    assert first["usual_rows"] is None
