"""The topic `silences` as it was read so far: the newest record of each silence and of each acknowledged alert."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from stream.alerts.silences import MOST_KEPT, MOST_KEPT_BYTES, Acknowledgement, Requests, Silence, read_request
from stream.records.source import Message

_Said = TypeVar("_Said", Silence, Acknowledgement)


class RequestBook:
    """Takes the topic's records one by one, in their order."""

    def __init__(self) -> None:
        self._silences: dict[str, Silence] = {}  # by id, the newest record last
        self._acknowledgements: dict[str, Acknowledgement] = {}  # by alert, likewise
        self._read_to = 0
        self._requests: Requests | None = Requests()

    def add(self, message: Message) -> str | None:
        """Take the next record; why it says nothing, or None if it does."""
        self._read_to, self._requests = message.offset + 1, None
        found = read_request(message.value or b"")
        if isinstance(found, Silence):
            _renew(self._silences, found.id, found)
        elif isinstance(found, Acknowledgement):
            _renew(self._acknowledgements, found.alert, found)
        else:
            return found
        return None

    @property
    def requests(self) -> Requests:
        """All that is in force, was, or will be; the same object until there is more."""
        if self._requests is None:
            silences = sorted(_that_fit(self._silences), key=lambda silence: silence.id)
            acks = sorted(_that_fit(self._acknowledgements), key=lambda ack: ack.alert)
            self._requests = Requests(self._read_to, tuple(silences), tuple(acks))
        return self._requests

    def silences(self) -> Iterable[Silence]:
        """The newest record of each, the oldest first."""
        return self._silences.values()


def _that_fit(held: dict[str, _Said]) -> Iterator[_Said]:
    """The newest ones, as many as may be kept in bytes."""
    room = MOST_KEPT_BYTES
    for said in reversed(held.values()):
        room -= len(msgspec.msgpack.encode(said))
        if room < 0:
            return
        yield said


def _renew(held: dict[str, _Said], key: str, said: _Said) -> None:
    held.pop(key, None)
    held[key] = said
    while len(held) > MOST_KEPT:
        del held[next(iter(held))]
