"""Which partitions must wait: in a fast replay those that run ahead of the others in event time.

Evaluate keeps the panes of a fast source until the slowest has reached them, so that a replay in
which one partition is a year ahead would hold a year of panes. Live traffic is never paced: a
partition that has been read to its end holds nobody back here, however old its newest event is.
"""

from collections.abc import Collection, Mapping

from stream.records.partial import NO_TIME
from stream.records.source import Source


def ahead_of_the_others(
    newest_event_ms: Mapping[Source, int], behind: Collection[Source], *, lead_ms: int
) -> frozenset[Source]:
    """The sources whose newest event is more than `lead_ms` ahead of the slowest that has a backlog.

    >>> p, q = Source("predictions", 0), Source("predictions", 1)
    >>> ahead_of_the_others({p: 9_000, q: 1_000}, behind=[p, q], lead_ms=5_000) == {p}
    True
    >>> ahead_of_the_others({p: 9_000, q: 1_000}, behind=[p], lead_ms=5_000)        # q is at its end
    frozenset()
    """
    started = (newest_event_ms.get(source, NO_TIME) for source in behind)
    slowest_ms = min((ms for ms in started if ms != NO_TIME), default=None)
    if slowest_ms is None:
        return frozenset()
    return frozenset(s for s, ms in newest_event_ms.items() if ms != NO_TIME and ms > slowest_ms + lead_ms)
