"""Would-be alerts of a file, marked incidents, and old rules beside new ones.

The file: a day of hours with 200 rows each; `x` is 0 as in the baseline but for some hours, in which it is 1.
Windows are two hours long and move on by one, so an hour that is off is in two of them.

    hour      5    6    7    8    9   10   11   12   13   14   15
    x         1    1    1                        1
    breach    [----------------------------)[)        window ends 6 to 9, and 13 to 14

An episode ends two hours, the window's length, after its last window in breach: at 11 and at 16.
"""

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

MIDNIGHT_MS = 1_577_836_800_000  # 2020-01-01
HOUR_MS = 3_600_000
ROWS = 200  # in an hour
OFF = (5, 6, 7, 12)

DRIFT_ONLY = "models: {m: {checks: {quality: off, throughput: off}}}\n"
RULES = (
    "rule: threshold\nmodels: {m: {windows: {pane: 1h, length: 2h}, "
    "checks: {quality: off, throughput: off, psi: {warning: %s, critical: %s}}}}\n"
)
MARKED = """\
- {start: 2020-01-01T05:00:00Z, end: 2020-01-01T08:00:00Z, name: wrong unit}
- {start: 2020-01-01T18:00:00Z, end: 2020-01-01T20:00:00Z, name: nobody saw}
- {start: 2020-02-01, end: 2020-02-02, name: after the file}
"""

Run = Callable[..., dict[str, Any]]


def at(hour: int) -> str:
    return f"2020-01-01T{hour:02}:00:00Z"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    hours = np.repeat(np.arange(24), ROWS)
    judged = {"ts": MIDNIGHT_MS + hours * HOUR_MS, "x": np.isin(hours, OFF).astype(float)}
    judged["y"] = np.zeros(len(hours))  # in the baseline's file there is none, so it is left out
    pyarrow.parquet.write_table(pa.table(judged), tmp_path / "file.parquet")
    pyarrow.parquet.write_table(pa.table({"x": np.zeros(5_000)}), tmp_path / "base.parquet")
    return ["--baseline", str(tmp_path / "base.parquet"), str(tmp_path / "file.parquet")]


@pytest.fixture
def run(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    drift_only = ["--config", put(tmp_path / "drift.yaml", DRIFT_ONLY)]

    def backtest(*given: object) -> dict[str, Any]:
        options = given if "--config" in given else (*given, *drift_only)
        code = main(["backtest", *files, *map(str, options), "--json"])
        captured = capsys.readouterr()
        assert code in (0, 1), captured.err
        found: dict[str, Any] = json.loads(captured.out)
        return found

    return backtest


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def spans(result: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(e["start"], e["end"]) for e in result["episodes"]]


def test_holds_and_the_cooldown_are_the_configurations(run: Run, tmp_path: Path) -> None:
    def under(alerts: str) -> list[tuple[str, str | None]]:
        rules = RULES % (0.1, 0.25) + f"alerts: {alerts}\n"
        return spans(run("--config", put(tmp_path / "rules.yaml", rules)))

    assert under("{resolve: 0s}") == [(at(6), at(10)), (at(13), at(15))]
    assert under("{resolve: 5h}") == [(at(6), at(19))]
    assert under("{resolve: 0s, cooldown: 4h}") == [(at(6), at(15))]  # 13 h is within 4 h of its end at 10 h
    assert under("{resolve: 0s, cooldown: 3h}") == [(at(6), at(10)), (at(13), at(15))]
    assert under("{resolve: 0s, pending: 2h}") == [(at(8), at(10))]
    assert under("{resolve: 0s, pending: 1h}") == [(at(7), at(10)), (at(14), at(15))]


def test_an_alert_that_fires_while_it_gets_better_keeps_the_worst_of_its_hold(run: Run, tmp_path: Path) -> None:
    # [5h, 7h) and [6h, 8h) are wholly off, [7h, 9h) is half off: critical, critical, warning, and then nothing.
    psi = {w["end"]: w["psi"]["x"] for w in run("--window", "2h", "--pane", "1h")["windows"]}
    between = (psi[at(6)] + psi[at(7)]) / 2
    rules = put(tmp_path / "rules.yaml", RULES % (0.1, between) + "alerts: {pending: 3h, resolve: 4h}\n")
    episode = run("--config", rules)["episodes"][0]
    assert (episode["start"], episode["end"], episode["severity"]) == (at(9), at(18), "critical")


def test_windows_in_breach_that_follow_each_other_are_one_episode(run: Run) -> None:
    result = run("--window", "2h", "--pane", "1h")
    assert result["rules"].pop("name").endswith("drift.yaml")
    assert spans(result) == [(at(6), at(11)), (at(13), at(16))]
    assert {(e["check"], e["subject"], e["severity"]) for e in result["episodes"]} == {("psi", "x", "critical")}
    assert result["rules"] == {
        "rule": "budget", "false_alarms": "1 per 30d", "season": None, "window": "2h", "pane": "1h",
    }  # fmt: skip
    # 23 windows, an hour apart: two episodes in 23 hours.
    assert result["judged_days"] == pytest.approx(23 / 24)
    assert result["episodes_per_month"] == pytest.approx(2 * 30 * 24 / 23)
    assert result["incidents"] is result["compared_with"] is None


def test_an_episode_that_is_not_over_has_no_end_and_rows_have_no_months(run: Run) -> None:
    result = run("--chunk-rows", 2_500, "--ignore", "ts")
    assert [(w["start"], bool(w["alerts"])) for w in result["windows"]] == [(0, True), (2_500, False)]
    result = run("--chunk-rows", 1_400, "--time", "ts")
    assert spans(result)[0][1] is not None
    assert result["judged_days"] == pytest.approx(1 - 1 / 24 + 1e-3 / 86_400)


def test_an_undefined_window_ends_no_episode(files: list[str], run: Run) -> None:
    hours = np.repeat([4, 5, 7, 8], ROWS)  # none in hour 6
    judged = {"ts": MIDNIGHT_MS + hours * HOUR_MS, "x": np.isin(hours, OFF).astype(float)}
    pyarrow.parquet.write_table(pa.table(judged), files[-1])
    result = run("--window", "1h")
    assert [w["psi"]["x"] is None for w in result["windows"]] == [False, False, True, False, False]
    assert spans(result) == [(at(6), at(9))]


def test_incidents_are_found_missed_or_outside_and_other_episodes_are_false(run: Run, tmp_path: Path) -> None:
    result = run("--window", "2h", "--pane", "1h", "--incidents", put(tmp_path / "marked.yaml", MARKED))
    scored = result["incidents"]
    assert {k: v for k, v in scored.items() if k != "incidents"} == {
        "found": 1, "missed": 1, "outside": 1, "false_episodes": 1, "median_delay": 3600.0, "longest_delay": 3600.0,
    }  # fmt: skip
    found, missed, outside = scored["incidents"]
    assert found == {
        "name": "wrong unit", "start": at(5), "end": at(8), "outcome": "found", "delay": 3600.0,
        "by": {"at": at(6), "check": "psi", "subject": "x", "segment": "", "severity": "critical"},
        "subjects": ["x"], "already_firing": [], "windows": [4, 7],  # [4h, 6h) to [7h, 9h)
    }  # fmt: skip
    assert (missed["outcome"], missed["delay"], missed["by"]) == ("missed", None, None)
    assert (outside["outcome"], outside["windows"]) == ("outside", None)
    assert [e["incidents"] for e in result["episodes"]] == [["wrong unit"], []]


@pytest.mark.parametrize(("start", "end", "outcome"), [
    # A window that ends where the incident begins, or begins where it ends, has nothing of it.
    (3, 4, "missed"),
    (4, 5, "found"),  # [4h, 6h) has this hour of it
    (6, 7, "missed"),  # the alert began before
    (12, 13, "found"),
    (14, 15, "missed"),
])  # fmt: skip
def test_both_edges_of_an_incident_are_half_open(run: Run, tmp_path: Path, start: int, end: int, outcome: str) -> None:
    marked = put(tmp_path / "m.json", json.dumps([{"start": at(start), "end": at(end), "name": "a"}]))
    (incident,) = run("--window", "2h", "--pane", "1h", "--incidents", marked)["incidents"]["incidents"]
    assert incident["outcome"] == outcome


def test_an_alarm_that_rings_already_finds_nothing_until_it_gets_worse(run: Run, tmp_path: Path) -> None:
    # Window [4h, 6h) is half off, and the next ones are wholly: PSI rises.
    marked = put(tmp_path / "marked.csv", f"start,end,name,check,subject\n{at(6)},{at(7)},late,,x\n")
    psi = {w["end"]: w["psi"]["x"] for w in run("--window", "2h", "--pane", "1h")["windows"]}
    between = (psi[at(6)] + psi[at(7)]) / 2
    for critical, outcome in ((1_000, "missed"), (between, "found")):
        rules = put(tmp_path / "rules.yaml", RULES % (0.1, critical))
        result = run("--config", rules, "--incidents", marked)
        (incident,) = result["incidents"]["incidents"]
        assert incident["outcome"] == outcome
        assert incident["already_firing"] == ["x"]
        # The window that began it, [4h, 6h), has no moment of the incident: it began for nothing.
        assert result["incidents"]["false_episodes"] == 2
    assert (incident["by"]["severity"], incident["by"]["at"], incident["delay"]) == ("critical", at(7), 3600.0)
    first = result["episodes"][0]
    assert (first["severity"], first["start"], first["value"]) == ("critical", at(6), pytest.approx(psi[at(7)]))


@pytest.mark.parametrize(("more", "outcome", "false"), [
    ("check: psi, subject: x", "found", 1),
    ("subject: [y, x]", "found", 1),
    ("subject: y", "missed", 2),
    ("check: auc", "missed", 2),
])  # fmt: skip
def test_an_incident_may_say_which_alert_it_wants(
    run: Run, tmp_path: Path, more: str, outcome: str, false: int
) -> None:
    marked = put(tmp_path / "m.yaml", f"- {{start: '{at(5)}', end: '{at(8)}', name: a, {more}}}\n")
    scored = run("--window", "2h", "--pane", "1h", "--incidents", marked)["incidents"]
    assert scored["incidents"][0]["outcome"] == outcome
    assert scored["false_episodes"] == false


def test_rows_are_marked_by_their_numbers(run: Run, tmp_path: Path) -> None:
    # Rows 1000 to 1599 and 2400 to 2599 are off, in windows of 400: 800 to 1599 and 2400 to 2799 alert.
    marked = put(tmp_path / "m.csv", "name,start,end\nfirst,1000,1600\nnone,3000,3001\n")
    result = run("--chunk-rows", 400, "--ignore", "ts", "--incidents", marked)
    found, missed = result["incidents"]["incidents"]
    assert (found["outcome"], found["start"], found["delay"], found["windows"]) == ("found", 1_000, 200.0, [2, 3])
    assert missed["outcome"] == "missed"
    assert [(e["start"], e["end"], e["incidents"]) for e in result["episodes"]] == [
        (1_200, 2_000, ["first"]), (2_800, 3_200, [])]  # fmt: skip
    assert result["episodes_per_month"] is None


def test_old_rules_stand_beside_new_ones(
    run: Run, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = put(tmp_path / "old.yaml", RULES % (0.1, 0.25)), put(tmp_path / "new.yaml", RULES % (90, 100))
    marked, page = put(tmp_path / "marked.yaml", MARKED), tmp_path / "page.html"
    options = ["--config", str(old), "--config", str(new), "--incidents", str(marked)]
    result = run(*options)
    assert result["rules"]["name"] == str(new)
    assert (result["episodes"], result["incidents"]["found"]) == ([], 0)
    before = result["compared_with"]
    assert before["rules"]["name"] == str(old)
    assert before == run("--config", old, "--incidents", marked)

    assert main(["backtest", *files, *options, "--html", str(page)]) == 0  # the new rules' code
    text = capsys.readouterr().out
    assert re.search(r"wrong unit +2020-01-01T05:00:00Z +2020-01-01T08:00:00Z +found after 1 h by x +missed\n", text)
    assert re.search(r"incidents found +1 of 2 +0 of 2\n", text)
    assert re.search(r"median delay +1 h +-\n", text)
    assert re.search(r"false episodes +1 +0\n", text)
    drawn = page.read_text(encoding="utf-8")
    assert drawn.count('<rect class="incident"') == 2  # one picture, two incidents inside the file
    assert "<td>found after 1 h by x</td><td>missed</td>" in drawn


def test_three_sets_of_rules_are_one_too_many(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", *files, "--chunk-rows", "9", *["--config", "rules.yaml"] * 3]) == 2
    assert "old and new rules are compared, so two files at most; got 3" in capsys.readouterr().err
