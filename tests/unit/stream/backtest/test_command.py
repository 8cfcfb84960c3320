"""The command: what it refuses, what it remarks, what it draws."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from stream.cli import main

EMPTY = pa.nulls(3)


def put(path: Path, **columns: object) -> str:
    pyarrow.parquet.write_table(pa.table(columns), path)
    return str(path)


@pytest.fixture
def base(tmp_path: Path) -> str:
    return put(tmp_path / "base.parquet", x=[1.0, 2.0, 3.0], c=["a", "b", "a"], score=[0.1, 0.2, 0.3])


@pytest.fixture
def file(tmp_path: Path) -> str:
    return put(tmp_path / "file.parquet", x=[1.0, 2.0, 4.0], c=["a", "b", None], score=[0.1, 0.2, 0.4])


@pytest.mark.parametrize(("options", "message"), [
    ([], "say how to cut windows: --chunk-rows N, or --window 24h --pane 1h"),
    (["--chunk-rows", "2", "--window", "1h"], "not by both"),
    (["--chunk-rows", "0"], "--chunk-rows"),
    (["--window", "1h"], "name their column with --time, or use --chunk-rows"),
    (["--window", "24"], "must be a number with its unit"),
    (["--window", "3h", "--pane", "2h"], "a window must be a whole number of panes"),
    (["--chunk-rows", "2", "--bins", "quantile:1"], "must be quantile:N with 2 <= N"),
    (["--chunk-rows", "2", "--bins", "equal:10"], "must be quantile:N"),
    (["--chunk-rows", "2", "--smoothing", "none"], "--smoothing: smoothing must be half or epsilon:X"),
    (["--chunk-rows", "2", "--score", "nope"], "there is no column 'nope'; the columns are x, c, score"),
    (["--chunk-rows", "2", "--features", "x,nope"], "there is no column 'nope'"),
    (["--chunk-rows", "2", "--time", "nope"], "there is no column 'nope'"),
    (["--chunk-rows", "2", "--ignore", "nope"], "there is no column 'nope'"),
    (["--chunk-rows", "2", "--time", "x"], "must be epoch milliseconds"),
    (["--chunk-rows", "2", "--score", "c"], "'c' shall be the score but holds string"),
    (["--chunk-rows", "2", "--scores", "a,b"], "--scores: a backtest judges one class at a time; name it with --score"),
    (["--chunk-rows", "2", "--rule", "plain"], "'plain' is not one of 'budget', 'threshold'"),
    (["--chunk-rows", "2", "--false-alarms", "few"], "must be written as '1 per 30d', got 'few'"),
    (["--chunk-rows", "2", "--label", "nope"], "there is no column 'nope'"),
    (["--chunk-rows", "2", "--label", "x", "--label-time", "nope"], "there is no column 'nope'"),
    (["--chunk-rows", "2", "--label-time", "x"], "name their column with --label, too"),
    (["--chunk-rows", "2", "--label", "x", "--threshold", "1.5"], "--threshold"),
    (["--chunk-rows", "2", "--label", "x", "--score", "x"], "a column has one role; x got more than one"),
    (["--chunk-rows", "2", "--value", "score", "--score", "x"], "a score or a value, not both"),
    (["--chunk-rows", "2", "--model", "m"], "the configuration lists no model"),
    (["--chunk-rows", "2", "--html", "/no/such/folder/page.html"], "cannot be written"),
])  # fmt: skip
def test_a_mistake_is_one_sentence_and_exit_code_2(
    base: str, file: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backtest", "--baseline", base, file, *options]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_a_time_that_is_none_is_named_with_its_file_and_row(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = [f"2020-01-01T0{hour}:00:00Z" for hour in range(9)]
    times[6] = "2020-01-01T25:00:00Z"
    other = put(tmp_path / "other.parquet", x=[1.0] * 9, c=["a"] * 9, score=[0.1] * 9, ts=times)
    assert main(["backtest", "--baseline", base, other, "--window", "1h", "--features", "x,c"]) == 2
    assert f"{other}: time column 'ts', row 6: '2020-01-01T25:00:00Z' must be RFC 3339" in capsys.readouterr().err


def test_the_baseline_is_needed(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", file, "--chunk-rows", "2"]) == 2
    assert "--baseline FILE is needed" in capsys.readouterr().err


@pytest.mark.parametrize(("columns", "message"), [
    ({"c": ["a"] * 3, "score": [0.1] * 3}, "there is no column 'x'; the columns are c, score"),
    ({"x": ["1"] * 3, "c": ["a"] * 3, "score": [0.1] * 3}, "column 'x' holds double in .* and string in"),
    ({"x": [1.0] * 3, "c": [1.0] * 3, "score": [0.1] * 3}, "column 'c' holds string in .* and double in"),
    ({"x": [1.0] * 3, "c": ["a"] * 3, "score": ["high"] * 3}, "column 'score' holds double in .* and string in"),
])  # fmt: skip
def test_files_that_do_not_go_together_are_refused(
    base: str, tmp_path: Path, columns: dict[str, object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = put(tmp_path / "other.parquet", **columns)
    assert main(["backtest", "--baseline", base, other, "--chunk-rows", "3"]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_whole_numbers_and_fractions_go_together_and_so_does_nothing_at_all(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for x, c in ((pa.array([1, 2, 3]), EMPTY), (EMPTY, pa.array(["a", "b", "z"]).dictionary_encode())):
        other = put(tmp_path / "other.parquet", x=x, c=c, score=[0.1, 0.2, 0.3])
        for pair in ((base, other), (other, base)):
            assert main(["backtest", "--baseline", pair[0], pair[1], "--chunk-rows", "3"]) == 0, capsys.readouterr()


def test_what_only_the_judged_file_has_is_left_out_with_a_remark(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = put(tmp_path / "o.parquet", x=[1.0], c=["a"], score=[0.1], extra=[1])
    assert main(["backtest", "--baseline", base, other, "--chunk-rows", "1"]) == 0
    assert "column extra is not in the baseline" in capsys.readouterr().err


def test_windows_that_are_too_small_to_be_judged_are_remarked(
    base: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["backtest", "--baseline", base, file, "--chunk-rows", "1"])
    assert "3 of 3 windows have fewer than min_count = 200 rows" in capsys.readouterr().err
    main(["backtest", "--baseline", base, file, "--chunk-rows", "5"])
    assert "the only window is partial" in capsys.readouterr().err


def test_a_file_shorter_than_its_window_is_refused(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = put(tmp_path / "s.parquet", x=[1.0], c=["a"], score=[0.1], ts=[1_577_836_800_000])
    assert main(["backtest", "--baseline", base, short, "--window", "24h", "--pane", "1h"]) == 2
    assert "no window is full: the file's panes span 1h, --window is 1d" in capsys.readouterr().err


def test_a_sparse_file_does_not_make_millions_of_windows(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sparse = put(tmp_path / "s.parquet", x=[1.0, 1.0], c=["a", "a"], score=[0.1, 0.1], ts=[200_000_000_000, 10**12])
    assert main(["backtest", "--baseline", base, sparse, "--window", "100ms"]) == 2
    assert "use a longer --pane" in capsys.readouterr().err


def test_the_text_says_what_alerts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    normal, moved = put(tmp_path / "a.parquet", x=np.zeros(400)), put(tmp_path / "b.parquet", x=np.ones(400))
    assert main(["backtest", "--baseline", normal, moved, "--chunk-rows", "200"]) == 1
    text = capsys.readouterr().out
    assert re.search(r"^0 .* x critical, out of range of x critical, stuck of x critical$", text, re.MULTILINE)
    assert text.endswith("2 of 2 windows alert: 3 episodes\n")


def test_the_page_stands_alone_and_escapes_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = '<script>alert("x")</script>'
    normal = put(tmp_path / "a.parquet", **{name: np.zeros(600)}, gone=pa.nulls(600, pa.float64()))
    moved = put(tmp_path / "b.parquet", **{name: np.repeat([0.0, 1.0], 300)}, gone=pa.nulls(600, pa.float64()))
    page = tmp_path / "page.html"
    assert main(["backtest", "--baseline", normal, moved, "--chunk-rows", "300", "--html", str(page)]) == 1
    text = page.read_text(encoding="utf-8")
    assert name not in text
    assert not re.search(r"(src|href)=|@import|url\(", text)
    pictures = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]
    assert len(pictures) == 4  # PSI of both, out of range and stuck of one
    assert len(pictures[0].findall("circle[@class='critical']")) == 1


def test_a_time_that_only_the_judged_file_has_is_not_said_to_be_left_out(
    tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    times = pa.array([1_700_000_000_000 + i for i in range(3)])
    judged = put(
        tmp_path / "judged.parquet", x=[1.0, 2.0, 4.0], c=["a", "b", None], score=[0.1, 0.2, 0.4], ts=times, y=[1, 2, 3]
    )

    main(["backtest", "--baseline", base, judged, "--chunk-rows", "3", "--json"])

    said = capsys.readouterr().err
    assert "column y is not in the baseline and left out" in said
    assert "column ts" not in said
