"""Open panes of one source: registers of integer counts, keyed by definition and pane.

Cost: a register is one int64 vector as wide as its baseline's layout (about 110 counters a
numeric series). Open are only the panes that the watermark has not passed: allowed lateness /
pane + 2 of them per definition. Rows of a batch are counted by one `bincount` per pane.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from stream.durable.fold import Register
from stream.records.feature_names import FeatureNames
from stream.records.partial import NO_TIME, PanePart, pack_counts, unpack_counts

Times = npt.NDArray[np.int64]


class PaneKey(NamedTuple):
    """Whose counts a register holds."""

    definition: str  # id
    segment: str
    start_ms: int


class PaneRows(NamedTuple):
    """Rows to be counted, in log order."""

    starts_ms: Times  # of each row's pane, shape (rows,)
    flat_bins: Times  # the counter of each series of each row, shape (rows, series)
    offsets: Times  # of the rows in their source, shape (rows,), ascending
    newest_ms: Times  # by row, the newest event time of the source up to it, shape (rows,)

    def take(self, places: Times) -> "PaneRows":
        """Some of the rows; places ascending."""
        return PaneRows(*(column[places] for column in self))


@dataclass(slots=True)
class PaneCounts:
    """One register: the rows of one pane with offset < next_offset."""

    counts: npt.NDArray[np.int64]  # shape (layout.width,)
    first_offset: int
    next_offset: int
    newest_ms: int  # the newest event time of the source up to its first row: what is late behind it follows from this
    names: FeatureNames = field(default_factory=FeatureNames)  # of the features, in the rows that were looked at


_RegisterValue = tuple[int, bytes, int, FeatureNames | None]


def pane_starts(event_time_ms: Times, *, pane_ms: int) -> Times:
    """Start of the pane [start, start + pane_ms) that holds each event; shape as given.

    >>> pane_starts(np.array([59_999, 60_000, -1]), pane_ms=60_000).tolist()
    [0, 60000, -60000]
    """
    return event_time_ms - event_time_ms % pane_ms


class Panes:
    """The open registers of one source."""

    def __init__(self) -> None:
        self._open: dict[PaneKey, PaneCounts] = {}
        self._changed: set[PaneKey] = set()

    def __len__(self) -> int:
        return len(self._open)

    def count(self, definition: str, segment: str, rows: PaneRows, *, width: int) -> None:
        """Count rows into their panes.

        Args:
            definition: id of the definition that cut the bins.
            segment: "" for the whole traffic.
            rows: which, and what they are counted as.
            width: how many counters the definition's layout has.
        """
        for start in np.unique(rows.starts_ms).tolist():
            mine = rows.starts_ms == start
            key = PaneKey(definition, segment, start)
            at = rows.offsets[mine]
            counts = np.bincount(rows.flat_bins[mine].ravel(), minlength=width)
            held = self._open.get(key)
            if held is None:
                newest_ms = int(rows.newest_ms[mine][0])
                self._open[key] = PaneCounts(counts, int(at[0]), int(at[-1]) + 1, newest_ms)
            else:
                held.counts += counts
                held.next_offset = int(at[-1]) + 1
            self._changed.add(key)

    def counts_of(self, key: PaneKey) -> npt.NDArray[np.int64] | None:
        """What an open pane holds so far, shape (layout.width,), to be read only; None: it has no rows yet."""
        held = self._open.get(key)
        return None if held is None else held.counts

    def names(self, definition: str, start_ms: int) -> FeatureNames:
        """Those of a pane of the whole traffic that rows have just been counted into."""
        return self._open[PaneKey(definition, "", start_ms)].names

    def close(self, newest_closed_ms: Mapping[str, int]) -> list[PanePart]:
        """Take out the panes that begin at or before their definition's limit, oldest first.

        Args:
            newest_closed_ms: by definition, the largest start of a pane that ends by the watermark.
        """
        closed = sorted(key for key in self._open if key.start_ms <= newest_closed_ms.get(key.definition, NO_TIME))
        parts = [_part(key, self._open.pop(key)) for key in closed]
        self._changed.difference_update(closed)
        return parts

    def keep(self, wanted: Callable[[PaneKey], bool]) -> None:
        """Forget all panes but those wanted."""
        self._open = {key: held for key, held in self._open.items() if wanted(key)}
        self._changed.intersection_update(self._open)

    def open_parts(self) -> list[PanePart]:
        """What has been counted so far in panes that are not closed."""
        return [_part(key, self._open[key]) for key in sorted(self._open)]

    def changed(self) -> list[Register]:
        """The registers that changed since the last call."""
        changed, self._changed = self._changed, set()
        return [_register(key, self._open[key]) for key in sorted(changed)]

    def live(self) -> list[Register]:
        """All registers."""
        self._changed.clear()
        return [_register(key, self._open[key]) for key in sorted(self._open)]

    def restore(self, registers: Iterable[Register]) -> None:
        """Become what the registers say."""
        for register in registers:
            key = PaneKey(*msgspec.msgpack.decode(register.key))
            first_offset, packed, newest_ms, names = msgspec.msgpack.decode(register.value, type=_RegisterValue)
            self._open[key] = PaneCounts(
                unpack_counts(packed), first_offset, register.next_offset, newest_ms, names or FeatureNames()
            )


def _part(key: PaneKey, held: PaneCounts) -> PanePart:
    return PanePart(
        key.definition,
        key.segment,
        key.start_ms,
        held.first_offset,
        held.next_offset,
        pack_counts(held.counts),
        held.newest_ms,
        _names(held),
    )


def _register(key: PaneKey, held: PaneCounts) -> Register:
    value = msgspec.msgpack.encode((held.first_offset, pack_counts(held.counts), held.newest_ms, _names(held)))
    return Register(msgspec.msgpack.encode(key), held.next_offset, value)


def _names(held: PaneCounts) -> FeatureNames | None:
    return held.names.ordered() if held.names.looked else None
