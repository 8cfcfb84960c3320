"""What stands where the folds stand: each tells the oracle what it was restored to, and where that came from."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from stream.count.counter import CountFold
from stream.durable.fold import Register
from stream.durable.log import Outgoing
from stream.evaluate.fold import EvaluateFold
from stream.join.fold import JoinFold
from stream.labels.fold import LabelFold
from stream.records.source import Source

if TYPE_CHECKING:
    from tests.simulation.label_world import LabelWorld
    from tests.simulation.worker import Worker
    from tests.simulation.world import World

Happening = tuple[str, int, bytes | int]  # "activate", "lost" or "start", at which offset, what
History = tuple[Happening, ...]


class RecordedCount(CountFold):
    """A count that remembers what it has come from, and tells the world what it says."""

    def __init__(self, world: "World", worker: "Worker", source: Source) -> None:
        super().__init__(
            source=source,
            sources=world.shape.sources,
            outputs=world.count_outputs,
            wanted=worker.wanted,
            find_baseline=worker.find_baseline,
        )
        self.history: History = ()
        self.restored = False
        self._world = world

    def activate(self, payload: bytes) -> None:
        self.history += (("activate", self.next_offset, payload),)
        super().activate(payload)

    def lost(self, begin: int) -> None:
        self.history += (("lost", self.next_offset, begin),)
        super().lost(begin)

    def outputs(self) -> Sequence[Outgoing]:
        outputs = super().outputs()
        self._world.testimony.sent(self.source, outputs, self.history)
        return outputs

    def progress(self) -> bytes:
        if self.next_offset and not self.history and not self.ledger.received:
            self.history = (("start", 0, self.next_offset),)  # retention had cut before the first owner came
        assert self.ledger.balance() == 0, f"{self.source}: the ledger does not balance: {self.ledger}"
        progress = super().progress()
        self._world.testimony.written(self.source, self.next_offset, progress, self.history)
        return progress

    def restore(self, next_offset: int, progress: bytes, registers: Iterable[Register]) -> None:
        self.restored = True
        self.history = self._world.testimony.history_of(self.source, next_offset, progress)
        super().restore(next_offset, progress, registers)
        self._world.testimony.count_restored(self)


class RecordedEvaluate(EvaluateFold):
    """An evaluate that remembers what it has come from, and tells the world what it was restored to."""

    def __init__(self, world: "World", worker: "Worker", source: Source) -> None:
        super().__init__(
            outputs=world.evaluate_outputs,
            settings_of=world.settings_of,
            find_baseline=worker.find_baseline,
            requests=worker.requests,
        )
        self.source = source
        self.history: History = ()
        self.restored = False
        self._world = world

    def activate(self, payload: bytes) -> None:
        self.history += (("activate", self.next_offset, payload),)
        super().activate(payload)

    def outputs(self) -> Sequence[Outgoing]:
        self._world.testimony.evaluated(self.source, self.next_offset, self.history)
        return super().outputs()

    def progress(self) -> bytes:
        progress = super().progress()
        self._world.testimony.written(self.source, self.next_offset, progress, self.history)
        return progress

    def restore(self, next_offset: int, progress: bytes, registers: Iterable[Register]) -> None:
        self.restored = True
        self.history = self._world.testimony.history_of(self.source, next_offset, progress)
        super().restore(next_offset, progress, registers)
        self._world.testimony.restored(self.source, self)


class RecordedLabels(LabelFold):
    """The labels of one partition; it has no state but its ledger and what it still has to say."""

    def __init__(self, world: "LabelWorld", worker: "Worker", source: Source) -> None:
        super().__init__(
            source=source,
            sources=world.shape.labels,
            outputs=world.label_outputs,
            wanted=worker.wanted,
            find_baseline=worker.find_baseline,
        )
        self.restored = False

    def progress(self) -> bytes:
        assert self.ledger.balance() == 0, f"{self.source}: the ledger does not balance: {self.ledger}"
        return super().progress()

    def restore(self, next_offset: int, progress: bytes, registers: Iterable[Register]) -> None:
        self.restored = True
        super().restore(next_offset, progress, registers)


class RecordedJoin(JoinFold):
    """A join that tells the world what it is once it has read back."""

    def __init__(self, world: "LabelWorld", worker: "Worker", source: Source) -> None:
        super().__init__(**world.join_arguments(source))
        self.restored = False
        self._world = world

    def progress(self) -> bytes:
        assert self.ledger.balances() == (0, 0), f"{self.source}: the ledger does not balance: {self.ledger}"
        assert self.ledger.below == 0, f"{self.source}: rows below a watermark that was declared: {self.ledger}"
        return super().progress()

    def end_reread(self) -> None:
        self.restored = True
        super().end_reread()
        self._world.testimony.restored(self.source, self)


RecordedFold = RecordedCount | RecordedLabels | RecordedJoin | RecordedEvaluate
_MADE_BY: dict[str, type[Any]] = {
    "predictions": RecordedCount,
    "labels": RecordedLabels,
    "outcomes": RecordedJoin,
    "partials": RecordedEvaluate,
}
_CHANGELOGS = {"predictions": "count", "labels": "labels", "outcomes": "join", "partials": "evaluate"}


def recorded_fold(world: "World", worker: "Worker", source: Source) -> RecordedFold:
    """The fold of a partition."""
    made: RecordedFold = _MADE_BY[source.topic](world, worker, source)
    return made


def changelog_of(source: Source) -> Source:
    """Where the fold's state is kept."""
    return Source(f"{_CHANGELOGS[source.topic]}-changelog", source.partition)
