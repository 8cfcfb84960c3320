"""`driftline backtest --latency`: quantiles of each window beside the exact ones, and the service's own alert."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from stream.cli import main
from tests.unit.stream.backtest.test_command import put

ROWS, WINDOW = 6_000, 2_000


@pytest.fixture
def base(tmp_path: Path) -> str:
    return put(tmp_path / "base.parquet", x=np.random.default_rng(1).normal(size=ROWS))


@pytest.fixture
def latencies() -> np.ndarray:
    """Two healthy windows, and one in which a dependency times out for 4 % of the answers."""
    rng = np.random.default_rng(2)
    found = rng.lognormal(3, 0.5, ROWS)
    found[4_000:][rng.random(WINDOW) < 0.04] = 1_000.0
    return found


@pytest.fixture
def file(tmp_path: Path, latencies: np.ndarray) -> str:
    return put(tmp_path / "file.parquet", x=np.random.default_rng(3).normal(size=ROWS), took=latencies)


def run(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, Any]:
    code = main(["backtest", *options, "--chunk-rows", str(WINDOW), "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else told.err


def test_each_window_has_its_quantiles_and_the_slow_one_its_alert(
    base: str, file: str, latencies: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = run(capsys, "--baseline", base, file, "--latency", "took", "--sla", "250ms")
    for window, values in zip(result["windows"], np.split(latencies, 3), strict=True):
        found = window["latency"]
        for name, level in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
            assert found[name] == pytest.approx(np.quantile(values, level, method="inverted_cdf"), rel=0.01)
        assert (found["n"], found["violations"]) == (WINDOW, int((values > 250).sum()))
        assert list(window["psi"]) == ["x"]  # it is no feature
    (alert,) = [a for w in result["windows"] for a in w["alerts"]]
    assert (code, alert["check"], alert["subject"], alert["severity"]) == (1, "latency_sla", "latency", "critical")
    assert alert["value"] == result["windows"][2]["latency"]["violations"] / WINDOW
    assert alert["threshold"] == 0.02
    assert alert["p_value"] < 1e-6


def test_the_configuration_gives_the_limit_and_the_command_line_the_rule(
    base: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "rules.yaml"
    config.write_text("models: {m: {checks: {latency: {sla: 2s, quantile: 0.5}}}}", encoding="utf-8")
    given = ("--baseline", base, file, "--latency", "took", "-c", str(config))
    code, result = run(capsys, *given)
    assert (code, result["windows"][0]["latency"]["sla_ms"]) == (0, 2_000)
    code, result = run(capsys, *given, "--sla", "10ms", "--rule", "threshold")
    assert code == 1
    (alert,) = [a for a in result["windows"][0]["alerts"] if a["check"] == "latency_sla"]
    assert alert["threshold"] == 10
    assert alert["value"] == result["windows"][0]["latency"]["p50_ms"]


def test_what_is_no_latency_is_counted_as_bad(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.full(WINDOW, 20.0)
    values[:5], values[5:12] = -1, np.nan
    file = put(tmp_path / "odd.parquet", x=np.random.default_rng(3).normal(size=WINDOW), took=values)
    _, result = run(capsys, "--baseline", base, file, "--latency", "took", "--sla", "250ms")
    found = result["windows"][0]["latency"]
    assert (found["n"], found["bad"], found["missing"]) == (WINDOW - 12, 5, 7)


def test_a_text_that_is_no_number_is_bad_and_the_rest_of_the_column_counts(
    base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    took = ["fast", "-1", "", *["20.5"] * (WINDOW - 4), "300"]
    rows = (f"{x},{text}" for x, text in zip(np.random.default_rng(3).normal(size=WINDOW), took, strict=True))
    file = tmp_path / "odd.csv"
    file.write_text("\n".join(["x,took", *rows]), encoding="utf-8")
    _, result = run(capsys, "--baseline", base, str(file), "--latency", "took", "--sla", "250ms")
    found = result["windows"][0]["latency"]
    assert (found["n"], found["bad"], found["missing"], found["violations"]) == (WINDOW - 3, 2, 1, 1)
    assert found["p50_ms"] == pytest.approx(20.5, rel=0.01)


def test_what_can_hold_no_latency_is_refused(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, took = np.random.default_rng(3).normal(size=WINDOW), np.full(WINDOW, "2020-01-01", "datetime64[s]")
    file = put(tmp_path / "odd.parquet", x=x, took=took)
    code, told = run(capsys, "--baseline", base, file, "--latency", "took", "--sla", "250ms")
    assert code == 2
    assert "column 'took' holds timestamp[ms]; a latency must be a number of milliseconds" in told


def test_text_and_page_show_it(base: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    options = ["--chunk-rows", str(WINDOW), "--latency", "took", "--sla", "250ms", "--html", str(page)]
    assert main(["backtest", "--baseline", base, file, *options]) == 1
    text = capsys.readouterr().out
    assert "p99 ms" in text
    assert "latency SLA critical" in text
    ElementTree.fromstring(page.read_text().replace("<!DOCTYPE html>", "").replace('<meta charset="utf-8">', ""))
    assert "SLA 250 ms" in page.read_text()


def test_without_the_option_nothing_is_said(base: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = run(capsys, "--baseline", base, file)
    assert (code, result["windows"][0]["latency"]) == (0, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--latency", "took"], "--latency needs the limit: --sla 250ms, or checks.latency"),
        (["--sla", "1s"], "name their column with --latency, too"),
        (["--latency", "took", "--sla", "1h"], "must be at least 1ms and shorter than 1h"),
        (["--latency", "nope", "--sla", "1s"], "there is no column 'nope'"),
        (["--latency", "took", "--sla", "250"], "must be a number with its unit"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    base: str, file: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = run(capsys, "--baseline", base, file, *options)
    assert code == 2
    assert message in told
