"""The models that nobody has registered, and the baselines made of their beginnings.

Promise: a function of the partials alone: of a model's panes from its first one on, for `span` and until there are rows
enough, the rows with the smallest hashes of their places. So the baseline is the same whoever makes it, after whatever
crash, and in whatever order the sources were heard.
Cost: (1 + panes ahead of the watermark) * `rows` rows of each model, kept until its baseline is made; 0.1 s for that.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import chain
from typing import Final, NamedTuple

import msgspec

from stream.baselines.baseline import Baseline
from stream.baselines.learned import Span, learned_baseline
from stream.durable.fold import Register
from stream.records.learning import LearningSettings, SampledRow, SampleRecord
from stream.records.partial import NO_TIME
from stream.records.prediction import ModelKey

REGISTER: Final = "~learning"  # first part of a register's key, where others have a definition's id


class LearnedProgress(msgspec.Struct, array_like=True):
    """One model version, as it lies in `@`; its rows are registers."""

    model: str
    version: str
    settings: LearningSettings
    first_ms: int | None = None  # start of its first pane, once the watermark has passed that
    settled_ms: int = NO_TIME  # to where the watermark has come
    over: bool = False  # a baseline has been made, or cannot be, or somebody has registered one
    complaint: str | None = None  # why it cannot
    registered: bool = False  # by somebody, before the span was over: it takes no one's place


class _Row(NamedTuple):
    next_offset: int  # of the partials partition, after the record that brought it
    content: bytes


Pane = dict[int, _Row]  # by hash


@dataclass
class _Model:
    """One model version that is being learned."""

    progress: LearnedProgress
    panes: dict[int, Pane] = field(default_factory=dict)  # by start
    changed: set[tuple[int, int]] = field(default_factory=set)  # pane, hash

    @property
    def key(self) -> ModelKey:
        return ModelKey(self.progress.model, self.progress.version)

    def add(self, row: SampledRow, next_offset: int) -> None:
        first_ms = self.progress.first_ms
        if first_ms is not None and row.pane_ms < first_ms:
            return  # of a source that was idle then: the span begins later
        pane = self.panes.setdefault(row.pane_ms, {})
        if row.hash not in pane:
            pane[row.hash] = _Row(next_offset, row.content)
            self.changed.add((row.pane_ms, row.hash))

    def settle(self, watermark_ms: int) -> None:
        """The watermark has come on."""
        settled = [start for start in self.panes if start + self.progress.settings.pane_ms <= watermark_ms]
        if settled and self.progress.first_ms is None:
            self.progress.first_ms = min(settled)
        self.progress.settled_ms = max(self.progress.settled_ms, watermark_ms)

    def prune(self) -> None:
        """Keep what may still be drawn: of all settled panes together so many rows, and of each other one."""
        settings = self.progress.settings
        settled = [s for s in self.panes if s + settings.pane_ms <= self.progress.settled_ms]
        ahead = [s for s in self.panes if s + settings.pane_ms > self.progress.settled_ms]
        for together in (settled, *([start] for start in ahead)):
            self._keep_smallest(together, settings.rows)

    def span(self) -> Span | None:
        """The panes that the baseline is made of, once they have all been heard; None: not yet."""
        settings, first_ms = self.progress.settings, self.progress.first_ms
        if first_ms is None:
            return None
        least_ms = first_ms + settings.span_ms
        for end_ms in (least_ms, *(start + settings.pane_ms for start in sorted(self.panes) if start >= least_ms)):
            if end_ms > self.progress.settled_ms:
                return None
            if sum(len(pane) for start, pane in self.panes.items() if start < end_ms) >= settings.least_rows:
                return Span(first_ms, end_ms)
        return None

    def drawn(self, span: Span) -> list[SampledRow]:
        """The rows of the span with the smallest hashes, in their order."""
        rows = (
            SampledRow(drawn, start, row.content)
            for start, pane in self.panes.items()
            if start < span.to_ms
            for drawn, row in pane.items()
        )
        return nsmallest(self.progress.settings.rows, rows, key=lambda row: row.hash)

    def _keep_smallest(self, starts: list[int], most: int) -> None:
        if sum(len(self.panes[start]) for start in starts) <= most:
            return
        kept = set(nsmallest(most, chain.from_iterable(self.panes[start] for start in starts)))
        for start in starts:
            pane = {drawn: row for drawn, row in self.panes[start].items() if drawn in kept}
            if pane:
                self.panes[start] = pane
            else:
                del self.panes[start]
        self.changed = {(start, drawn) for start, drawn in self.changed if drawn in self.panes.get(start, {})}


class LearnedBaselines:
    """The models of one partials partition that are being learned, and those that have been."""

    def __init__(self) -> None:
        self._models: dict[ModelKey, _Model] = {}
        self.refused = 0  # records of one model too many, or of one that cannot be learned

    @property
    def progress(self) -> list[LearnedProgress]:
        """As it lies in `@`."""
        return [model.progress for _, model in sorted(self._models.items(), key=lambda item: item[0])]

    @property
    def learning(self) -> list[ModelKey]:
        """The model versions that wait for their baseline."""
        return sorted(key for key, model in self._models.items() if not model.progress.over)

    def take(self, record: SampleRecord, next_offset: int) -> None:
        """Rows from one source."""
        model = self._models.get(record.key)
        if model is None and self._places_taken() < record.settings.models:
            model = self._models[record.key] = _Model(LearnedProgress(*record.key, record.settings))
        if model is None or model.progress.complaint is not None:
            self.refused += 1
            return
        if model.progress.over:
            return
        model.progress.settings = record.settings
        for row in record.rows:
            model.add(row, next_offset)
        model.prune()

    def has_baseline(self, key: ModelKey) -> None:
        """Sources count with one, whoever has registered it: nothing is to be learned."""
        model = self._models.get(key)
        if model is not None and not model.progress.over:
            model.progress.over = model.progress.registered = True
            model.panes, model.changed = {}, set()

    def advance(self, newest_ms: int) -> list[Baseline]:
        """The baselines of the models whose span the watermark has passed."""
        made = []
        for key in self.learning if newest_ms != NO_TIME else ():
            model = self._models[key]
            model.settle(newest_ms - model.progress.settings.allowed_lateness_ms)
            span = model.span()
            if span is None:
                model.prune()
                continue
            found = learned_baseline(key, model.drawn(span), span, model.progress.settings.features)
            model.progress.over = True
            model.panes, model.changed = {}, set()
            if isinstance(found, Baseline):
                made.append(found)
            else:
                model.progress.complaint = found
        return made

    def _places_taken(self) -> int:
        return sum(not model.progress.registered for model in self._models.values())

    # -- what is durable

    def registers(self, *, only_changed: bool) -> list[Register]:
        """The rows kept."""
        registers = []
        for key, model in sorted(self._models.items(), key=lambda item: item[0]):
            held = {(start, drawn) for start, pane in model.panes.items() for drawn in pane}
            for start, drawn in sorted(model.changed if only_changed else held):
                named = msgspec.msgpack.encode((REGISTER, *key, start, drawn))
                registers.append(Register(named, *model.panes[start][drawn]))
            model.changed = set()
        return registers

    def restore(self, progress: Iterable[LearnedProgress], refused: int) -> None:
        """Become what lies in `@`; the rows follow."""
        self._models = {ModelKey(p.model, p.version): _Model(p) for p in progress}
        self.refused = refused

    def restore_rows(self, registers: Iterable[Register]) -> None:
        """Take the rows; those that had been left out since they were written are left out again."""
        for register in registers:
            _, name, version, start, drawn = msgspec.msgpack.decode(register.key)
            model = self._models.get(ModelKey(name, version))
            if model is not None and not model.progress.over:
                model.panes.setdefault(start, {})[drawn] = _Row(register.next_offset, register.value)
        for model in self._models.values():
            model.prune()
