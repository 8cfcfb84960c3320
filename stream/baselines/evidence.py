"""What a baseline knows of how much healthy windows differ from each other, for each window length.

Promise: what is read back is what was stored, number for number; a series of which nothing could be
learned is `INDEPENDENT_ROWS`. Size: about 0.1 KB per series, and 0.1 KB more for each direction of wander.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from detectors.evidence import ENOUGH_BLOCKS, INDEPENDENT_ROWS, Evidence
from detectors.wander import FEWEST_WINDOWS, Wander


class SeriesEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`detectors.evidence.Evidence` as it is stored: JSON knows no infinity, so what is infinite is absent."""

    overdispersion: float = 0.0
    spreads: tuple[float, ...] = ()
    directions: tuple[tuple[float, ...], ...] = ()  # over the bins that PSI compares
    blocks: int = 0
    block_rows: float = 0.0
    tail_start: float | None = None
    tail_scale: float = 1.0
    guard: float = 0.0
    blocks_behind: float = 0.0
    farthest_psi: float | None = None  # nats; None: not known, as before it was stored

    def evidence(self) -> Evidence:
        """As `judge` takes it."""
        return Evidence(
            overdispersion=self.overdispersion,
            spreads=self.spreads,
            directions=self.directions,
            blocks=self.blocks,
            block_rows=self.block_rows,
            tail_start=math.inf if self.tail_start is None else self.tail_start,
            tail_scale=self.tail_scale,
            guard=self.guard,
            blocks_behind=self.blocks_behind,
            farthest_psi=math.inf if self.farthest_psi is None else self.farthest_psi,
        )

    @classmethod
    def of(cls, evidence: Evidence) -> "SeriesEvidence":
        """As it is stored."""
        if evidence == INDEPENDENT_ROWS:
            return cls()  # what is a default by identity, and only that, takes no room
        return cls(
            overdispersion=evidence.overdispersion,
            spreads=evidence.spreads,
            directions=evidence.directions,
            blocks=evidence.blocks,
            block_rows=evidence.block_rows,
            tail_start=None if math.isinf(evidence.tail_start) else evidence.tail_start,
            tail_scale=evidence.tail_scale,
            guard=evidence.guard,
            blocks_behind=evidence.blocks_behind,
            farthest_psi=None if math.isinf(evidence.farthest_psi) else evidence.farthest_psi,
        )


class Rate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often something happens in healthy windows, and how much they differ in it."""

    rate: float = 0.0  # 0..1, of the window's rows
    overdispersion: float = 0.0  # rho of `detectors.rates`, 0..1


NO_RATE: Final = Rate()


class RateEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The healthy rates of one series."""

    missing: Rate = NO_RATE
    invalid: Rate = NO_RATE
    beyond: Rate = NO_RATE  # a number outside the range, or a category unseen, of all the other blocks


class RowsEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows healthy windows have: what throughput is compared with."""

    windows: int  # windows that do not overlap, the empty ones too
    mean: float
    smallest: int
    overdispersion: float  # >= 0: (variance - mean) / mean^2, what exceeds a Poisson law's
    longest_silence_ms: int  # from one row to the next


class PerformanceEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """`detectors.wander.Wander` of one statistic, as it is stored: on the scale on which larger is worse."""

    check: str  # "auc" | "brier" | "mae"
    mean: float
    deviation: float  # between windows, beyond sampling, >= 0
    mean_se: float  # >= 0
    windows: int  # with labels enough, that do not overlap, >= 2
    worst: float  # deviations of the worst healthy window
    lasting: float  # windows that one spell of wander lasts, >= 1

    @classmethod
    def of(cls, check: str, wander: Wander) -> "PerformanceEvidence":
        """As many digits as mean something; the worst upwards, so that every healthy window stays within it."""
        return cls(
            check=check,
            mean=round(wander.mean, 6),
            deviation=round(wander.deviation, 6),
            mean_se=round(wander.mean_se, 6),
            windows=wander.windows,
            worst=math.ceil(wander.worst * 1_000) / 1_000,
            lasting=round(wander.lasting, 3),
        )

    @property
    def wander(self) -> Wander:
        """As windows are judged by."""
        return Wander(self.mean, self.deviation, self.mean_se, self.windows, self.worst, self.lasting)

    @property
    def provisional(self) -> bool:
        """Whether too few windows were seen to trust it."""
        return self.windows < ENOUGH_BLOCKS


class WindowEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What healthy windows of one length look like."""

    window_ms: int
    pane_ms: int  # that it was learned in; a whole part of the window
    stored: tuple[SeriesEvidence, ...] = msgspec.field(name="series")  # one per series of the baseline, in its order
    rates: tuple[RateEvidence, ...]  # likewise
    rows: RowsEvidence
    performance: tuple[PerformanceEvidence, ...] = ()  # of each statistic of its labels; empty without any

    @property
    def series(self) -> tuple[Evidence, ...]:
        """One per series of the baseline, over the bins that PSI compares, the extra ones included."""
        return tuple(one.evidence() for one in self.stored)

    @property
    def blocks(self) -> int:
        """Of how many windows that do not overlap it was learned: the fewest of any series."""
        return min((one.blocks for one in self.stored), default=0)

    @property
    def provisional(self) -> bool:
        """Whether too few windows were seen to trust it."""
        return self.blocks < ENOUGH_BLOCKS


def evidence_complaint(known: Sequence[WindowEvidence], widths: Sequence[int]) -> str | None:
    """Why evidence by window length cannot be used with series of so many compared bins, or None."""
    lengths = [one.window_ms for one in known]
    if len(set(lengths)) != len(lengths):
        return "there must be one evidence per window length"
    return next((why for one in known if (why := _complaint(one, widths)) is not None), None)


def _complaint(evidence: WindowEvidence, widths: Sequence[int]) -> str | None:
    if evidence.pane_ms < 1 or evidence.window_ms < 1 or evidence.window_ms % evidence.pane_ms:
        return "the window must be a whole number of panes"
    if not len(evidence.stored) == len(evidence.rates) == len(widths):
        return "there must be one entry per series"
    for told in evidence.performance:
        if told.windows < FEWEST_WINDOWS or min(told.deviation, told.mean_se, told.lasting - 1) < 0:
            return "performance needs two windows, no deviation may be negative, and lasting must be at least 1"
    for one, width in zip(evidence.stored, widths, strict=True):
        if len(one.spreads) != len(one.directions) or any(len(d) != width for d in one.directions):
            return "each spread needs a direction over the compared bins"
        numbers = one.overdispersion, one.block_rows, one.blocks, one.guard, one.farthest_psi or 0.0, *one.spreads
        if min(one.tail_scale - 1, *numbers) < 0:
            return "no number of it may be negative, and tail_scale must be at least 1"
    return None
