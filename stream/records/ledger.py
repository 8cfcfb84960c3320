"""The ledger of a predictions partition: what became of every prediction in it."""

import msgspec


class Ledger(msgspec.Struct, kw_only=True):
    """`received = counted + late + ignored + dead`, at every checkpoint.

    `lost` is apart: records that retention cut away before they were read were never received.
    """

    received: int = 0
    counted: int = 0  # in at least one pane
    late: int = 0  # its pane had closed
    ignored: int = 0  # of an unknown model under `ignore`, or older than the model's first whole pane
    dead: dict[str, int] = {}  # by rejection reason
    lost: int = 0
    unknown_classes: int = 0  # of those counted: labels of a multiclass model that name none of its classes

    def balance(self) -> int:
        """0, or rows have vanished."""
        return self.received - self.counted - self.late - self.ignored - sum(self.dead.values())

    def plus(self, other: "Ledger") -> "Ledger":
        """The ledger of two partitions together."""
        dead = {r: self.dead.get(r, 0) + other.dead.get(r, 0) for r in sorted(self.dead.keys() | other.dead.keys())}
        return Ledger(
            received=self.received + other.received,
            counted=self.counted + other.counted,
            late=self.late + other.late,
            ignored=self.ignored + other.ignored,
            dead=dead,
            lost=self.lost + other.lost,
            unknown_classes=self.unknown_classes + other.unknown_classes,
        )
