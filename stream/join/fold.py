"""The join fold: one outcomes partition to performance panes. A `Fold` that reads back.

The log itself is the durable form of the rows that wait: only panes and `@` are checkpointed. After a
restart the rows are rebuilt by folding again from a place before which nothing matters any more,
counting nothing; then a checksum of them must equal that in `@`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from detectors.errors import SnapshotError
from stream.durable.fold import Register
from stream.durable.log import Outgoing
from stream.errors import CallerError
from stream.join.caps import Caps
from stream.join.definitions import NO_ROOM, NOBODY, Definitions, Numbered
from stream.join.emission import Emission, JoinOutputs, Said
from stream.join.gate import OF_LABELS, Closed
from stream.join.ledger import Ledger
from stream.join.matcher import Matcher
from stream.join.registers import Registers
from stream.join.segments import RECORD_WORTH, SEGMENT_ROWS, Segment, Segments
from stream.join.table import Flags, Ints
from stream.join.together import LARGE, Together, edges_of, newest_s
from stream.join.waiting import EARLY_BUCKET_S, LONG_AGO, Waiting
from stream.join.watermarks import Heard, seconds
from stream.records.outcome import (
    FORMAT_VERSION,
    NO_MODEL,
    Covering,
    Kind,
    OutcomeRows,
    decode_covering,
    is_of_another_version,
)
from stream.records.prediction import ModelKey
from stream.records.source import MessageBatch, Source


class ReadBackMismatch(RuntimeError):
    """The rows read back are not those that were there: a bug, and nothing may be written."""


class JoinProgress(msgspec.Struct, frozen=True):
    """Everything of the state besides the panes and the rows that wait, as it lies in `@`."""

    definitions: list[Numbered]
    heard: Heard
    ledger: Ledger
    closed: dict[str, list[Closed]]
    panes_said: Said
    cohorts_said: dict[str, Said]
    start: Segment  # where reading back begins
    rows: int  # that are alive
    checksum: int


class JoinFold:
    """State of one outcomes partition; a `Fold`, and a `ReadsBack`."""

    def __init__(self, *, source: Source, sources: int, outputs: JoinOutputs, segment_rows: int = SEGMENT_ROWS) -> None:
        self.source = source
        self.next_offset = 0
        self.reread_rows = 0  # since the start of this process
        self._sources = sources
        self._outputs_to = outputs
        self._segment_rows = segment_rows
        self._begin([], Heard(), Ledger(), LONG_AGO)

    def _begin(self, definitions: list[Numbered], heard: Heard, ledger: Ledger, label_limit: int) -> None:
        self.heard = heard
        self.ledger = ledger
        self.definitions = Definitions(definitions)
        self.registers = Registers(self.definitions, ledger)
        self.waiting = Waiting(self.definitions, ledger)
        self.waiting.begin_at(seconds(heard.watermark_ms), label_limit)
        self.emission = Emission(self.source, self._sources, self._outputs_to, self.definitions, self.registers)
        self.caps = Caps(self.definitions, self.waiting, ledger)
        self.gates = self.caps.gates
        self._matcher = Matcher(self.definitions, self.waiting, self.caps, ledger, self.registers)
        self._together = Together(self._matcher)
        self._segments = Segments(self.definitions, self._segment_rows)
        self._to_send: list[Outgoing] = []
        self._believed: JoinProgress | None = None  # while the log is read back

    # -- the fold

    def needs(self, batch: MessageBatch) -> str | None:
        """Nothing: a record names its definitions in full."""
        return None

    def needs_to_restore(self, progress: bytes, activations: Sequence[bytes]) -> str | None:
        """Nothing."""
        return None

    def proposal(self) -> bytes | None:
        """Nothing: what is counted how comes with the records."""
        return None

    def activate(self, payload: bytes) -> None:
        """Never called: nothing is proposed."""

    def quiet(self) -> None:
        """Nothing: silence is for the sources to explain."""

    def fold(self, batch: MessageBatch) -> None:
        """Take each record, and tell evaluate where the watermark has left a pane."""
        for offset, value in zip(batch.offsets.tolist(), batch.values, strict=True):
            self._fold_record(offset, value)
        self.next_offset = batch.end

    def _fold_record(self, offset: int, value: bytes | None) -> None:
        self._open_segment(offset)
        self.registers.begin(offset + 1)
        covering = _read(value, self.source, offset)
        if covering is None:
            self.ledger.unreadable += 1
        elif self._may_be_taken(covering):
            self._take(covering, offset)

    def _take(self, covering: Covering, offset: int) -> None:
        if self._believed is not None:
            self._take_again(covering, offset)
            return
        self._take_rows(covering, offset)
        self.heard.take(covering)
        watermark_ms = self.heard.watermark_ms
        self.waiting.advance(seconds(watermark_ms), self.heard.no_label_before_s)
        self.caps.set_gates(offset + 1)
        due = self.emission.due(watermark_ms)
        if due:
            self._to_send += self.emission.take(watermark_ms, offset + 1)
            self.registers.close(watermark_ms)
        if self._forget_segments() or due:
            self._forget_definitions()

    def _may_be_taken(self, covering: Covering) -> bool:
        """Only what continues what has been seen of its source; a record that is not taken comes again."""
        held = self.heard.of(covering)
        if covering.incarnation < held.incarnation:
            self.ledger.stale += 1
            return False
        if held.seen < 0:
            held.seen = covering.begin
        if covering.begin > held.seen:
            self.ledger.gaps += 1
            missing = self.heard.gives_up(covering)
            self.ledger.lost += missing
            return missing > 0
        if covering.end < held.seen:
            self.ledger.repeats += covering.rows
            return False
        return True

    def _take_rows(self, covering: Covering, offset: int) -> None:
        if not covering.rows:
            return
        held, rows = self.heard.of(covering), covering.outcome_rows()
        new = rows.offset >= held.seen
        if not new.all():
            self.ledger.repeats += int((~new).sum())
            rows = rows.take(new)
        if not len(rows):
            return
        self.ledger.late += int(rows.late.sum())
        self.ledger.below += int((~rows.late & (rows.time_s < seconds(held.watermark_ms))).sum())
        self._segments.held[-1].has_rows(len(rows), int(rows.time_s.max()))
        self._matcher.early_s = self.heard.early_of(covering)
        numbered = self._numbered(covering, rows, offset)
        if covering.kind is Kind.PREDICTIONS:
            self._matcher.take_predictions(numbered, offset)
        else:
            self._matcher.take_labels(numbered, offset)

    def _numbered(self, covering: Covering, rows: OutcomeRows, offset: int) -> OutcomeRows:
        """The rows with the numbers of their definitions in this partition; those that find no room are refused."""
        numbers = self._named(covering, offset)
        named: Flags = rows.model != NO_MODEL
        if not named.any():
            return rows
        model = rows.model.copy()
        model[named] = numbers[rows.model[named]]
        rows, has_room = replace(rows, model=model), model != NO_ROOM
        if not has_room.all():
            self._matcher.refuse(covering.kind, int((~has_room).sum()))
            rows = rows.take(has_room)
        return rows

    def _named(self, covering: Covering, offset: int) -> Ints:
        """The numbers of a record's definitions, which its segment names from now on."""
        version = self.definitions.version
        numbers = self.definitions.numbers(covering.definitions, offset, again=self._believed is not None)
        if self.definitions.version != version:
            self.waiting.learn()
        scores = covering.kind is Kind.LABELS and bool(covering.definitions)
        self._segments.name(set(numbers.tolist()) - {NO_ROOM}, scores=scores)
        return numbers

    def lost(self, begin: int) -> None:
        """Records are gone before they were read. What waits could not be read back any more: it is given up."""
        self.ledger.lost += begin - self.next_offset
        self.ledger.expired += self.ledger.waiting
        self.ledger.orphans += self.ledger.waiting_labels
        self.ledger.waiting = self.ledger.waiting_labels = 0
        self.next_offset = begin
        self.heard.forgive()
        self.waiting.empty()
        self.gates.closed.clear()
        while self._segments:
            self._segments.forget_first()

    # -- where reading back begins

    def _open_segment(self, offset: int) -> None:
        if self._segments.is_full():
            self._segments.begin(Segment(offset, self.heard.copy(), self.waiting.label_limit))
        self._segments.held[-1].rows += RECORD_WORTH

    def _forget_segments(self) -> bool:
        """All rows before the first segment are dead, and so is all that they could have met or kept out."""
        watermark_s, forgotten = seconds(self.heard.watermark_ms), False
        while len(self._segments) > 1 and self._segments.held[0].newest_s < watermark_s - self._needed_s():
            self._segments.forget_first()
            forgotten = True
        if forgotten:
            self.gates.forget_before(self._segments.held[0].offset)
        return forgotten

    def _needed_s(self) -> int:
        """How long a row may matter, as long as the segments that are kept name what they name.

        A label that brings a score would stand by itself if the prediction that it fits were not read back.
        """
        reach = self.definitions.reach
        slack_s = reach.widest_bucket_s + 2 * EARLY_BUCKET_S
        times = 2 if self._segments.with_scores else 1
        return times * reach.longest_ttl_s + 2 * self.heard.most_early_s + slack_s

    def _forget_definitions(self) -> None:
        """Numbers of definitions that nothing needs any more may be given again."""
        over = self.definitions.over(self.waiting.held, self.registers.definitions)
        if over:
            self.waiting.forget_numbers(over)
            self.definitions.free(over)
            for definition in self.emission.cohorts.keys() - self.definitions.newest.keys():
                del self.emission.cohorts[definition]

    def needs_from(self) -> int:
        """The first offset that reading back would need."""
        return self._segments.held[0].offset if self._segments else self.next_offset

    def reread_from(self) -> int:
        """Where reading back begins, after `restore`."""
        return self.next_offset if self._believed is None else self._believed.start.offset

    def reread(self, batch: MessageBatch) -> None:
        """Fold records again that `@` has counted: rows begin to wait, nothing else happens."""
        before = self.ledger.predictions + self.ledger.labels
        for offset, value in zip(batch.offsets.tolist(), batch.values, strict=True):
            self._fold_record(offset, value)
        self._together.flush()
        self.reread_rows += self.ledger.predictions + self.ledger.labels - before

    def _take_again(self, covering: Covering, offset: int) -> None:
        if covering.rows >= LARGE or covering.begin != self.heard.of(covering).seen:
            self._together.flush()
            self._take_rows(covering, offset)
        elif covering.rows:
            numbers = self._named(covering, offset)
            self._segments.held[-1].has_rows(covering.rows, newest_s(covering))
            self._together.add(covering, numbers, offset, self.heard.early_of(covering))
        self.heard.take(covering)
        times = seconds(self.heard.watermark_ms), self.heard.no_label_before_s
        if not self.waiting.keeps_all(*times):
            self._together.flush()
            self.waiting.advance(*times)

    def end_reread(self) -> None:
        """Compare with what was there; raises ReadBackMismatch."""
        self._together.flush()
        self.waiting.advance(seconds(self.heard.watermark_ms), self.heard.no_label_before_s)
        believed, self._believed = self._believed, None
        if believed is None:
            return
        waiting = int(self.waiting.waiting.sum())
        found = (self.waiting.rows, self.waiting.checksum, waiting, self.heard)
        wanted = (believed.rows, believed.checksum, believed.ledger.waiting, believed.heard)
        if found != wanted:
            raise ReadBackMismatch(f"{self.source} read back from {believed.start.offset}: {found}, not {wanted}")
        self._count_into(believed.ledger, self.registers)

    # -- what is durable

    def changed(self) -> Sequence[Register]:
        """Panes that changed."""
        return self.registers.changed()

    def live(self) -> Sequence[Register]:
        """All panes that are kept."""
        return self.registers.live()

    def outputs(self) -> Sequence[Outgoing]:
        """Performance partials."""
        to_send, self._to_send = self._to_send, []
        self.emission.opening = self.emission.panes.next_offset == 0
        return to_send

    def progress(self) -> bytes:
        """The rest of the state."""
        start = self._segments.held[0] if self._segments else self._segment_here()
        return msgspec.msgpack.encode(
            JoinProgress(
                definitions=self.definitions.held(),
                heard=self.heard,
                ledger=self.ledger,
                closed=self.gates.closed,
                panes_said=self.emission.panes,
                cohorts_said=self.emission.cohorts,
                start=Segment(start.offset, start.heard, start.label_limit),
                rows=self.waiting.rows,
                checksum=self.waiting.checksum,
            )
        )

    def restore(self, next_offset: int, progress: bytes, registers: Iterable[Register]) -> None:
        """Become the state as of `next_offset`, but for the rows that wait: those are read back."""
        state = msgspec.msgpack.decode(progress, type=JoinProgress)
        self._begin(state.definitions, state.start.heard, state.ledger, state.start.label_limit)
        self.next_offset = next_offset
        self.gates.closed.update(state.closed)
        self.emission.panes, self.emission.cohorts = state.panes_said, state.cohorts_said
        self.emission.opening = state.panes_said.next_offset == 0
        self.registers.restore(registers, state.panes_said.watermark_ms)
        self.emission.find_untold()
        self._believed = msgspec.msgpack.decode(progress, type=JoinProgress)
        self._together = Together(self._matcher, edges_of(c for held in state.closed.values() for c in held))
        self._count_into(Ledger(), None)

    def _count_into(self, ledger: Ledger, registers: Registers | None) -> None:
        self.ledger = self.waiting.ledger = self.caps.ledger = self._matcher.ledger = ledger
        self._matcher.registers = registers
        self.registers.ledger = ledger

    def _segment_here(self) -> Segment:
        return Segment(self.next_offset, self.heard, self.waiting.label_limit)

    # -- what an operator sees

    def waiting_of(self) -> dict[ModelKey, int]:
        """How many predictions wait, by model version."""
        counts: dict[ModelKey, int] = {}
        for number, definition in enumerate(self.definitions.known):
            if definition is NOBODY:
                continue
            key = ModelKey(definition.model, definition.version)
            counts[key] = counts.get(key, 0) + int(self.waiting.waiting[number])
        return counts

    def refusing(self) -> list[ModelKey]:
        """The model versions whose cap has been reached."""
        names = [name for name in self.gates.all_closed() if name != OF_LABELS]
        return list(dict.fromkeys(ModelKey(*name.split("\n")[:2]) for name in names))


def _read(value: bytes | None, source: Source, offset: int) -> Covering | None:
    """The record, or None if it is not one.

    Raises:
        CallerError: it is one of another version: to pass over it would be to lose what it says.
    """
    if not value:
        return None
    if is_of_another_version(value):
        raise CallerError(
            f"{source} offset {offset} is in outcomes format {value[0]}, this Driftline reads {FORMAT_VERSION}; "
            "run the version that wrote it, or a newer one, in all workers"
        )
    try:
        return decode_covering(value)
    except (SnapshotError, msgspec.DecodeError):
        return None
