"""What an outcomes partition has heard from its sources, and how far event time has come for each kind.

Two watermarks: no prediction below that of the predictions is to come, no label below that of the
labels. Each is the minimum over the sources of its kind that are not idle, once all have been heard;
with all of them idle the newest; and labels that are all silent hold nothing back. Neither ever falls.

A record whose predecessor is missing is not taken: its sender died before its `@` named it, and comes again.
If it does not come again the log has lost it. A source makes a checkpoint only once the one before it is
acknowledged, and what restarts it begins at the newest `@`: so the ends of a few checkpoints beyond the gap,
one after the other, prove that nobody will fill it.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from stream.records.outcome import Covering, Kind
from stream.records.partial import NO_TIME

PROOF: Final = 10  # checkpoints beyond a gap; two would do


class SourceState(msgspec.Struct, array_like=True):
    """One source, as it last spoke."""

    kind: Kind
    incarnation: int = 0
    seen: int = (
        -1
    )  # of its offsets, all below; -1: whatever comes next is taken (it is new, or the log has lost records)
    watermark_ms: int = NO_TIME
    idle: bool = False
    beyond: int = 0  # checkpoints of its that ended beyond a gap
    beyond_end: int = -1  # ... and where the last of them did


class Heard(msgspec.Struct):
    """All sources of a partition, and the watermarks that follow."""

    sources: dict[str, SourceState] = {}
    expected: dict[Kind, int] = {}
    early_s: int = 0  # how long before its prediction a label may lie, as last said
    most_early_s: int = 0  # ... as ever said
    predictions_ms: int = NO_TIME  # Wp
    labels_ms: int = NO_TIME  # Wl

    @property
    def watermark_ms(self) -> int:
        """Both have passed it."""
        return min(self.predictions_ms, self.labels_ms)

    @property
    def no_label_before_s(self) -> int:
        """A label of an earlier time waits in vain; before any source of labels has said how early, for ever ago."""
        if Kind.LABELS not in self.expected:
            return seconds(NO_TIME)
        return seconds(self.predictions_ms) - self.early_s

    def copy(self) -> "Heard":
        """A copy that does not change with this one."""
        return msgspec.msgpack.decode(msgspec.msgpack.encode(self), type=Heard)

    def of(self, covering: Covering) -> SourceState:
        """What is known of a record's source; begins anew for a newer incarnation."""
        held = self.sources.get(covering.source)
        if held is None:
            held = self.sources[covering.source] = SourceState(covering.kind, covering.incarnation)
        if covering.incarnation > held.incarnation:
            held.incarnation, held.seen = covering.incarnation, -1
            held.watermark_ms, held.idle = NO_TIME, False
            held.beyond, held.beyond_end = 0, -1
        return held

    def early_of(self, covering: Covering) -> int:
        """How long before its prediction a label of the record may lie; only sources of labels know."""
        return covering.early_ms // 1000 if covering.kind is Kind.LABELS else self.early_s

    def take(self, covering: Covering) -> None:
        """Let a record, whose rows have been taken, move its source on."""
        held = self.of(covering)
        before_ms, was_idle = held.watermark_ms, held.idle
        held.watermark_ms = max(held.watermark_ms, covering.watermark_ms)
        # Less is a zombie's word: it is behind, or has not noticed that there is nothing more to read.
        if covering.end > held.seen:
            held.beyond, held.beyond_end = 0, -1
        if (covering.end, covering.idle) >= (held.seen, held.idle):
            held.seen, held.idle = covering.end, covering.idle
        self.early_s = self.early_of(covering)
        self.most_early_s = max(self.most_early_s, self.early_s)
        reached_ms = self.predictions_ms if covering.kind is Kind.PREDICTIONS else self.labels_ms
        unmoved = held.watermark_ms == before_ms or before_ms > reached_ms  # or it was not the one waited for
        if unmoved and held.idle == was_idle and self.expected.get(covering.kind) == covering.sources:
            return
        self.expected[covering.kind] = covering.sources
        predictions, _ = self._of_kind(Kind.PREDICTIONS)
        labels, silent = self._of_kind(Kind.LABELS)
        self.predictions_ms = max(self.predictions_ms, predictions)
        self.labels_ms = max(self.labels_ms, self.predictions_ms if silent else labels)

    def gives_up(self, covering: Covering) -> int:
        """How many offsets before a record beyond a gap will never come; then it may be taken. 0: they still may."""
        held = self.of(covering)
        ends_a_checkpoint = covering.watermark_ms != NO_TIME
        if ends_a_checkpoint and covering.begin >= held.beyond_end and covering.end > held.beyond_end:
            held.beyond, held.beyond_end = held.beyond + 1, covering.end
        if held.beyond < PROOF:
            return 0
        missing, held.seen = covering.begin - held.seen, covering.begin
        return missing

    def forgive(self) -> None:
        """Records of the log are lost: take what each source says next."""
        for held in self.sources.values():
            held.seen = -1

    def _of_kind(self, kind: Kind) -> tuple[int, bool]:
        """The kind's watermark, and whether all its sources are silent."""
        mine = [s for s in self.sources.values() if s.kind is kind]
        if not mine or len(mine) < self.expected.get(kind, 0):
            return NO_TIME, False
        awake = [s.watermark_ms for s in mine if not s.idle]
        if awake:
            return min(awake), False
        return max(s.watermark_ms for s in mine), True


def seconds(watermark_ms: int) -> int:
    """Whole seconds that a watermark has passed.

    >>> seconds(61_999)
    61
    """
    return watermark_ms // 1000


def missing_sources(heard: Heard) -> Mapping[Kind, int]:
    """How many sources of each kind have not been heard yet; both kinds are waited for.

    >>> {kind.value: n for kind, n in missing_sources(Heard()).items()}
    {'predictions': 1, 'labels': 1}
    """
    known = {kind: sum(s.kind is kind for s in heard.sources.values()) for kind in Kind}
    return {kind: max(0, heard.expected.get(kind, 1) - known[kind]) for kind in Kind}
