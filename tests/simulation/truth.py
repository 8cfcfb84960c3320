"""Brute force: what a partition's counts must be, in plain Python, one prediction at a time.

It shares no code with the service but the ids of definitions and the settings' numbers.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from stream.baselines.baseline import Baseline
from stream.baselines.definition import Definition, shared_definition
from stream.ingest.plan import Plan
from stream.records.settings import CountingSettings
from stream.records.source import Source
from tests.looked_at import looked_at
from tests.simulation.recorded import RecordedCount
from tests.simulation.small import BLOCK_BITS
from tests.simulation.traffic import (
    HARD_LIMIT_MS,
    LATENESS_MS,
    MAX_PER_PANE,
    PANE_MS,
    SLA_MS,
    WINDOW_MS,
    Prediction,
    Record,
    flat_bins,
    own_values,
    segments_of,
    width_of,
)

if TYPE_CHECKING:
    from tests.simulation.world import World

NEVER = -(1 << 62)
Name = tuple[str, str]  # "looked", "absent" or "unknown", and which
LOOKED: Name = ("looked", "")  # rows that were looked at
PaneOf = tuple[str, str, int]  # definition, segment ("" is the whole), start


class Definitions:
    """What the baselines of one world are counted with."""

    def __init__(self, baselines: Iterable[Baseline], counting_of: Callable[[Baseline], CountingSettings]) -> None:
        self.of_baseline = {b.id: shared_definition(b, counting_of(b)) for b in baselines}
        self.by_id = {definition.id: definition for definition in self.of_baseline.values()}


class Slow(NamedTuple):
    """One answer over the hard limit that must be told."""

    offset: int
    element: int | None  # its place in an array message
    prediction: Prediction
    rank: int  # among those of its pane


@dataclass
class Counted:
    """One definition in one partition."""

    definition: Definition
    from_ms: int
    until_ms: int | None = None

    @property
    def baseline(self) -> Baseline:
        """That it counts with."""
        return self.definition.baseline

    def owns(self, start_ms: int) -> bool:
        """Whether it counts the pane."""
        return self.from_ms <= start_ms and (self.until_ms is None or start_ms < self.until_ms)


@dataclass
class Truth:
    """One partition's counts as of an offset."""

    definitions: Definitions
    partition: int
    learns: bool = False  # models that nobody has registered
    newest_ms: int = NEVER
    received: int = 0
    counted: int = 0
    late: int = 0
    ignored: int = 0
    learning: int = 0
    lost: int = 0
    over_sla: int = 0  # of the model that is checked for it
    over_hard_limit: int = 0  # likewise, told or not
    failed: int = 0  # likewise
    told: list[Slow] = field(default_factory=list)  # what is told of them, in log order
    slow_of: Counter[tuple[str, int]] = field(default_factory=Counter)  # over the hard limit, by definition and pane
    dead: Counter[str] = field(default_factory=Counter)
    letters: list[tuple[int, str]] = field(default_factory=list)  # offset and reason of each dead letter
    active: dict[str, list[Counted]] = field(default_factory=dict)  # by model, oldest first
    other: Counter[tuple[str, str]] = field(default_factory=Counter)  # by model and key: without a segment of their own
    panes: dict[PaneOf, tuple[list[int], int, int, int]] = field(default_factory=dict)  # also closed ones
    names: dict[PaneOf, Counter[Name]] = field(default_factory=lambda: defaultdict(Counter))
    looked: Counter[tuple[str, int]] = field(default_factory=Counter)  # of these rows, those that are looked at
    rows: dict[tuple[str, int], list[Prediction]] = field(default_factory=lambda: defaultdict(list))  # not late

    def open_panes(self) -> dict[PaneOf, tuple[tuple[int, ...], int, int, int, Counter[Name]]]:
        """Those that the watermark has not passed, of definitions still in force."""
        active = {c.definition.id for of_model in self.active.values() for c in of_model if not self.is_over(c)}
        return {
            pane: (tuple(counts), first, after, newest_ms, self.names[pane])
            for pane, (counts, first, after, newest_ms) in self.panes.items()
            if pane[0] in active and not self.closed(pane[2])
        }

    def is_over(self, counted: Counted) -> bool:
        """Whether its last pane has closed."""
        if counted.until_ms is None:
            return False
        return self.newest_ms - LATENESS_MS >= -(-counted.until_ms // PANE_MS) * PANE_MS

    def closed(self, start_ms: int) -> bool:
        """Whether the watermark has passed the pane."""
        return start_ms + PANE_MS <= self.newest_ms - LATENESS_MS

    def activate(self, payload: bytes) -> None:
        """A plan takes effect."""
        begins = NEVER if self.newest_ms == NEVER else self.newest_ms + 1
        for planned in msgspec.msgpack.decode(payload, type=Plan).models:
            definition = self.definitions.of_baseline[planned.baseline_id]
            baseline = definition.baseline
            held = self.active.setdefault(baseline.model, [])
            if held and held[-1].baseline.number >= baseline.number:
                continue
            for before in held[-2:-1]:
                if not self.is_over(before):  # it is cut short
                    before.until_ms = (self.newest_ms - LATENESS_MS) // PANE_MS * PANE_MS
            for before in held[-1:]:
                before.until_ms = max(begins, before.from_ms) + 2 * WINDOW_MS
            held.append(Counted(definition, begins))

    def take(self, offset: int, element: int | None, prediction: Prediction) -> None:
        """Fold one prediction."""
        self.received += 1
        event_time_ms, model = prediction.event_time_ms, prediction.model
        if event_time_ms is not None:
            self.newest_ms = max(self.newest_ms, event_time_ms)
        start_ms = 0 if event_time_ms is None else event_time_ms - event_time_ms % PANE_MS
        if prediction.reason is None and not self.closed(start_ms):
            self.rows[model, start_ms].append(prediction)
            self.looked[model, start_ms] += self._is_looked_at(offset, element)
        reason = prediction.reason
        if model and model not in self.active and not self.learns:
            reason = "unknown_model"
        if reason is not None:
            self.dead[reason] += 1
            self.letters.append((offset, reason))
            return
        owners = [c for c in self.active.get(model, ()) if c.owns(start_ms)]
        if self.closed(start_ms):
            self.late += 1
        elif model not in self.active:
            self.learning += 1
        elif owners:
            self._count((offset, element), prediction, start_ms, owners)
        else:
            self.ignored += 1

    def _count(
        self, place: tuple[int, int | None], prediction: Prediction, start_ms: int, owners: list[Counted]
    ) -> None:
        self.counted += 1
        if owners[-1].definition.settings.errors:
            self._judge(place, prediction, [owner.definition.id for owner in owners], start_ms)
        newest = self.active[prediction.model][-1].definition
        keys = zip(own_values(newest), segments_of(newest, prediction), strict=True)
        self.other.update((prediction.model, key) for key, segment in keys if segment.endswith("=other"))
        for definition in [owner.definition for owner in owners]:
            for segment in ("", *segments_of(definition, prediction)):
                new = [0] * width_of(definition), place[0], 0, self.newest_ms
                counts, first, _, newest_ms = self.panes.get((definition.id, segment, start_ms), new)
                for at in flat_bins(definition, prediction):
                    counts[at] += 1
                self.panes[definition.id, segment, start_ms] = counts, first, place[0] + 1, newest_ms
            if self._is_looked_at(*place):
                self.names[definition.id, "", start_ms] += names_of(definition, prediction)

    def _is_looked_at(self, offset: int, element: int | None) -> bool:
        return looked_at(offset, element, self.partition, block_bits=BLOCK_BITS)

    def _judge(self, place: tuple[int, int | None], prediction: Prediction, owners: list[str], start_ms: int) -> None:
        """Of a model that is checked: of a slow answer the newest definition tells, if not of enough in its pane."""
        self.over_sla += prediction.took_longer(SLA_MS)
        self.failed += prediction.failed
        if not prediction.took_longer(HARD_LIMIT_MS):
            return
        self.over_hard_limit += 1
        self.slow_of.update((owner, start_ms) for owner in owners)
        rank = self.slow_of[owners[-1], start_ms]
        if rank <= MAX_PER_PANE:
            self.told.append(Slow(*place, prediction, rank))


def names_of(definition: Definition, prediction: Prediction) -> Counter[Name]:
    """What a look at the features finds."""
    known = {series.name for series in definition.baseline.series} - {"score"}
    found = Counter([LOOKED])
    found.update(("absent", name) for name in known - prediction.features.keys())
    found.update(("unknown", name) for name in prediction.features.keys() - known)
    return found


def truth(state: Truth, records: Sequence[Record], history: Sequence[tuple[str, int, bytes | int]], upto: int) -> Truth:
    """What a partition that went through `history` has counted of the records below `upto`; `state`: a fresh one."""
    ahead = list(history)
    offset = 0
    while True:
        while ahead and ahead[0][1] <= offset:
            what, _, payload = ahead.pop(0)
            if isinstance(payload, bytes):
                state.activate(payload)
            else:
                state.lost += (what == "lost") * (payload - offset)
                offset = payload
        if offset >= upto:
            return state
        record = records[offset]
        is_array = record.message is not None and (record.message.value or b"").startswith(b"[")
        for index, prediction in enumerate(record.predictions):
            state.take(offset, index if is_array else None, prediction)
        offset += 1


class Truths:
    """Brute force for each partition and history, computed once."""

    def __init__(self, world: "World") -> None:
        self.definitions = world.definitions
        self._world = world
        self._known: dict[tuple[Source, Any, int], Truth] = {}

    def of(self, source: Source, history: Any, upto: int | None = None) -> Truth:
        """What a partition with this history holds as of an offset; None: at the input's end."""
        records = self._world.inputs[source]
        upto = len(records) if upto is None else upto
        key = source, history, upto
        held = self._known.get(key)
        if held is None:
            fresh = Truth(self.definitions, source.partition, learns=self._world.ingest.learning is not None)
            held = self._known[key] = truth(fresh, records, history, upto)
        return held

    def final(self, source: Source) -> Truth:
        """What the partition's last owner must hold."""
        fold = self._world.holder_of[source].fold
        assert isinstance(fold, RecordedCount)
        return self.of(source, fold.history)
