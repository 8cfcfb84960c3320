"""Learning from a baseline's panes how much healthy windows differ: the `Evidence` of each series.

Promise: the same panes give the same evidence. With few blocks it says so (`Evidence.provisional`)
and claims less: fewer directions, fatter tails.
Cost: seven days of minutes, 20 series of 11 bins, windows of an hour: about 0.2 s.
Weak: what the panes do not show is not learned: one day knows no week, and a winter no summer.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

from detectors.divergence import psi_of_series
from detectors.evidence import INDEPENDENT_ROWS, MOST_DIRECTIONS, Counts, Evidence, EvidenceTable, scale_tail, split_x
from detectors.season_frame import LEAST_INSIDE, SeasonFrame

LEAST_ROWS: Final = 10  # of a block: shares of fewer say nothing
_BLOCKS_PER_DIRECTION: Final = 20
_BEYOND_NOISE: Final = 1.3  # times the largest eigenvalue that noise alone would give
_TAIL_QUANTILE: Final = 0.9
_TAIL_STRIDES: Final = 4  # replayed windows per window length: they overlap, so each counts a quarter
_POOLED_WEIGHT: Final = 10.0  # of the pooled tail, in windows

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Tail:
    """Of one series: what its replay showed beyond the 90 % quantile of x, in independent windows."""

    start: float
    excess: float  # sum of x - start
    windows: float
    farthest: float  # the largest x of any window
    farthest_psi: float  # the largest corrected PSI of any window, nats


_NO_TAIL: Final = _Tail(np.inf, 0.0, 0.0, 0.0, np.inf)


def learn_evidence(
    panes: Counts,
    series_starts: npt.NDArray[np.int64],
    window_panes: int,
    least_rows: int = LEAST_ROWS,
    slots: npt.NDArray[np.int64] | None = None,
    baseline: Counts | None = None,
) -> tuple[Evidence, ...]:
    """The evidence of each series for windows of `window_panes` panes.

    1. Blocks of `window_panes` panes that do not overlap; those of fewer than `least_rows` rows are left out.
    2. Directions of healthy wander: eigenvectors of the blocks' covariance that stand out of its noise.
    3. The rest's overdispersion; each direction's spread, raised until no block is an outlier along it.
    4. The baseline's own windows replayed: where the tail of -ln p starts, how slowly it falls, how far it went,
       and how far the corrected PSI went.

    Args:
        panes: counts of all series one after the other, shape (panes, bins), in order of time, every pane
            of the stretch in it, the empty ones too.
        series_starts: shape (series,), ascending, first 0: where each series begins.
        window_panes: panes of a window, >= 1.
        least_rows: of a block, >= 1.
        slots: of a season, the slot of each pane, shape (panes,), from 0: what is learned is then how much windows
            differ from what is normal in their own slots.
        baseline: counts, shape (bins,), that windows will be judged against, where that is not the panes' own sum:
            how far healthy ones lie from it is measured from there. Not with slots.

    Returns:
        One per series; `INDEPENDENT_ROWS` where fewer than two blocks have enough rows.

    Raises:
        ValueError: `window_panes` or `least_rows` below 1.

    Size to expect: overdispersion 0 to 0.0001 and tail_scale 1.0 to 1.4 for independent rows; 0.1 where
    an hour of wind is all from one side. No direction for independent rows, one or two for most real traffic.

    >>> rng = np.random.default_rng(7)
    >>> [one] = learn_evidence(rng.multinomial(10, [0.2] * 5, size=7 * 1440), np.array([0]), 60)
    >>> one.blocks, len(one.directions), one.overdispersion < 1e-4
    (168, 0, True)
    """
    ends = np.append(series_starts, panes.shape[1])
    each = [slice(ends[i], ends[i + 1]) for i in range(len(series_starts))]
    baselines = None if baseline is None else [baseline[one] for one in each]
    return learn_each((panes[:, one] for one in each), window_panes, least_rows, slots, baselines)


def learn_each(
    series: Iterable[Counts],
    window_panes: int,
    least_rows: int = LEAST_ROWS,
    slots: npt.NDArray[np.int64] | None = None,
    baselines: Sequence[Counts] | None = None,
) -> tuple[Evidence, ...]:
    """`learn_evidence` of series that come one after the other, so that only one need be in memory.

    Args:
        series: the panes of each, shape (panes, bins of the series).
        window_panes: panes of a window, >= 1.
        least_rows: of a block, >= 1.
        slots: of a season, the slot of each pane.
        baselines: of each, where that is not the panes' own sum.

    Raises:
        ValueError: `window_panes` or `least_rows` below 1.
    """
    if window_panes < 1 or least_rows < 1:
        raise ValueError(f"window_panes and least_rows must be >= 1, got {window_panes} and {least_rows}")
    found: list[tuple[Evidence, _Tail]] = []
    frame: SeasonFrame | None = None
    for i, panes in enumerate(series):
        rows = panes.sum(axis=1)
        if frame is None or not np.array_equal(frame.rows, rows):
            frame = SeasonFrame.of(rows, slots, window_panes)
        spread = _of_blocks(panes, frame, least_rows)
        found.append((spread, _tail(panes, spread, frame, least_rows, None if baselines is None else baselines[i])))
    scales = _tail_scales([tail for _, tail in found])
    return tuple(_with_tail(spread, tail, scale) for (spread, tail), scale in zip(found, scales, strict=True))


def _of_blocks(panes: Counts, frame: SeasonFrame, least_rows: int) -> Evidence:
    """Steps 1 to 3, for one series."""
    enough = (frame.block_rows >= least_rows) & (frame.block_inside > LEAST_INSIDE)
    rows, inside = frame.block_rows[enough].astype(np.float64), frame.block_inside[enough]
    if len(rows) < 2:
        return INDEPENDENT_ROWS
    baseline = panes.sum(axis=0)
    used = baseline > 0
    expected = frame.blocks_of(frame.expected(panes))[enough][:, used] / rows[:, None]
    shares = frame.blocks_of(panes)[enough][:, used] / rows[:, None]
    present = expected > 0
    freedom = max(round(float(present.sum(axis=1).mean())) - 1, 1)
    # A block is part of this baseline, so it differs from it by less: 1/N - 1/M.
    z = (shares - expected) / np.sqrt(np.where(present, expected, 1.0) * inside[:, None])
    block_rows = float((rows**2).sum() / rows.sum())
    variances, vectors = np.linalg.eigh((z * rows[:, None]).T @ z / len(rows))
    variances, vectors = variances[::-1], vectors[:, ::-1]
    blocks = round(len(rows) - max(0.0, float((1 - inside).sum()) - 1))  # less what the slots' own shares took
    count = _directions_that_stand_out(variances, freedom, blocks)
    rest = variances[count:].sum() / max(freedom - count, 1)
    overdispersion = max(0.0, float(rest - 1) / block_rows)
    spreads = np.maximum(overdispersion, (variances[:count] - 1) / block_rows)
    spreads = _raised(spreads, np.abs(z @ vectors[:, :count]), rows)
    directions = np.zeros((count, len(baseline)))
    directions[:, used] = vectors[:, :count].T
    return Evidence(
        overdispersion=overdispersion,
        spreads=tuple(spreads.tolist()),
        directions=tuple(tuple(one) for one in directions.tolist()),
        blocks=blocks,
        block_rows=block_rows,
        tail_start=np.inf,
        tail_scale=1.0,
        guard=0.0,
        blocks_behind=frame.blocks_behind(enough),
    )


def _directions_that_stand_out(variances: Values, freedom: int, blocks: int) -> int:
    """How many of the descending eigenvalues exceed what noise of the size of the others would give."""
    edge = (1 + np.sqrt(freedom / blocks)) ** 2  # Marchenko & Pastur
    most = min(MOST_DIRECTIONS, blocks // _BLOCKS_PER_DIRECTION, freedom - 2)
    count = 0
    while count < most:
        others = variances[count + 1 :].sum() / (freedom - count - 1)
        if variances[count] <= _BEYOND_NOISE * edge * max(others, 1e-9):
            break
        count += 1
    return count


def _raised(spreads: Values, along: Values, rows: Values) -> Values:
    """Spreads at which no block is farther out than the farthest of so many normal ones; along: (blocks, count)."""
    farthest = chdtri(1, 0.5 / len(rows))
    for q in range(len(spreads)):
        reached = along[:, q] if q == 0 else np.maximum(along[:, q] - along[:, 0] ** 2, 0.0)
        spreads[q] = max(spreads[q], (reached**2 / farthest - 1 / rows).max())
    return spreads


def _replay(
    panes: Counts, evidence: Evidence, frame: SeasonFrame, least_rows: int, baseline: Counts | None
) -> tuple[Values, Values]:
    """x and corrected PSI of the baseline's own windows, one every twelfth of a window.

    Both of shape (windows,), NaN where there are too few rows.
    """
    windows, normal = frame.windows_of(panes), frame.windows_of(frame.expected(panes))
    table = EvidenceTable([evidence], panes.sum(axis=0), np.zeros(1, np.int64))
    n = np.maximum(frame.window_rows, 1.0)[:, None]
    shares, p = windows / n, normal / n
    used = np.where(p > 1e-9, p, 1.0)
    inside = frame.window_inside
    likelihood = table.total(shares * np.log(np.maximum(shares / used, 1e-300)))
    distance = 2 * np.maximum(likelihood, 0.0) / np.maximum(inside, LEAST_INSIDE)[:, None]
    x = split_x(table, distance, (shares - p) / np.sqrt(used), 1 / n, replay=True)[:, 0]
    if baseline is None:  # as many rows behind what is normal as leave so much of the sampling noise
        psi = psi_of_series(p * (n / np.maximum(1 - inside, 1e-12)[:, None]), windows, table.starts)
    else:
        table = EvidenceTable([evidence], baseline, table.starts)
        psi = psi_of_series(baseline, windows, table.starts)
    psi -= table.psi_noise(n)
    unknown = np.where((frame.window_rows >= least_rows) & (inside > LEAST_INSIDE), 0.0, np.nan)
    return x + unknown, np.maximum(psi[:, 0], 0.0) + unknown


def _tail(panes: Counts, evidence: Evidence, frame: SeasonFrame, least_rows: int, baseline: Counts | None) -> _Tail:
    if not evidence.blocks:
        return _NO_TAIL
    every, psi = _replay(panes, evidence, frame, least_rows, baseline)
    x = every[:: max(1, frame.window_panes // _TAIL_STRIDES // frame.stride)]
    x = x[~np.isnan(x)]
    if not x.size:
        return _NO_TAIL
    start = float(np.quantile(x, _TAIL_QUANTILE))
    beyond = x[x > start] - start
    farthest = float(np.nanmax(every, initial=0.0))
    return _Tail(
        start, float(beyond.sum()) / _TAIL_STRIDES, len(beyond) / _TAIL_STRIDES, farthest, float(np.nanmax(psi))
    )


def _with_tail(evidence: Evidence, tail: _Tail, scale: float) -> Evidence:
    """The evidence with its tail, and with the farthest that a window of the baseline went, in x and in PSI."""
    if not evidence.blocks:
        return evidence
    guard = float(scale_tail(np.array(tail.farthest), np.array(tail.start), np.array(scale)))
    return replace(evidence, tail_start=tail.start, tail_scale=scale, guard=guard, farthest_psi=tail.farthest_psi)


def _tail_scales(tails: Sequence[_Tail]) -> list[float]:
    """Mean excess of each series, drawn to that of all, raised by its own uncertainty; >= 1, and 1 without a tail."""
    windows = sum(tail.windows for tail in tails)
    pooled = sum(tail.excess for tail in tails) / windows if windows else 1.0
    scales = []
    for tail in tails:
        weight = tail.windows + _POOLED_WEIGHT
        mean = (tail.excess + _POOLED_WEIGHT * pooled) / weight
        scales.append(max(1.0, mean * (1 + 1 / math.sqrt(weight))) if tail.windows else 1.0)
    return scales
