"""`driftline backtest --json` against plain loops over the same files, to 1e-9."""

import csv
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from stream.cli import main

CLASSICAL = ["--bins", "quantile:10", "--smoothing", "epsilon:1e-8"]
START = datetime(2018, 10, 30, tzinfo=UTC)

Rows = list[dict[str, Any]]
Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def backtest(*arguments: object) -> tuple[int, dict[str, Any]]:
        code = main(["backtest", *map(str, arguments), "--json"])
        captured = capsys.readouterr()
        assert code in (0, 1), captured.err
        return code, json.loads(captured.out)

    return backtest


def write(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def sample(n: int, *, seed: int, shift: float = 0.0) -> Rows:
    """Ties, an atom, a constant, missing values, categories of which some are new; times out of order."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        rows.append({
            "ts": datetime.fromtimestamp(START.timestamp() + int(rng.integers(0, 4 * 86_400)), UTC).isoformat(),
            "amount": repr(float(rng.normal(shift))),
            "dozens": int(rng.integers(0, 4)) * 12,
            "zeros": 0 if rng.random() < 0.6 - shift / 4 else round(float(rng.exponential()), 2),
            "always": 5 if shift == 0 or i % 3 else 6,
            "gaps": "" if rng.random() < 0.1 + shift / 5 else round(float(rng.normal()), 1),
            "place": rng.choice(["EWR", "JFK", "LGA", "", *(["new"] if shift else [])]),
            "y_pred": repr(float(rng.random())),
        })  # fmt: skip
    return rows


def edges_by_hand(values: list[float], bins: int) -> list[float]:
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)).tolist()
    inner = edges[1:-1]
    atoms = [math.nextafter(v, math.inf) for v in set(inner) if inner.count(v) > 1]
    return [-math.inf, *sorted({*inner, *atoms}), math.inf]


def shares_by_hand(column: list[str], edges: list[float], categories: list[str]) -> list[int]:
    """Counts per bin: intervals or categories, then missing, then whatever is new."""
    if categories:
        known = [sum(v == c for v in column) for c in categories]
        new = sum(v != "" and v not in categories for v in column)
        return [*known, sum(v == "" for v in column), new]
    numbers = [float(v) for v in column if v != ""]
    inside = [sum(edges[i] <= v < edges[i + 1] for v in numbers) for i in range(len(edges) - 1)]
    return [*inside, sum(v == "" for v in column)]


def statistics_by_hand(b: list[int], c: list[int], pseudo_count: float, epsilon: float) -> tuple[float, float, float]:
    used = [(x, y) for x, y in zip(b, c, strict=True) if x + y > 0]
    b_all = sum(x + pseudo_count for x, _ in used)
    c_all = sum(y + pseudo_count for _, y in used)
    shares = [((x + pseudo_count) / b_all + epsilon, (y + pseudo_count) / c_all + epsilon) for x, y in used]
    psi = sum((q - p) * math.log(q / p) for p, q in shares)
    kl = sum(q * math.log(q / p) for p, q in shares)
    js = sum(q * math.log(2 * q / (p + q)) + p * math.log(2 * p / (p + q)) for p, q in shares) / 2
    return psi, kl, js


def check_window(window: dict[str, Any], normal: Rows, rows: Rows, bins: int, smoothing: tuple[float, float]) -> None:
    assert window["n"] == len(rows)
    assert set(window["psi"]) == set(normal[0]) - {"ts"}
    for name in window["psi"]:
        baseline, current = ([str(row[name]) for row in side] for side in (normal, rows))
        categories = sorted({v for v in baseline if v}) if name == "place" else []
        edges = [] if categories else edges_by_hand([float(v) for v in baseline if v != ""], bins)
        counts = [shares_by_hand(side, edges, categories) for side in (baseline, current)]
        by_hand = statistics_by_hand(*counts, *smoothing)
        found = window["psi"][name], window["kl"][name], window["js"][name]
        assert found == pytest.approx(by_hand, abs=1e-9), name


@pytest.mark.parametrize(("options", "bins", "smoothing"), [
    ([], 10, (0.5, 0.0)),
    (CLASSICAL, 10, (0.0, 1e-8)),
    (["--bins", "quantile:7", "--smoothing", "half"], 7, (0.5, 0.0)),
    (["--bins", "quantile:25", "--smoothing", "epsilon:0.001"], 25, (0.0, 0.001)),
])  # fmt: skip
@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_chunks_of_rows_read_what_a_plain_loop_reads(
    run: Run, tmp_path: Path, shift: float, options: list[str], bins: int, smoothing: tuple[float, float]
) -> None:
    normal, rows = sample(700, seed=1), sample(550, seed=2, shift=shift)
    base, file = write(tmp_path / "base.csv", normal), write(tmp_path / "file.csv", rows)
    _, result = run("--baseline", base, file, "--score", "y_pred", "--chunk-rows", 250, *options)
    assert result["baseline"] == {"rows": 700}
    assert [(w["index"], w["n"], w["partial"]) for w in result["windows"]] == [
        (0, 250, False), (1, 250, False), (2, 50, True)]  # fmt: skip
    for i, window in enumerate(result["windows"]):
        check_window(window, normal, rows[i * 250 : (i + 1) * 250], bins, smoothing)


def test_windows_of_time_read_what_a_plain_loop_reads(run: Run, tmp_path: Path) -> None:
    normal, rows = sample(400, seed=3), sample(600, seed=4, shift=0.5)
    base, file = write(tmp_path / "base.csv", normal), write(tmp_path / "file.csv", rows)
    _, result = run("--baseline", base, file, "--score", "y_pred", "--window", "24h", "--pane", "6h", *CLASSICAL)
    starts = [START.timestamp() + 6 * 3_600 * i for i in range(13)]  # four days hold 13 windows, six hours apart
    assert [datetime.fromisoformat(w["start"]).timestamp() for w in result["windows"]] == starts
    for start, window in zip(starts, result["windows"], strict=True):
        assert datetime.fromisoformat(window["end"]).timestamp() == start + 86_400
        inside = [r for r in rows if start <= datetime.fromisoformat(r["ts"]).timestamp() < start + 86_400]
        check_window(window, normal, inside, 10, (0.0, 1e-8))
        assert not window["partial"]


def columns(**values: Any) -> pa.Table:
    return pa.table(values)


def parquet(path: Path, **values: Any) -> Path:
    pyarrow.parquet.write_table(pa.table(values), path)
    return path


def test_a_window_is_half_open_and_the_first_one_is_the_first_that_is_full(run: Run, tmp_path: Path) -> None:
    #  0h        1h        2h        3h
    #  |a     bc |d        |         |e        panes
    #  [ window 0         )
    #            [ window 1          )
    hour, t = 3_600_000, 1_577_836_800_000
    times = [t + 5, t + hour - 1, t + hour - 1, t + hour, t + 3 * hour]
    file = parquet(tmp_path / "f.parquet", ts=times, x=[1.0, 2.0, 3.0, 4.0, 5.0])
    _, result = run("--baseline", file, file, "--window", "2h", "--pane", "1h")
    assert [w["n"] for w in result["windows"]] == [4, 1, 1]
    assert [w["start"][11:13] for w in result["windows"]] == ["00", "01", "02"]


def test_a_window_without_rows_is_undefined(run: Run, tmp_path: Path) -> None:
    day, t = 86_400_000, 1_577_836_800_000
    file = parquet(tmp_path / "f.parquet", ts=[t, t + 3 * day], x=[1.0, 2.0])
    code, result = run("--baseline", file, file, "--window", "24h")
    assert [w["n"] for w in result["windows"]] == [1, 0, 0, 1]
    assert result["windows"][1]["psi"] == result["windows"][1]["js"] == {"x": None}
    assert [[(a["check"], a["severity"]) for a in w["alerts"]] for w in result["windows"]] == [
        [], [("throughput", "critical")], [("throughput", "critical")], []]  # fmt: skip
    assert (code, [(e["check"], e["start"][8:10]) for e in result["episodes"]]) == (1, [("throughput", "03")])


def test_a_constant_reads_zero_while_it_stays_and_more_than_one_when_it_leaves(run: Run, tmp_path: Path) -> None:
    base = parquet(tmp_path / "b.parquet", up=[5.0] * 900, down=[5.0] * 900, stays=[5.0] * 900)
    file = parquet(
        tmp_path / "f.parquet", up=[5.0] * 300 + [5.001] * 300, down=[5.0] * 300 + [-9.0] * 300, stays=[5.0] * 600
    )
    for smoothing in ("half", "epsilon:1e-8"):
        code, result = run("--baseline", base, file, "--chunk-rows", 300, "--smoothing", smoothing)
        before, after = (w["psi"] for w in result["windows"])
        assert before == {"up": 0, "down": 0, "stays": 0}
        assert after["stays"] == 0
        assert min(after["up"], after["down"]) > 1
        assert code == 1


def test_the_same_rows_read_zero_and_do_not_alert(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "f.csv", sample(500, seed=9))
    code, result = run("--baseline", file, file, "--chunk-rows", 500)
    assert code == 0
    assert set(result["windows"][0]["psi"].values()) == {0.0}


def test_alerts_name_the_limit_that_was_crossed(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    base = parquet(tmp_path / "b.parquet", a=rng.normal(size=5_000), b=rng.normal(size=5_000), c=rng.normal(size=5_000))
    file = parquet(
        tmp_path / "f.parquet", a=rng.normal(0.4, 1, 1_000), b=rng.normal(1, 1, 1_000), c=rng.normal(size=1_000)
    )
    code, result = run("--baseline", base, file, "--chunk-rows", 1_000)
    (window,) = result["windows"]
    assert code == 1
    assert [(a["check"], a["subject"], a["severity"], a["threshold"]) for a in window["alerts"]] == [
        ("psi", "a", "warning", 0.1), ("psi", "b", "critical", 0.25)]  # fmt: skip
    assert [a["value"] for a in window["alerts"]] == [window["psi"]["a"], window["psi"]["b"]]


def test_a_partial_window_and_one_of_few_rows_do_not_alert(run: Run, tmp_path: Path) -> None:
    base = parquet(tmp_path / "b.parquet", x=np.zeros(900))
    file = parquet(tmp_path / "f.parquet", x=np.ones(450))

    def alerts(rows: int) -> set[str]:
        _, result = run("--baseline", base, file, "--chunk-rows", rows)
        return {a["check"] for w in result["windows"] for a in w["alerts"]}

    assert alerts(1_000) == set()  # partial
    assert "psi" not in alerts(199)  # min_count is 200
    assert "psi" in alerts(200)
    assert "out_of_range" not in alerts(49)  # of quality it is 50
    assert "out_of_range" in alerts(50)


def test_limits_windows_and_smoothing_come_from_the_configuration(run: Run, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "smoothing: epsilon:1e-8\nmodels: {m: {windows: {pane: 1h, length: 2h}, checks: {psi: {min_count: 1, "
        "warning: 5, critical: 6, features: {x: off}}}}}\n"
    )
    t = 1_577_836_800_000
    base = parquet(tmp_path / "b.parquet", x=np.zeros(900), y=np.zeros(900))
    file = parquet(tmp_path / "f.parquet", ts=[t, t + 3_600_000], x=np.ones(2), y=np.ones(2))
    code, result = run("--baseline", base, file, "--config", rules)
    (window,) = result["windows"]
    assert code == 1
    assert [(a["subject"], a["threshold"]) for a in window["alerts"]] == [("y", 6.0)]
    assert window["psi"]["x"] == pytest.approx(2 * math.log(1e8), rel=1e-6)


def test_order_does_not_matter_within_windows_of_time(run: Run, tmp_path: Path) -> None:
    rows = sample(300, seed=6)
    base = write(tmp_path / "b.csv", sample(300, seed=7))
    options = ("--score", "y_pred", "--window", "12h")
    one = run("--baseline", base, write(tmp_path / "f.csv", rows), *options)
    other = run("--baseline", base, write(tmp_path / "g.csv", rows[::-1]), *options)
    assert one == other


def test_blocks_of_rows_do_not_show(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = write(tmp_path / "f.csv", sample(400, seed=8, shift=0.3))
    base = write(tmp_path / "b.csv", sample(300, seed=7))
    for cut in (("--chunk-rows", 90), ("--window", "18h", "--pane", "6h")):
        whole = run("--baseline", base, rows, "--score", "y_pred", *cut)
        for block in (1, 7, 90, 400):
            monkeypatch.setattr("stream.backtest.course.ROWS_AT_ONCE", block)
            assert run("--baseline", base, rows, "--score", "y_pred", *cut) == whole
        monkeypatch.undo()


def test_without_times_start_and_end_are_row_numbers(run: Run, tmp_path: Path) -> None:
    file = parquet(tmp_path / "f.parquet", x=np.arange(7.0))
    _, result = run("--baseline", file, file, "--chunk-rows", 3)
    assert [(w["start"], w["end"]) for w in result["windows"]] == [(0, 3), (3, 6), (6, 7)]


def test_with_times_chunks_say_what_time_they_span(run: Run, tmp_path: Path) -> None:
    t = 1_577_836_800_000
    file = parquet(tmp_path / "f.parquet", when=[t + 2_000, t, t + 9_000], x=[1.0, 2.0, 3.0])
    _, result = run("--baseline", file, file, "--chunk-rows", 2, "--time", "when")
    first = result["windows"][0]
    assert (first["start"], first["end"]) == ("2020-01-01T00:00:00Z", "2020-01-01T00:00:02.001Z")
    assert list(first["psi"]) == ["x"]
