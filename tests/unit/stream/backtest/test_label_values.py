"""What a label may look like in a file, and what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from stream.cli import main
from tests.unit.stream.backtest.labelled_files import Run, file_of, parquet, run_with


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return run_with(capsys)


@pytest.mark.parametrize("labels", [
    [0, 1, None, 1], [0.0, 1.0, None, 1.0], [False, True, None, True], ["0", "1", None, "1"],
    ["False", "true", None, "1.0"],
])  # fmt: skip
def test_a_class_may_be_a_number_a_boolean_or_its_text(run: Run, tmp_path: Path, labels: list[Any]) -> None:
    file = file_of(tmp_path / "f.parquet", [0.1, 0.2, 0.3, 0.4], labels)
    _, result = run("--baseline", file, file, "--score", "p", "--label", "y", "--chunk-rows", 4)
    (window,) = result["windows"]
    assert (window["n_labels"], window["auc"], window["coverage"]) == (3, 1.0, 0.75)


@pytest.mark.parametrize(("labels", "message"), [
    ([0, 1, 2, 1], r"label column 'y', row 2: a label must be 0, 1, false or true, or empty .* got 2; mend the row"),
    ([0.0, 0.5, 1.0, 1.0], r"row 1: .* got 0.5; .* for a regression's truth name its estimate with --value"),
    (["0", "1", None, "maybe"], r"row 3: .* got 'maybe'"),
    ([0.0, float("inf"), 1.0, 1.0], r"row 1: .* got inf"),
    ([[1], [0], [1], [0]], r"label column 'y' holds list"),
])  # fmt: skip
@pytest.mark.parametrize("in_baseline", [False, True])
def test_what_is_no_label_is_one_sentence_and_exit_code_2(
    tmp_path: Path, labels: list[Any], message: str, in_baseline: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    good = file_of(tmp_path / "good.parquet", [0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1])
    bad = file_of(tmp_path / "bad.parquet", [0.1, 0.2, 0.3, 0.4], labels)
    pair = (bad, good) if in_baseline else (good, bad)
    arguments = ["--baseline", str(pair[0]), str(pair[1]), "--score", "p", "--label", "y", "--chunk-rows", "4"]
    assert main(["backtest", *arguments]) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert complaint.startswith(f"driftline: {bad}: ")
    assert re.search(message, complaint)


@pytest.mark.parametrize(("scores", "message"), [
    ([0.1, 1.2, 0.3], "column 'p', row 1: a score must be in [0, 1], got 1.2"),
    ([0.1, -0.2, 0.3], "for a regression's estimate use --value instead of --score"),
])  # fmt: skip
def test_scores_outside_0_to_1_have_no_performance(
    tmp_path: Path, scores: list[float], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = file_of(tmp_path / "good.parquet", [0.1, 0.2, 0.3], [0, 1, 0])
    bad = file_of(tmp_path / "bad.parquet", scores, [0, 1, 0])
    for pair in ((good, bad), (bad, good)):
        arguments = ["--baseline", str(pair[0]), str(pair[1]), "--score", "p", "--label", "y", "--chunk-rows", "3"]
        assert main(["backtest", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_labels_need_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = parquet(tmp_path / "f.parquet", x=[1.0, 2.0], y=[0, 1])
    assert main(["backtest", "--baseline", str(file), str(file), "--label", "y", "--chunk-rows", "2"]) == 2
    assert "name the column of these with --score or --value" in capsys.readouterr().err
