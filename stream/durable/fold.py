"""What a fold must offer so that an `Owner` can keep it exact through crashes.

A fold is state that is a pure function of one log's prefix: whoever folds the records below
`next_offset`, in whatever batches and after whatever crashes, has the same state. Count and
evaluate are folds; they differ in what they add up, not in how they survive.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from stream.durable.log import Outgoing
from stream.records.source import MessageBatch


class Register(NamedTuple):
    """One entry of a fold's table: the exact fold of the entry's records below `next_offset`."""

    key: bytes
    next_offset: int  # a copy with a larger one supersedes
    value: bytes


class Fold(Protocol):
    """State of one source partition. Nothing in it awaits, reads a clock or a file."""

    next_offset: int  # every record below it is in the state

    def fold(self, batch: MessageBatch) -> None:
        """Take the records of a batch; all its offsets are at or above `next_offset`, which becomes `batch.end`."""

    def needs(self, batch: MessageBatch) -> str | None:
        """What must be learned from another topic before this batch can be folded; None: nothing."""

    def needs_to_restore(self, progress: bytes, activations: Sequence[bytes]) -> str | None:
        """What must be learned before this progress can be restored and these activations can take effect."""

    def proposal(self) -> bytes | None:
        """An activation that should take effect at `next_offset`, to be made durable before it does."""

    def activate(self, payload: bytes) -> None:
        """Let an activation, now durable, take effect at `next_offset`."""

    def quiet(self) -> None:
        """The source has been read to its end and is silent; becomes an output, the only one that a clock decides."""

    def lost(self, begin: int) -> None:
        """The log forgot the records in [next_offset, begin): count the gap and go on from `begin`."""

    def changed(self) -> Sequence[Register]:
        """The registers that changed since the last call, encoded now."""

    def live(self) -> Sequence[Register]:
        """All registers, encoded now; what was `changed` is in it."""

    def outputs(self) -> Sequence[Outgoing]:
        """What other topics must have before the state of now may be called durable, once."""

    def progress(self) -> bytes:
        """All state besides the registers, encoded now."""

    def restore(self, next_offset: int, progress: bytes, registers: Iterable[Register]) -> None:
        """Become the state as of `next_offset`; registers that the progress has closed are dropped here."""


@runtime_checkable
class ChangesOutputs(Protocol):
    """A fold whose proposals change what it sends from the next record on.

    Records that an earlier owner may have folded, and sent outputs of, must make the same outputs again. So nothing new
    takes effect among those that the source holds when the partition is taken.
    """

    proposals_change_outputs: bool  # True


@runtime_checkable
class ReadsBack(Protocol):
    """A fold whose registers and progress are not all: the rest is made again from the log itself.

    What `@` has counted is not counted again. The log must keep what lies from `needs_from` on.
    """

    def reread_from(self) -> int:
        """After `restore`: the first offset to read again, at most `next_offset`."""

    def reread(self, batch: MessageBatch) -> None:
        """Take records again, all of them below `next_offset`."""

    def end_reread(self) -> None:
        """All have been read again; raises if what was made is not what was there."""

    def needs_from(self) -> int:
        """The first offset that a restart from the progress encoded now would read again."""
