"""`driftline check`: what is in effect, and the memory that waiting for labels needs."""

import json
from pathlib import Path
from typing import Any

import pytest

from stream.cli import main

CONFIG = """
labels: {ttl: 10d}
models:
  fraud: {labels: {sample: 0.1}, checks: {auc: {tolerance: 0.1}, brier: off}}
  price: {task: regression, labels: {ttl: 1d, max_waiting: 1000}}
  ads: {labels: off}
"""


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    path = tmp_path / "driftline.yaml"
    path.write_text(CONFIG, encoding="utf-8")

    def run(*options: str) -> str:
        assert main(["check", "-c", str(path), *options]) == 0
        return capsys.readouterr().out

    return run


def test_each_models_labels_and_checks_are_shown(told: Any) -> None:
    models = json.loads(told("--json"))["models"]
    assert models["fraud"]["labels"] == {
        "ttl": "10d", "early": "5m", "revision": "7d", "cohort": "1d",
        "sample": 0.1, "dedupe": True, "max_waiting": 10_000_000,
    }  # fmt: skip
    assert models["ads"]["labels"] == "off"
    checks = models["fraud"]["checks"]
    assert checks["auc"] == {"tolerance": 0.1, "min_samples": 200, "level": None, "rule": "budget"}
    assert (checks["brier"], checks["mae"]["tolerance"]) == ("off", 0.1)
    text = told()
    assert "labels within 10d" in text
    assert "1 per 30d false alarms" in text
    assert "no labels" in text
    assert "memory" not in text


def test_a_rate_gives_the_memory_of_each_model_and_the_sum(told: Any) -> None:
    """rate x ttl x sample x bytes, and never more than the cap lets in."""
    memory = json.loads(told("--json", "--rate", "100"))["memory"]
    assert memory["models"]["fraud"] == {
        "rate": 100.0, "waiting": 8_640_000, "max_waiting": 10_000_000, "refused": 0, "bytes": 8_640_000 * 33,
    }  # fmt: skip
    assert memory["models"]["price"] == {
        "rate": 100.0, "waiting": 8_640_000, "max_waiting": 1_000, "refused": 8_639_000, "bytes": 1_000 * 47,
    }  # fmt: skip
    assert "ads" not in memory["models"]
    assert memory["total_bytes"] == 8_640_000 * 33 + 1_000 * 47


def test_one_model_may_have_a_rate_of_its_own(told: Any) -> None:
    models = json.loads(told("--json", "--rate", "100", "--rate", "fraud=2.5", "--rate", "unlisted=1"))["memory"][
        "models"
    ]
    assert {name: one["rate"] for name, one in models.items()} == {"fraud": 2.5, "price": 100.0, "unlisted": 1.0}


def test_a_cap_that_is_too_small_is_told_with_what_would_do(told: Any) -> None:
    text = told("--rate", "fraud=100", "--rate", "price=0.02")
    assert "waiting fraud   100/s x 10d x 0.1 = 8,640,000 predictions, 285 MB\n" in text
    assert "0.02/s x 1d = 1,728 predictions, but labels.max_waiting lets 1,000 be held" in text
    assert "try labels.sample: 0.57, a shorter labels.ttl, or labels.max_waiting: 1728" in text
    assert "memory          285 MB for predictions that wait for labels, over all workers" in text


def test_without_any_model_the_defaults_are_what_one_would_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--rate", "1"]) == 0
    assert "waiting         1/s x 30d = 2,592,000 predictions, 86 MB" in capsys.readouterr().out


@pytest.mark.parametrize("rate", ["", "0", "-1", "fraud", "fraud=", "fraud=x", "nan", "1e999"])
def test_what_is_no_rate_is_refused(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--rate", rate]) == 2
    assert "is no rate; give predictions a second, such as 50 or fraud=200" in capsys.readouterr().err


def test_the_sla_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text("models: {fraud: {checks: {latency: {sla: 250ms, quantile: 0.95}}}, ads: {}}", encoding="utf-8")
    assert main(["check", "-c", str(path)]) == 0
    assert "95% of the answers within 250ms (a share of the false alarms, from 200 answers)" in capsys.readouterr().out
    assert main(["check", "-c", str(path), "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert models["fraud"]["checks"]["latency"] == {
        "sla": "250ms", "hard_limit": None, "max_per_pane": 10, "quantile": 0.95, "min_count": 200, "level": None,
        "rule": "budget",
    }  # fmt: skip
    assert models["ads"]["checks"]["latency"] == "off"


def test_errors_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text("models: {fraud: {checks: {errors: {warning: 0.02}}}, ads: {}}", encoding="utf-8")
    assert main(["check", "-c", str(path), "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert models["fraud"]["checks"]["errors"] == {
        "warning": 0.02, "critical": 0.05, "min_count": 50, "level": None, "rule": "budget",
    }  # fmt: skip
    assert models["ads"]["checks"]["errors"] == "off"


EVERYTHING = """
alerts: {pending: 2m, group_above: off}
models:
  fraud:
    season: hour-of-day
    timezone: Europe/Berlin
    windows: {length: 2h}
    alerts: {cooldown: 1h}
    segments: {plan: {values: [free, pro]}, carrier: {top: 10}}
    checks:
      latency: {sla: 250ms, hard_limit: 2s}
      errors: {warning: 0.02}
      throughput: {warning: 0.7}
      quality: {missing: {warning: 0.02}, cardinality: off, schema: off, features: {note: off}}
  ads: {season: none, checks: {throughput: off, quality: off}}
"""


@pytest.fixture
def everything(tmp_path: Path) -> str:
    path = tmp_path / "driftline.yaml"
    path.write_text(EVERYTHING, encoding="utf-8")
    return str(path)


def test_all_that_decides_of_a_model_is_said(everything: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", everything]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    (at,) = (i for i, line in enumerate(lines) if line.startswith("model fraud "))
    first, checks, alerts, segments = lines[at : at + 4]
    assert "windows of 2h in panes of 1m, by hour-of-day (Europe/Berlin), 1 per 30d false alarms" in first
    assert "from 200 answers, each over 2s told, 10 a pane at most)" in first
    assert checks.strip().startswith(
        "warning/critical: throughput 0.7/0.9, errors 0.02/0.05, quality from 50 rows: missing 0.02/0.1, "
    )
    assert checks.endswith("class_share 0.05/0.15; off: cardinality, schema, feature note")
    assert alerts.strip() == "alerts: pending 2m, resolve 2h, cooldown 1h, group_above off"
    assert segments.strip() == "segments: plan (free, pro), carrier (top 10)"
    assert lines[at + 4].startswith("model ads  ")
    assert ", never by season, " in lines[at + 4]
    assert lines[at + 5].strip() == "warning/critical: throughput off, errors off, quality off"
    (any_model,) = (i for i, line in enumerate(lines) if line.startswith("any model "))
    assert "by season if the baseline has one" in lines[any_model]
    assert "schema 0.5/0.9" in lines[any_model + 1]
    assert "off:" not in lines[any_model + 1]


def test_programs_get_all_that_decides_of_a_model(everything: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", everything, "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    fraud, ads = models["fraud"], models["ads"]
    assert fraud["alerts"] == {"pending": "2m", "resolve": "2h", "cooldown": "1h", "group_above": "off"}
    assert fraud["segments"] == {"plan": {"values": ["free", "pro"]}, "carrier": {"top": 10}}
    assert (fraud["season"], fraud["timezone"], ads["season"]) == ("hour-of-day", "Europe/Berlin", "none")
    checks = fraud["checks"]
    assert checks["throughput"] == {"warning": 0.7, "critical": 0.9, "level": None, "rule": "budget"}
    quality = checks["quality"]
    assert quality["missing"] == {"warning": 0.02, "critical": 0.1}
    assert (quality["cardinality"], quality["schema"], quality["features"]) == ("off", "off", {"note": "off"})
    assert (quality["min_count"], quality["level"], quality["rule"]) == (50, None, "budget")
    assert (ads["checks"]["throughput"], ads["checks"]["quality"], ads["segments"]) == ("off", "off", {})
