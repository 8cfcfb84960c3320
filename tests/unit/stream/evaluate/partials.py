"""Partials as sources say them, and an evaluate fold that hears them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import orjson

from detectors import Smoothing, Threshold
from stream.alerts.rules import Rules
from stream.baselines.baseline import Baseline, NumericSeries
from stream.baselines.definition import Definition
from stream.durable.log import Outgoing
from stream.evaluate.fold import EvaluateFold
from stream.evaluate.publisher import EvaluateOutputs
from stream.evaluate.settings import ModelSettings
from stream.records.partial import NO_TIME, ActiveDefinition, PanePart, Partial, encode_partial, pack_counts
from stream.records.settings import CountingSettings
from stream.records.source import MessageBatch, Source
from tests.small_model import START_MS, Worker, baseline, settings

PARTIALS = Source("partials", 0)
OUTPUTS = EvaluateOutputs(reports="reports", reports_partitions=1, alerts="alerts", alerts_partitions=1)
WINDOW_MS = 3_000


def limits(warning: float | None = 0.1, critical: float | None = 0.25, min_count: int = 1) -> Rules:
    return Rules(default=Threshold(warning=warning, critical=critical, min_count=min_count))


def judging(rules: Rules | None = None, window_ms: int = WINDOW_MS) -> ModelSettings:
    return ModelSettings(window_ms=window_ms, psi=rules or limits(), smoothing=Smoothing())


def row_counts(of: Baseline, rows: int, bin_of: int = 0) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Counts of rows that all fall into one bin of each series, within the baseline's range."""
    layout = Definition(of, settings()).layout
    counts = np.zeros(layout.width, np.int64)
    first = [
        start + isinstance(s, NumericSeries) for start, s in zip(layout.starts.tolist(), layout.series, strict=False)
    ]
    counts[np.array(first) + bin_of] = rows
    return counts


def part(of: Definition, start: int, rows: int, *, next_offset: int = 1, bin_of: int = 0) -> PanePart:
    """A pane that begins `start` ms after START_MS."""
    counts = pack_counts(row_counts(of.baseline, rows, bin_of))
    return PanePart(of.id, "", START_MS + start, next_offset - 1, next_offset, counts, START_MS + start)


class Speaker:
    """One source."""

    def __init__(self, source: int = 0, *, sources: int = 1) -> None:
        self.source = f"predictions/{source}"
        self.sources = sources
        self.next_offset = 0
        self.incarnation = 0
        self.lost = 0
        self.definitions: dict[str, ActiveDefinition] = {}
        self.known: dict[str, Definition] = {}

    def counts_with(
        self,
        of: Baseline,
        *,
        from_ms: int | None = None,
        until_ms: int | None = None,
        counting: CountingSettings | None = None,
    ) -> Definition:
        """From its next word on; times are relative to START_MS."""
        definition = Definition(of, counting or settings())
        since = NO_TIME if from_ms is None else START_MS + from_ms
        until = None if until_ms is None else START_MS + until_ms
        self.definitions[definition.id] = ActiveDefinition(of.id, definition.settings, since, until)
        return definition

    def no_longer(self, definition: Definition) -> None:
        del self.definitions[definition.id]

    def says(
        self, newest: int | None, panes: Sequence[PanePart] = (), *, idle: bool = False, provisional: bool = False
    ) -> Partial:
        """Its next word: the newest event so far, relative to START_MS, and panes."""
        self.next_offset += 1
        return Partial(
            source=self.source,
            incarnation=self.incarnation,
            sources=self.sources,
            next_offset=self.next_offset,
            newest_event_ms=NO_TIME if newest is None else START_MS + newest,
            lost=self.lost,
            idle=idle,
            provisional=provisional,
            definitions=dict(self.definitions),
            panes=list(panes),
        )


class Evaluate:
    """An evaluate fold, with all that it has sent."""

    def __init__(
        self, *known: Baseline, rules: Rules | None = None, window_ms: int = WINDOW_MS, worker: Worker | None = None
    ) -> None:
        self.worker = worker or Worker(*(known or (baseline(),)))
        self.judging = judging(rules, window_ms)
        self.sent: list[Outgoing] = []
        self.fold = self.new_fold()

    def new_fold(self) -> EvaluateFold:
        return EvaluateFold(outputs=OUTPUTS, settings_of=lambda _: self.judging, find_baseline=self.worker.find)

    def hears(self, *partials: Partial | bytes) -> None:
        """All in one batch."""
        values: list[bytes | None] = [p if isinstance(p, bytes) else encode_partial(p) for p in partials]
        begin = self.fold.next_offset
        self.fold.fold(
            MessageBatch(
                source=PARTIALS,
                begin=begin,
                chained=True,
                offsets=np.arange(begin, begin + len(values)),
                timestamps_ms=np.zeros(len(values), np.int64),
                values=values,
            )
        )
        self.sent += self.fold.outputs()

    def crash(self) -> None:
        """A new fold restores what this one had made durable just now."""
        progress, registers = self.fold.progress(), self.fold.live()
        restored = self.new_fold()
        restored.restore(self.fold.next_offset, progress, registers)
        self.fold = restored

    def state(self) -> tuple[Any, ...]:
        return self.fold.next_offset, self.fold.progress(), self.fold.live()

    def records(self, topic: str) -> list[dict[str, Any]]:
        return [orjson.loads(o.value) for o in self.sent if o.to.topic == topic and o.value is not None]

    @property
    def reports(self) -> list[dict[str, Any]]:
        return self.records("reports")

    @property
    def alerts(self) -> list[dict[str, Any]]:
        return self.records("alerts")

    def windows(self) -> list[tuple[int, int]]:
        """Of each report the window's end, relative to START_MS, and its rows."""
        return [(relative(r["window"]["end"]), r["n"]) for r in self.reports]

    def progress_of(self, model: str = "m") -> Mapping[str, Any]:
        (course,) = [c for key, c in self.fold.courses.items() if key.model == model]
        return {name: getattr(course.progress, name) for name in course.progress.__struct_fields__}


def hear_of_two(
    evaluate: Evaluate,
    of: Baseline,
    counting: CountingSettings,
    seconds: Sequence[tuple[int, int]],
    *,
    part_of: Callable[..., PanePart],
    crashes: bool = False,
) -> None:
    """Two sources, a pane of each in every second, made by `part_of(definition, start, rows, next_offset=...)`."""
    sources = [Speaker(i, sources=2) for i in range(2)]
    definition, _ = [source.counts_with(of, counting=counting) for source in sources]
    for second, rows in enumerate(seconds):
        for source in sources:
            said = part_of(definition, 1_000 * second, rows, next_offset=source.next_offset + 1)
            evaluate.hears(source.says(1_000 * (second + 1), [said]))
            if crashes:
                evaluate.crash()


def relative(text: str) -> int:
    """An RFC 3339 time as ms after START_MS."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000) - START_MS
