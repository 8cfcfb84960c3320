"""A batch through both routes, and what became of each message: the same for predictions and for labels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Generic, TypeVar

from stream.ingest.assemble import rejection
from stream.ingest.chunk import Units
from stream.ingest.envelope import Ignored, time_of
from stream.ingest.fault import Fault
from stream.ingest.json_text import parse_json
from stream.ingest.routes import Unit, read_all
from stream.ingest.settings import IngestSettings
from stream.ingest.unknown_rows import UnknownRow
from stream.records.rejection import Rejection
from stream.records.source import MessageBatch

ChunkT = TypeVar("ChunkT")
RowT = TypeVar("RowT")


@dataclass(slots=True)
class Found(Generic[ChunkT, RowT]):
    """What the messages of one batch have become; each is in exactly one of the first five."""

    chunks: list[ChunkT] = field(default_factory=list)  # rows of the fast route
    rows: list[tuple[int, RowT]] = field(default_factory=list)  # of the slow one, with their places, in log order
    rejections: dict[int, Rejection] = field(default_factory=dict)  # by place
    ignored: int = 0
    unknown: list[tuple[Unit, UnknownRow]] = field(default_factory=list)  # of models that are learned
    times: list[tuple[int, int]] = field(default_factory=list)  # place and event time of what is no row but has one


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoRoutes(Generic[ChunkT, RowT]):
    """The routes of one decoder."""

    fast: Callable[[Units], tuple[list[ChunkT], list[int]]]  # what it accepts, and the positions of the rest
    careful: Callable[[object, int], RowT | UnknownRow | Fault | Ignored]  # one JSON value with its record's timestamp
    shaped: Callable[[object], object]  # a message in our words
    settings: IngestSettings

    def read(self, batch: MessageBatch) -> Found[ChunkT, RowT]:
        """Every message of the batch, exactly once; the steps are those of `read_all`."""
        found: Found[ChunkT, RowT] = Found()

        def fast(units: Units) -> list[int]:
            chunks, rest = self.fast(units)
            found.chunks += chunks
            return rest

        def slow(unit: Unit, fault: Fault | None) -> None:
            outcome = fault or self._look_at(unit, found)
            if isinstance(outcome, Fault):
                found.rejections[unit.place] = rejection(outcome, unit.place, unit.value, batch)
            elif isinstance(outcome, Ignored):
                found.ignored += 1
            elif isinstance(outcome, UnknownRow):
                found.unknown.append((unit, outcome))
            else:
                found.rows.append((unit.place, outcome))

        read_all(batch, fast=fast, slow=slow, max_message_bytes=self.settings.max_message_bytes)
        found.rows.sort(key=itemgetter(0))  # arrays are read behind all other messages
        return found

    def _look_at(self, unit: Unit, found: Found[ChunkT, RowT]) -> RowT | UnknownRow | Fault | Ignored:
        """One message by the slow route; if it is no row, its event time is kept."""
        parsed = parse_json(unit.value or b"")
        if isinstance(parsed, Fault):
            return parsed
        message = self.shaped(parsed)
        outcome = self.careful(message, unit.timestamp_ms)
        if isinstance(outcome, Fault | Ignored | UnknownRow):
            event_time_ms = time_of(message, unit.timestamp_ms, self.settings)
            if event_time_ms is not None:
                found.times.append((unit.place, event_time_ms))
        return outcome
