"""A log as the fold needs it: six verbs that Kafka and the simulation both implement."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from stream.records.source import Message, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One record to be sent."""

    to: Source
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    after_others: bool = False  # of its checkpoint: sent only when all others have been acknowledged


class Log(Protocol):
    """Append-only partitions. `send` has happened when it returns, and not necessarily when it raises."""

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Append all and return when every one is acknowledged by all in-sync replicas.

        Records for one partition keep their order. Raises if any of them may not have been
        written: the caller cannot know which, so it must stop.
        """

    async def begin(self, source: Source) -> int:
        """The first offset that is still kept."""

    async def end(self, source: Source) -> int:
        """The offset after the last record there is; may be too low by a batch (see `read`)."""

    def read(self, source: Source, start: int) -> AsyncGenerator[Message, None]:
        """Every record from `start` (or from the first one kept) up to the end at the time of the call."""

    async def first_at(self, source: Source, offset: int) -> Message | None:
        """The first record at or after `offset`; None if there is none yet."""

    async def trim(self, source: Source, before: int) -> None:
        """Allow the log to forget what lies below `before`; a hint, which a log may refuse in silence."""
