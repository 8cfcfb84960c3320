"""The smallest fold that can be wrong: it adds up numbers by letter, times a factor that activations set."""

from collections.abc import Iterable, Sequence

import msgspec

from stream.durable.fold import Register
from stream.durable.log import Outgoing
from stream.records.source import MessageBatch, Source

OUT = Source("out", 0)


class SumFold:
    """Messages are a letter and a digit, `b"a3"`; `b"?name"` needs `name` to be learned first."""

    def __init__(self) -> None:
        self.next_offset = 0
        self.sums: dict[str, tuple[int, int]] = {}  # letter: next_offset, sum
        self.factor = 1
        self.lost_records = 0
        self.wanted_factor: int | None = None
        self.known: set[str] = set()
        self.batches: list[list[int]] = []  # offsets, as they were folded
        self.activated_at: list[int] = []
        self._changed: set[str] = set()
        self._outputs: list[Outgoing] = []

    def fold(self, batch: MessageBatch) -> None:
        self.batches.append(batch.offsets.tolist())
        for offset, value in zip(batch.offsets.tolist(), batch.values, strict=True):
            assert offset >= self.next_offset
            assert value is not None
            if not value.startswith(b"?"):
                letter, number = value[:1].decode(), int(value[1:])
                held = self.sums.get(letter, (0, 0))[1]
                self.sums[letter] = offset + 1, held + self.factor * number
                self._changed.add(letter)
                self._outputs.append(Outgoing(to=OUT, key=str(offset).encode(), value=value))
        self.next_offset = batch.end

    def needs(self, batch: MessageBatch) -> str | None:
        named = [v[1:].decode() for v in batch.values if v and v.startswith(b"?")]
        return next((name for name in named if name not in self.known), None)

    def needs_to_restore(self, progress: bytes, activations: Sequence[bytes]) -> str | None:
        return "factors" if activations and "factors" not in self.known else None

    def proposal(self) -> bytes | None:
        if self.wanted_factor is None or self.wanted_factor == self.factor:
            return None
        return str(self.wanted_factor).encode()

    def activate(self, payload: bytes) -> None:
        self.factor = int(payload)
        self.activated_at.append(self.next_offset)

    def quiet(self) -> None:
        raise NotImplementedError

    def lost(self, begin: int) -> None:
        self.lost_records += begin - self.next_offset
        self.next_offset = begin

    def changed(self) -> Sequence[Register]:
        changed, self._changed = self._changed, set()
        return [self._register(letter) for letter in sorted(changed)]

    def live(self) -> Sequence[Register]:
        self._changed = set()
        return [self._register(letter) for letter in sorted(self.sums)]

    def outputs(self) -> Sequence[Outgoing]:
        outputs, self._outputs = self._outputs, []
        return outputs

    def progress(self) -> bytes:
        return msgspec.msgpack.encode((self.factor, self.lost_records))

    def restore(self, next_offset: int, progress: bytes, registers: Iterable[Register]) -> None:
        self.next_offset = next_offset
        self.factor, self.lost_records = msgspec.msgpack.decode(progress, type=tuple[int, int])
        self.sums = {r.key.decode(): (r.next_offset, int(r.value)) for r in registers}

    def _register(self, letter: str) -> Register:
        next_offset, total = self.sums[letter]
        return Register(letter.encode(), next_offset, str(total).encode())
