"""A log, and owners of a fold that come and go."""

from collections.abc import Sequence

from stream.durable.changelog import Entry, decode_entry
from stream.durable.owner import Owner
from stream.records.source import Source
from tests.memory_log import MemoryLog
from tests.unit.stream.durable.sum_fold import SumFold

INPUT = Source("input", 0)
CHANGELOG = Source("changelog", 0)
NEVER = 1 << 40  # bytes: no snapshot in this test


class World:
    """A log, and owners that come and go."""

    def __init__(self, values: Sequence[bytes] = (), *, min_snapshot_bytes: int = NEVER) -> None:
        self.log = MemoryLog()
        self.learned: list[str] = []
        self.fold = SumFold()
        self._min_snapshot_bytes = min_snapshot_bytes
        for value in values:
            self.log.put(INPUT, value)

    async def owner(self, fold: SumFold | None = None) -> Owner:
        """A new owner that has taken the partition."""
        owner = self.new_owner(fold)
        await owner.take()
        return owner

    def new_owner(self, fold: SumFold | None = None) -> Owner:
        self.fold = fold or SumFold()

        async def learn(what: str) -> None:
            self.learned.append(what)
            self.fold.known.add(what)

        return Owner(
            fold=self.fold,
            log=self.log,
            source=INPUT,
            changelog=CHANGELOG,
            learn=learn,
            min_snapshot_bytes=self._min_snapshot_bytes,
        )

    def entries(self) -> list[Entry]:
        """What the changelog holds."""
        return [decode_entry(v) for v in self.log.values(CHANGELOG)]


LETTERS = [b"a1", b"b2", b"a3", b"c4", b"b5", b"a6"]
