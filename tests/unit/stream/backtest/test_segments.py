"""Segments in what a backtest prints: text, JSON, the page, marked incidents, labels.

Forty hours with 800 rows each of two plans and, in a column that is no feature, two regions. From hour 30 on x moves
up in the plan `pro`, which is a third of the rows; from hour 20 on the score of region `us` says nothing any more.
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
from scipy.stats import rankdata

from stream.cli import main

START_MS = 1_577_836_800_000
HOUR_MS = 3_600_000
ROWS = 800  # in an hour

Columns = dict[str, Any]
Run = Callable[..., tuple[dict[str, Any], str, str]]


def at(hour: int) -> str:
    return f"2020-01-{1 + hour // 24:02}T{hour % 24:02}:00:00Z"


def rows(hours: int, seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    score = rng.uniform(size=hours * ROWS)
    return {
        "ts": START_MS + np.repeat(np.arange(hours), ROWS) * HOUR_MS,
        "x": rng.normal(size=hours * ROWS),
        "plan": rng.choice(["free", "pro"], hours * ROWS, p=[0.65, 0.35]).astype(object),
        "segment.region": rng.choice(["eu", "us"], hours * ROWS).astype(object),
        "score": score,
        "label": (rng.uniform(size=hours * ROWS) < score).astype(int),
    }


@pytest.fixture
def judged() -> Columns:
    columns = rows(40, 2)
    hour = (columns["ts"] - START_MS) // HOUR_MS
    columns["x"][(hour >= 30) & (columns["plan"] == "pro")] += 1.5
    noise = (hour >= 20) & (columns["segment.region"] == "us")
    columns["label"][noise] = np.random.default_rng(3).integers(0, 2, noise.sum())
    return columns


@pytest.fixture
def run(tmp_path: Path, judged: Columns, capsys: pytest.CaptureFixture[str]) -> Run:
    pyarrow.parquet.write_table(pa.table(rows(300, 1)), tmp_path / "base.parquet")
    pyarrow.parquet.write_table(pa.table(judged), tmp_path / "file.parquet")
    files = ["--baseline", str(tmp_path / "base.parquet"), str(tmp_path / "file.parquet"), "--window", "1h"]

    def backtest(*options: object) -> tuple[dict[str, Any], str, str]:
        said = []
        for form in (["--json"], []):
            assert main(["backtest", *files, *map(str, options), *form]) in (0, 1)
            said.append(capsys.readouterr())
        return json.loads(said[0].out), said[1].out, said[1].err

    return backtest


def part(result: dict[str, Any], hour: int, segment: str) -> dict[str, Any]:
    (found,) = [s for s in result["windows"][hour]["segments"] if s["segment"] == segment]
    return dict(found)


def test_each_segment_is_judged_by_its_own_rows_and_says_so(run: Run, judged: Columns) -> None:
    result, text, _ = run("--segments", "plan,region", "--ignore", "label")
    names = ["plan=free", "plan=other", "plan=pro", "region=eu", "region=other", "region=us"]
    assert sorted(s["segment"] for s in result["windows"][0]["segments"]) == [n for n in names if "other" not in n]
    for hour in (0, 35):
        mine = (judged["ts"] == START_MS + hour * HOUR_MS) & (judged["plan"] == "pro")
        assert part(result, hour, "plan=pro")["n"] == mine.sum()
    first, *_ = [e for e in result["episodes"] if e["segment"] == "plan=pro"]
    assert (first["check"], first["subject"], first["start"], first["provisional"]) == ("psi", "x", at(31), False)
    assert not [e for e in result["episodes"] if e["segment"] == "plan=free"]
    assert re.search(rf"{at(31)} +- +x in plan=pro +critical", text)
    assert re.search(r"^plan=pro +40 +2\d\d +\d\.\d+ +10 +1$", text, re.MULTILINE)


def test_drift_of_a_segment_is_what_its_rows_alone_would_say(run: Run, judged: Columns, tmp_path: Path) -> None:
    whole, _, _ = run("--segments", "plan", "--ignore", "label", "--rule", "threshold", "--features", "x")
    for name, table in (("base", rows(300, 1)), ("file", judged)):
        mine = table["plan"] == "pro"
        pyarrow.parquet.write_table(pa.table({n: v[mine] for n, v in table.items()}), tmp_path / f"{name}.parquet")
    alone, _, _ = run("--ignore", "label,plan", "--rule", "threshold", "--features", "x")
    for hour in (3, 35):
        # The bins are cut by all rows, or by its own: nearly the same here, for the plan says nothing of x.
        assert part(whole, hour, "plan=pro")["psi"]["x"] == pytest.approx(alone["windows"][hour]["psi"]["x"], rel=0.3)


def test_the_auc_of_a_segment_is_that_of_its_labels(run: Run, judged: Columns) -> None:
    result, _, _ = run("--segments", "region", "--label", "label", "--ignore", "x")
    for hour in (5, 25):
        found = part(result, hour, "region=us")
        mine = (judged["ts"] == START_MS + hour * HOUR_MS) & (judged["segment.region"] == "us")
        score, label = judged["score"][mine], judged["label"][mine]
        ranks, positives = rankdata(score), label.sum()
        exact = (ranks[label == 1].sum() - positives * (positives + 1) / 2) / positives / (len(label) - positives)
        assert found["n_labels"] == mine.sum()
        assert found["auc_low"] <= exact <= found["auc_high"]
        assert found["auc"] == pytest.approx(exact, abs=1e-3)
    auc = [e for e in result["episodes"] if e["check"] == "auc" and e["segment"]]
    assert {(e["segment"], e["subject"], e["start"]) for e in auc} == {("region=us", "score", at(21))}


def test_the_configuration_says_which_segments_there_are(run: Run, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("models: {m: {segments: {plan: {values: [free]}, tariff: {top: 3}}}}\n")
    result, _, said = run("--config", rules, "--ignore", "label")
    assert {s["segment"] for w in result["windows"] for s in w["segments"]} == {"plan=free", "plan=other"}
    assert "base.parquet has no column of the segment key 'tariff': it is left out" in said
    old = tmp_path / "old.yaml"
    old.write_text("models: {m: {}}\n")
    result, text, _ = run("--config", old, "--config", rules, "--ignore", "label")
    assert result["compared_with"]["windows"][0]["segments"] == []
    assert re.search(r"x in plan=other", text)  # the plan `pro`


def test_a_key_that_is_asked_for_and_not_there_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--baseline", str(tmp_path / "base.parquet"), str(tmp_path / "file.parquet")]
    assert main(["backtest", *files, "--window", "1h", "--segments", "plam"]) == 2
    assert "base.parquet: there is no column 'plam'" in (said := capsys.readouterr().err)
    assert "did you mean 'plan'?" in said


def test_an_incident_may_be_of_a_segment(run: Run, tmp_path: Path) -> None:
    marked = tmp_path / "marked.csv"
    marked.write_text(
        f"start,end,name,segment\n{at(30)},{at(40)},pro moved,plan=pro\n{at(30)},{at(40)},free moved,plan=free\n"
    )
    result, text, _ = run("--segments", "plan", "--ignore", "label", "--incidents", marked)
    outcomes = {i["name"]: (i["outcome"], i["by"] and i["by"]["segment"]) for i in result["incidents"]["incidents"]}
    assert outcomes == {"pro moved": ("found", "plan=pro"), "free moved": ("missed", None)}
    assert "found after 1 h by x in plan=pro" in text


def test_the_page_draws_the_series_of_segments_that_alert(run: Run, tmp_path: Path) -> None:
    run("--segments", "plan", "--ignore", "label", "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<summary>plan=pro</summary><h2>x in plan=pro <small>" in page
    assert "in plan=free" not in page
    assert "<td>x in plan=pro</td>" in page


def test_rows_without_times_are_kept_apart_too(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--baseline", str(tmp_path / "base.parquet"), str(tmp_path / "file.parquet")]
    main(["backtest", *files, "--chunk-rows", "5000", "--ignore", "ts,label", "--segments", "region", "--json"])
    windows = json.loads(capsys.readouterr().out)["windows"]
    assert len(windows) == 7  # the last one of them is partial
    for window in windows:
        assert {s["segment"] for s in window["segments"]} == {"region=eu", "region=us"}
        assert sum(s["n"] for s in window["segments"]) == window["n"]
        assert {s["partial"] for s in window["segments"]} == {window["partial"]}


@pytest.mark.parametrize(("top", "told"), [(None, "s00, s01, s02, s03, s04 and 5 more"), (3, "s00, s01, s02")])
def test_of_a_key_with_many_values_only_those_that_are_judged_are_said_to_be_provisional(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], top: int | None, told: str
) -> None:
    rank = np.random.default_rng(4).permutation(np.repeat(np.arange(40), np.arange(240, 40, -5)))
    columns = {
        "ts": START_MS + np.arange(len(rank)) * HOUR_MS // 100,
        "x": np.random.default_rng(5).normal(size=len(rank)),
        "segment.shop": [f"s{n:02}" for n in rank],  # s00 has the most rows
    }
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "file.parquet")
    rules = tmp_path / "rules.yaml"
    rules.write_text(f"models: {{m: {{segments: {{shop: {{top: {top}}}}}}}}}" if top else "", encoding="utf-8")
    file = str(tmp_path / "file.parquet")
    options = ["--window", "24h", "--pane", "6h", "-c", str(rules), *([] if top else ["--segments", "shop"])]
    assert main(["backtest", "--baseline", file, file, *options]) in (0, 1)
    named = ", ".join(f"shop={name}" if name[0] == "s" else name for name in told.split(", "))
    assert f"driftline: too few windows are known of {named}: their alerts are provisional\n" in capsys.readouterr().err
