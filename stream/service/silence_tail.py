"""What people say of alerts, as this worker knows it: the topic `silences`, read to its end and followed."""

import asyncio
import logging
from typing import Final

from stream.alerts.request_book import RequestBook
from stream.alerts.silences import Requests
from stream.durable.log import Log
from stream.records.source import Source

log = logging.getLogger("driftline.silences")

POLL_S: Final = 1.0  # a silence is heeded from about a second after it was made


class SilenceTail:
    """Follows the topic's one partition."""

    def __init__(self, log: Log, source: Source) -> None:
        self._book = RequestBook()
        self._log = log
        self._source = source
        self._position = 0
        self._reading = asyncio.Lock()

    def requests(self) -> Requests:
        """All that has been read; the same object until there is more."""
        return self._book.requests

    async def catch_up(self) -> None:
        """Read to the present end."""
        async with self._reading:
            async for message in self._log.read(self._source, self._position):
                self._position = message.offset + 1
                complaint = self._book.add(message)
                if complaint is not None:
                    log.warning("unreadable silence", extra={"offset": message.offset, "reason": complaint})

    async def follow(self) -> None:
        """Read on for ever."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.catch_up()
