"""The owner of one source partition: takes it, folds it, makes it durable, gives it up.

Promise: after any crash, zombie, redelivery or rebalance the fold's state equals that of an
owner that never died, because (1) the state is a pure function of the source's prefix, (2) the
changelog gives it back exactly as of the newest believable `@`, (3) only an unbroken chain of
batches is folded on from there. Cost: one checkpoint = two rounds of acknowledged sends.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from stream.durable.changelog import (
    Activation,
    Fingerprint,
    Progress,
    encode_deltas,
    encode_entry,
    newest_base,
    read_changelog,
    sign_of_another_log,
)
from stream.durable.fold import ChangesOutputs, Fold, ReadsBack
from stream.durable.log import Log, Outgoing
from stream.durable.read_back import Trimmed, read_back
from stream.errors import TopicRecreated
from stream.records.source import MessageBatch, Source

log = logging.getLogger("driftline.durable")

SNAPSHOT_GROWTH: Final = 2  # a new snapshot when the deltas since the last one outgrow it so many times
TRIMMED_AT_ONCE: Final = 1_000  # records of the source that its log is allowed to forget in one go
MIN_SNAPSHOT_BYTES: Final = 256 * 1024  # below that, reading everything back is cheaper than care

Learn = Callable[[str], Awaitable[None]]


class Superseded(RuntimeError):
    """Another owner has folded on and trimmed the source behind it: what this one has not read is not lost."""


class Owner:
    """One source partition in the hands of one worker.

    `learn(what)` returns when more of the other topics (baselines) has been read; it is called
    while a batch needs something that the fold does not know yet.
    """

    def __init__(
        self,
        *,
        fold: Fold,
        log: Log,
        source: Source,
        changelog: Source,
        learn: Learn,
        min_snapshot_bytes: int = MIN_SNAPSHOT_BYTES,
    ) -> None:
        self.fold: Final = fold
        self.source: Final = source
        self.durable_offset = -1  # the `@` that is known to be in the changelog
        self.bytes_since_checkpoint = 0
        self.broken = False  # a checkpoint has failed or was cut short: this owner can write no other
        self._log = log
        self._changelog = changelog
        self._learn = learn
        self._incarnation = 0
        self._base = 0
        self._bytes_since_base = 0
        self._snapshot_bytes = 0
        self._trimmed_before = 0  # of the source
        self._has_gap = False  # since the last snapshot
        self._overtaken = False  # somebody else has made a newer snapshot than the one that our `@` needs
        self._fingerprint: Fingerprint | None = None
        self._scheduled: list[Activation] = []
        self._proposals_from = 0  # offset; see `ChangesOutputs`
        self._min_snapshot_bytes = min_snapshot_bytes
        self._folding = asyncio.Lock()
        self._checkpointing = asyncio.Lock()

    @property
    def incarnation(self) -> int:
        """How often an operator has declared the source to be a new topic."""
        return self._incarnation

    async def take(self, set_incarnation: Callable[[int], None] | None = None) -> int:
        """Recover the state and say where to read on.

        1. Read the changelog to its end, then of the other topics what its state needs.
        2. Restore the state as of the newest believable `@`; if there is none, write `@` = start and await it.
        3. Compare the fingerprint with the source: a recreated topic is refused, loudly.
        4. Read the source again as far back as the state needs it; a newer owner may have trimmed it: then from 1.
        5. What retention has cut away is a gap: counted, and said.

        Raises:
            TopicRecreated: the record before `@` is not the one that was folded, or what must be read again is gone.
        """
        while True:
            while not await self._recover(set_incarnation):
                pass
            try:
                await self._count_what_retention_cut()  # 5
            except Superseded:
                continue
            if isinstance(self.fold, ChangesOutputs):
                self._proposals_from = await self._log.end(self.source)
            return self.fold.next_offset

    async def take_again(self) -> bool:
        """Go on with the state in memory, if nobody has written a newer one since; False: take it with a new owner.

        For a partition that was given up and comes back: what must be read again need not be.
        """
        if self.broken or self.fold.next_offset != self.durable_offset:
            return False
        recovered = await read_changelog(self._log, self._changelog)
        newest = recovered.progress
        if newest is None or (recovered.incarnation, newest.next_offset, newest.base) != (
            self._incarnation,
            self.durable_offset,
            self._base,
        ):
            return False
        await self._check_fingerprint()
        try:
            await self._count_what_retention_cut()
        except Superseded:
            return False
        return True

    async def _recover(self, set_incarnation: Callable[[int], None] | None) -> bool:
        """Steps 1 to 4; False if there is a newer `@` by now, without which they cannot be done."""
        recovered = await read_changelog(self._log, self._changelog)  # 1
        self._incarnation = recovered.incarnation
        if set_incarnation is not None:
            set_incarnation(recovered.incarnation)
        if recovered.progress is None:  # 2
            await self._begin_at_start()
        else:
            progress = recovered.progress
            self._base, self._bytes_since_base = progress.base, recovered.bytes_since_base
            self._fingerprint, self.durable_offset = progress.fingerprint, progress.next_offset
            payloads = [activation.payload for activation in recovered.activations]
            while (what := self.fold.needs_to_restore(progress.state, payloads)) is not None:
                await self._learn(what)
            self.fold.restore(progress.next_offset, progress.state, recovered.registers)
            self._scheduled = _first_of_each_payload(recovered.activations)
            self._snapshot_bytes = sum(map(len, encode_deltas(list(self.fold.live()), self._incarnation)))
            await self._check_fingerprint()  # 3
            try:
                await read_back(self._log, self.source, self.fold)  # 4
            except Trimmed as trimmed:
                newest = (await read_changelog(self._log, self._changelog)).progress
                if newest is None or newest.next_offset <= progress.next_offset:
                    raise TopicRecreated(
                        *self.source, next_offset=progress.next_offset, found=str(trimmed)
                    ) from trimmed
                return False
        return True

    async def offer(self, batch: MessageBatch) -> int | None:
        """Fold a batch if it continues what was folded; otherwise the offset to seek to.

        A batch that was folded before is passed over. One that begins beyond `next_offset` is
        folded only if nothing lies between: either it is chained to what was folded, or a plain
        read of the log confirms that its first record is the next one there is.
        """
        async with self._folding:
            if batch.end <= self.fold.next_offset:
                if not batch.chained or int(batch.offsets[0]) < batch.begin:
                    await self._check_fingerprint()  # the consumer went back: is it still the same log?
                return None
            if not await self._continues(batch):
                return self.fold.next_offset
            await self._fold(_from_offset(batch, self.fold.next_offset))
            return None

    async def _fold(self, batch: MessageBatch) -> None:
        rest: MessageBatch | None = batch
        while rest is not None:
            await self._activate_due(int(rest.offsets[0]))
            now, rest = _split(rest, self._next_activation())
            while (what := self.fold.needs(now)) is not None:
                await self._learn(what)
            self.fold.fold(now)
            last = len(now.offsets) - 1
            self._fingerprint = Fingerprint.of(int(now.offsets[last]), int(now.timestamps_ms[last]), now.values[last])
            self.bytes_since_checkpoint += sum(len(value) for value in now.values if value)

    async def checkpoint(self) -> int:
        """Make everything up to here durable; returns the `@` that now is.

        1. Encode changed registers and `@` at once, before the first await of the sends.
        2. Send outputs and registers; await all; then the outputs that say that the others are there.
        3. Send `@`; await it.
        4. Release what is held: the caller commits the hint, the changelog forgets what lies below `base`,
           and the source what no restart would read again, if the fold says so.

        A crash before 3 replays input from the old `@`; outputs carry ids or offsets, so that
        nothing doubles. Superseded says that all was written, and that it is another's: this owner
        is to be dropped. Any other exception says that something may not have been written: nothing
        is released, and the process must end.
        """
        async with self._checkpointing:
            if self.broken:
                raise RuntimeError("a checkpoint was cut short: another would claim what that one has lost")
            snapshot = self._snapshot_due()
            base = await self._end_of_changelog() if snapshot else self._base
            self.broken = True  # until all that is taken out of the fold now is written
            outputs = list(self.fold.outputs())  # 1
            registers = list(self.fold.live() if snapshot else self.fold.changed())
            if not snapshot and not outputs and not registers and self.fold.next_offset == self.durable_offset:
                self.broken = False
                return self.durable_offset
            progress = self._progress(base)
            needed = self.fold.needs_from() if isinstance(self.fold, ReadsBack) else 0
            self.bytes_since_checkpoint = 0
            deltas = encode_deltas(registers, self._incarnation)
            if snapshot:  # what lies before `base` is not read again: not the activations to come either
                deltas += [encode_entry(a) for a in self._scheduled]
            others = [o for o in outputs if not o.after_others]
            await self._log.send(others + [Outgoing(to=self._changelog, value=d) for d in deltas])  # 2
            if len(others) < len(outputs):
                await self._log.send([o for o in outputs if o.after_others])
            closing = encode_entry(progress)
            await self._log.send([Outgoing(to=self._changelog, value=closing)])  # 3
            await self._trim_source(needed, base)  # 4
            written = sum(map(len, deltas)) + len(closing)
            self._base = base
            self._bytes_since_base = written if snapshot else self._bytes_since_base + written
            self.durable_offset = progress.next_offset
            self.broken = False
            if snapshot:
                self._snapshot_bytes, self._has_gap = written, False
                await self._check_that_nobody_has_folded_on()  # a newer `@` may need what lies before
                await self._log.trim(self._changelog, base)
            return self.durable_offset

    async def settle(self) -> None:
        """Let a new activation take effect although no input comes."""
        async with self._folding:
            await self._activate_due(self.fold.next_offset)

    async def at_end(self) -> bool:
        """Whether everything the source holds has been folded."""
        position = self.fold.next_offset
        if await self._log.first_at(self.source, position) is not None:
            return False
        # Asked afterwards: else a gap with nothing behind it, cut just now, would pass for silence.
        if await self._log.begin(self.source) > self.fold.next_offset:
            async with self._folding:
                await self._count_what_retention_cut()
        return position == self.fold.next_offset

    async def _begin_at_start(self) -> None:
        self._base = await self._end_of_changelog()
        self.fold.next_offset = await self._log.begin(self.source)
        await self._log.send([Outgoing(to=self._changelog, value=encode_entry(self._progress(self._base)))])
        self.durable_offset = self.fold.next_offset

    async def _trim_source(self, needed: int, base: int) -> None:
        """Let the source forget, but not behind an `@` whose base somebody else's snapshot takes away.

        A zombie writes its snapshot before it looks for a newer `@`, and we our `@` before we look for a newer
        snapshot: one of the two sees the other.
        """
        if needed - self._trimmed_before >= TRIMMED_AT_ONCE:
            self._overtaken = await newest_base(self._log, self._changelog) > base
            if not self._overtaken:
                self._trimmed_before = needed
                await self._log.trim(self.source, needed)

    async def _end_of_changelog(self) -> int:
        # The end may be said too low; a base below what is kept would not be believed.
        return max(await self._log.end(self._changelog), await self._log.begin(self._changelog))

    def _progress(self, base: int) -> Progress:
        return Progress(self._incarnation, self.fold.next_offset, base, self._fingerprint, self.fold.progress())

    def _snapshot_due(self) -> bool:
        # Behind a gap, registers of an owner that still read what lies in it must not be found again.
        limit = max(self._min_snapshot_bytes, (1 + SNAPSHOT_GROWTH) * self._snapshot_bytes)
        return self._has_gap or self._overtaken or self._bytes_since_base > limit

    async def _check_fingerprint(self) -> None:
        found = await sign_of_another_log(self._log, self.source, self._fingerprint)
        if found is not None:
            raise TopicRecreated(*self.source, next_offset=self.fold.next_offset, found=found)

    async def _continues(self, batch: MessageBatch) -> bool:
        first = int(batch.offsets[0])
        if first <= self.fold.next_offset:
            return True
        # Offsets lie between: markers of transactions, a lost batch, or records that retention has cut away.
        await self._count_what_retention_cut()
        if batch.chained and batch.begin == self.fold.next_offset:
            return True
        following = await self._log.first_at(self.source, self.fold.next_offset)
        # Asked again: a gap that was cut just now would pass for markers.
        await self._count_what_retention_cut()
        return following is not None and following.offset == first >= self.fold.next_offset

    async def _count_what_retention_cut(self) -> None:
        begin = await self._log.begin(self.source)
        missing = begin - self.fold.next_offset
        if missing > 0:
            await self._check_that_nobody_has_folded_on()
            log.error("input lost to retention", extra={"source": str(self.source), "records": missing})
            self.fold.lost(begin)
            self._fingerprint, self._has_gap = None, True
            await self.checkpoint()  # before the fold goes on: the next owner must find the same gap

    async def _check_that_nobody_has_folded_on(self) -> None:
        """Raises Superseded if there is a newer `@`, of a fold whose owners trim their source.

        For an older one, what it would need to be read back may be gone: with the newer one the state would be lost.
        """
        if isinstance(self.fold, ReadsBack):
            newest = (await read_changelog(self._log, self._changelog)).progress
            if newest is not None and newest.next_offset > self.fold.next_offset:
                raise Superseded(
                    f"{self.source} at {self.fold.next_offset}: another has gone on to {newest.next_offset}"
                )

    def _next_activation(self) -> int | None:
        return self._scheduled[0].offset if self._scheduled else None

    async def _activate_due(self, next_record: int) -> None:
        # No record lies between `next_offset` and the next one, so all that is due up to there is due now.
        while self._scheduled and self._scheduled[0].offset <= next_record:
            self.fold.activate(self._scheduled.pop(0).payload)
        proposal = self.fold.proposal() if self.fold.next_offset >= self._proposals_from else None
        if proposal is None or self._is_scheduled(proposal):
            return
        activation = Activation(self._incarnation, self.fold.next_offset, proposal)
        self._scheduled.insert(0, activation)  # a snapshot that begins while it is sent repeats it
        written = encode_entry(activation)
        await self._log.send([Outgoing(to=self._changelog, value=written)])
        self._bytes_since_base += len(written)
        self._scheduled.remove(activation)
        self.fold.activate(proposal)

    def _is_scheduled(self, proposal: bytes) -> bool:
        return any(a.payload == proposal for a in self._scheduled)


def _first_of_each_payload(activations: list[Activation]) -> list[Activation]:
    # A zombie may have activated the same at another offset; the earliest covers what any of them has sent.
    first: dict[bytes, Activation] = {}
    for activation in activations:
        first.setdefault(activation.payload, activation)
    return sorted(first.values(), key=lambda a: a.offset)


def _from_offset(batch: MessageBatch, offset: int) -> MessageBatch:
    skip = int((batch.offsets < offset).sum())
    return batch if skip == 0 else _slice(batch, skip, len(batch.offsets), begin=offset)


def _split(batch: MessageBatch, at: int | None) -> tuple[MessageBatch, MessageBatch | None]:
    """The part below offset `at` and the rest; the rest is None if `at` does not cut the batch."""
    if at is None:
        return batch, None
    below = int((batch.offsets < at).sum())
    if below == 0 or below == len(batch.offsets):
        return batch, None
    size = len(batch.offsets)
    return _slice(batch, 0, below, begin=batch.begin), _slice(batch, below, size, begin=at)


def _slice(batch: MessageBatch, start: int, stop: int, *, begin: int) -> MessageBatch:
    return replace(
        batch,
        begin=begin,
        offsets=batch.offsets[start:stop],
        timestamps_ms=batch.timestamps_ms[start:stop],
        values=batch.values[start:stop],
    )
