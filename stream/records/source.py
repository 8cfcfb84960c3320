"""Where bytes come from: a partition of a topic, a message of it, a batch of messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Source(NamedTuple):
    """One partition of one log; `str` of it is `topic/partition`, as in alerts and dead letters."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One record of a log as the log holds it."""

    offset: int
    timestamp_ms: int  # the record's own timestamp, UTC epoch
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBatch:
    """Messages of one source in offset order, as one fetch brought them.

    The batch stands for every offset in [begin, end): a transaction marker or a compacted
    record is an offset in it without a message.
    """

    source: Source
    begin: int  # end of the batch before it in the same chain; offsets[0] after a seek
    chained: bool  # False for the first batch after a seek: `begin` is then only the first offset seen
    offsets: npt.NDArray[np.int64]  # shape (messages,), ascending
    timestamps_ms: npt.NDArray[np.int64]  # shape (messages,)
    values: list[bytes | None]

    @property
    def end(self) -> int:
        """The offset that follows the batch."""
        return int(self.offsets[-1]) + 1

    @classmethod
    def of(cls, source: Source, messages: Sequence[Message], *, chained: bool) -> "MessageBatch":
        """Messages in offset order, at least one, as a batch that begins with the first of them."""
        return cls(
            source=source,
            begin=messages[0].offset,
            chained=chained,
            offsets=np.array([m.offset for m in messages], np.int64),
            timestamps_ms=np.array([m.timestamp_ms for m in messages], np.int64),
            values=[m.value for m in messages],
        )
