"""What the demo found, in words: only what the messages read back say, beside what was published.

Every window's row count is compared with what was published for that window, so that the
summary also says whether the service counted exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stream.demo.fault import FAULT_FEATURE, FAULT_IN_WORDS, FAULT_START_MS
from stream.demo.flights import HOUR_MS, Floats, Integers
from stream.demo.results import Change, Episode, PsiSeries, Report, Results, utc
from stream.demo.settings import ALERTED, LIMITS, WANDERING, WINDOW_HOURS

MOST_ALERTS_LISTED: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What was published, for comparison."""

    event_time_ms: Integers  # shape (messages,), ascending
    cancelled: int  # flights of the year that were never scored
    dead_letters: int  # messages that the service could not count


def summary(results: Results, replayed: Replayed, control: Sequence[PsiSeries]) -> str:
    """All paragraphs."""
    parts = [
        counted(results, replayed),
        fault(results, replayed),
        alerts(results.episodes()),
        comparison(results, control),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def counted(results: Results, replayed: Replayed) -> list[str]:
    """Whether the windows hold what was published."""
    windows = results.complete_windows()
    exact = sum(w.n == _published(replayed, w.window_start_ms, w.window_end_ms) for w in windows)
    return [
        "Counted",
        f"  {len(replayed.event_time_ms):,} predictions published, April to December 2013 "
        f"({replayed.cancelled:,} cancelled flights of the year never departed and were never scored).",
        f"  {len(windows):,} full windows of {WINDOW_HOURS} h reported; in {exact:,} of them the service counted "
        "exactly the rows published for them.",
        f"  {replayed.dead_letters:,} dead letters, {results.revised:,} revised reports.",
    ]


def fault(results: Results, replayed: Replayed) -> list[str]:
    """When the injected fault was found, against the first window that can show it."""
    shown = [
        "Injected fault",
        f"  From {utc(FAULT_START_MS)} UTC (midnight in New York) {FAULT_IN_WORDS}.",
    ]
    before = [w.psi[FAULT_FEATURE] for w in results.complete_windows() if w.window_end_ms <= FAULT_START_MS]
    if before:
        shown.append(
            f"  Before it, the highest PSI of {FAULT_FEATURE} in {len(before):,} windows was {np.nanmax(before):.3f}."
        )
    first = first_window_above(results, FAULT_FEATURE, LIMITS["warning"])
    if first is None:
        return [*shown, f"  NOT FOUND: no window after it has a PSI of {FAULT_FEATURE} above {LIMITS['warning']}."]
    shown.append(f"  First window above the limit {LIMITS['warning']}: {_window(first, replayed)}.")
    changes = [c for e in results.episodes() if e.subject == FAULT_FEATURE for c in e.changes]
    changes = [c for c in changes if c.at_ms > FAULT_START_MS]
    if not changes:
        return [*shown, "  NO ALERT came for it."]
    same = "that very window" if changes[0].at_ms == first.window_end_ms else "ANOTHER WINDOW, which is wrong"
    shown.append(f"  First alert: {_change(changes[0])}: {same}.")
    shown += [f"  Then: {_change(c)}." for c in changes[1:2]]
    whole = results.reports.get(FAULT_START_MS + WINDOW_HOURS * HOUR_MS)
    if whole is not None:
        shown.append(f"  First window with kilometres only: {_window(whole, replayed)}.")
    return shown


def alerts(episodes: Sequence[Episode]) -> list[str]:
    """Every alert with its first time, series by series."""
    lines = ["Alerts (times: the end of the window, UTC)"]
    for subject in ALERTED:
        of_one = [e for e in episodes if e.subject == subject]
        lines.append(f"  {subject}: {len(of_one) or 'none'}")
        lines += [f"    {_episode(e)}" for e in of_one[:MOST_ALERTS_LISTED]]
        if len(of_one) > MOST_ALERTS_LISTED:
            lines.append(f"    and {len(of_one) - MOST_ALERTS_LISTED} more in alerts.jsonl")
    others = sorted({e.subject for e in episodes} - set(ALERTED))
    return [*lines, *(f"  {subject}: alerted, although it is switched off" for subject in others)]


def comparison(results: Results, control: Sequence[PsiSeries]) -> list[str]:
    """The control beside the replay: what a series does by itself."""
    critical = LIMITS["critical"]
    columns = f"{'median':>9}{'highest':>9}{'> ' + str(critical):>9}"
    lines = [
        "Control: each odd day of January to March against all even days (no fault, no season),",
        "beside the replayed windows from April until the fault",
        f"  {'':12}{'control':^30}{'replayed until the fault':^30}",
        f"  {'':12}{columns}   {columns}",
    ]
    names = [*ALERTED, *WANDERING]
    by_name = {series.name: series for series in control}
    for series in results.series(names):
        healthy = series.psi[series.window_end_ms <= FAULT_START_MS]
        lines.append(f"  {series.name:12}{_spread(by_name[series.name].psi)}   {_spread(healthy)}")
    lines.append(
        "  What passes its limits in the control wanders by itself: a day's weather is no sample of a quarter's."
    )
    for name in ALERTED:
        share = float(np.mean(by_name[name].psi > critical))
        if share > 0.5:
            lines.append(
                f"  So does {name}, in {share:.0%} of the control's days: its alert tells a day from a quarter; "
                "what the season adds is the difference between the medians."
            )
    return lines


def first_window_above(results: Results, subject: str, limit: float) -> Report | None:
    """The first reported window that ends after the fault began and has a PSI above the limit."""
    above = [w for w in results.complete_windows() if w.window_end_ms > FAULT_START_MS and w.psi[subject] > limit]
    return min(above, key=lambda w: w.window_end_ms, default=None)


def _published(replayed: Replayed, start_ms: int, end_ms: int) -> int:
    begin, end = np.searchsorted(replayed.event_time_ms, [start_ms, end_ms], side="left").tolist()
    return int(end - begin)


def _window(report: Report, replayed: Replayed) -> str:
    broken = _published(replayed, max(report.window_start_ms, FAULT_START_MS), report.window_end_ms)
    return (
        f"ends {utc(report.window_end_ms)}, PSI {report.psi[FAULT_FEATURE]:.3f}, "
        f"{broken:,} of its {report.n:,} rows in kilometres"
    )


def _change(change: Change) -> str:
    return (
        f"{change.severity} at {utc(change.at_ms)}, PSI {change.value:.3f} (limit {change.threshold:g}), "
        f"{change.n:,} rows"
    )


def _episode(episode: Episode) -> str:
    until = "still firing at the end"
    if episode.resolved_at_ms is not None:
        until = f"resolved {utc(episode.resolved_at_ms)}"
    return f"{'; '.join(_change(c) for c in episode.changes[:3])}; {until}"


def _spread(psi: Floats) -> str:
    defined = psi[~np.isnan(psi)]
    if not len(defined):
        return f"{'no window':>27}"
    above = float(np.mean(defined > LIMITS["critical"]))
    return f"{np.median(defined):9.3f}{np.max(defined):9.3f}{above:9.1%}"
