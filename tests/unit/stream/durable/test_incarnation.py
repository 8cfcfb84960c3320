"""A recreated topic begins again as another source; what was counted of the old one stays."""

import numpy as np

from stream.count.counter import CountFold
from stream.durable.incarnation import recreated, start_incarnation
from stream.durable.owner import Owner
from stream.evaluate.sources import Sources
from stream.records.partial import Partial, decode_partial, unpack_counts
from stream.records.source import Source
from tests.memory_log import MemoryLog
from tests.small_model import PREDICTIONS, START_MS, Worker, baseline, prediction

CHANGELOG = Source("count-changelog", 0)
PARTIALS = Source("partials", 0)


class Service:
    """One predictions partition and its owners."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.worker = Worker(baseline())

    async def count(self, *seconds: int) -> CountFold:
        """Publish a prediction at each second, count everything there is with a new owner, checkpoint."""
        for second in seconds:
            self.log.put(PREDICTIONS, prediction(second * 1_000), timestamp_ms=START_MS)
        fold = self.worker.count()
        owner = Owner(fold=fold, log=self.log, source=PREDICTIONS, changelog=CHANGELOG, learn=self.worker.learn)
        start = await owner.take(fold.set_incarnation)
        await owner.offer(self.log.batch(PREDICTIONS, start, 1_000, chained=False))
        await owner.checkpoint()
        return fold

    def partials(self) -> list[Partial]:
        return [decode_partial(value) for value in self.log.values(PARTIALS)]


async def test_incarnations_are_counted_up() -> None:
    log = MemoryLog()
    assert [await start_incarnation(log, CHANGELOG) for _ in range(3)] == [1, 2, 3]


async def test_a_new_incarnation_begins_at_the_start_and_says_who_it_is() -> None:
    service = Service()
    await service.count(0, 1, 2)
    service.log.recreate(PREDICTIONS)
    await start_incarnation(service.log, CHANGELOG)
    fold = await service.count(3, 4)
    assert (fold.next_offset, fold.ledger.counted, fold.incarnation) == (2, 2, 1)
    assert [(p.incarnation, len(p.panes)) for p in service.partials()] == [(0, 2), (1, 1)]


async def test_the_next_owner_of_the_same_incarnation_goes_on() -> None:
    service = Service()
    await service.count(0)
    service.log.recreate(PREDICTIONS)
    await start_incarnation(service.log, CHANGELOG)
    await service.count(3)
    assert (await service.count(4)).ledger.counted == 2


async def test_old_counts_stay_and_the_new_log_adds() -> None:
    #  second         0     1     2
    #  first log     ..    .     (open when the topic was deleted)
    #  second log          .     .
    service = Service()
    await service.count(0, 0, 1, 2)
    service.log.recreate(PREDICTIONS)
    await start_incarnation(service.log, CHANGELOG)
    await service.count(1, 2, 3)
    rows: dict[tuple[str, int], int] = {}
    for partial in service.partials():
        for part in partial.panes:
            key = (f"{partial.source}~{partial.incarnation}", (part.start_ms - START_MS) // 1_000)
            assert key not in rows
            rows[key] = int(np.sum(unpack_counts(part.counts))) // 3  # a row has an entry in each of 3 series
    assert rows == {
        ("predictions/0~0", 0): 2,
        ("predictions/0~0", 1): 1,
        ("predictions/0~1", 1): 1,
        ("predictions/0~1", 2): 1,
    }


async def test_the_watermark_is_that_of_the_new_incarnation_and_the_old_ones_word_is_over() -> None:
    service = Service()
    await service.count(0, 9)
    service.log.recreate(PREDICTIONS)
    await start_incarnation(service.log, CHANGELOG)
    await service.count(3, 4)
    old, new = service.partials()
    sources = Sources()
    assert sources.hear(old)
    assert sources.hear(new)
    assert sources.newest_ms() == START_MS + 4_000
    assert not sources.hear(old)
    assert sources.newest_ms() == START_MS + 4_000


async def test_only_a_log_that_is_another_one_is_said_to_be_recreated() -> None:
    service = Service()
    assert await recreated(service.log, PREDICTIONS, CHANGELOG) is None  # never counted
    await service.count(0, 1)
    assert await recreated(service.log, PREDICTIONS, CHANGELOG) is None
    service.log.recreate(PREDICTIONS)
    assert await recreated(service.log, PREDICTIONS, CHANGELOG) == "the log ends at 0"
