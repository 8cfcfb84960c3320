"""`driftline backtest --label` against scikit-learn on the same rows."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from tests.unit.stream.backtest.labelled_files import Run, Values, file_of, model, parquet, run_with


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return run_with(capsys)


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
    unit = 8 / 256  # the largest power of two below the deviation, over 256
    for i, window in enumerate(result["windows"]):
        y, e = (v[3_000 + i * 1_000 : 4_000 + i * 1_000] for v in (truth, estimate))
        assert window["mae"] == pytest.approx(metrics.mean_absolute_error(y, e), abs=unit)
        assert window["rmse"] == pytest.approx(metrics.mean_squared_error(y, e) ** 0.5, abs=unit)
        assert window["bias"] == pytest.approx(float((e - y).mean()), abs=unit)
        assert window["r2"] == pytest.approx(metrics.r2_score(y, e), abs=1e-4)
        assert (window["auc"], window["brier"], window["auc_estimated"]) == (None, None, None)
        assert window["n_labels"] == 1_000


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
