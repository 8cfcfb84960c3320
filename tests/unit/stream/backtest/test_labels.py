"""`driftline backtest --label` against scikit-learn on the same rows."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet
import pytest
from sklearn import metrics

from stream.cli import main

Values = npt.NDArray[np.float64]
Run = Callable[..., tuple[int, dict[str, Any]]]

HOUR = 3_600_000
T0 = 1_577_836_800_000  # 2020-01-01


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def backtest(*arguments: object) -> tuple[int, dict[str, Any]]:
        code = main(["backtest", *map(str, arguments), "--json"])
        captured = capsys.readouterr()
        assert code in (0, 1), captured.err
        return code, json.loads(captured.out)

    return backtest


def parquet(path: Path, **values: Any) -> Path:
    pyarrow.parquet.write_table(pa.table(values), path)
    return path


def model(n: int, *, seed: int, noise: float = 1.0, round_to: int | None = None) -> tuple[Values, Values]:
    """Scores and labels: the score is the probability of a positive, as far as noise lets it know."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    scores = 1 / (1 + np.exp(-(truth + rng.normal(scale=noise, size=n))))
    labels = (rng.random(n) < 1 / (1 + np.exp(-2 * truth))).astype(float)
    return (scores if round_to is None else np.round(scores, round_to)), labels


def file_of(path: Path, scores: Values, labels: Any, **more: Any) -> Path:
    return parquet(path, p=scores, y=labels, **more)


# -- against scikit-learn


def exact(labels: Values, scores: Values, threshold: float = 0.5) -> dict[str, float]:
    fpr, tpr, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    positive = scores >= threshold
    return {
        "auc": metrics.roc_auc_score(labels, scores),
        "pr_auc": metrics.average_precision_score(labels, scores),
        "ks": float((tpr - fpr).max()),
        "brier": metrics.brier_score_loss(labels, scores),
        "log_loss": metrics.log_loss(labels, scores),
        "precision": metrics.precision_score(labels, positive),
        "recall": metrics.recall_score(labels, positive),
    }


@pytest.mark.parametrize("threshold", [None, 0.3])
def test_quantised_scores_read_what_scikit_learn_reads(run: Run, tmp_path: Path, threshold: float | None) -> None:
    base = file_of(tmp_path / "b.parquet", *model(20_000, seed=1, round_to=2))
    scores, labels = model(2_500, seed=2, round_to=2)
    option = [] if threshold is None else ["--threshold", threshold]
    _, result = run(
        "--baseline", base, file_of(tmp_path / "f.parquet", scores, labels), "--score", "p", "--label", "y",
        "--chunk-rows", 1_000, *option,
    )  # fmt: skip
    assert [w["n_labels"] for w in result["windows"]] == [1_000, 1_000, 500]
    assert [w["coverage"] for w in result["windows"]] == [1.0, 1.0, 1.0]
    for i, window in enumerate(result["windows"]):
        rows = slice(i * 1_000, (i + 1) * 1_000)
        for name, value in exact(labels[rows], scores[rows], threshold or 0.5).items():
            assert window[name] == pytest.approx(value, abs=1e-9), name
    assert result["baseline"]["auc"] == pytest.approx(
        metrics.roc_auc_score(*reversed(model(20_000, seed=1, round_to=2))), abs=1e-9
    )


def test_scores_that_are_rare_in_the_baseline_are_told_apart(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(41)
    normal = np.round(rng.beta(2, 5, 50_000), 2)
    base = file_of(tmp_path / "b.parquet", normal, rng.random(50_000) < normal)
    scores = rng.choice(np.unique(normal), 3_000)  # the rare ones as often as any
    labels = (rng.random(3_000) < scores).astype(float)
    _, result = run(
        "--baseline", base, file_of(tmp_path / "f.parquet", scores, labels), "--score", "p", "--label", "y",
        "--chunk-rows", 3_000,
    )  # fmt: skip
    (window,) = result["windows"]
    for name, value in exact(labels, scores).items():
        assert window[name] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("rare", [None, 0.02])
def test_continuous_scores_lie_within_the_bounds(run: Run, tmp_path: Path, rare: float | None) -> None:
    base = file_of(tmp_path / "b.parquet", *model(50_000, seed=3))
    scores, labels = model(6_000, seed=4)
    if rare is not None:
        labels[np.random.default_rng(5).random(6_000) > rare] = 0
    _, result = run(
        "--baseline", base, file_of(tmp_path / "f.parquet", scores, labels), "--score", "p", "--label", "y",
        "--chunk-rows", 2_000,
    )  # fmt: skip
    for i, window in enumerate(result["windows"]):
        rows = slice(i * 2_000, (i + 1) * 2_000)
        by_hand = exact(labels[rows], scores[rows])
        assert window["auc_low"] <= by_hand["auc"] <= window["auc_high"]
        assert window["auc_high"] - window["auc_low"] <= 0.001
        assert window["brier"] == pytest.approx(by_hand["brier"], abs=1e-4)
        assert (window["precision"], window["recall"]) == (by_hand["precision"], by_hand["recall"])


def test_a_regression_reads_what_scikit_learn_reads(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    truth = rng.normal(100, 15, 6_000)
    estimate = truth + rng.normal(2, 5, 6_000)
    base = parquet(tmp_path / "b.parquet", estimate=estimate[:3_000], delay=truth[:3_000])
    file = parquet(tmp_path / "f.parquet", estimate=estimate[3_000:], delay=truth[3_000:])
    code, result = run("--baseline", base, file, "--value", "estimate", "--label", "delay", "--chunk-rows", 1_000)
    assert code == 0
    unit = 8 / 4_096  # the largest power of two below the deviation, over 4,096
    for i, window in enumerate(result["windows"]):
        y, e = (v[3_000 + i * 1_000 : 4_000 + i * 1_000] for v in (truth, estimate))
        assert window["mae"] == pytest.approx(metrics.mean_absolute_error(y, e), abs=unit)
        assert window["rmse"] == pytest.approx(metrics.mean_squared_error(y, e) ** 0.5, abs=unit)
        assert window["bias"] == pytest.approx(float((e - y).mean()), abs=unit)
        assert window["r2"] == pytest.approx(metrics.r2_score(y, e), abs=1e-4)
        assert (window["auc"], window["brier"], window["auc_estimated"]) == (None, None, None)
        assert window["n_labels"] == 1_000


# -- what is not there


def test_rows_without_a_label_count_in_coverage_only(run: Run, tmp_path: Path) -> None:
    scores, labels = model(900, seed=7, round_to=1)
    base = file_of(tmp_path / "b.parquet", scores, labels)
    known = np.random.default_rng(8).random(900) < 0.4
    known[600:] = False
    file = file_of(tmp_path / "f.parquet", scores, [y if k else None for y, k in zip(labels, known, strict=True)])
    code, result = run("--baseline", base, file, "--score", "p", "--label", "y", "--chunk-rows", 300)
    for i, window in enumerate(result["windows"][:2]):
        rows = np.arange(i * 300, (i + 1) * 300)
        rows = rows[known[rows]]
        assert window["n_labels"] == len(rows)
        assert window["coverage"] == len(rows) / 300
        assert window["auc"] == pytest.approx(metrics.roc_auc_score(labels[rows], scores[rows]), abs=1e-9)
    last = result["windows"][2]
    assert (last["n_labels"], last["coverage"]) == (0, 0.0)
    undefined = (
        "auc",
        "auc_low",
        "auc_high",
        "auc_se",
        "brier",
        "log_loss",
        "ece",
        "ks",
        "pr_auc",
        "precision",
        "recall",
    )
    assert all(last[name] is None for name in undefined)
    assert last["auc_estimated"] is not None  # the scores are there
    assert code == 0


def test_a_row_without_a_score_waits_for_no_label(run: Run, tmp_path: Path) -> None:
    base = file_of(tmp_path / "b.parquet", *model(500, seed=9))
    file = file_of(tmp_path / "f.parquet", [0.1, None, 0.9, 0.8], [0, 1, 1, None])
    _, result = run("--baseline", base, file, "--score", "p", "--label", "y", "--chunk-rows", 4)
    (window,) = result["windows"]
    assert (window["n"], window["n_labels"], window["coverage"]) == (4, 2, 2 / 3)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_of_one_class_what_ranks_is_undefined_and_the_rest_is_there(run: Run, tmp_path: Path, label: float) -> None:
    base = file_of(tmp_path / "b.parquet", *model(20_000, seed=10, round_to=2))
    scores, _ = model(300, seed=11, round_to=2)
    file = file_of(tmp_path / "f.parquet", scores, np.full(300, label))
    _, result = run("--baseline", base, file, "--score", "p", "--label", "y", "--chunk-rows", 300)
    (window,) = result["windows"]
    assert all(window[name] is None for name in ("auc", "auc_low", "auc_high", "auc_se", "pr_auc", "ks"))
    assert window["brier"] == pytest.approx(float(((scores - label) ** 2).mean()), abs=1e-9)
    assert not [a for a in window["alerts"] if a["check"] == "auc"]


def test_constant_scores_rank_nothing(run: Run, tmp_path: Path) -> None:
    _, labels = model(800, seed=12)
    same = file_of(tmp_path / "b.parquet", np.full(800, 0.4), labels)
    _, result = run("--baseline", same, same, "--score", "p", "--label", "y", "--chunk-rows", 800)
    (window,) = result["windows"]
    assert window["auc"] == result["baseline"]["auc"] == window["auc_estimated"] == 0.5
    assert (window["precision"], window["recall"]) == (None, 0.0)


def test_without_labels_in_the_judged_file_there_is_the_estimate_alone(run: Run, tmp_path: Path) -> None:
    scores, labels = model(20_000, seed=13)
    base = file_of(tmp_path / "b.parquet", scores, labels)
    later, truth = model(20_000, seed=14)
    file = parquet(tmp_path / "f.parquet", p=later)
    _, result = run("--baseline", base, file, "--score", "p", "--label", "y", "--chunk-rows", 20_000)
    (window,) = result["windows"]
    assert (window["n_labels"], window["coverage"], window["auc"]) == (0, 0.0, None)
    assert window["auc_estimated"] == pytest.approx(metrics.roc_auc_score(truth, later), abs=0.01)


def test_without_labels_in_the_baseline_nothing_is_compared(run: Run, tmp_path: Path) -> None:
    scores, labels = model(1_000, seed=15)
    base = parquet(tmp_path / "b.parquet", p=scores)
    file = file_of(tmp_path / "f.parquet", scores, 1 - labels)
    code, result = run("--baseline", base, file, "--score", "p", "--label", "y", "--chunk-rows", 1_000)
    (window,) = result["windows"]
    assert window["auc"] < 0.5
    assert (window["auc_estimated"], window["alerts"], code) == (None, [], 0)
    assert result["baseline"] == {"rows": 1_000}


def test_nobody_asked_for_labels_and_everything_is_as_it_was(run: Run, tmp_path: Path) -> None:
    scores, _ = model(600, seed=16)
    file = parquet(tmp_path / "f.parquet", p=scores, label=["perhaps"] * 600)
    _, result = run("--baseline", file, file, "--score", "p", "--chunk-rows", 600)
    (window,) = result["windows"]
    assert result["baseline"] == {"rows": 600}
    assert list(window["psi"]) == ["p"]
    assert all(window[name] is None for name in ("auc", "auc_estimated", "brier", "mae", "n_labels", "coverage"))


# -- what labels may look like


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


# -- when labels come


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
    (["soon"] * 3, ["--time", "ts"], "time column 'told' must be RFC 3339"),
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


# -- alerts


def test_a_real_drop_alerts_and_noise_of_a_small_window_does_not(run: Run, tmp_path: Path) -> None:
    base = file_of(tmp_path / "b.parquet", *model(20_000, seed=30))
    scores, labels = model(4_000, seed=31)
    random = np.random.default_rng(32).permutation(labels[2_000:])
    broken = file_of(tmp_path / "f.parquet", scores, np.concatenate([labels[:2_000], random]))
    options = ("--score", "p", "--label", "y")
    code, result = run("--baseline", base, broken, *options, "--chunk-rows", 2_000)
    healthy, fallen = result["windows"]
    assert code == 1
    assert healthy["alerts"] == []
    auc = next(a for a in fallen["alerts"] if a["check"] == "auc")
    assert (auc["subject"], auc["severity"], auc["value"]) == ("p", "critical", fallen["auc"])
    assert auc["threshold"] == pytest.approx(result["baseline"]["auc"] - 0.1)
    assert auc["p_value"] < 1e-10
    brier = next(a for a in fallen["alerts"] if a["check"] == "brier")
    assert brier["value"] > brier["threshold"] > result["baseline"]["brier"]
    assert not fallen["estimate_reliable"]
    assert healthy["estimate_reliable"]
    assert fallen["auc_estimated"] == pytest.approx(healthy["auc"], abs=0.03)  # it cannot see the drop

    code, result = run(
        "--baseline", base, file_of(tmp_path / "g.parquet", scores, labels), *options, "--chunk-rows", 60
    )
    lowest = min(w["auc"] for w in result["windows"])
    assert lowest < result["baseline"]["auc"] - 0.1  # far beyond the tolerance, by chance
    assert (code, [w["alerts"] for w in result["windows"] if w["alerts"]]) == (0, [])


def test_a_partial_window_does_not_alert_by_its_labels(run: Run, tmp_path: Path) -> None:
    scores, labels = model(5_000, seed=33)
    base = file_of(tmp_path / "b.parquet", scores, labels)
    wrong = file_of(tmp_path / "f.parquet", scores, 1 - labels)
    options = ("--score", "p", "--label", "y", "--chunk-rows")
    assert run("--baseline", base, wrong, *options, 6_000)[0] == 0
    assert run("--baseline", base, wrong, *options, 5_000)[0] == 1


def test_a_regression_that_errs_more_alerts(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(34)
    truth = rng.normal(size=4_000)
    base = parquet(tmp_path / "b.parquet", e=truth[:2_000] + rng.normal(0, 0.2, 2_000), y=truth[:2_000])
    worse = parquet(tmp_path / "f.parquet", e=truth[2_000:] + rng.normal(0, 0.23, 2_000), y=truth[2_000:])
    code, result = run("--baseline", base, worse, "--value", "e", "--label", "y", "--chunk-rows", 2_000)
    (alert,) = result["windows"][0]["alerts"]
    assert code == 1
    assert (alert["check"], alert["subject"], alert["severity"]) == ("mae", "e", "warning")
    assert alert["threshold"] == pytest.approx(1.1 * result["baseline"]["mae"])


def test_the_rules_come_from_the_configuration(run: Run, tmp_path: Path) -> None:
    scores, labels = model(3_000, seed=35)
    base = file_of(tmp_path / "b.parquet", scores, labels)
    wrong = file_of(tmp_path / "f.parquet", scores, 1 - labels)
    options = ("--baseline", base, wrong, "--score", "p", "--label", "y", "--chunk-rows", 3_000)
    rules = tmp_path / "rules.yaml"
    rules.write_text("models: {m: {checks: {auc: off, brier: {tolerance: 0.1}}}}\n")
    _, result = run(*options, "--config", rules)
    (alert,) = result["windows"][0]["alerts"]
    assert (alert["check"], alert["threshold"]) == ("brier", pytest.approx(result["baseline"]["brier"] + 0.1))
    rules.write_text("models: {m: {checks: {auc: {min_samples: 3001}, brier: {min_samples: 3001}}}}\n")
    assert run(*options, "--config", rules)[0] == 0


# -- for people


def test_the_text_and_the_page_show_auc_with_its_bounds_and_the_estimate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, labels = model(3_000, seed=36)
    base = file_of(tmp_path / "b.parquet", scores, labels)
    labels[2_000:] = np.random.default_rng(37).permutation(labels[2_000:])
    file, page = file_of(tmp_path / "f.parquet", scores, labels), tmp_path / "page.html"
    arguments = ["--baseline", str(base), str(file), "--score", "p", "--label", "y", "--chunk-rows", "1000"]
    assert main(["backtest", *arguments, "--json"]) == 1
    window = json.loads(capsys.readouterr().out)["windows"][2]
    assert main(["backtest", *arguments, "--html", str(page)]) == 1
    line = capsys.readouterr().out.splitlines()[3]
    for shown in (f"{window['auc']:.3f}", f"{window['auc_estimated']:.3f}", "100%", "AUC of p critical"):
        assert shown in line
    text = page.read_text(encoding="utf-8")
    assert "<td>AUC of p</td><td>1</td><td>1</td>" in text
    for name in ("auc", "auc_low", "auc_high", "auc_estimated", "brier"):
        assert f"<td>{window[name]:.4g}</td>" in text
    pictures = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]
    auc = next(svg for svg in pictures if svg.get("aria-label") == "AUC over the windows")
    kinds = [part.get("class") for part in auc]
    assert {k: kinds.count(k) for k in ("bounds", "sampling", "estimate", "line", "critical")} == {
        "bounds": 3, "sampling": 3, "estimate": 1, "line": 1, "critical": 1}  # fmt: skip
    psi = next(svg for svg in pictures if svg.get("aria-label") == "p over the windows")
    assert "critical" not in [part.get("class") for part in psi if part.tag == "circle"]


def test_a_regression_shows_its_mae(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(38)
    file = parquet(tmp_path / "f.parquet", e=rng.normal(size=600), y=rng.normal(size=600))
    page = tmp_path / "page.html"
    arguments = ["--baseline", str(file), str(file), "--value", "e", "--label", "y", "--chunk-rows", "300"]
    assert main(["backtest", *arguments, "--html", str(page)]) == 0
    assert "MAE" in capsys.readouterr().out.splitlines()[0]
    assert 'aria-label="MAE over the windows"' in page.read_text(encoding="utf-8")


def test_what_the_numbers_do_not_say_is_remarked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores, labels = model(400, seed=39)
    with_labels = file_of(tmp_path / "b.parquet", scores, labels)
    without = parquet(tmp_path / "f.parquet", p=scores)
    late = parquet(tmp_path / "l.parquet", p=scores, y=labels, ts=[T0] * 400, told=[T0 + 2 * HOUR] * 400)
    options = ["--score", "p", "--label", "y", "--chunk-rows", "100"]
    for files, more, remark in (
        ((with_labels, with_labels), [], "4 of 4 windows have fewer than min_samples = 200 labels"),
        ((with_labels, without), [], "no labels: only the estimate is shown"),
        ((without, with_labels), [], "the baseline's file has no labels: nothing is known to compare with"),
        ((with_labels, late), ["--label-time", "told"], "400 labels come after the last window and count nowhere"),
    ):
        assert main(["backtest", "--baseline", *map(str, files), *options, *more]) == 0
        assert remark in capsys.readouterr().err


def test_labels_need_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = parquet(tmp_path / "f.parquet", x=[1.0, 2.0], y=[0, 1])
    assert main(["backtest", "--baseline", str(file), str(file), "--label", "y", "--chunk-rows", "2"]) == 2
    assert "name the column of these with --score or --value" in capsys.readouterr().err
