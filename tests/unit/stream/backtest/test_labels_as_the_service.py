"""Alerts on labels over a file are those of the service: count, labels, two joins and evaluate, over the same rows.

In a file a label lies beside its prediction; here it comes at the prediction's own time, so that the two have the same
windows. Compared is every field of every message but those that only a join has: its offsets, its definition, cohorts.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet
import pytest

from stream.backtest.alerts import OF_LABELS
from stream.backtest.evidence import with_evidence
from stream.backtest.inputs import BACKTEST_KEY, BacktestInput, ColumnNames, read_input
from stream.backtest.rule_sets import RuleSet, rule_sets
from stream.backtest.windows import judge_windows
from stream.baselines.create import Binning
from stream.baselines.roles import Roles
from stream.evaluate.settings import ModelSettings
from stream.ingest.plan import Plan, PlannedModel
from stream.ingest.settings import IngestSettings
from tests.small_model import outcome_settings
from tests.unit.stream.backtest.test_as_the_service import ASKED
from tests.unit.stream.evaluate.classes import Raw, World
from tests.unit.stream.evaluate.labels import START_S, Labels

HOUR_S = 3_600
HOURS = 80
BEGIN_S = (START_S // HOUR_S - HOURS - 1) * HOUR_S  # all of it before the messages' own timestamps
ROWS = 150  # in an hour
RULES = "models: {m: {windows: {pane: 1h, length: %s}, %s}}"

Columns = dict[str, Any]


def rows(hours: int, seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    score = rng.uniform(size=hours * ROWS)
    return {
        "ts": (BEGIN_S + np.repeat(np.arange(hours), ROWS) * HOUR_S + np.tile(np.arange(ROWS), hours)) * 1_000,
        "plan": rng.choice(["free", "pro"], hours * ROWS).astype(object),
        "score": score,
        "label": (rng.uniform(size=hours * ROWS) < score).astype(int),
    }


def worse(seed: int) -> Columns:
    """For hours the answers say nothing: of one plan, then of both."""
    columns, rng = rows(HOURS, seed), np.random.default_rng(seed + 1)
    hour = (columns["ts"] // 1_000 - BEGIN_S) // HOUR_S
    noise = ((hour >= 20) & (hour < 30) & (columns["plan"] == "pro")) | ((hour >= 50) & (hour < 60))
    columns["label"][noise] = rng.integers(0, 2, noise.sum())
    return columns


class Judge(Labels):
    """An evaluate that judges by what it is told."""

    def settings_of(self, _: str) -> ModelSettings:
        return self.judging


def of_backtest(given: BacktestInput, rules: RuleSet) -> list[dict[str, Any]]:
    return [m for window in judge_windows(given, rules) for part in window.parts for m in part.messages]


def of_service(given: BacktestInput, rules: RuleSet, columns: Columns) -> list[dict[str, Any]]:
    raw = Raw.__new__(Raw)  # its own rows are of another model
    raw.predictions, raw.labels = {}, {}
    far_ms = (BEGIN_S + HOURS * HOUR_S) * 1_000
    said = [*zip(*columns.values(), strict=True), (far_ms, "free", 0.5, None)]
    for number, (ts, plan, score, label) in enumerate(said):
        model = {"model": BACKTEST_KEY.model, "version": BACKTEST_KEY.version, "ts": int(ts), "prediction_id": number}
        step = int(ts) // 1_000 // HOUR_S
        prediction = {**model, "score": float(score), "features": {"plan": plan}}
        raw.predictions.setdefault(step, []).append((int(ts), orjson.dumps(prediction)))
        truth = {**model, "label": None if label is None else int(label)}
        raw.labels.setdefault(step, []).append((int(ts), orjson.dumps(truth)))
    world = World(given.baseline)
    outcomes = msgspec.structs.replace(outcome_settings(), ttl_ms=HOUR_S * 1_000, max_waiting=100_000)
    planned = PlannedModel(given.baseline.id, rules.counting, rules.hop.window, outcomes)
    world.worker.wants = Plan(IngestSettings(), [planned])
    world.settle()
    world.evaluate = Judge(given.baseline, worker=world.worker)
    world.evaluate.judging = rules.settings
    return world.hears(raw).evaluate.alerts


def comparable(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those about labels, without what only a join has; in order, for evaluate takes one segment after the other."""
    found = [json.loads(json.dumps(one)) for one in messages if one["labels"]["check"] in OF_LABELS]
    for one in found:
        for name in ("outcomes", "definition", "coverage"):
            one["evidence"].pop(name)
    return sorted(found, key=lambda m: (m["evidence"]["window"]["end"], m["id"], m["seq"]))


@pytest.mark.parametrize(("length", "rules"), [
    ("3h", "segments: {plan: {values: [free, pro]}}"),
    ("3h", "rule: threshold, checks: {brier: {tolerance: 0.05}}, alerts: {resolve: 0s}"),
])  # fmt: skip
def test_every_message_on_labels_is_that_of_the_service(tmp_path: Path, length: str, rules: str) -> None:
    found, by = both(tmp_path, RULES % (length, rules), rows(200, seed=1))
    begun = {(m["labels"]["check"], m["labels"]["segment"]) for m in found if m["status"] == "firing"}
    assert begun >= {("auc", "")}
    if by.segments:
        assert begun >= {("auc", "plan=pro"), ("auc", "plan=free")}
    assert {m["status"] for m in found} == {"firing", "resolved"}
    assert all((m["evidence"]["healthy"] or {"windows": 66})["windows"] >= 64 for m in found)


def test_what_live_windows_teach_of_labels_is_the_same_in_both(tmp_path: Path) -> None:
    without_times = {name: values for name, values in rows(200, seed=1).items() if name != "ts"}
    found, _ = both(tmp_path, RULES % ("1h", "checks: {auc: {min_samples: 100}}"), without_times)
    taught = [m["evidence"]["healthy"] for m in found if m["labels"]["check"] == "auc"]
    assert None in taught  # in the first 24 windows
    assert {one["windows"] for one in taught if one} == {24, 48}
    assert {m["evidence"]["provisional"] for m in found if m["evidence"]["healthy"]} == {False}


def both(tmp_path: Path, rules: str, base: Columns) -> tuple[list[dict[str, Any]], RuleSet]:
    """The messages over the file, once they are those of the service."""
    judged = worse(seed=2)
    for name, table in (("base", base), ("file", judged)):
        pyarrow.parquet.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    (tmp_path / "rules.yaml").write_text(rules)
    (by,) = rule_sets([tmp_path / "rules.yaml"], ASKED)
    named = ColumnNames(roles=Roles(label="label"), segments=tuple(by.segments))
    read = read_input(tmp_path / "base.parquet", tmp_path / "file.parquet", named, Binning())
    given = with_evidence(read, by)
    found = comparable(of_backtest(given, by))
    assert found == comparable(of_service(given, by, judged))
    return found, by
