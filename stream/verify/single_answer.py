"""A single answer over the hard limit: its message read again.

Compared are the latency, the time and the place, and that the limit of the alert is exceeded. How many were over it
before in the same pane is taken from the alert.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from stream.durable.log import Log
from stream.evaluate.panes import Span
from stream.ingest.chunk import element_of
from stream.ingest.decode import Decoder
from stream.ingest.settings import IngestSettings
from stream.records.prediction import ModelKey, Schema
from stream.records.times import epoch_ms
from stream.records.violation import Violation, violation_record
from stream.verify.claim import Cannot, CitedRows, source_of
from stream.verify.compare import ABSENT, Difference, differences
from stream.verify.recount import Recount, batches, not_kept

COMPARED: Final = ("id", "startsAt", "endsAt", "value", "threshold", "annotations", "evidence")
# No baseline is asked: whatever the features are, the answer took as long as it took.
_ONLY_LATENCY: Final = Schema(numeric=(), categorical=(), categories=(), answer=None, latency=True)


class _Answer(NamedTuple):
    event_time_ms: int
    latency_ms: float


async def reread(
    log: Log, alert: Mapping[str, Any], ingest: IngestSettings
) -> tuple[Recount, list[Difference]] | Cannot:
    """What was read, and what differs from the alert.

    Args:
        log: where the source is.
        alert: the message on one answer.
        ingest: how messages are read.
    """
    evidence = alert["evidence"]
    name, offset = evidence["source"], evidence["offset"]
    cited = CitedRows(name, source_of(name), offset, offset + 1, 0)
    missing = await not_kept(log, cited)
    if missing is not None:
        return missing
    answer = await _answer(log, alert, cited, ingest)
    if answer is None:
        return _found(cited, rows=0), [Difference("value", alert["value"], ABSENT)]
    remade = orjson.loads(orjson.dumps(violation_record(_violation(alert, answer))))
    unequal = [d for field in COMPARED for d in differences(alert[field], remade[field], field)]
    if answer.latency_ms <= alert["threshold"]:
        unequal.append(Difference("threshold", alert["threshold"], "not exceeded"))
    return _found(cited, rows=1), unequal


async def _answer(log: Log, alert: Mapping[str, Any], cited: CitedRows, ingest: IngestSettings) -> _Answer | None:
    """The answer that the alert is about; None if the message has none of that model, version and place."""
    key = ModelKey(alert["labels"]["model"], alert["labels"]["version"])
    decoder = Decoder({key: _ONLY_LATENCY}, ingest)
    async for batch in batches(log, cited.source, cited.first, cited.next):
        decoded = decoder.decode(batch)
        columns = decoded.columns.get(key)
        for i, row in enumerate(columns.row.tolist() if columns is not None else []):
            if columns is not None and element_of(int(decoded.place[row])) == alert["evidence"]["index"]:
                return _Answer(int(decoded.event_time_ms[row]), float(columns.latency_ms[i]))
    return None


def _violation(alert: Mapping[str, Any], answer: _Answer) -> Violation:
    evidence, labels = alert["evidence"], alert["labels"]
    pane = evidence["pane"]
    pane_ms = epoch_ms(pane["end"]) - epoch_ms(pane["start"])
    return Violation(
        key=ModelKey(labels["model"], labels["version"]),
        source=evidence["source"],
        offset=evidence["offset"],
        index=evidence["index"],
        event_time_ms=answer.event_time_ms,
        latency_ms=answer.latency_ms,
        hard_limit_ms=alert["threshold"],
        pane_start_ms=answer.event_time_ms - answer.event_time_ms % pane_ms,
        pane_ms=pane_ms,
        rank=evidence["rank"],
        max_per_pane=evidence["max_per_pane"],
    )


def _found(cited: CitedRows, *, rows: int) -> Recount:
    spans = {cited.name: Span(cited.first, cited.next, cited.newest_ms)}
    return Recount(np.zeros(0, np.int64), messages=1, rows=rows, spans=spans)
