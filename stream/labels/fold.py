"""The labels fold: messages of one labels partition to covering records, dead letters and a ledger.

It keeps nothing of a label: what has been folded is with the join, or in a dead letter, before the
state of now is called durable.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from stream.durable.fold import Register
from stream.durable.log import Outgoing
from stream.ingest.careful_labels import UNKNOWN_CLASS
from stream.ingest.dead_letter import DeadLetters, DeadLetterTopic
from stream.ingest.id_hash import class_hashes
from stream.ingest.plan import FindBaseline, Plan, PlannedModel, Proposals, not_read_yet
from stream.ingest.settings import IngestSettings
from stream.labels.rules import LabelRules
from stream.outcomes.covering import Outbox, OutboxProgress, OutcomesTopic, Said, Times, is_sampled
from stream.outcomes.joining import Joining
from stream.records.label import LabelBatch
from stream.records.ledger import Ledger
from stream.records.outcome import LATEST_TIME_S, NO_MODEL, Kind, OutcomeRows, PerformanceDefinition
from stream.records.partial import NO_TIME
from stream.records.prediction import ModelKey
from stream.records.source import MessageBatch, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOutputs:
    """Where a labels partition sends what it made."""

    outcomes: OutcomesTopic
    dead_letters: DeadLetterTopic


class LabelProgress(msgspec.Struct, frozen=True, array_like=True):
    """All of the state, as it lies in `@`: there are no registers."""

    newest_event_ms: int
    ledger: Ledger
    ingest: IngestSettings
    models: list[PlannedModel]
    idle: bool
    outcomes: OutboxProgress


class LabelFold:
    """State of one labels partition; a `Fold`. `counted` of its ledger are the labels that went to the join."""

    def __init__(
        self,
        *,
        source: Source,
        sources: int,
        outputs: LabelOutputs,
        wanted: Callable[[], Plan],
        find_baseline: FindBaseline,
    ) -> None:
        self.source = source
        self.next_offset = 0
        self.newest_event_ms = NO_TIME
        self.ledger = Ledger()
        self.idle = False
        self.incarnation = 0
        self._to = outputs
        self._find = find_baseline
        self._proposals = Proposals(wanted)
        self._dead_letters = DeadLetters(source, outputs.dead_letters)
        self._outbox = Outbox(source=source, kind=Kind.LABELS, sources=sources, to=outputs.outcomes)
        self._rules = self._rules_of(wanted().ingest, [])

    def set_incarnation(self, incarnation: int) -> None:
        """How often an operator has declared the source to be a new topic."""
        self.incarnation = incarnation

    # -- the fold

    def needs(self, batch: MessageBatch) -> str | None:
        """Nothing: a label of a model that is not known yet is a dead letter or ignored, by configuration."""
        return None

    def needs_to_restore(self, progress: bytes, activations: Sequence[bytes]) -> str | None:
        """A baseline that labels are taken by and that has not been read yet."""
        state = msgspec.msgpack.decode(progress, type=LabelProgress)
        return not_read_yet(state.models, activations, self._find)

    def proposal(self) -> bytes | None:
        """What this worker would take labels by, if that differs from what is in force."""
        return self._proposals.next(self._rules.wants)

    def activate(self, payload: bytes) -> None:
        """Take labels by the plan from here on."""
        self._rules.activate(msgspec.msgpack.decode(payload, type=Plan))

    def fold(self, batch: MessageBatch) -> None:
        """Decode, and keep what is to go out with the next checkpoint."""
        self._outbox.begin_at(self.next_offset)
        decoded = self._rules.decoder.decode(batch)
        newest = np.maximum.accumulate(np.maximum(decoded.time_ms, self.newest_event_ms))
        self._outbox.add(*self._rows(decoded, newest[np.searchsorted(decoded.time_place, decoded.place)]))
        self._dead_letters.add(decoded.rejections, self.ledger)
        self.ledger.received += decoded.received
        if len(newest):
            self.newest_event_ms = int(newest[-1])
        self.idle = False
        self.next_offset = batch.end

    def quiet(self) -> None:
        """Say that the source is silent, until it speaks again."""
        self.idle = True

    def lost(self, begin: int) -> None:
        """Go on behind a gap that retention has cut."""
        self._outbox.begin_at(self.next_offset)  # what is told next covers the gap: it must not break the chain
        self.ledger.lost += begin - self.next_offset
        self.next_offset = begin

    # -- what is durable

    def changed(self) -> Sequence[Register]:
        """There are no registers."""
        return ()

    def live(self) -> Sequence[Register]:
        """There are no registers."""
        return ()

    def progress(self) -> bytes:
        """The state."""
        return msgspec.msgpack.encode(
            LabelProgress(
                self.newest_event_ms,
                self.ledger,
                self._rules.ingest,
                self._rules.models,
                self.idle,
                self._outbox.progress(),
            )
        )

    def restore(self, next_offset: int, progress: bytes, registers: Iterable[Register]) -> None:
        """Become the state as of `next_offset`."""
        state = msgspec.msgpack.decode(progress, type=LabelProgress)
        self.next_offset = next_offset
        self.newest_event_ms, self.ledger, self.idle = state.newest_event_ms, state.ledger, state.idle
        self._proposals.forget()
        self._rules = self._rules_of(state.ingest, state.models)
        self._outbox.restore(state.outcomes)

    def outputs(self) -> Sequence[Outgoing]:
        """Dead letters and covering records."""
        letters = self._dead_letters.take()
        if not self._rules.models:  # it cannot say how early a label may lie, and no label has been taken
            return letters
        self._outbox.begin_at(self.next_offset)
        return letters + self._outbox.outgoing(
            Said(
                incarnation=self.incarnation,
                next_offset=self.next_offset,
                watermark_ms=max(self.newest_event_ms - self._rules.lateness_ms, self._outbox.watermark_ms),
                idle=self.idle,
                early_ms=self._rules.early_ms,
            )
        )

    # -- the steps

    def _rules_of(self, ingest: IngestSettings, models: list[PlannedModel]) -> LabelRules:
        return LabelRules(ingest, models, self._find, partitions=self._to.outcomes.partitions)

    def _rows(self, decoded: LabelBatch, running_newest_ms: Times) -> tuple[OutcomeRows, list[PerformanceDefinition]]:
        """The rows that go to the join; what cannot be joined, or is not in the sample, is ignored."""
        time_s = decoded.event_time_ms // 1_000
        sample = np.array([self._rules.sample[name] for name in decoded.models] or [0.0])
        chosen = (time_s >= 0) & (time_s <= LATEST_TIME_S)
        for i, share in enumerate(sample.tolist()):
            mine = decoded.model == i
            chosen[mine] &= is_sampled(decoded.id_hash[mine], share)
        kept = int(chosen.sum())
        self.ledger.counted += kept
        self.ledger.ignored += decoded.ignored + len(chosen) - kept
        model, payload, definitions = self._scored(decoded)
        rows = OutcomeRows(
            hash=decoded.id_hash[chosen],
            offset=decoded.offset[chosen],
            late=self._outbox.late(decoded.event_time_ms, running_newest_ms - self._rules.lateness_ms)[chosen],
            time_s=time_s[chosen],
            model=model[chosen],
            payload=payload[chosen],
            value=decoded.value[chosen].astype(np.float32),
        )
        return self._by_class(rows, decoded.models, decoded.model[chosen]) if self._rules.classes else rows, definitions

    def _by_class(self, rows: OutcomeRows, models: list[str], model: npt.NDArray[np.int32]) -> OutcomeRows:
        """The rows; a label of a model of k classes as k: 1 for the class that it names, 0 for the others.

        Args:
            rows: of which a class's place is the value.
            models: their names.
            model: of each row, shape (rows,).
        """
        classes = [self._rules.classes.get(name, ()) for name in models]
        copies = np.array([len(names) or 1 for names in classes] or [1])[model]
        row = np.repeat(np.arange(len(rows)), copies)
        found = rows.take(row)
        for i, names in enumerate(classes):
            if names:
                own = model == i
                place = rows.value[own]
                self.ledger.unknown_classes += int((place == UNKNOWN_CLASS).sum())
                truth = (place[:, None] == np.arange(len(names))).astype(np.float32)
                truth[np.isnan(place)] = np.nan
                found.hash[own[row]] = class_hashes(rows.hash[own], names).ravel()
                found.value[own[row]] = truth.ravel()
        return found

    def _scored(
        self, decoded: LabelBatch
    ) -> tuple[Times, np.ndarray[tuple[int], np.dtype[np.uint32]], list[PerformanceDefinition]]:
        """Of the labels that bring a score of their own: model and payload; of the others NO_MODEL."""
        model = np.full(len(decoded.place), NO_MODEL, np.int64)
        payload = np.zeros(len(decoded.place), np.uint32)
        joinings: dict[ModelKey, tuple[int, Joining]] = {}
        for i in np.flatnonzero(np.isfinite(decoded.score)).tolist():
            key = ModelKey(decoded.models[decoded.model[i]], decoded.versions[decoded.version[i]])
            joining = self._rules.joining.get(key)
            if joining is not None:
                model[i], _ = joinings.setdefault(key, (len(joinings), joining))
                payload[i] = joining.payload(decoded.score[i : i + 1])[0]
        return model, payload, [joining.definition for _, joining in joinings.values()]
