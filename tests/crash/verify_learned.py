"""The learned baseline: made here from what was sent, and compared byte for byte with what was registered."""

from collections import Counter, defaultdict

import orjson

from stream.baselines.baseline import Baseline
from stream.baselines.learned import Span, learned_baseline
from stream.ingest.unknown_rows import unknown_row
from stream.records.learning import SampledRow, place_hash
from stream.records.prediction import ModelKey
from tests.crash.deployment import LEARNED_ROWS, Deployment
from tests.crash.findings import Findings
from tests.crash.models import LEARNED
from tests.crash.scenario import PANE_MS, WINDOW_PANES
from tests.crash.tail import Tail
from tests.crash.truth import LearnedFrom, PartitionTruth, Truth

KEY = ModelKey(LEARNED.name, LEARNED.version)


def check_learned_baseline(truth: Truth, learned: int, deployment: Deployment, tail: Tail, findings: Findings) -> None:
    """Every copy that was written is the one that follows from the rows of the model `learned`."""
    topics = deployment.config.topics
    copies = Counter(
        record.value
        for records in tail.of(topics.baselines).values()
        for record in records
        if record.key == f"{KEY}#0".encode()
    )
    findings.numbers["ignored duplicates: learned baselines"] = max(copies.total() - 1, 0)
    expected = _learned(truth, topics.predictions, learned)
    findings.expect("learned baselines", list(copies), [] if expected is None else [expected.to_bytes()])


def _learned(truth: Truth, topic: str, learned: int) -> Baseline | None:
    """Of the panes from the first one on, a window's length or until there are enough: the smallest hashes."""
    panes: dict[int, list[SampledRow]] = defaultdict(list)
    for p, partition in enumerate(truth.partitions):
        for one in _in_time(partition, learned):
            start_ms = one.time_ms - one.time_ms % PANE_MS
            content = unknown_row(KEY, one.time_ms, orjson.loads(one.value)).content
            panes[start_ms].append(SampledRow(place_hash(f"{topic}/{p}", one.offset, one.element), start_ms, content))
    to_ms = min(panes) + WINDOW_PANES * PANE_MS
    while sum(len(pane) for start_ms, pane in panes.items() if start_ms < to_ms) < LEARNED_ROWS:
        to_ms += PANE_MS
        if to_ms > truth.watermark_ms():
            return None
    rows = sorted((row for start, pane in panes.items() if start < to_ms for row in pane), key=lambda row: row.hash)
    made = learned_baseline(KEY, rows[:LEARNED_ROWS], Span(min(panes), to_ms), most_features=200)
    assert isinstance(made, Baseline), made
    return made


def _in_time(partition: PartitionTruth, learned: int) -> list[LearnedFrom]:
    """Without those whose pane had closed when they came."""
    late = partition.is_late[partition.column("model") == learned].tolist()
    return [one for one, is_late in zip(partition.learned_from, late, strict=True) if not is_late]
