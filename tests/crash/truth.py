"""What must be counted, known from how the traffic was made; no production code takes part.

One prefix of a partition determines everything: `counts`, `ledger` and the dead letters of the
records below an offset are asked of the rows that the generator wrote down, in log order.
"""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.crash.models import (
    C_START,
    CHECKED_WIDTH,
    HARD_LIMIT_MS,
    LATENCIES,
    LATENCY_VALUES,
    SCORE_BINS,
    SCORE_START,
    SLA_MS,
    STATUS_START,
    WIDTH,
    X_BINS,
    places,
    segments_of,
)
from tests.crash.scenario import ALLOWED_LATENESS_MS, PANE_MS

Integers = npt.NDArray[np.int64]

# From x on: which counter of its series; of a latency, which of LATENCY_VALUES.
COLUMNS = ("offset", "element", "model", "time_ms", "x", "c", "score", "latency", "status")
NO_ROW = -1  # for `model`: only its time counts
NO_ELEMENT = -1  # for `element`: a message of its own, not part of an array
LATENCY_COUNTERS = np.array([counter for _, counter in LATENCY_VALUES], np.int64)
LATENCY_MS = np.array([ms for _, ms in LATENCIES] + [0.0] * (len(LATENCY_VALUES) - len(LATENCIES)))


@dataclass(frozen=True)
class BrokenOne:
    """A prediction that must become a dead letter."""

    offset: int
    index: int | None  # in an array message
    reason: str
    value: bytes | None


class LearnedFrom(NamedTuple):
    """A prediction of the model that is learned, whether it comes late or not."""

    offset: int
    element: int | None  # in an array message
    time_ms: int
    value: bytes


class PaneId(NamedTuple):
    """A pane of a model, as one partition counts it."""

    model: int
    start_ms: int
    segment: str = ""


@dataclass
class PartitionTruth:
    """Everything that was sent to one partition of predictions."""

    segmented: int = NO_ROW  # the model with segments; those before it are checked for latency and errors
    next_offset: int = 0
    broken: list[BrokenOne] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)  # offsets of predictions of unknown models
    learned_from: list[LearnedFrom] = field(default_factory=list)  # in log order
    rows: dict[str, "array[int]"] = field(default_factory=lambda: {name: array("q") for name in COLUMNS})

    def add_row(self, *values: int) -> None:
        """A prediction that can be counted; values in the order of COLUMNS."""
        for column, value in zip(self.rows.values(), values, strict=True):
            column.append(value)

    def add_time(self, time_ms: int) -> None:
        """What is no row but names a model and a time: it moves the watermark on."""
        self.add_row(self.next_offset, NO_ELEMENT, NO_ROW, time_ms, 0, 0, 0, 0, 0)

    def column(self, name: str) -> Integers:
        """One value of each row, shape (rows,)."""
        return np.frombuffer(self.rows[name], np.int64)[self.is_row]

    @cached_property
    def is_row(self) -> npt.NDArray[np.bool_]:
        """Which of the entries in `rows` are rows."""
        mask: npt.NDArray[np.bool_] = np.frombuffer(self.rows["model"], np.int64) != NO_ROW
        return mask

    @cached_property
    def newest_ms(self) -> Integers:
        """The newest event time up to and with each entry of `rows`."""
        return np.maximum.accumulate(np.frombuffer(self.rows["time_ms"], np.int64))

    @cached_property
    def starts_ms(self) -> Integers:
        """The pane of each row, shape (rows,)."""
        return self.column("time_ms") // PANE_MS * PANE_MS

    @cached_property
    def is_late(self) -> npt.NDArray[np.bool_]:
        """Whether a row's pane had closed when it came, shape (rows,)."""
        return self.starts_ms + PANE_MS <= self.newest_ms[self.is_row] - ALLOWED_LATENESS_MS

    @cached_property
    def watermark_ms(self) -> int:
        """After the last row."""
        return int(self.newest_ms[-1]) - ALLOWED_LATENESS_MS

    @cached_property
    def panes(self) -> dict[PaneId, tuple[Integers, Integers]]:
        """Offsets, shape (rows,), and counters, shape (rows, 3 or 5), of the counted rows of each pane."""
        counted = ~self.is_late
        model, start = self.column("model")[counted], self.starts_ms[counted]
        offsets = self.column("offset")[counted]
        x, score = places(self.column("x"), 0, X_BINS), places(self.column("score"), SCORE_START, SCORE_BINS)
        latency = WIDTH + LATENCY_COUNTERS[self.column("latency")]
        status = STATUS_START + self.column("status")
        bins = np.stack([x, C_START + self.column("c"), score, latency, status], axis=1)[counted]
        order = np.lexsort((np.arange(len(model)), start, model))
        cuts = np.flatnonzero((np.diff(model[order]) != 0) | (np.diff(start[order]) != 0)) + 1
        counters = self.column("x")[counted].tolist(), self.column("c")[counted].tolist()
        found: dict[PaneId, tuple[Integers, Integers]] = {}
        for rows in np.split(order, cuts):
            pane = PaneId(int(model[rows[0]]), int(start[rows[0]]))
            found[pane] = offsets[rows], bins[rows] if pane.model < self.segmented else bins[rows, :3]
            if pane.model == self.segmented:
                for segment, mine in _by_segment(*counters, rows.tolist()).items():
                    found[pane._replace(segment=segment)] = offsets[mine], bins[mine, :3]
        return found

    def counts(self, pane: PaneId, before: int) -> Integers | None:
        """What a pane holds of the records below offset `before`; None: no row of them.

        Shape (CHECKED_WIDTH,), of a model that is not checked for latency and errors (WIDTH,).
        """
        if pane not in self.panes:
            return None
        offsets, bins = self.panes[pane]
        rows = int(np.searchsorted(offsets, before))
        width = CHECKED_WIDTH if pane.model < self.segmented else WIDTH
        return np.bincount(bins[:rows].ravel(), minlength=width) if rows else None

    def span(self, pane: PaneId, before: int) -> tuple[int, int]:
        """First offset, and offset after the last, of the pane's rows below `before`."""
        offsets = self.panes[pane][0]
        return int(offsets[0]), int(offsets[np.searchsorted(offsets, before) - 1]) + 1

    def is_closed(self, pane: PaneId) -> bool:
        """Whether the watermark has passed it in the end."""
        return pane.start_ms + PANE_MS <= self.watermark_ms

    def ledger(self, before: int) -> Counter[str]:
        """What became of the predictions below offset `before`; dead letters as `dead:reason`."""
        rows = int(np.searchsorted(self.column("offset"), before))
        late = int(self.is_late[:rows].sum())
        found = Counter(counted=rows - late, late=late, ignored=int(np.searchsorted(self.ignored, before)))
        for reason, offsets in self._dead_offsets.items():
            found[f"dead:{reason}"] = int(np.searchsorted(offsets, before))
        found["received"] = found.total()
        return +found

    def answers(self, before: int) -> dict[str, dict[int, int]]:
        """By name of the ledger's sums and by model: the counted rows below `before` that were slow, or failed."""
        counted = ~self.is_late[: int(np.searchsorted(self.column("offset"), before))]
        model, latency_ms, status = (
            values[: len(counted)][counted] for values in (self.column("model"), self.latency_ms, self.column("status"))
        )
        among = {"over_sla": latency_ms > SLA_MS, "over_hard_limit": latency_ms > HARD_LIMIT_MS, "failed": status == 1}
        return {name: dict(Counter(model[rows].tolist())) for name, rows in among.items()}

    @property
    def latency_ms(self) -> npt.NDArray[np.float64]:
        """Of each row, shape (rows,); 0 where it is not known."""
        return LATENCY_MS[self.column("latency")]

    @cached_property
    def _dead_offsets(self) -> dict[str, list[int]]:
        offsets: dict[str, list[int]] = {}
        for one in self.broken:
            offsets.setdefault(one.reason, []).append(one.offset)
        return offsets


def _by_segment(x: list[int], c: list[int], rows: list[int]) -> dict[str, list[int]]:
    """Some rows by the segments that they lie in; x and c are the counters of all."""
    found: dict[str, list[int]] = {}
    for row in rows:
        for segment in segments_of(x[row], c[row]):
            found.setdefault(segment, []).append(row)
    return found


@dataclass
class Truth:
    """All partitions."""

    partitions: list[PartitionTruth]

    def ledger(self) -> Counter[str]:
        """Of everything that was sent."""
        return sum((p.ledger(p.next_offset) for p in self.partitions), start=Counter())

    @cached_property
    def panes(self) -> dict[PaneId, Integers]:
        """Every pane's counts over all partitions, as in `PartitionTruth.counts`."""
        totals: dict[PaneId, Integers] = {}
        for partition in self.partitions:
            for pane in partition.panes:
                counts = partition.counts(pane, partition.next_offset)
                assert counts is not None
                totals[pane] = totals.get(pane, np.zeros_like(counts)) + counts
        return totals

    def watermark_ms(self) -> int:
        """Where evaluate ends: when every source is idle, the newest of them decides."""
        return max(p.watermark_ms for p in self.partitions)

    def window_ends_ms(self) -> list[int]:
        """The windows that every model must have been evaluated for: one ends at each pane's end."""
        first_ms = min(pane.start_ms for pane in self.panes)
        return list(range(first_ms + PANE_MS, self.watermark_ms() + 1, PANE_MS))
