"""An operator's word that a source is a new log under an old name."""

from stream.durable.changelog import Incarnation, encode_entry, read_changelog, sign_of_another_log
from stream.durable.log import Log, Outgoing
from stream.records.source import Source


async def start_incarnation(log: Log, changelog: Source) -> int:
    """Let the next owner begin at the source's start, as another source than before; returns the new incarnation.

    What was counted of the old log stays where it is, and what the new one holds is added: so this
    is right for a log that was recreated, and counts twice if it was not (see `recreated`). The
    workers must be stopped before: an owner of the old incarnation goes on until it is replaced.
    """
    recovered = await read_changelog(log, changelog)
    entry = Incarnation(recovered.incarnation + 1)
    await log.send([Outgoing(to=changelog, value=encode_entry(entry))])
    return entry.incarnation


async def recreated(log: Log, source: Source, changelog: Source) -> str | None:
    """What shows that the source is not the log that was folded so far; None: nothing does."""
    recovered = await read_changelog(log, changelog)
    known = None if recovered.progress is None else recovered.progress.fingerprint
    return await sign_of_another_log(log, source, known)
