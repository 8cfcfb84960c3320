"""Dead letters: the original bytes, with the reason and where they came from in the headers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from stream.durable.log import Outgoing
from stream.records.ledger import Ledger
from stream.records.rejection import Rejection
from stream.records.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterTopic:
    """Where dead letters go."""

    name: str
    partitions: int
    max_bytes: int  # of a letter's value; the rest of it is cut off


class DeadLetters:
    """The dead letters of one source on their way out."""

    def __init__(self, source: Source, to: DeadLetterTopic) -> None:
        self._source = source
        self._to = Source(to.name, source.partition % to.partitions)
        self._max_bytes = to.max_bytes
        self._letters: list[Outgoing] = []

    def add(self, rejections: Sequence[Rejection], ledger: Ledger) -> None:
        """Take what was rejected, and count it by its reason."""
        for rejection in rejections:
            ledger.dead[rejection.reason] = ledger.dead.get(rejection.reason, 0) + 1
            self._letters.append(dead_letter(rejection, self._source, self._to, max_bytes=self._max_bytes))

    def take(self) -> list[Outgoing]:
        """What is to be sent since the last call."""
        letters, self._letters = self._letters, []
        return letters


def dead_letter(rejection: Rejection, source: Source, to: Source, *, max_bytes: int) -> Outgoing:
    """The record for the dead-letter topic.

    Its key is `topic/partition/offset`, for an element of an array `/index` after it, so that a
    repeat after a crash is the same message. The value is cut to `max_bytes`; `size` and `sha256`
    are of the whole.
    """
    value = rejection.value or b""
    index = "" if rejection.index is None else str(rejection.index)
    key = f"{source}/{rejection.offset}" + (f"/{index}" if index else "")
    headers = {
        "reason": rejection.reason,
        "detail": rejection.detail,
        "size": str(len(value)),
        "sha256": hashlib.sha256(value).hexdigest(),
        "topic": source.topic,
        "partition": str(source.partition),
        "offset": str(rejection.offset),
        "index": index,
    }
    return Outgoing(
        to=to,
        key=key.encode(),
        value=None if rejection.value is None else value[:max_bytes],
        headers=tuple((name, text.encode("utf-8", "backslashreplace")) for name, text in headers.items()),
    )
