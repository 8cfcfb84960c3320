"""The cap on predictions that wait: when it lets no more in, and again.

A gate closes at a row of a record and opens after a record, once a sixteenth of its predictions has
gone: so what was refused is known for ever from a few numbers, and reading back refuses the same.
"""

from typing import Final

import msgspec

OPENS_AT: Final = 16  # the share that must have gone, as 1 / OPENS_AT


class Closed(msgspec.Struct, array_like=True):
    """While a gate was closed."""

    from_offset: int
    from_row: int  # of the record at `from_offset`
    until: int = -1  # the first offset for which it is open again; -1: still closed


class Gates:
    """By number of the definition, ascending."""

    def __init__(self, closed: dict[int, list[Closed]] | None = None) -> None:
        self.closed: dict[int, list[Closed]] = closed or {}

    def refuses_from(self, number: int, offset: int) -> int | None:
        """From which row on predictions of a record are refused; None: none are.

        >>> gates = Gates({3: [Closed(7, 20, 9)]})
        >>> [gates.refuses_from(3, offset) for offset in (6, 7, 8, 9)]
        [None, 20, 0, None]
        """
        for closed in reversed(self.closed.get(number, [])):
            if closed.from_offset <= offset and (offset < closed.until or closed.until < 0):
                return closed.from_row if closed.from_offset == offset else 0
        return None

    def all_closed(self) -> list[int]:
        """The numbers whose gate is closed now."""
        return [number for number, held in self.closed.items() if held[-1].until < 0]

    def close(self, number: int, offset: int, row: int) -> None:
        """Refuse from a row of a record on."""
        self.closed.setdefault(number, []).append(Closed(offset, row))

    def open(self, number: int, offset: int) -> None:
        """Let in again what comes at or after an offset."""
        self.closed[number][-1].until = offset

    def forget_before(self, offset: int) -> None:
        """Nothing below the offset is read back again."""
        for number, held in list(self.closed.items()):
            self.closed[number] = [c for c in held if c.until < 0 or c.until > offset]
            if not self.closed[number]:
                del self.closed[number]
