"""What the labels said, in words: whether every one was counted, whether AUC is right, how the second fault was found.

All numbers come from the messages read back; beside them stands what is known of the rows themselves.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from stream.config.check_keys import AucKeys
from stream.demo.control import ControlDay
from stream.demo.delay_model import DAY_MS
from stream.demo.fault import STUCK
from stream.demo.flights import HOUR_MS
from stream.demo.performance import AUC, Cohort, Performance, PerformanceSeries
from stream.demo.replayed import Replayed, rows_in
from stream.demo.results import PSI, Change, Episode, Results
from stream.demo.settings import LONGEST_FLIGHT_HOURS, WINDOW_HOURS
from stream.demo.times import utc

TOLERANCE: Final = AucKeys().tolerance  # below the baseline's AUC
ROUNDING: Final = 1e-9  # of two ways to compute one AUC


def labels(results: Results, replayed: Replayed) -> list[str]:
    """Whether windows and days hold the labels that were published, and whether AUC is that of their rows."""
    found, truth = results.performance, replayed.truth
    windows = found.complete_windows()
    exact = sum(w.n == rows_in(truth.landed_ms, w.window_start_ms, w.window_end_ms) for w in windows)
    days = found.settled_cohorts(LONGEST_FLIGHT_HOURS * HOUR_MS)
    lines = [
        "Labels",
        f"  {len(truth.landed_ms):,} labels published, each when its plane landed; "
        f"{len(replayed.event_time_ms) - len(truth.landed_ms):,} flights were diverted and never get one.",
        f"  {len(windows):,} full windows of {WINDOW_HOURS} h reported; in {exact:,} of them the service joined "
        f"exactly the labels that arrived in them. {found.revised:,} revised reports.",
        f"  {len(days):,} days by departure; in {sum(_is_exact(day, replayed) for day in days):,} of them predictions "
        "and labels are exactly those published.",
    ]
    if not windows:
        return lines
    series = found.series()
    checked, within = exact_auc_within_bounds(windows, replayed)
    delays = np.nanmedian([[w.delay_p50_s, w.delay_p95_s] for w in windows], axis=0) / 60
    return [
        *lines,
        f"  AUC of the rows themselves (scikit-learn) lies within the reported bounds in {within:,} of {checked:,} "
        f"windows, those that end at midnight; bounds at most {np.nanmax(series.auc_high - series.auc_low):.4f} apart.",
        f"  Half of a window's labels came within {delays[0]:.0f} minutes, 95 % within {delays[1]:.0f}; of the "
        f"last days' predictions {np.nanmin(series.coverage):.1%} to {np.nanmax(series.coverage):.1%} had theirs "
        "when a window was reported: a fast replay is read in leaps, on the day it would be fewer.",
    ]


def second_fault(results: Results, replayed: Replayed, control: Sequence[ControlDay]) -> list[str]:
    """When the second fault was found: first in the estimate's doubt, then by the alert, or whatever is true."""
    shown = [
        "Second injected fault",
        f"  From {utc(STUCK.start_ms)} UTC (midnight in New York) {STUCK.in_words} ({replayed.stuck_at:g} minutes).",
    ]
    windows = results.performance.complete_windows()
    series = results.performance.series()
    before = series.ending(0, STUCK.start_ms)
    after = series.ending(_all_stuck_ms(replayed), int(series.window_end_ms[-1]) if windows else 0)
    if not before.any() or not after.any():
        return [*shown, "  No windows of labels on both sides of it."]
    limit = windows[-1].warning
    beyond = np.mean(series.auc[before] < windows[-1].baseline - TOLERANCE)
    shown += [
        f"  AUC (baseline {windows[-1].baseline:.3f}, limit {limit:.3f}): {_spread(series, before)} in "
        f"{before.sum():,} windows before it; {_spread(series, after)} in {after.sum():,} windows with labels of "
        "such flights only.",
        *_alerted(results, replayed),
        *_estimated(results, limit),
        "  How much a doubt says: the estimate missed by more than sampling explains in "
        f"{series.doubted[before].mean():.0%} of the windows before the fault, {series.doubted[after].mean():.0%} "
        f"after it, and in {sum(day.doubted for day in control)} of the control's {len(control)} days.",
        f"  A day is no sample of a quarter: AUC on the control's days is {_range([d.auc for d in control])}, and "
        f"{beyond:.0%} of the windows before the fault lie more than the tolerance of {TOLERANCE:g} below the "
        "baseline. So AUC is held against how much the days of January to March differ.",
    ]
    return [*shown, *_psi(results)]


def exact_auc_within_bounds(windows: Sequence[Performance], replayed: Replayed) -> tuple[int, int]:
    """How many windows were checked, those that end at midnight UTC, and in how many the rows' AUC is as reported."""
    from sklearn.metrics import roc_auc_score

    truth, checked, within = replayed.truth, 0, 0
    for window in windows:
        if window.window_end_ms % DAY_MS or np.isnan(window.auc):
            continue
        begin, end = np.searchsorted(truth.landed_ms, [window.window_start_ms, window.window_end_ms]).tolist()
        exact = roc_auc_score(truth.late[begin:end], truth.scores[begin:end])
        checked += 1
        within += window.auc_low - ROUNDING <= exact <= window.auc_high + ROUNDING
    return checked, within


def doubt_since(windows: Sequence[Performance], end_ms: int) -> Performance | None:
    """The first window of the unbroken doubt that the window ending at `end_ms` is in; None: it is in none."""
    first = None
    for window in reversed([w for w in windows if w.window_end_ms <= end_ms]):
        if window.reliable is not False:
            break
        first = window
    return first


def _alerted(results: Results, replayed: Replayed) -> list[str]:
    episodes = results.episodes(AUC)
    earlier = [e for e in episodes if e.begins.at_ms <= STUCK.start_ms]
    lines = [f"  AUC alerts before it: {len(earlier) or 'none'}."]
    if any(e.resolved_at_ms is None or e.resolved_at_ms > STUCK.start_ms for e in earlier):
        return [*lines, "  The AUC alert was FIRING ALREADY when it began."]
    later = [e for e in episodes if e.begins.at_ms > STUCK.start_ms]
    if not later:
        return [*lines, "  NO AUC ALERT came for it."]
    windows = results.performance.complete_windows()
    alert, doubt = later[0].begins, doubt_since(windows, later[0].begins.at_ms)
    if doubt is None:
        lines.append("  The estimate was NOT in doubt when the alert came.")
    else:
        hours = (alert.at_ms - doubt.window_end_ms) // HOUR_MS
        order = "already BEFORE the fault" if doubt.window_end_ms <= STUCK.start_ms else f"{hours} h before the alert"
        lines.append(f"  First the estimate's doubt, {order}: {_window(doubt, replayed)}.")
    window = results.performance.windows[alert.at_ms]
    lines.append(f"  Then the alert: {alert.severity}, {_window(window, replayed)}, limit {alert.threshold:.3f}.")
    return [*lines, *_afterwards(later)]


def _afterwards(later: Sequence[Episode]) -> list[str]:
    worse: list[Change] = [c for e in later for c in e.changes if c.severity == "critical"]
    lines = [f"  First critical at {utc(c.at_ms)}, AUC {c.value:.3f} (limit {c.threshold:.3f})." for c in worse[:1]]
    if len(later) > 1:
        lines.append(f"  It resolved and fired again {len(later) - 1} times.")
    end = "still fires at the end" if later[-1].resolved_at_ms is None else f"resolved {utc(later[-1].resolved_at_ms)}"
    return [*lines, f"  The alert {end}."]


def _estimated(results: Results, limit: float) -> list[str]:
    """What the estimate alone would have said, without a single label."""
    ends_ms, estimates = results.estimates()
    before, after = estimates[ends_ms <= STUCK.start_ms], estimates[ends_ms >= STUCK.start_ms + WINDOW_HOURS * HOUR_MS]
    if not len(before) or not len(after):
        return []
    below = ends_ms[(ends_ms > STUCK.start_ms) & (estimates < limit)]
    first = f"first below the limit at {utc(int(below[0]))}" if len(below) else "never below the limit"
    return [
        f"  The estimate from scores alone, median {np.nanmedian(before):.3f} before, {np.nanmedian(after):.3f} after: "
        f"it sees that the scores have become alike ({first}), not that they have become wrong."
    ]


def _psi(results: Results) -> list[str]:
    (series,) = results.series([STUCK.feature])
    before = series.psi[series.window_end_ms <= STUCK.start_ms]
    after = series.psi[series.window_end_ms >= STUCK.start_ms + WINDOW_HOURS * HOUR_MS]
    if not len(before) or not len(after):
        return []
    alerted = [e.begins.at_ms for e in results.episodes(PSI) if e.subject == STUCK.feature]
    later = [at_ms for at_ms in alerted if at_ms > STUCK.start_ms]
    said = f"alerted at {utc(later[0])}, without a label" if later else "NO ALERT"
    return [
        f"  PSI of {STUCK.feature}: at most {np.nanmax(before):.2f} before it, at "
        f"least {np.nanmin(after):.2f} with stuck values only; {said}."
    ]


def _is_exact(day: Cohort, replayed: Replayed) -> bool:
    departed_ms = np.sort(replayed.truth.departed_ms)
    return (day.predictions, day.labelled) == (
        rows_in(replayed.event_time_ms, day.start_ms, day.end_ms),
        rows_in(departed_ms, day.start_ms, day.end_ms),
    )


def _all_stuck_ms(replayed: Replayed) -> int:
    """Before the end of the first window that has labels of stuck flights only."""
    truth = replayed.truth
    healthy_ms = truth.landed_ms[truth.departed_ms < STUCK.start_ms]
    return int(healthy_ms.max(initial=STUCK.start_ms)) + WINDOW_HOURS * HOUR_MS


def _window(window: Performance, replayed: Replayed) -> str:
    truth = replayed.truth
    begin, end = np.searchsorted(truth.landed_ms, [window.window_start_ms, window.window_end_ms]).tolist()
    stuck = int((truth.departed_ms[begin:end] >= STUCK.start_ms).sum())
    return (
        f"window ends {utc(window.window_end_ms)}, AUC {window.auc:.3f} (se {window.auc_se:.3f}), estimated "
        f"{window.estimated:.3f}, {stuck:,} of its {window.n:,} labels from such flights"
    )


def _spread(series: PerformanceSeries, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    auc = series.auc[chosen]
    return f"{np.nanmin(auc):.3f} to {np.nanmax(auc):.3f}, median {np.nanmedian(auc):.3f},"


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.3f} to {max(values):.3f}" if values else "not known"
