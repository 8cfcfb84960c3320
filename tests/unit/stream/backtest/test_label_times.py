"""When labels come: the window that they count in, and the coverage at its end, against plain loops."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from stream.cli import main
from tests.unit.stream.backtest.labelled_files import HOUR, T0, Run, file_of, model, parquet, run_with


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return run_with(capsys)


def test_a_label_counts_in_the_pane_of_its_time_and_coverage_in_that_of_its_prediction(
    run: Run, tmp_path: Path
) -> None:
    #        0h          1h          2h
    # made   | a b c     | d e       | f
    # came   | a         | b d       | c f       e: not yet
    base = file_of(tmp_path / "b.parquet", *model(500, seed=20, round_to=1))
    file = parquet(
        tmp_path / "f.parquet",
        ts=[T0, T0 + 1, T0 + 2, T0 + HOUR, T0 + HOUR + 1, T0 + 2 * HOUR],
        p=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        y=[0, 1, 0, 0, None, 1],
        told=[T0 + 5, T0 + HOUR, T0 + 2 * HOUR, T0 + HOUR + 9, None, T0 + 2 * HOUR + 7],
    )
    options = ("--baseline", base, file, "--score", "p", "--label", "y", "--window", "1h")
    _, result = run(*options, "--label-time", "told")
    assert [w["n"] for w in result["windows"]] == [3, 2, 1]
    assert [w["n_labels"] for w in result["windows"]] == [1, 2, 2]
    assert [w["coverage"] for w in result["windows"]] == [1 / 3, 1 / 2, 1.0]
    assert [w["auc"] for w in result["windows"]] == [None, 0.0, 1.0]
    assert list(result["windows"][0]["psi"]) == ["p"]  # the time of a label is no feature
    _, own = run(*options, "--ignore", "told")
    assert [w["n_labels"] for w in own["windows"]] == [3, 1, 1]
    assert [w["coverage"] for w in own["windows"]] == [1.0, 0.5, 1.0]


def test_times_as_text_with_gaps_are_times_too(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text(
        "ts,p,y,told\n"
        "2020-01-01T00:00:00Z,0.1,0,2020-01-01T01:30:00Z\n"
        "2020-01-01T00:10:00Z,0.9,,\n"
        "2020-01-01T01:00:00Z,0.8,1,2020-01-01T01:00:01Z\n"
    )
    options = ("--score", "p", "--label", "y", "--label-time", "told", "--window", "1h")
    _, result = run("--baseline", file, file, *options)
    assert [(w["n_labels"], w["coverage"], w["auc"]) for w in result["windows"]] == [(0, 0.0, None), (2, 1.0, 1.0)]


def brute_force(
    rows: list[tuple[int, int | None, float, float]], start: int, end: int
) -> tuple[int, float, float | None]:
    """Labels, coverage and AUC of one window by a loop; a row is (made, came, score, label)."""
    inside = [(p, y) for made, came, p, y in rows if came is not None and start <= max(made, came) < end]
    made_in_it = [(made, came) for made, came, _, _ in rows if start <= made < end]
    labelled = sum(came is not None and came < end for _, came in made_in_it)
    both = len({y for _, y in inside}) == 2
    auc = metrics.roc_auc_score([y for _, y in inside], [p for p, _ in inside]) if both else None
    return len(inside), labelled / len(made_in_it), auc


@pytest.mark.parametrize("seed", range(3))
def test_overlapping_windows_of_delayed_labels_read_what_a_plain_loop_reads(
    run: Run, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = model(2_000, seed=21 + seed, round_to=1)
    made = T0 + rng.integers(0, 24 * HOUR, 2_000)
    came = made + rng.exponential(5 * HOUR, 2_000).astype(np.int64) - HOUR  # some before their prediction
    known = rng.random(2_000) < 0.8
    file = parquet(
        tmp_path / "f.parquet", ts=made, p=scores, y=pa.array(labels, mask=~known), told=pa.array(came, mask=~known)
    )
    options = ("--score", "p", "--label", "y", "--label-time", "told", "--window", "4h", "--pane", "1h")
    _, result = run("--baseline", file, file, *options)
    rows = [
        (int(m), int(c) if k else None, float(p), float(y))
        for m, c, k, p, y in zip(made, came, known, scores, labels, strict=True)
    ]
    assert len(result["windows"]) == 21
    for i, window in enumerate(result["windows"]):
        n, coverage, auc = brute_force(rows, T0 + i * HOUR, T0 + (i + 4) * HOUR)
        assert (window["n_labels"], window["coverage"]) == (n, pytest.approx(coverage, abs=1e-12))
        assert window["auc"] == pytest.approx(auc, abs=1e-9)


def test_in_windows_of_rows_a_label_comes_with_the_first_row_of_its_time(run: Run, tmp_path: Path) -> None:
    #  rows  0 1 | 2 3 | 4
    #  time  0 9 | 5 9 | 20
    #  came  0   |     | 10      row 0 at 0, row 1 at 10: with row 4; row 2 at 6: with its own; row 3 at 21: never
    base = file_of(tmp_path / "b.parquet", *model(500, seed=24, round_to=1))
    file = parquet(
        tmp_path / "f.parquet",
        ts=[T0, T0 + 9, T0 + 5, T0 + 9, T0 + 20],
        p=[0.1, 0.2, 0.3, 0.4, 0.5],
        y=[0, 1, 0, 1, None],
        told=[T0, T0 + 10, T0 + 6, T0 + 21, None],
    )
    options = ("--baseline", base, file, "--score", "p", "--label", "y", "--label-time", "told", "--chunk-rows", 2)
    _, result = run(*options)
    assert [w["n_labels"] for w in result["windows"]] == [1, 1, 1]
    assert [w["coverage"] for w in result["windows"]] == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("seed", range(5))
def test_windows_of_rows_out_of_order_read_what_a_plain_loop_reads(run: Run, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = T0 + np.sort(rng.integers(0, 30, 60)) + rng.integers(0, 6, 60)
    told = made + rng.integers(-2, 12, 60)
    scores, labels = model(60, seed=25 + seed, round_to=1)
    file = parquet(tmp_path / "f.parquet", ts=made, p=scores, y=labels, told=told)
    _, result = run(
        "--baseline", file, file, "--score", "p", "--label", "y", "--label-time", "told", "--chunk-rows", 7
    )  # fmt: skip
    came = []
    for row in range(60):
        read = [j for j in range(row, 60) if made[: j + 1].max() >= told[row]]
        came.append(read[0] if read else None)
    for i, window in enumerate(result["windows"]):
        end = min((i + 1) * 7, 60)
        assert window["n_labels"] == sum(c is not None and i * 7 <= c < end for c in came)
        own = came[i * 7 : end]
        assert window["coverage"] == sum(c is not None and c < end for c in own) / len(own)


@pytest.mark.parametrize(("told", "options", "message"), [
    ([T0, None, T0], ["--time", "ts"], "label time column 'told', row 1: there is a label but no time of it"),
    ([None, None, 5], ["--time", "ts"], "'told', row 2: 5 must be epoch milliseconds"),
    ([None, None, "soon"], ["--time", "ts"], "time column 'told', row 2: 'soon' must be RFC 3339"),
    ([T0] * 3, ["--ignore", "ts"], "--label-time needs the event times of the rows, too"),
])  # fmt: skip
def test_label_times_that_are_none_are_refused(
    tmp_path: Path, told: list[Any], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    label = [None, None, 1] if told[0] is None else [0, 1, 1]
    file = parquet(tmp_path / "f.parquet", ts=[T0] * 3, p=[0.1, 0.2, 0.3], y=label, told=told)
    arguments = ["--baseline", str(file), str(file), "--score", "p", "--label", "y", "--label-time", "told"]
    assert main(["backtest", *arguments, "--chunk-rows", "3", *options]) == 2
    assert message in capsys.readouterr().err
