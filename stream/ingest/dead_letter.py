"""Dead letters: the original bytes, with the reason and where they came from in the headers."""

import hashlib

from stream.durable.log import Outgoing
from stream.records.rejection import Rejection
from stream.records.source import Source


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
