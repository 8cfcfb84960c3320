"""Which features predictions name, counted in the few rows that are looked at: names the baseline has not, and has.

Sums are exact and know no order. They travel beside a pane's counters, in its register and in its part, and cost
nothing where nothing is amiss: a pane whose names are those of the baseline is one number.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

MOST_NAMES: Final = 32  # unknown to the baseline, that one pane of one source keeps
LONGEST_NAME: Final = 100  # characters
NO_NAMES: Final = frozenset({"", "*"})  # what an alert could not be about: `*` stands for a group of subjects

Key = TypeVar("Key", str, int)
ValueCodes = dict[int, int]  # code of a value (`stream.ingest.value_codes`): rows


class FeatureNames(msgspec.Struct, array_like=True):
    """Counts over the rows of one pane, or of a window, that were looked at."""

    looked: int = 0  # rows
    absent: dict[str, int] = {}  # rows without the key, by feature of the baseline; null is not absent
    unknown: dict[str, ValueCodes] = {}  # by a name that the baseline has not: its values
    beyond: int = 0  # times that a name was too long, or none, or one too many

    def add(self, other: "FeatureNames") -> None:
        """Add counts of other rows."""
        self.looked += other.looked
        self.beyond += other.beyond
        _add(self.absent, other.absent, 1)
        for name, codes in other.unknown.items():
            _add(self.unknown.setdefault(name, {}), codes, 1)

    def subtract(self, other: "FeatureNames") -> None:
        """Take counts out that were added; what comes to nothing is forgotten."""
        self.looked -= other.looked
        self.beyond -= other.beyond
        _add(self.absent, other.absent, -1)
        for name, codes in other.unknown.items():
            _add(self.unknown[name], codes, -1)
            if not self.unknown[name]:
                del self.unknown[name]

    def note_unknown(self, name: str, code: int) -> None:
        """Count one value of a name that the baseline has not; the first names of a pane are kept."""
        is_name = name not in NO_NAMES and len(name) <= LONGEST_NAME and name.isprintable()
        if not is_name or (name not in self.unknown and len(self.unknown) >= MOST_NAMES):
            self.beyond += 1
            return
        codes = self.unknown.setdefault(name, {})
        codes[code] = codes.get(code, 0) + 1

    def rows_of(self, name: str) -> int:
        """In how many rows looked at a name came that the baseline has not.

        >>> FeatureNames(looked=3, unknown={"wind": {7: 2}}).rows_of("wind")
        2
        """
        return sum(self.unknown.get(name, {}).values())

    def rows_by_name(self) -> dict[str, int]:
        """The same of each such name."""
        return {name: sum(codes.values()) for name, codes in self.unknown.items()}

    def ordered(self) -> "FeatureNames":
        """The same, by name: equal counts are equal bytes."""
        unknown = {name: dict(sorted(codes.items())) for name, codes in sorted(self.unknown.items())}
        return FeatureNames(self.looked, dict(sorted(self.absent.items())), unknown, self.beyond)


def _add(into: dict[Key, int], counts: Mapping[Key, int], sign: int) -> None:
    for key, count in counts.items():
        total = into.get(key, 0) + sign * count
        if total:
            into[key] = total
        else:
            into.pop(key, None)
