"""The alerts of a backtest are those of the service, message by message, over the same rows.

The service: predictions as JSON in two partitions, cut into batches, through the count fold and the evaluate fold. The
backtest: the same rows as a file. Compared is every field of every message but where the rows lie.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet
import pytest

from stream.backtest.evidence import with_evidence
from stream.backtest.inputs import BACKTEST_KEY, BacktestInput, ColumnNames, read_input
from stream.backtest.rule_sets import Asked, RuleSet, rule_sets
from stream.backtest.windows import judge_windows
from stream.baselines.create import Binning
from stream.baselines.roles import Roles
from stream.ingest.plan import Plan, PlannedModel
from stream.ingest.settings import IngestSettings
from stream.records.partial import decode_partial
from stream.records.source import Source
from tests.memory_log import MemoryLog
from tests.small_model import Worker
from tests.unit.stream.evaluate.partials import Evaluate

START_MS = 1_577_836_800_000
HOUR_MS = 3_600_000
ROWS = 200  # in an hour
END_MS = START_MS + 120 * HOUR_MS
NUMERIC = [f"x{i}" for i in range(8)]
PARTITIONS = [Source("predictions", p) for p in range(2)]
ASKED = Asked(
    chunk_rows=None,
    window_ms=None,
    pane_ms=None,
    model=None,
    smoothing=None,
    rule=None,
    false_alarms=None,
    season=None,
    timezone=None,
    latency=False,
    sla_ms=None,
)
Columns = dict[str, Any]
Messages = list[dict[str, Any]]


def healthy(hours: int, seed: int) -> Columns:
    """Eight numbers, a plan, a score, and a region that is no feature; nothing ever changes."""
    rng = np.random.default_rng(seed)
    rows = hours * ROWS
    at = START_MS + np.repeat(np.arange(hours), ROWS) * HOUR_MS + np.tile(np.arange(ROWS), hours) * HOUR_MS // ROWS
    columns: Columns = {"ts": at, "plan": rng.choice(["free", "pro", "team"], rows, p=[0.5, 0.3, 0.2]).astype(object)}
    columns["segment.region"] = rng.choice(["eu", "us", "asia", None], rows, p=[0.4, 0.3, 0.2, 0.1]).astype(object)
    columns |= {name: rng.normal(size=rows) for name in NUMERIC}
    return columns | {"score": rng.uniform(size=rows)}


def troubled(seed: int) -> Columns:
    """Five days in which one thing after the other is wrong."""
    columns, rng = healthy(120, seed), np.random.default_rng(seed + 10)
    hour = (columns["ts"] - START_MS) // HOUR_MS

    def during(first: int, last: int) -> Any:
        return (hour >= first) & (hour < last)

    columns["x0"][during(20, 23)] = np.nan  # missing
    columns["x1"][during(30, 33)] *= 8  # out of range
    columns["plan"][during(38, 40) & (np.arange(len(hour)) % 2 == 0)] = "trial"  # unseen
    columns["x2"][during(44, 50)] = 0.25  # stuck
    for name in NUMERIC:
        columns[name][during(54, 60)] += 1.5  # all at once: one alert
    columns["x7"][during(58, 64)] += 3  # stays behind
    columns["score"][during(70, 74)] **= 3  # fewer positives, less sure
    columns["x3"][during(80, 84) & (columns["plan"] == "pro")] += 2  # of one segment
    columns["x4"][during(84, 87) & (columns["segment.region"] == "us")] -= 2
    columns["x4"][during(105, 109) & (columns["segment.region"] == "asia")] -= 3
    columns["latency_ms"] = rng.exponential(30.0, len(hour))
    columns["latency_ms"][during(110, 114) & (columns["plan"] == "free")] *= 5
    kept = ~during(90, 96) & ~(during(100, 103) & (np.arange(len(hour)) % 8 > 0))  # silence, then little
    return {name: values[kept] for name, values in columns.items()}


@dataclass
class Both:
    """The two ways, by the same rules, on the same rows."""

    given: BacktestInput
    rules: RuleSet
    columns: Columns

    def backtest(self) -> Messages:
        """What the file says."""
        return [m for window in judge_windows(self.given, self.rules) for part in window.parts for m in part.messages]

    def service(self, rng: np.random.Generator) -> Messages:
        """What count and evaluate say: partition by partition in order, but one or the other ahead."""
        log, worker = MemoryLog(), Worker(self.given.baseline)
        worker.wants = Plan(
            IngestSettings(),
            [PlannedModel(self.given.baseline.id, self.rules.counting, self.rules.hop.window, None)],
        )
        evaluate = Evaluate(worker=worker)
        evaluate.judging = self.rules.settings
        folds = [worker.count(source, sources=len(PARTITIONS)) for source in PARTITIONS]
        for fold in folds:
            fold.activate(fold.proposal() or b"")
        for row in zip(*self.columns.values(), strict=True):
            said = message(dict(zip(self.columns, row, strict=True)))
            log.put(PARTITIONS[int(rng.integers(len(PARTITIONS)))], said, timestamp_ms=END_MS)
        for source in PARTITIONS:  # an event beyond the end, so that every pane closes
            last = {name: values[-1] for name, values in self.columns.items()} | {"ts": END_MS}
            log.put(source, message(last), timestamp_ms=END_MS)
        while behind := [f for f in folds if f.next_offset < len(log.records[f.source])]:
            fold = behind[int(rng.integers(len(behind)))]
            until = min(fold.next_offset + int(rng.integers(1, 3_000)), len(log.records[fold.source]))
            fold.fold(log.batch(fold.source, fold.next_offset, until))
            evaluate.hears(*(decode_partial(o.value or b"") for o in fold.outputs() if o.to.topic == "partials"))
        return evaluate.alerts


def message(row: dict[str, Any]) -> bytes:
    """A row as a prediction of the model that a backtest is about; not a number: null, for a column does not vanish."""
    values = {name: value if value == value else None for name, value in row.items()}
    return orjson.dumps(
        {
            "model": BACKTEST_KEY.model,
            "version": BACKTEST_KEY.version,
            "ts": values.pop("ts"),
            "score": values.pop("score", None),
            "latency_ms": values.pop("latency_ms"),
            "segment": {"region": values.pop("segment.region", None)},
            "features": values,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def both(folder: Path, rules: str, *, timed: bool = True, columns: Columns | None = None) -> Both:
    """A fortnight that is healthy, and what is judged."""
    normal, judged = healthy(336, seed=1), columns or troubled(seed=2)
    if not timed:
        del normal["ts"]
    for name, table in (("base", normal), ("file", judged)):
        pyarrow.parquet.write_table(pa.table(table), folder / f"{name}.parquet")
    (folder / "rules.yaml").write_text(rules)
    (by,) = rule_sets([folder / "rules.yaml"], replace(ASKED, latency="latency" in rules))
    named = ColumnNames(
        roles=Roles(), latency="latency_ms" if by.latency_sla_ms is not None else None, segments=tuple(by.segments)
    )
    given = read_input(folder / "base.parquet", folder / "file.parquet", named, Binning())
    return Both(with_evidence(given, by), by, judged)


def without_places(messages: Messages) -> Messages:
    """The messages without where their rows lie: offsets of partitions, or rows of a file."""
    plain = []
    for one in messages:
        copied = json.loads(json.dumps(one))
        for name in ("sources", "newest_events"):
            copied["evidence"].pop(name, None)
        plain.append(copied)
    return plain


RULES = "models: {m: {windows: {pane: 1h, length: 3h}, %s}}"


@pytest.mark.parametrize(("rules", "timed"), [
    ("alerts: {}", True),
    ("alerts: {}", False),  # what healthy windows are like is learned of those that are judged
    ("alerts: {pending: 2h, resolve: 5h, cooldown: 4h, group_above: 2}", True),
    ("rule: threshold, alerts: {resolve: 0s, group_above: off}", True),
])  # fmt: skip
def test_every_message_is_that_of_the_service(tmp_path: Path, rules: str, timed: bool) -> None:
    ways = both(tmp_path, RULES % rules, timed=timed)
    found = without_places(ways.backtest())
    assert found == without_places(ways.service(np.random.default_rng(3)))
    assert {m["labels"]["check"] for m in found} >= {
        *("psi", "missing", "out_of_range", "unseen", "stuck", "positive_share", "throughput"),
    }  # fmt: skip
    assert ("*" in {m["labels"]["subject"] for m in found}) is ("off" not in rules)


SEGMENTED = (
    "segments: {plan: {values: [free, pro]}, region: {top: 2}}, checks: {latency: {sla: 250ms}, psi: {min_count: 30}}, "
)


@pytest.mark.parametrize(("rules", "timed"), [("alerts: {}", True), ("alerts: {resolve: 1h}", False)])
def test_every_message_of_segments_is_too(tmp_path: Path, rules: str, timed: bool) -> None:
    ways = both(tmp_path, RULES % (SEGMENTED + rules), timed=timed)
    found = without_places(ways.backtest())
    assert found == without_places(ways.service(np.random.default_rng(4)))
    about = {(m["labels"]["segment"], m["labels"]["check"], m["labels"]["subject"]) for m in found}
    assert about >= {
        *(("region=us", "psi", "x4"), ("region=other", "psi", "x4")),
        *(("plan=free", "latency_sla", "latency"), ("plan=other", "psi", "*"), ("", "missing", "x0")),
    }
    # Learned of windows that were out of order themselves, so much is taken for their wander.
    assert (("plan=pro", "psi", "x3") in about) is timed
    assert ("plan=free", "psi", "x3") not in about
