"""What labels say of a model that became worse: alerts, text and page."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from stream.cli import main
from tests.unit.stream.backtest.labelled_files import HOUR, T0, Run, file_of, model, parquet, run_with


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return run_with(capsys)


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
