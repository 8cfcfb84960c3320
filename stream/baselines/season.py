"""Seasonal baselines: what is normal at each hour of the day or of the week, by the clock of a place.

A pane belongs to the slot that its start lies in, so panes must divide an hour. A window is compared with the
slots that its own rows lie in, weighted by how many lie in each (`detectors.season`).
Promise: slots are a function of event time, the kind, the time zone and its rules as this machine has them.
Size: packed, about a byte per slot and bin that is not empty: 24 or 168 slots of every series.
"""

import enum
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np
import numpy.typing as npt

from stream.baselines.evidence import WindowEvidence

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
QUARTER_MS: Final = HOUR_MS // 4  # every zone's offset from UTC is a whole number of these
_EPOCH_WEEKDAY_HOURS: Final = 3 * 24  # 1 January 1970 was a Thursday, a week begins on Monday

Integers = npt.NDArray[np.int64]


class SeasonKind(enum.StrEnum):
    """What comes round."""

    HOUR_OF_DAY = "hour-of-day"
    HOUR_OF_WEEK = "hour-of-week"  # from Monday 00:00 on

    @property
    def slots(self) -> int:
        """How many hours it has."""
        return 24 if self is SeasonKind.HOUR_OF_DAY else 168

    @property
    def least_ms(self) -> int:
        """The stretch of rows that a baseline needs: with less an hour's own chance is taken for what is normal."""
        return 7 * DAY_MS if self is SeasonKind.HOUR_OF_DAY else 21 * DAY_MS


@dataclass(frozen=True, slots=True)
class Season:
    """Which slot a moment belongs to.

    >>> Season(SeasonKind.HOUR_OF_DAY, "America/New_York").slots_of(np.array([1_380_600_000_000])).tolist()  # 04:00Z
    [0]
    >>> Season(SeasonKind.HOUR_OF_WEEK).slots_of(np.array([1_380_600_000_000])).tolist()  # a Tuesday
    [28]
    """

    kind: SeasonKind
    timezone: str = "UTC"

    @property
    def name(self) -> str:
        """`hour-of-day Europe/Berlin`."""
        return f"{self.kind} {self.timezone}"

    def slots_of(self, times_ms: Integers) -> Integers:
        """The slot of each event time, any shape."""
        quarters, which = np.unique(np.floor_divide(times_ms, QUARTER_MS), return_inverse=True)
        if self.timezone == "UTC":
            offsets = np.zeros(len(quarters), np.int64)
        else:
            zone = ZoneInfo(self.timezone)
            offsets = np.array([_offset_ms(q * QUARTER_MS, zone) for q in quarters.tolist()], np.int64)
        hours = np.floor_divide(quarters * QUARTER_MS + offsets, HOUR_MS)
        shift = _EPOCH_WEEKDAY_HOURS if self.kind is SeasonKind.HOUR_OF_WEEK else 0
        found: Integers = ((hours + shift) % self.kind.slots)[which].reshape(times_ms.shape)
        return found


def _offset_ms(time_ms: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(time_ms / 1_000, UTC).astimezone(zone).utcoffset()
    assert offset is not None, "a moment with a zone has an offset"
    return round(offset.total_seconds() * 1_000)


def timezone_complaint(name: str) -> str | None:
    """Why a time zone cannot be used, or None.

    >>> timezone_complaint("Europe/Berlin"), timezone_complaint("Berlin")
    (None, "'Berlin' is no time zone that this machine knows; write it as Europe/Berlin, or UTC")
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"{name!r} is no time zone that this machine knows; write it as Europe/Berlin, or UTC"
    return None


def pane_complaint(pane_ms: int) -> str | None:
    """Why panes of this length have no slot of their own, or None."""
    return None if HOUR_MS % pane_ms == 0 else "panes must divide an hour"


class SeasonBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """What is normal in each slot, in the bins that PSI compares; stored with the baseline."""

    kind: SeasonKind
    timezone: str  # as in the IANA database
    rows: tuple[int, ...]  # of each slot
    packed: bytes  # counts, shape (slots, coarse bins), as little-endian int32, zlib
    evidence: tuple[WindowEvidence, ...]  # how much windows differ from their own slots, by window length

    @property
    def season(self) -> Season:
        """Which slot a moment belongs to."""
        return Season(self.kind, self.timezone)

    def counts(self, bins: int) -> Integers:
        """Shape (slots, bins).

        Raises:
            ValueError: it holds another number of counts.
        """
        size = 4 * self.kind.slots * bins
        reader = zlib.decompressobj()
        try:
            raw = reader.decompress(self.packed, size + 1)
        except zlib.error as problem:
            raise ValueError(f"the counts cannot be unpacked: {problem}") from None
        if len(raw) != size:
            raise ValueError(f"there must be counts of {bins} bins in each of {self.kind.slots} slots")
        return np.frombuffer(raw, "<i4").astype(np.int64).reshape(self.kind.slots, bins)


def packed(counts: Integers) -> bytes:
    """Counts by slot, shape (slots, bins), as `SeasonBaseline` holds them."""
    return zlib.compress(counts.astype("<i4").tobytes(), 9)


def season_complaint(season: SeasonBaseline, bins: int) -> str | None:
    """Why what is stored cannot be compared with, or None."""
    if wrong := timezone_complaint(season.timezone):
        return wrong
    if len(season.rows) != season.kind.slots or min(season.rows) < 0:
        return "there must be one number of rows, at least 0, per slot"
    try:
        counts = season.counts(bins)
    except ValueError as problem:
        return str(problem)
    return "counts must not be negative" if counts.min(initial=0) < 0 else None
