"""The count fold: messages of one predictions partition to closed panes, dead letters and a ledger."""

import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import msgspec
import numpy as np

from stream.count.learning import Learning, LearningModel
from stream.count.panes import PaneRows, Panes, Times, pane_starts
from stream.count.plan import Active, ActiveModel, ActivePlan, Rows, may_hold, sorted_out
from stream.count.slow_answers import AlertTopic, SlowAnswers
from stream.count.waiting import WaitingRows
from stream.durable.fold import Register
from stream.durable.log import Outgoing
from stream.ingest.dead_letter import DeadLetters, DeadLetterTopic
from stream.ingest.feature_looks import FeatureLooks
from stream.ingest.plan import FindBaseline, Plan, Proposals, not_read_yet
from stream.ingest.settings import IngestSettings
from stream.outcomes.covering import NOWHERE, Outbox, OutboxProgress, OutcomesTopic, Said
from stream.records.ledger import Ledger
from stream.records.outcome import Kind
from stream.records.partial import NO_TIME, ActiveDefinition, PanePart, Partial, encode_partial
from stream.records.prediction import STATUS_FAILED, ModelColumns, ModelKey, PredictionBatch
from stream.records.source import MessageBatch, Source

MAX_PARTIAL_BYTES = 512 * 1024  # below Kafka's default limit of 1 MiB a message

LEARNING: Final = "learning"  # in place of a definition: the models that have none yet


@dataclass(frozen=True, slots=True, kw_only=True)
class CountOutputs:
    """Where a count sends what it made: names and numbers of partitions."""

    partials: str
    partials_partitions: int
    dead_letters: DeadLetterTopic
    outcomes: OutcomesTopic | None = None  # None: nothing waits for labels
    alerts: AlertTopic | None = None  # None: no single answer is told


class CountProgress(msgspec.Struct, frozen=True, array_like=True):
    """Everything of the state besides the registers, as it lies in `@`."""

    newest_event_ms: int
    ledger: Ledger
    ingest: IngestSettings
    models: list[ActiveModel]
    idle: bool
    outcomes: OutboxProgress | None = None
    learning: list[LearningModel] = []


class CountFold:
    """State of one predictions partition; a `Fold`.

    `wanted()` says what this worker would count with, from its configuration and the registry;
    it takes effect only through an activation, which the owner makes durable first.
    """

    def __init__(
        self,
        *,
        source: Source,
        sources: int,
        outputs: CountOutputs,
        wanted: Callable[[], Plan],
        find_baseline: FindBaseline,
    ) -> None:
        self.source = source
        self.next_offset = 0
        self.newest_event_ms = NO_TIME
        self.ledger = Ledger()
        self.idle = False
        self.incarnation = 0
        self.panes = Panes()
        self._sources = sources
        self._to = outputs
        self._find = find_baseline
        self.plan = ActivePlan(wanted().ingest, [], find_baseline)
        self._closed: list[PanePart] = []
        self._dead_letters = DeadLetters(source, outputs.dead_letters)
        self._slow = SlowAnswers(outputs.alerts)
        self._announced: dict[str, int] = {}  # definition: the watermark's pane when last said
        self._must_announce = False
        self._proposals = Proposals(wanted)
        self._outbox = Outbox(source=source, kind=Kind.PREDICTIONS, sources=sources, to=outputs.outcomes or NOWHERE)
        self._waiting = WaitingRows(self.plan, self._outbox)
        self.learning = Learning()
        self._looks: FeatureLooks | None = None  # at the batch that is being folded; it is not kept longer

    def set_incarnation(self, incarnation: int) -> None:
        """How often an operator has declared the source to be a new topic; it goes with every partial."""
        self.incarnation = incarnation

    # -- the fold

    def needs(self, batch: MessageBatch) -> str | None:
        """Nothing: a model that is not known yet is a dead letter or ignored, by configuration."""
        return None

    def needs_to_restore(self, progress: bytes, activations: Sequence[bytes]) -> str | None:
        """A baseline that the partition is counted with and that has not been read yet."""
        state = msgspec.msgpack.decode(progress, type=CountProgress)
        return not_read_yet(state.models, activations, self._find)

    def proposal(self) -> bytes | None:
        """What this worker would count with, if that differs from what is in force."""
        return self._proposals.next(self.plan.wants)

    def activate(self, payload: bytes) -> None:
        """Count with the plan from the next pane on."""
        self.plan.activate(msgspec.msgpack.decode(payload, type=Plan), newest_event_ms=self.newest_event_ms)
        self._waiting = WaitingRows(self.plan, self._outbox)
        self._drop_what_is_over()
        self.learning.end(self.plan.newest, self.plan.ingest.learning)
        self._must_announce = True

    def fold(self, batch: MessageBatch) -> None:
        """Decode, classify and count the rows; close the panes that the watermark has passed."""
        self._outbox.begin_at(self.next_offset)
        self._looks = FeatureLooks(batch, self.plan.ingest)
        decoded = self.plan.decoder.decode(batch)
        # Everything with a time moves the watermark: what is late must not depend on which models are known.
        newest = np.maximum.accumulate(np.maximum(decoded.time_ms, self.newest_event_ms))
        running = newest[np.searchsorted(decoded.time_place, decoded.place)]
        for key, columns in decoded.columns.items():
            self._count_newest(key, columns, decoded, running)
        self._waiting.add(decoded, running)
        if self.plan.predecessors:
            again = self.plan.predecessor_decoder.decode(batch)
            self._count_predecessors(again, newest[np.searchsorted(decoded.time_place, again.place)])
        self._looks = None
        self._learn(decoded, newest)
        self._dead_letters.add(decoded.rejections, self.ledger)
        self.ledger.received += decoded.received
        self.ledger.ignored += decoded.ignored
        if len(newest):
            self.newest_event_ms = int(newest[-1])
        if self.idle:
            self.idle, self._must_announce = False, True
        self.next_offset = batch.end
        self._close_panes()

    def quiet(self) -> None:
        """Say that the source is silent, once until it speaks again."""
        if not self.idle:
            self.idle, self._must_announce = True, True

    def lost(self, begin: int) -> None:
        """Go on behind a gap that retention has cut."""
        self._outbox.begin_at(self.next_offset)  # what is told next covers the gap: it must not break the chain
        self.ledger.lost += begin - self.next_offset
        self.next_offset = begin
        self._must_announce = True

    # -- what is durable

    def changed(self) -> Sequence[Register]:
        """Open panes that changed."""
        return self.panes.changed()

    def live(self) -> Sequence[Register]:
        """All open panes."""
        return self.panes.live()

    def progress(self) -> bytes:
        """The rest of the state."""
        return msgspec.msgpack.encode(
            CountProgress(
                self.newest_event_ms,
                self.ledger,
                self.plan.ingest,
                self.plan.models,
                self.idle,
                self._outbox.progress(),
                self.learning.models,
            )
        )

    def restore(self, next_offset: int, progress: bytes, registers: Iterable[Register]) -> None:
        """Become the state as of `next_offset`."""
        state = msgspec.msgpack.decode(progress, type=CountProgress)
        self.next_offset = next_offset
        self.newest_event_ms, self.ledger, self.idle = state.newest_event_ms, state.ledger, state.idle
        self.plan = ActivePlan(state.ingest, state.models, self._find)
        self._proposals.forget()
        self._outbox.restore(state.outcomes)
        self.learning = Learning(state.learning)
        self._waiting = WaitingRows(self.plan, self._outbox)
        self.panes.restore(registers)
        models = {a.definition.id: a.model for a in self.plan.active}
        # A zombie that activated elsewhere may have counted panes that this `@` does not.
        self.panes.keep(lambda key: key.definition in models and may_hold(models[key.definition], key.start_ms))
        self._close_panes()
        self._closed.clear()  # what `@` has closed was sent before `@` was

    def outputs(self) -> Sequence[Outgoing]:
        """Dead letters, outcomes, and partials when a pane has closed or the watermark has passed a pane's end."""
        samples = self.learning.samples(self._name, self.plan.ingest.learning, self._home)
        letters = self._dead_letters.take() + self._slow.take() + self._outcomes() + samples
        boundaries = {a.definition.id: self._watermark_ms(a) // a.model.settings.pane_ms for a in self.plan.active}
        boundaries[LEARNING] = self.learning.pane_reached(self.newest_event_ms, self.plan.ingest.learning)
        moved = any(at > self._announced.get(definition, NO_TIME) for definition, at in boundaries.items())
        if not (self._closed or self._must_announce or moved):
            return letters
        closed, self._closed = self._closed, []
        self._announced, self._must_announce = boundaries, False
        partials = self._partials(closed, self.panes.open_parts() if self.idle else [])
        # If a sample gets lost, the watermark must not come without it.
        return letters + [replace(p, after_others=p.after_others or bool(samples)) for p in partials]

    # -- the steps

    def _outcomes(self) -> list[Outgoing]:
        if self._to.outcomes is None or (self.newest_event_ms == NO_TIME and not self.idle):
            return []
        self._outbox.begin_at(self.next_offset)
        return self._outbox.outgoing(
            Said(
                incarnation=self.incarnation,
                next_offset=self.next_offset,
                watermark_ms=max(self.newest_event_ms - self._waiting.lateness_ms, self._outbox.watermark_ms),
                idle=self.idle,
            )
        )

    def _watermark_ms(self, active: Active) -> int:
        return self.newest_event_ms - active.model.settings.allowed_lateness_ms

    def _count_newest(self, key: ModelKey, columns: ModelColumns, decoded: PredictionBatch, newest: Times) -> None:
        active = self.plan.newest[key]
        event_time_ms, running = decoded.event_time_ms[columns.row], newest[columns.row]
        mine, late = sorted_out(active.model, event_time_ms, running)
        counted, known = mine & ~late, mine
        self._tell_slow(active, columns, decoded, counted)
        self._into_panes(active, columns, decoded, counted, running)
        predecessor = self.plan.predecessors.get(key)
        if predecessor is not None:
            older, older_late = sorted_out(predecessor.model, event_time_ms, running)
            counted, known = counted | (older & ~older_late), known | older
        self._count_over_sla(active, columns, counted)
        self._count_failed(active, columns, counted)
        for segment_key, rows in active.definition.segmentation.without_own(columns, counted):
            self.ledger.add_segment_other(key, segment_key, rows)
        known = known | late  # late, whoever would have counted it: a predecessor retires at the end of some batch
        self.ledger.counted += int(counted.sum())
        self.ledger.late += int((known & ~counted).sum())
        self.ledger.ignored += int((~known).sum())

    def _count_over_sla(self, active: Active, columns: ModelColumns, counted: Rows) -> None:
        sla_ms = active.model.settings.latency_sla_ms
        if sla_ms is None:
            return
        over = counted & np.isfinite(columns.latency_ms) & (columns.latency_ms > sla_ms)
        if over.any():
            self.ledger.add_over_sla(active.definition.key, int(over.sum()))

    def _count_failed(self, active: Active, columns: ModelColumns, counted: Rows) -> None:
        if active.model.settings.errors:
            failed = counted & (columns.status == STATUS_FAILED)
            if failed.any():
                self.ledger.add_failed(active.definition.key, int(failed.sum()))

    def _count_predecessors(self, decoded: PredictionBatch, newest: Times) -> None:
        for key, columns in decoded.columns.items():
            active = self.plan.predecessors[key]
            running = newest[columns.row]
            mine, late = sorted_out(active.model, decoded.event_time_ms[columns.row], running)
            if active.model.settings.hard_limit_ms is not None:
                newer, _ = sorted_out(self.plan.newest[key].model, decoded.event_time_ms[columns.row], running)
                self._tell_slow(active, columns, decoded, mine & ~late & ~newer)  # once, by the newest whose pane it is
            self._into_panes(active, columns, decoded, mine & ~late, running)

    def _tell_slow(self, active: Active, columns: ModelColumns, decoded: PredictionBatch, taken: Rows) -> None:
        over = self._slow.add(active, columns, decoded, taken, source=self._name, panes=self.panes)
        if over:
            self.ledger.add_over_hard_limit(active.definition.key, over)

    def _into_panes(
        self, active: Active, columns: ModelColumns, decoded: PredictionBatch, taken: Rows, running: Times
    ) -> None:
        if not taken.any():
            return
        definition, layout = active.definition, active.definition.layout
        which = columns.row[taken]
        rows = PaneRows(
            starts_ms=pane_starts(decoded.event_time_ms[which], pane_ms=active.model.settings.pane_ms),
            flat_bins=layout.flat_bins(columns)[taken],
            offsets=decoded.offset[which],
            newest_ms=running[taken],
        )
        self.panes.count(definition.id, "", rows, width=layout.width)
        assert self._looks is not None, "rows are counted while a batch is folded"
        self._looks.note(
            rows.offsets,
            decoded.place[which],
            rows.starts_ms,
            known=layout.features,
            names_of=partial(self.panes.names, definition.id),
        )
        for segment, at in definition.segmentation.parts(columns, taken):
            self.panes.count(definition.id, segment, rows.take(at), width=layout.width)

    def _learn(self, decoded: PredictionBatch, newest: Times) -> None:
        settings = self.plan.ingest.learning
        if not decoded.unknown or settings is None:
            return
        learned = sum(a.definition.baseline.is_learned for a in self.plan.newest.values())
        taken = self.learning.take(decoded, newest, self._name, settings, learned)
        self.ledger.learning += taken.learning
        self.ledger.late += taken.late
        self._dead_letters.add(taken.refused, self.ledger)

    @property
    def _name(self) -> str:
        return str(self.source) if self.incarnation == 0 else f"{self.source}~{self.incarnation}"

    def _home(self, key: ModelKey) -> Source:
        return Source(self._to.partials, partials_partition(key, self._to.partials_partitions))

    def _close_panes(self) -> None:
        self._closed += self.panes.close(
            {a.definition.id: self._watermark_ms(a) - a.model.settings.pane_ms for a in self.plan.active}
        )
        if self.plan.retire(newest_event_ms=self.newest_event_ms):
            self._drop_what_is_over()

    def _drop_what_is_over(self) -> None:
        active = {a.definition.id for a in self.plan.active}
        self.panes.keep(lambda key: key.definition in active)

    def _partials(self, closed: list[PanePart], still_open: list[PanePart]) -> list[Outgoing]:
        homes: list[dict[str, ActiveDefinition]] = [{} for _ in range(self._to.partials_partitions)]
        for active in (*self.plan.over, *self.plan.active):
            home = partials_partition(active.definition.key, len(homes))
            homes[home][active.definition.id] = active.announced
        records: list[Outgoing] = []
        for partition, definitions in enumerate(homes):
            to = Source(self._to.partials, partition)
            chunks = [(False, chunk) for chunk in _chunked(closed, definitions)]
            chunks += [(True, chunk) for chunk in _chunked(still_open, definitions)]
            for provisional, chunk in chunks[:-1]:
                named = {part.definition: definitions[part.definition] for part in chunk}
                partial = self._partial(named, chunk, provisional=provisional, last=False)
                records.append(Outgoing(to=to, value=encode_partial(partial)))
            provisional, chunk = chunks[-1] if chunks else (False, [])
            partial = self._partial(definitions, chunk, provisional=provisional, last=True)
            if partition == self.source.partition % len(homes):  # so that one evaluate, and only one, alerts
                partial = msgspec.structs.replace(partial, lost=self.ledger.lost)
            # If a chunk gets lost, the watermark must not come without it.
            records.append(Outgoing(to=to, value=encode_partial(partial), after_others=len(chunks) > 1))
        return records

    def _partial(
        self, definitions: dict[str, ActiveDefinition], panes: list[PanePart], *, provisional: bool, last: bool
    ) -> Partial:
        # The watermark comes with the last record: before it, evaluate has not heard of every pane.
        return Partial(
            source=str(self.source),
            incarnation=self.incarnation,
            sources=self._sources,
            next_offset=self.next_offset,
            newest_event_ms=self.newest_event_ms if last else NO_TIME,
            lost=0,
            idle=self.idle and last,
            provisional=provisional,
            definitions=definitions,
            panes=panes,
        )


def partials_partition(key: ModelKey, partitions: int) -> int:
    """The partials partition whose owner evaluates the model."""
    return zlib.crc32(str(key).encode()) % partitions


def _chunked(parts: list[PanePart], definitions: Collection[str]) -> list[list[PanePart]]:
    """The parts of some definitions, in chunks that are each but the last as full as a record may be."""
    chunks: list[list[PanePart]] = []
    size = 0
    for part in parts:
        if part.definition not in definitions:
            continue
        if not chunks or size + part.size > MAX_PARTIAL_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(part)
        size += part.size
    return chunks
