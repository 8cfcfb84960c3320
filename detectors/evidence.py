"""Whether a window differs from the baseline by more than healthy windows differ from each other.

The G statistic of a window is split into the few directions in which healthy traffic wanders and the
rest, each is measured against the variance that was learned for it, and the p-value's far tail is
stretched to what a replay of the baseline showed. How it is learned: `evidence_learning`.

Split so, a shift along wander cannot be told from wander, however far it goes: all of it is allowed for. So a
window is beyond, too, that is at least twice as far, in PSI, as any healthy one, if so far is unlikely by the level.

Promise: on a healthy series P(p_value <= level) is at most about the level, far into the tail, for the
kinds of traffic in `make bench-alarms`; where that misses, its table says so.
Cost: O(bins) a window; 500 series of 20 bins take below 1 ms. Stored: bins * (1 + directions) + 9
numbers for each series and window length, at most 3 directions.
Weak: a shift along a direction in which healthy traffic wanders anyway is nearly invisible until it is far
beyond every healthy window, and a season that the baseline has not seen is a shift.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from detectors.budget import level_of_rows
from detectors.divergence import psi_of_series
from detectors.errors import ShapeMismatch
from detectors.farthest import Farthest
from detectors.tail_laws import f_quantile, minus_log_f_tail

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]
PerSeries = npt.NDArray[np.float64]  # shape (..., series)

MOST_DIRECTIONS: Final = 3  # r: more would be fitted to noise with a week of hourly blocks
ENOUGH_BLOCKS: Final = 20  # fewer than these do not show how healthy windows differ
LN10: Final = math.log(10)  # up to p = 0.1 the replay's body is trusted as it is
_LEAST_FREEDOM: Final = 4.0  # of the denominator: an F tail fatter than this never alarms
_NO_BLOCKS_FREEDOM: Final = 1e7  # the chi-squared law


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How much healthy windows of one series differ, for one window length; stored with the baseline."""

    overdispersion: float  # rho >= 0: variance of a share beyond sampling noise, over p
    spreads: tuple[float, ...]  # lambda_q >= rho: the same along each direction, at most 3, widest first
    directions: tuple[tuple[float, ...], ...]  # u_q: unit vectors over the bins, of (share - p) / sqrt(p)
    blocks: int  # n_w >= 0: windows that do not overlap, of >= 10 rows, that it was learned from
    block_rows: float  # N_bar: sum(rows^2) / sum(rows) of those blocks; 0 without blocks
    tail_start: float  # u >= 0: the 90 % quantile of x = -ln p over the replayed baseline
    tail_scale: float  # theta >= 1: how much slower than exponential the tail of x falls beyond it
    guard: float  # >= 0: the largest scaled x of a replayed healthy window
    blocks_behind: float = 0.0  # of a season: how many blocks the baseline of one window is the mean of; 0: of all
    farthest_psi: float = math.inf  # the largest corrected PSI of a replayed healthy window, nats; infinity: not known

    @property
    def provisional(self) -> bool:
        """Whether too few blocks were seen to trust it: alerts that rest on it are to be marked."""
        return self.blocks < ENOUGH_BLOCKS


# What is assumed before anything was learned: rows are independent, so windows differ by sampling alone.
INDEPENDENT_ROWS: Final = Evidence(
    overdispersion=0.0, spreads=(), directions=(), blocks=0, block_rows=0.0,
    tail_start=math.inf, tail_scale=1.0, guard=0.0,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of each series of a window, shape (..., series); NaN where a side is empty."""

    p_value: PerSeries  # 0..1, small = differs; exp(-x_scaled)
    x: PerSeries  # -ln p before the tail is scaled
    x_scaled: PerSeries  # x': what is compared with -ln(level)
    psi_corrected: PerSeries  # PSI less what sampling alone explains, >= 0, nats
    x_far: PerSeries  # -ln p of going so far in any direction; -infinity where it is not far (`farthest`)
    times_farthest: PerSeries  # psi_corrected over that of the farthest healthy window; 0 where that is not known

    def breaches(self, level: PerSeries | float, effect: PerSeries | float, guard: PerSeries) -> npt.NDArray[np.bool_]:
        """Evidence, or twice as far as any healthy window, and an effect of at least `effect` nats."""
        return (self.evident(level, guard) | self.far(level)) & (self.psi_corrected >= effect)

    def evident(self, level: PerSeries | float, guard: PerSeries) -> npt.NDArray[np.bool_]:
        """Evidence beyond the level and beyond every healthy window."""
        return (self.x_scaled >= -np.log(level)) & (self.x_scaled > guard)

    def far(self, level: PerSeries | float) -> npt.NDArray[np.bool_]:
        """At least twice as far as any healthy window, and so far that it is unlikely by the level."""
        found: npt.NDArray[np.bool_] = self.x_far >= -np.log(level)
        return found


class EvidenceTable:
    """The evidence of all series of a model for one window length, beside their baseline; made once, read only.

    Args:
        evidence: one per series.
        baseline: counts of all series one after the other, shape (bins,).
        series_starts: shape (series,), ascending, first 0: where each series begins. No series is empty.
        baseline_blocks: how many windows long the baseline itself is, > 0, where the evidence was learned from
            other ones; what an hour's baseline is uncertain by does not shrink while more hours are watched.

    Raises:
        ShapeMismatch: not one evidence per series, or a direction of another number of bins.
    """

    def __init__(
        self,
        evidence: Sequence[Evidence],
        baseline: Counts,
        series_starts: npt.NDArray[np.int64],
        baseline_blocks: float | None = None,
    ) -> None:
        if len(evidence) != len(series_starts):
            raise ShapeMismatch((len(series_starts),), (len(evidence),))
        self.starts = series_starts
        self.widths = np.diff(np.append(series_starts, len(baseline)))
        self.overdispersion = np.array([e.overdispersion for e in evidence])
        self.blocks = np.array([float(e.blocks) for e in evidence])
        self.tail_start = np.array([e.tail_start for e in evidence])
        self.tail_scale = np.array([e.tail_scale for e in evidence])
        self.guard = np.array([e.guard for e in evidence])
        self.direction_count = np.array([float(len(e.spreads)) for e in evidence])  # r
        block_rows = np.array([e.block_rows or math.inf for e in evidence])
        self.spreads = np.zeros((MOST_DIRECTIONS, len(evidence)))
        self.directions = np.zeros((MOST_DIRECTIONS, len(baseline)))
        for i, one in enumerate(evidence):
            here = slice(series_starts[i], series_starts[i] + self.widths[i])
            for q, (spread, direction) in enumerate(zip(one.spreads, one.directions, strict=True)):
                if len(direction) != self.widths[i]:
                    raise ShapeMismatch((int(self.widths[i]),), (len(direction),))
                self.spreads[q, i] = spread
                self.directions[q, here] = direction
        # What not knowing the baseline exactly adds to the variance, in the rest and along each direction.
        behind = np.array([baseline_blocks or e.blocks_behind or float(e.blocks) for e in evidence])
        per_block = 1 / np.maximum(behind, 1.0)
        self._learned = np.where(self.blocks > 0, (1 / block_rows + self.overdispersion) * per_block, 0.0)
        self.baseline_spreads = (1 / block_rows + self.spreads) * per_block
        self.most_directions = int(self.direction_count.max(initial=0.0))
        # As `rest_freedom`, of the directions; a third of the blocks, as wander lasts longer than one of them.
        self.direction_freedom = np.maximum(self.direction_count, 1.0), np.maximum(self.blocks / 3 - 1, _LEAST_FREEDOM)
        # The baseline of a slot that has come a few times is itself off by a part of the way that healthy windows go.
        few = np.array([e.blocks_behind or math.inf for e in evidence])
        known = np.array([math.inf if e.provisional else max(e.farthest_psi, 1e-9) for e in evidence])
        self.farthest = Farthest(
            known * (1 + 1 / np.sqrt(few)) ** 2, block_rows, np.maximum(self.blocks, 1.0), self.direction_freedom[1]
        )
        self._compare_with(baseline)

    def against(self, baseline: Counts | Shares) -> Self:
        """The same evidence beside another baseline of the same series: the one of a window's own hours.

        Raises:
            ShapeMismatch: another number of bins.
        """
        if baseline.shape != self.baseline.shape:
            raise ShapeMismatch(self.baseline.shape, baseline.shape)
        other = copy.copy(self)
        other._compare_with(baseline)
        return other

    def _compare_with(self, baseline: Counts | Shares) -> None:
        self.baseline: Shares = baseline.astype(np.float64)  # counts, but no window is to convert them again
        self.rows = self.total(self.baseline)  # M
        self.shares = baseline / self.per_bin(np.maximum(self.rows, 1.0))  # p
        self.freedom = np.maximum(self.total((baseline > 0).astype(np.float64)) - 1, 1.0)  # k1
        self.baseline_variance = np.maximum(self._learned, 1 / np.maximum(self.rows, 1.0))
        self.psi_variance = np.where(self.blocks > 0, self._learned, 1 / np.maximum(self.rows, 1.0))
        bins = np.maximum(self.freedom - self.direction_count, 1.0)
        # Degrees of freedom of the F law of the rest: numerator, denominator; shape (series,).
        self.rest_freedom = bins, self._freedom_seen(bins)
        self.whole_freedom = self._freedom_seen(self.freedom)

    def _freedom_seen(self, bins: PerSeries) -> PerSeries:
        return np.where(self.blocks > 0, np.maximum(bins * (self.blocks - 1), _LEAST_FREEDOM), _NO_BLOCKS_FREEDOM)

    def level(self, level: PerSeries | float, rows: PerSeries) -> PerSeries:
        """Of the tests of a window of so many rows: smaller where they are worth few independent ones.

        Rows that come in equal ones, as a session's, are N / (1 + N rho) independent ones: they are as noisy as those.

        Args:
            level: of each test, where rows are many.
            rows: of the window, shape (..., series) or of any that broadcasts.

        >>> from dataclasses import replace
        >>> clumped = replace(INDEPENDENT_ROWS, overdispersion=0.009)    # 1,000 rows in tens
        >>> table = EvidenceTable([INDEPENDENT_ROWS, clumped], np.full(20, 500), np.array([0, 10]))
        >>> table.level(1e-6, np.array(1_000.0)).tolist()
        [1e-06, 2.5e-07]
        """
        return level_of_rows(level, rows / (1 + rows * self.overdispersion), self.freedom + 1)

    def psi_noise(self, rows: PerSeries) -> PerSeries:
        """The PSI that windows of so many rows have by sampling alone, in the mean; shape (..., series), nats."""
        noise: PerSeries = self.freedom * (1 / rows + self.psi_variance)
        return noise

    def total(self, per_bin: Shares) -> PerSeries:
        """Sums over the bins of each series, shape (..., bins) to (..., series)."""
        sums: PerSeries = np.add.reduceat(per_bin, self.starts, axis=-1)
        return sums

    def per_bin(self, per_series: PerSeries) -> Shares:
        """Each series' number at all of its bins, shape (..., series) to (..., bins)."""
        return per_series.repeat(self.widths, axis=-1)


def judge(table: EvidenceTable, current: Counts | Shares, psi: PerSeries | None = None) -> Judgement:
    """Evidence and effect of every series of a window, or of many windows.

    1. G = 2 * (sum(a ln(A / pool)) + sum(b ln(p / pool))), pool = (a + b) / (N + M); T = G * (1/N + 1/M).
    2. T is split along the directions u_q by the squared cosines of z = (A - p) / sqrt(pool).
    3. Each part is divided by its variance: 1/N, the healthy spread, and what the baseline itself is uncertain by.
    4. p = min(1, 2 * min(p_rest, p_directions)) of two F laws; without directions p = p_rest.
    5. x = -ln p; x' = min(x, ln 10) up to the tail's start, beyond it min(x, ln 10 + (x - start) / scale).

    Args:
        table: evidence and baseline of the model's series.
        current: counts of a window, shape (bins,), or of many, shape (windows, bins).
        psi: of the same counts, where the caller has it; otherwise it is taken with half a count per bin.

    Raises:
        ShapeMismatch: another number of bins than the baseline has.

    Size to expect: on healthy traffic p_value is at or above uniform; 100 of 600 rows moved from one of
    ten bins to another has p below 1e-10 if rows are independent.
    Source: the G test, Sokal & Rohlf; overdispersion as in McCullagh & Nelder 1989, section 4.5;
    the tail as peaks over a threshold, Coles 2001, chapter 4.

    >>> table = EvidenceTable([INDEPENDENT_ROWS], np.array([5_000, 5_000]), np.array([0]))
    >>> found = judge(table, np.array([[50, 50], [70, 30], [0, 0]]))
    >>> found.p_value.round(5).tolist()              # G = 16.5 of 1 degree of freedom
    [[1.0], [5e-05], [nan]]
    """
    if current.shape[-1:] != table.baseline.shape:
        raise ShapeMismatch(table.baseline.shape, current.shape)
    current = current.astype(np.float64, copy=False)
    if psi is None:
        psi = psi_of_series(table.baseline, current, table.starts)
    rows = table.total(current)
    known = (rows > 0) & (table.rows > 0)
    n, m = np.where(known, rows, 1.0), np.maximum(table.rows, 1.0)
    together = current + table.baseline
    pool = np.where(together > 0, together / table.per_bin(n + m), 1.0)
    shares = current / table.per_bin(n)
    g = 2 * table.total(current * _log(shares / pool) + table.baseline * _log(table.shares / pool))
    distance = np.maximum(g, 0.0) * (1 / n + 1 / m)
    toward = (shares - table.shares) / np.sqrt(pool)
    x = split_x(table, distance, toward, 1 / n)
    corrected = np.maximum(psi - table.psi_noise(n), 0.0)
    scaled = scale_tail(x, table.tail_start, table.tail_scale)
    unknown = np.where(known, 0.0, np.nan)
    return Judgement(
        p_value=np.exp(-scaled) + unknown,
        x=x + unknown,
        x_scaled=scaled + unknown,
        psi_corrected=corrected + unknown,
        x_far=_x_far(table, current, corrected, distance, n) + unknown,
        times_farthest=corrected / table.farthest.psi_of(n) + unknown,
    )


def split_x(
    table: EvidenceTable, distance: PerSeries, toward: Shares, sampling: PerSeries, *, replay: bool = False
) -> PerSeries:
    """x = -ln p of a distance T that points along z; steps 2 to 4 of `judge`.

    Args:
        table: evidence of the series.
        distance: T, shape (..., series).
        toward: z, shape (..., bins); its length does not matter.
        sampling: 1/N, shape (..., series).
        replay: the windows are part of the baseline, whose own uncertainty then adds nothing.
    """
    bins, seen = table.rest_freedom
    rest_variance = sampling + table.overdispersion + (0.0 if replay else table.baseline_variance)
    if table.most_directions == 0:
        return minus_log_f_tail(distance / rest_variance / bins, bins, seen)
    length = np.maximum(table.total(toward**2), 1e-300)
    first = np.zeros_like(distance)
    along, left = np.zeros_like(distance), np.ones_like(distance)
    for q in range(table.most_directions):
        cosine = table.total(toward * table.directions[q]) ** 2 / length
        part = distance * cosine
        if q == 0:
            first = part
        else:
            # Wander along the first direction is curved: its square shows up in the others.
            part = np.maximum(np.sqrt(part) - first, 0.0) ** 2
        along += part / (sampling + table.spreads[q] + (0.0 if replay else table.baseline_spreads[q]))
        left -= cosine
    rest = np.maximum(np.sqrt(distance * np.maximum(left, 0.0)) - first, 0.0) ** 2
    x_rest = minus_log_f_tail(rest / rest_variance / bins, bins, seen)
    count, freedom = table.direction_freedom
    x_along = minus_log_f_tail(along / count, count, freedom)
    either = np.maximum(np.maximum(x_rest, x_along) - math.log(2), 0.0)  # two looks, so twice the smaller p
    return np.where(table.direction_count > 0, either, x_rest)


def _x_far(table: EvidenceTable, current: Shares, psi: PerSeries, distance: PerSeries, rows: PerSeries) -> PerSeries:
    """x = -ln p of windows that are far beyond the farthest healthy one, and -infinity of all others.

    The larger p of two: of so far a wander, and of so large a distance of rows that do not wander at all.
    """
    x_wander = table.farthest.x(psi, rows, table.freedom)
    if np.isneginf(x_wander).all():
        return x_wander
    # Healthy windows were measured with half a count per bin, so these are too, whatever their own PSI has.
    half = psi_of_series(table.baseline, current, table.starts) - table.psi_noise(rows)
    x_wander = table.farthest.x(np.minimum(psi, half), rows, table.freedom)
    variance = 1 / rows + table.overdispersion + table.baseline_variance
    x_rows = minus_log_f_tail(distance / variance / table.freedom, table.freedom, table.whole_freedom)
    return np.minimum(x_rows, x_wander)


def scale_tail(x: PerSeries, tail_start: PerSeries, tail_scale: PerSeries) -> PerSeries:
    """x' of x: at most ln 10 up to the start of the tail, beyond it at most ln 10 + (x - start) / scale."""
    beyond = np.where(x > tail_start, (x - np.where(np.isinf(tail_start), 0.0, tail_start)) / tail_scale, 0.0)
    bound = np.where(np.isinf(tail_start), np.inf, LN10 + beyond)
    return np.minimum(x, bound)


def minimum_detectable_psi(
    table: EvidenceTable, rows: PerSeries, level: PerSeries | float, effect: PerSeries | float
) -> tuple[PerSeries, PerSeries]:
    """The PSI that half of the windows of so many rows would alarm at, at the level and the effect.

    Two numbers a series: of a shift in no direction of healthy wander, and of one along the widest such
    direction (the first again where there is none). Shape (series,), nats. Found by solving `judge` for T
    in that direction, less the part of T that sampling gives by itself; never below the effect.

    Args:
        table: evidence of the series.
        rows: of a window, shape (series,), > 0.
        level: of the test, 0..1.
        effect: corrected PSI that an alarm needs, nats.

    Size to expect: a normal feature moved by s standard deviations has PSI of about s^2, so 0.04 is 0.2 sd.
    600 independent rows and ten bins at level 1e-6 show about 0.07.
    Weak: exact for small shifts only; a bin that was empty shows at a larger PSI than a share that moved.
    """
    wanted = np.maximum(-np.log(level), table.guard)
    start = np.where(np.isinf(table.tail_start), 0.0, table.tail_start)
    stretched = np.where(np.isinf(table.tail_start), 0.0, start + table.tail_scale * (wanted - LN10))
    x = np.maximum(wanted, stretched) + np.where(table.direction_count > 0, math.log(2), 0.0)
    chance = np.exp(-np.minimum(x, 690.0))
    bins, seen = table.rest_freedom
    rest_variance = 1 / rows + table.overdispersion + table.baseline_variance
    rest = (f_quantile(chance, bins, seen) - 1) * bins * rest_variance
    count, freedom = table.direction_freedom
    widest = 1 / rows + table.spreads[0] + table.baseline_spreads[0]
    along = np.where(table.direction_count > 0, f_quantile(chance, count, freedom) * count * widest, rest)
    far = np.maximum(
        table.farthest.least_psi(level, rows, table.freedom),
        (f_quantile(np.broadcast_to(level, rows.shape), table.freedom, table.whole_freedom) - 1)
        * (table.freedom * rest_variance),
    )
    return np.maximum(np.minimum(rest, far), effect), np.maximum(np.minimum(along, far), effect)


def _log(ratio: Shares) -> Shares:
    """ln with a floor: what it multiplies is 0 wherever the ratio is."""
    found: Shares = np.log(np.maximum(ratio, 1e-300))
    return found
