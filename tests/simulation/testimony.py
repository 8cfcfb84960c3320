"""What the folds of one world have said of themselves, for the oracle to compare."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from stream.count.counter import CountProgress
from stream.durable.log import Outgoing
from stream.records.feature_names import FeatureNames
from stream.records.partial import unpack_counts
from stream.records.source import Source

if TYPE_CHECKING:
    from tests.simulation.recorded import History, RecordedCount

# counts, first offset, next offset, newest event at the first row, names of features as `counted_names` has them
Pane = tuple[tuple[int, ...], int, int, int, Counter[tuple[str, str]]]


class CountState(NamedTuple):
    """A count's state at an offset, and which activations and gaps it has come from."""

    source: Source
    next_offset: int
    progress: CountProgress
    panes: dict[tuple[str, str, int], Pane]  # open ones, by definition, segment and start
    history: "History"


class PackedState(NamedTuple):
    """A join's or an evaluate's state at an offset, and which activations it has come from."""

    source: Source
    next_offset: int
    packed: tuple[Any, ...]
    history: "History"


class Testimony:
    """Histories by what was written, and every state that somebody was restored to."""

    def __init__(self) -> None:
        self.workers: list[str] = []
        self.refused: list[str] = []
        self.count_states: list[CountState] = []
        self.states: list[PackedState] = []
        self.acknowledged: dict[Source, int] = {}  # the largest `@` that a checkpoint has returned
        self.said: dict[bytes, History] = {}  # by the bytes of what a count says: a partial, a slow answer
        self.judged: dict[Source, dict[History, int]] = defaultdict(dict)  # by history: how far somebody has evaluated
        self._written: dict[tuple[Source, int, bytes], History] = {}

    def written(self, source: Source, next_offset: int, progress: bytes, history: "History") -> None:
        """Somebody is about to write an `@`."""
        self._written.setdefault((source, next_offset, progress), history)

    def acknowledge(self, source: Source, next_offset: int) -> None:
        """A checkpoint came to its end."""
        self.acknowledged[source] = max(next_offset, self.acknowledged.get(source, 0))

    def history_of(self, source: Source, next_offset: int, progress: bytes) -> "History":
        """What the `@` has come from."""
        return self._written[source, next_offset, progress]

    def sent(self, source: Source, outputs: Sequence[Outgoing], history: "History") -> None:
        """Somebody is about to send outputs."""
        for output in outputs:
            if output.to.topic in ("partials", "alerts") and output.value is not None:
                self.said.setdefault(output.value, history)

    def evaluated(self, source: Source, next_offset: int, history: "History") -> None:
        """Somebody is about to send what an evaluate says."""
        judged = self.judged[source]
        judged[history] = max(next_offset, judged.get(history, 0))

    def count_restored(self, fold: "RecordedCount") -> None:
        """Somebody has recovered a count, or has come to its end."""
        progress = msgspec.msgpack.decode(super(type(fold), fold).progress(), type=CountProgress)
        panes: dict[tuple[str, str, int], Pane] = {}
        for register in fold.live():
            definition, segment, start_ms = msgspec.msgpack.decode(register.key)
            first_offset, packed, newest_ms, names = msgspec.msgpack.decode(register.value)
            counts = tuple(unpack_counts(packed).tolist())
            found = counted_names(msgspec.convert(names, FeatureNames | None))
            panes[definition, segment, start_ms] = counts, first_offset, register.next_offset, newest_ms, found
        self.count_states.append(CountState(fold.source, fold.next_offset, progress, panes, fold.history))

    def restored(self, source: Source, fold: Any) -> None:
        """Somebody has recovered a join or an evaluate, or has come to its end."""
        history = getattr(fold, "history", ())
        self.states.append(PackedState(source, fold.next_offset, packed_state(fold), history))


def counted_names(names: FeatureNames | None) -> Counter[tuple[str, str]]:
    """Rows looked at, and of them those without a feature of the baseline or with one more, by name."""
    if names is None:
        return Counter()
    assert not names.beyond, "no pane of these has so many names"
    found = Counter({("looked", ""): names.looked})
    found.update({("absent", name): rows for name, rows in names.absent.items()})
    found.update({("unknown", name): names.rows_of(name) for name in names.unknown})
    return found


def packed_state(fold: Any) -> tuple[Any, ...]:
    """Everything of a state as bytes."""
    return fold.progress(), [tuple(register) for register in fold.live()]
