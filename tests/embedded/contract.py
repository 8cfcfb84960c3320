"""What other programs depend on: the schemas of the topics, and the names and rules of the metrics."""

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from prometheus_client.parser import text_string_to_metric_families

SCHEMAS = Path(__file__).parents[2] / "schemas"
METRICS = frozenset({
    "predictions_received", "predictions_counted", "predictions_late", "predictions_ignored", "dead_letters", "psi",
    "kl_nats", "js_nats", "window_predictions", "alerts_firing", "evaluation_duration_seconds",
    "checkpoint_duration_seconds", "event_to_alert_seconds", "watermark_lag_seconds", "consumer_lag_records",
    "build_info", "auc", "auc_low", "auc_high", "auc_estimated", "label_coverage_ratio", "latency_seconds",
    "latency_sla_violations",
})  # fmt: skip
"""Those of the contract that there are by now; a counter's `_total` belongs to its samples."""
UNITS = ("seconds", "ratio", "nats", "records", "predictions", "labels", "alerts", "info", "firing", "refused", "for",
         "waiting", "learning")  # fmt: skip
STATISTICS = {"psi", "auc", "auc_low", "auc_high", "auc_estimated", "auc_standard_error", "brier", "ece"}
STATISTICS |= {"precision_estimated", "recall_estimated", "brier_estimated", "estimate_gap", "log_loss", "accuracy"}
OF_THE_MODEL = {"mae", "rmse", "bias", "estimate_reliable"}  # in the unit of its estimates, or yes and no
IDENTIFIERS = {"prediction_id", "request_id", "id", "baseline", "definition", "window"}


@cache
def _validator(schema: str) -> Any:
    read = json.loads((SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(read)
    return jsonschema.Draft202012Validator(read, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def validate(schema: str, message: bytes | None) -> None:
    """The message is what the schema says."""
    assert message is not None
    _validator(schema).validate(json.loads(message))


def examples(schema: str) -> list[Any]:
    """The schema's examples."""
    return list(_validator(schema).schema["examples"])


def check_metrics(text: str) -> None:
    """The exposition is well formed, and has the metrics of the contract."""
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert set(families) >= {f"driftline_{name}" for name in METRICS}
    for name, family in families.items():
        assert re.fullmatch(r"driftline_[a-z_]+", name), name
        assert family.documentation, f"{name} has no HELP"
        assert family.type in ("counter", "gauge", "histogram"), name
        if family.type != "counter" and name.removeprefix("driftline_") not in STATISTICS | OF_THE_MODEL:
            assert name.rsplit("_", 1)[-1] in UNITS, f"{name} has no unit"
        labels = [tuple(sorted(sample.labels.items())) for sample in family.samples]
        assert not any({key for key, _ in of_sample} & IDENTIFIERS for of_sample in labels), name
        samples = [(s.name, of_sample) for s, of_sample in zip(family.samples, labels, strict=True)]
        assert len(set(samples)) == len(samples), f"{name} has a series twice"
    if shutil.which("promtool"):
        told = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
