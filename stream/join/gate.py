"""The caps on what is held: when they let no more in, and again.

One gate for the rows of each model version and class (predictions that wait, labelled ones, scores that
labels brought), one for labels that came first. A gate closes at a row of a record and opens after a
record, once a sixteenth of what it holds has gone: so what was refused is known for ever from a few
numbers, and reading back refuses the same.
"""

from typing import Final

import msgspec

OPENS_AT: Final = 16  # the share that must have gone, as 1 / OPENS_AT
OF_LABELS: Final = ""  # the name of the gate of labels that came first
LABELS_A_PREDICTION: Final = 4  # so many such labels may wait for each prediction that the largest cap lets in ...
LEAST_LABELS: Final = 1_000_000  # ... and so many in any case


class Closed(msgspec.Struct, array_like=True):
    """While a gate was closed."""

    from_offset: int
    from_row: int  # of the record at `from_offset`
    until: int = -1  # the first offset for which it is open again; -1: still closed


class Gates:
    """By the name of what they hold together: `definitions.group_name`, or OF_LABELS."""

    def __init__(self, closed: dict[str, list[Closed]] | None = None) -> None:
        self.closed: dict[str, list[Closed]] = closed or {}

    def refuses_from(self, name: str, offset: int) -> int | None:
        """From which row on those of a record are refused; None: none are.

        >>> gates = Gates({"fraud": [Closed(7, 20, 9)]})
        >>> [gates.refuses_from("fraud", offset) for offset in (6, 7, 8, 9)]
        [None, 20, 0, None]
        """
        for closed in reversed(self.closed.get(name, [])):
            if closed.from_offset <= offset and (offset < closed.until or closed.until < 0):
                return closed.from_row if closed.from_offset == offset else 0
        return None

    def all_closed(self) -> list[str]:
        """Which gates are closed now."""
        return [name for name, held in self.closed.items() if held[-1].until < 0]

    def close(self, name: str, offset: int, row: int) -> None:
        """Refuse from a row of a record on."""
        self.closed.setdefault(name, []).append(Closed(offset, row))

    def open(self, name: str, offset: int) -> None:
        """Let in again what comes at or after an offset."""
        self.closed[name][-1].until = offset

    def forget_before(self, offset: int) -> None:
        """Nothing below the offset is read back again."""
        for name, held in list(self.closed.items()):
            self.closed[name] = [c for c in held if c.until < 0 or c.until > offset]
            if not self.closed[name]:
                del self.closed[name]
