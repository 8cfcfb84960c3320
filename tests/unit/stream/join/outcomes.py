"""Covering records as sources write them, and a join to read them."""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from stream.join.emission import JoinOutputs
from stream.join.fold import JoinFold
from stream.records.outcome import (
    NO_MODEL,
    Covering,
    Kind,
    OutcomeRows,
    PerformanceDefinition,
    decode_covering,
    encode_covering,
    pack_rows,
)
from stream.records.partial import NO_TIME
from stream.records.performance import PerformancePartial, Sections, decode_performance, unpack_sparse
from stream.records.prediction import ModelKey
from stream.records.source import MessageBatch, Source

OUTCOMES = Source("driftline.outcomes", 0)
NAN = float("nan")
MINUTE, HOUR, DAY = 60, 3_600, 86_400  # seconds


def definition(
    model: str = "fraud",
    *,
    task: str = "binary",
    ttl_s: int = DAY,
    revision_s: int = HOUR,
    dedupe: bool = True,
    max_waiting: int = 1_000_000,
    pane_s: int = MINUTE,
    cohort_s: int = HOUR,
    window_s: int = 10 * MINUTE,
    baseline: int = 1,
) -> PerformanceDefinition:
    """A definition with ten bins, or of a regression in units of a tenth."""
    binary = task == "binary"
    return PerformanceDefinition(
        model=model,
        version="1",
        category="",
        task=task,
        grid="g" if binary else "",
        bins=10 if binary else 0,
        unit=0.0 if binary else 0.1,
        pane_ms=pane_s * 1000,
        cohort_ms=cohort_s * 1000,
        baseline_id=f"{model}@1#{baseline}",
        window_ms=window_s * 1000,
        ttl_ms=ttl_s * 1000,
        revision_ms=revision_s * 1000,
        dedupe=dedupe,
        max_waiting=max_waiting,
    )


FRAUD = definition()
PRICE = definition("price", task="regression")


class P(NamedTuple):
    """A prediction: the id's hash, seconds, the grid bin (or the estimate of a regression)."""

    key: int
    t: int
    payload: float = 3
    of: PerformanceDefinition = FRAUD
    late: bool = False


class L(NamedTuple):
    """A label: the id's hash, seconds, its value; with a definition it brings its own score."""

    key: int
    t: int
    value: float = 1.0
    of: PerformanceDefinition | None = None
    payload: float = 3
    late: bool = False


class Writer:
    """One source: its records form a chain."""

    def __init__(self, kind: Kind, partition: int = 0, *, sources: int = 1, begin: int = 0, early_s: int = 300) -> None:
        self.kind = kind
        self.name = f"{kind.value}/{partition}"
        self.sources = sources
        self.end = begin
        self.watermark_s: int | None = None
        self.incarnation = 0
        self.early_s = early_s

    def say(self, *rows: P | L, watermark_s: int | None = None, idle: bool = False, skip: int = 0) -> bytes:
        """The next record of the chain; `skip` offsets have no rows here."""
        begin, self.end = self.end, self.end + len(rows) + skip
        if watermark_s is not None:
            self.watermark_s = watermark_s
        definitions = list(dict.fromkeys(row.of for row in rows if row.of is not None))
        columns = OutcomeRows(
            hash=np.array([row.key for row in rows], np.uint64),
            offset=begin + np.arange(len(rows)),
            late=np.array([row.late for row in rows], np.bool_),
            time_s=np.array([row.t for row in rows], np.int64),
            model=np.array([NO_MODEL if row.of is None else definitions.index(row.of) for row in rows], np.int64),
            payload=np.array([_payload(row) for row in rows], np.uint32),
            value=np.array([row.value if isinstance(row, L) else 0 for row in rows], np.float32),
        )
        return encode_covering(
            Covering(
                source=self.name,
                incarnation=self.incarnation,
                kind=self.kind,
                sources=self.sources,
                begin=begin,
                end=self.end,
                watermark_ms=NO_TIME if self.watermark_s is None else self.watermark_s * 1000,
                idle=idle,
                early_ms=self.early_s * 1000 if self.kind is Kind.LABELS else 0,
                definitions=definitions,
                rows=len(rows),
                columns=pack_rows(columns, self.kind, begin) if rows else b"",
            )
        )


def predictions(partition: int = 0, *, sources: int = 1) -> Writer:
    """A source of predictions."""
    return Writer(Kind.PREDICTIONS, partition, sources=sources)


def labels(partition: int = 0, *, sources: int = 1, early_s: int = 300) -> Writer:
    """A source of labels."""
    return Writer(Kind.LABELS, partition, sources=sources, early_s=early_s)


def _payload(row: P | L) -> int:
    if row.of is not None and row.of.task == "regression":
        return int(struct.unpack("<I", struct.pack("<f", row.payload))[0])
    return int(row.payload)


def join(*, partials: int = 2, segment_rows: int = 20_000) -> JoinFold:
    """A join that has read nothing."""
    outputs = JoinOutputs(
        partials="driftline.partials",
        partials_partitions=partials,
        home=lambda key: {"fraud": 0}.get(key.model, partials - 1),
    )
    return JoinFold(source=OUTCOMES, sources=1, outputs=outputs, segment_rows=segment_rows)


def batch(records: Sequence[bytes | None], begin: int) -> MessageBatch:
    """Records as one fetch brings them."""
    return MessageBatch(
        source=OUTCOMES,
        begin=begin,
        chained=True,
        offsets=np.arange(begin, begin + len(records)),
        timestamps_ms=np.zeros(len(records), np.int64),
        values=list(records),
    )


def read(fold: JoinFold, *records: bytes | None) -> JoinFold:
    """Fold records, each as a batch of its own; both identities of the ledger hold after every one."""
    for record in records:
        fold.fold(batch([record], fold.next_offset))
        assert fold.ledger.balances() == (0, 0), fold.ledger
        assert fold.ledger.waiting == int(fold.waiting.waiting.sum())
    return fold


def panes(fold: JoinFold) -> dict[tuple[str, bool, int], list[int]]:
    """Every pane that has any count: definition, cohort?, start in seconds -> its counters."""
    found = {}
    for key, pane in fold.registers.panes.items():
        width = fold.definitions.sections(key.definition).width
        counts = unpack_sparse(pane.pack(), width)
        if counts.any():
            found[key.definition, key.cohort, key.start_ms // 1000] = counts.tolist()
    return found


class Scored(NamedTuple):
    """What a pane of a binary model holds: grid bins of its negatives and positives, and how many predictions."""

    negatives: dict[int, int]
    positives: dict[int, int]
    predictions: int


def scored(fold: JoinFold, start_s: int, *, cohort: bool = False, of: PerformanceDefinition = FRAUD) -> Scored:
    """One pane, in words."""
    sections = Sections.of(of)
    counts = panes(fold).get((of.id, cohort, start_s), [0] * sections.width)
    negatives, positives = (
        {i: n for i, n in enumerate(counts[section]) if n} for section in (sections.negatives, sections.positives)
    )
    return Scored(negatives, positives, sum(counts[sections.predictions]))


def partials(fold: JoinFold) -> list[tuple[int, PerformancePartial]]:
    """What it tells evaluate: partition and message."""
    return [(o.to.partition, decode_performance(o.value or b"")) for o in fold.outputs()]


def restored(fold: JoinFold, log: Sequence[bytes | None], *, segment_rows: int = 20_000) -> JoinFold:
    """Another owner of the same partition, after a crash: from registers, `@` and the log."""
    progress = fold.progress()
    fresh = join(segment_rows=segment_rows)
    fresh.restore(fold.next_offset, progress, [*fold.registers.live()])
    start = fresh.reread_from()
    if start < fold.next_offset:
        fresh.reread(batch(log[start : fold.next_offset], start))
    fresh.end_reread()
    assert fresh.progress() == progress, "bit for bit"
    return fresh


def coverings(log: Iterable[bytes]) -> list[Covering]:
    """Records decoded."""
    return [decode_covering(value) for value in log]


def key_of(model: str) -> ModelKey:
    """Version 1 of a model."""
    return ModelKey(model, "1")
