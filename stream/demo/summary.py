"""What the demo found, in words: only what the messages read back say, beside what was published.

Every window's row count is compared with what was published for that window, so that the
summary also says whether the service counted exactly.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from stream.demo.control import ControlDay
from stream.demo.fault import KILOMETRES
from stream.demo.flights import HOUR_MS, Floats
from stream.demo.labels_summary import labels, second_fault
from stream.demo.performance import AUC
from stream.demo.replayed import Replayed, rows_in
from stream.demo.results import IN_WORDS, PSI, Change, Episode, PsiSeries, Report, Results
from stream.demo.settings import ALERTED, LIMITS, WANDERING, WINDOW_HOURS
from stream.demo.times import utc

MOST_ALERTS_LISTED: Final = 60


def summary(
    results: Results, replayed: Replayed, control: Sequence[PsiSeries], control_days: Sequence[ControlDay]
) -> str:
    """All paragraphs."""
    parts = [
        counted(results, replayed),
        labels(results, replayed),
        first_fault(results, replayed),
        second_fault(results, replayed, control_days),
        alerts(results),
        comparison(results, control),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def counted(results: Results, replayed: Replayed) -> list[str]:
    """Whether the windows hold what was published."""
    windows = results.complete_windows()
    exact = sum(w.n == rows_in(replayed.event_time_ms, w.window_start_ms, w.window_end_ms) for w in windows)
    return [
        "Counted",
        f"  {len(replayed.event_time_ms):,} predictions published, April to December 2013 "
        f"({replayed.cancelled:,} cancelled flights of the year never departed and were never scored).",
        f"  {len(windows):,} full windows of {WINDOW_HOURS} h reported; in {exact:,} of them the service counted "
        "exactly the rows published for them.",
        f"  {replayed.dead_letters:,} dead letters, {results.revised:,} revised reports.",
    ]


def first_fault(results: Results, replayed: Replayed) -> list[str]:
    """When the injected fault was found, against the first window that can show it."""
    shown = [
        "First injected fault",
        f"  From {utc(KILOMETRES.start_ms)} UTC (midnight in New York) {KILOMETRES.in_words}.",
    ]
    before = [w.psi[KILOMETRES.feature] for w in results.complete_windows() if w.window_end_ms <= KILOMETRES.start_ms]
    if before:
        shown.append(
            f"  Before it, the highest PSI of {KILOMETRES.feature} in {len(before):,} windows was "
            f"{np.nanmax(before):.3f}."
        )
    first = first_window_above(results, KILOMETRES.feature, LIMITS["warning"])
    if first is None:
        return [*shown, f"  NOT FOUND: no window after it has a PSI of {KILOMETRES.feature} above {LIMITS['warning']}."]
    shown.append(f"  First window above the limit {LIMITS['warning']}: {_window(first, replayed)}.")
    changes = [c for e in results.episodes(PSI) if e.subject == KILOMETRES.feature for c in e.changes]
    changes = [c for c in changes if c.at_ms > KILOMETRES.start_ms]
    if not changes:
        return [*shown, "  NO ALERT came for it."]
    same = "that very window" if changes[0].at_ms == first.window_end_ms else "ANOTHER WINDOW, which is wrong"
    shown.append(f"  First alert: {_change(changes[0])}: {same}.")
    shown += [f"  Then: {_change(c)}." for c in changes[1:2]]
    whole = results.reports.get(KILOMETRES.start_ms + WINDOW_HOURS * HOUR_MS)
    if whole is not None:
        shown.append(f"  First window with kilometres only: {_window(whole, replayed)}.")
    return shown


def alerts(results: Results) -> list[str]:
    """Every alert with its first time, series by series, AUC last."""
    lines = ["Alerts (times: the end of the window, UTC)"]
    episodes = results.episodes(PSI)
    for subject in ALERTED:
        lines += _listed(subject, [e for e in episodes if e.subject == subject])
    lines += _listed("AUC", results.episodes(AUC))
    others = sorted({e.subject for e in episodes} - set(ALERTED) | {a.check for a in results.alerts} - set(IN_WORDS))
    return [*lines, *(f"  {subject}: alerted, although it is switched off" for subject in others)]


def _listed(name: str, episodes: Sequence[Episode]) -> list[str]:
    lines = [f"  {name}: {len(episodes) or 'none'}", *(f"    {_episode(e)}" for e in episodes[:MOST_ALERTS_LISTED])]
    if len(episodes) > MOST_ALERTS_LISTED:
        lines.append(f"    and {len(episodes) - MOST_ALERTS_LISTED} more in alerts.jsonl")
    return lines


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
        healthy = series.psi[series.window_end_ms <= KILOMETRES.start_ms]
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
    above = [w for w in results.complete_windows() if w.window_end_ms > KILOMETRES.start_ms and w.psi[subject] > limit]
    return min(above, key=lambda w: w.window_end_ms, default=None)


def _window(report: Report, replayed: Replayed) -> str:
    broken = rows_in(replayed.event_time_ms, max(report.window_start_ms, KILOMETRES.start_ms), report.window_end_ms)
    return (
        f"ends {utc(report.window_end_ms)}, PSI {report.psi[KILOMETRES.feature]:.3f}, "
        f"{broken:,} of its {report.n:,} rows in kilometres"
    )


def _change(change: Change, check: str = PSI) -> str:
    return (
        f"{change.severity} at {utc(change.at_ms)}, {IN_WORDS[check]} {change.value:.3f} "
        f"(limit {change.threshold:.3g}), {change.n:,} {'labels' if check == AUC else 'rows'}"
    )


def _episode(episode: Episode) -> str:
    until = "still firing at the end"
    if episode.resolved_at_ms is not None:
        until = f"resolved {utc(episode.resolved_at_ms)}"
    shown = [_change(c, episode.check) for c in episode.changes[:2]]
    more = len(episode.changes) - len(shown)
    if more:
        shown.append(f"and {more} more change{'s' if more > 1 else ''} of severity")
    return f"{'; '.join(shown)}; {until}"


def _spread(psi: Floats) -> str:
    defined = psi[~np.isnan(psi)]
    if not len(defined):
        return f"{'no window':>27}"
    above = float(np.mean(defined > LIMITS["critical"]))
    return f"{np.median(defined):9.3f}{np.max(defined):9.3f}{above:9.1%}"
