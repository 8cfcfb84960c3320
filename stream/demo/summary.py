"""What the demo found, in words: only what the messages read back say, beside what was published.

Every window's row count is compared with what was published for that window, so that the
summary also says whether the service counted exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.baselines.baseline import Baseline
from stream.demo.causes import Cause, cause_of
from stream.demo.control import ControlDay
from stream.demo.fault import KILOMETRES
from stream.demo.flights import HOUR_MS, Floats
from stream.demo.labels_summary import labels, second_fault
from stream.demo.performance import OF_LABELS
from stream.demo.replayed import Replayed, rows_in
from stream.demo.results import IN_WORDS, PSI, Change, Episode, PsiSeries, Report, Results
from stream.demo.settings import FALSE_ALARMS, PLAIN_LIMIT, SERIES, WINDOW_HOURS, WINDOW_MS
from stream.demo.times import utc
from stream.demo.verification import EQUAL, UNEQUAL, Verification

MOST_ALERTS_LISTED: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthy:
    """What is known of healthy days."""

    baseline: Baseline
    control: Sequence[PsiSeries]
    control_days: Sequence[ControlDay]


def summary(results: Results, replayed: Replayed, healthy: Healthy, verified: Mapping[str, Verification]) -> str:
    """All paragraphs; `verified` are the alerts by their ids."""
    parts = [
        counted(results, replayed),
        labels(results, replayed),
        first_fault(results, replayed),
        second_fault(results, replayed, healthy.control_days),
        alerts(results, healthy.baseline, verified),
        plain_rule(results),
        comparison(results, healthy.control),
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
    first = first_breach(results, KILOMETRES.feature, KILOMETRES.start_ms)
    if first is None:
        return [*shown, f"  NOT FOUND: in no window after it {KILOMETRES.feature} is in breach."]
    shown.append(f"  First window in breach: {_window(first, replayed)}.")
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


def alerts(results: Results, baseline: Baseline, verified: Mapping[str, Verification]) -> list[str]:
    """Every alert with its first time, its cause and what `verify` says, check by check and series by series."""
    episodes = results.episodes()
    lines = [f"Alerts by the budget of {FALSE_ALARMS} (times: the end of the window, UTC)"]
    if not episodes:
        return [*lines, "  none"]
    for check, subject in sorted({(e.check, e.subject) for e in episodes}, key=_place):
        mine = [e for e in episodes if (e.check, e.subject) == (check, subject)]
        lines.append(f"  {_words(check)} of {subject}: {len(mine)}")
        for episode in mine[:MOST_ALERTS_LISTED]:
            checked = verified[episode.id].in_words if episode.id in verified else "NOT IN THE TOPIC"
            lines += [f"    {_episode(episode)}", f"      cause: {_cause(cause_of(episode, baseline))}"]
            lines.append(f"      verify: {checked}")
        if len(mine) > MOST_ALERTS_LISTED:
            lines.append(f"    and {len(mine) - MOST_ALERTS_LISTED} more in alerts.jsonl")
    causes = [cause_of(e, baseline) for e in episodes]
    injected = sum(c is not None and c.fault is not None for c in causes)
    return [
        *lines,
        f"  In all {len(episodes)}: {injected} of the injected faults, {sum(c is not None for c in causes) - injected} "
        f"with another true cause, {causes.count(None)} without a known one.",
        f"  `driftline verify` reads, counts and judges again what they say: {_verified(episodes, verified)}.",
    ]


def plain_rule(results: Results) -> list[str]:
    """What the rule of thumb makes of the same windows before the first fault, with the same life of an alert."""
    lines = [
        f"The rule of thumb, PSI > {PLAIN_LIMIT}, over the same windows until the first fault",
        f"  {'':12}{'alerts':>9}{'in alarm':>10}{'by budget':>11}",
    ]
    healthy = [e for e in results.episodes(PSI) if e.begins.at_ms <= KILOMETRES.start_ms]
    plain, kept = 0, 0
    for series in results.series(SERIES):
        before = series.window_end_ms <= KILOMETRES.start_ms
        above = series.psi[before] > PLAIN_LIMIT
        begun = _episodes_of(series.window_end_ms[before][above])
        own = sum(e.subject == series.name for e in healthy)
        share = float(above.mean()) if len(above) else 0.0
        lines.append(f"  {series.name:12}{begun:9}{share:10.1%}{own:11}")
        plain, kept = plain + begun, kept + own
    return [*lines, f"  {'in all':12}{plain:9}{'':10}{kept:11}"]


def comparison(results: Results, control: Sequence[PsiSeries]) -> list[str]:
    """The control beside the replay: what a series does by itself."""
    columns = f"{'median':>9}{'highest':>9}{'> ' + str(PLAIN_LIMIT):>9}"
    lines = [
        "Control: each odd day of January to March against all even days (no fault, no season),",
        "beside the replayed windows from April until the fault",
        f"  {'':12}{'control':^30}{'replayed until the fault':^30}",
        f"  {'':12}{columns}   {columns}",
    ]
    by_name = {series.name: series for series in control}
    for series in results.series(SERIES):
        healthy = series.psi[series.window_end_ms <= KILOMETRES.start_ms]
        lines.append(f"  {series.name:12}{_spread(by_name[series.name].psi)}   {_spread(healthy)}")
    return [
        *lines,
        "  What passes the limit in the control wanders by itself: a day's weather is no sample of a quarter's. The",
        "  evidence was learned from these days, so a day is held against days: that is why the budget says nothing of",
        "  them, and why a season, which looks like a row of such days, shows in the medians only.",
    ]


def first_breach(results: Results, subject: str, after_ms: int) -> Report | None:
    """The first reported window that ends later and in which the series is in breach."""
    found = [w for w in results.complete_windows() if w.window_end_ms > after_ms and subject in w.breaches]
    return min(found, key=lambda w: w.window_end_ms, default=None)


def _window(report: Report, replayed: Replayed) -> str:
    broken = rows_in(replayed.event_time_ms, max(report.window_start_ms, KILOMETRES.start_ms), report.window_end_ms)
    return (
        f"ends {utc(report.window_end_ms)}, PSI {report.psi[KILOMETRES.feature]:.3f}, "
        f"{broken:,} of its {report.n:,} rows in kilometres"
    )


def _change(change: Change, check: str = PSI) -> str:
    sure = "" if change.p_value is None else f", p = {change.p_value:.2g}"
    return (
        f"{change.severity} at {utc(change.at_ms)}, {_words(check)} {change.value:.3f} "
        f"(limit {change.threshold:.3g}{sure}), {change.n:,} {'labels' if check in OF_LABELS else 'rows'}"
    )


def _episodes_of(in_alarm_ms: npt.NDArray[np.int64]) -> int:
    """How many alerts these windows, by their ends, make: one lasts until a window's length has been without.

    >>> _episodes_of(np.array([0, 1, 25, 50]) * HOUR_MS)
    2
    """
    return int(np.count_nonzero(np.diff(in_alarm_ms) > WINDOW_MS)) + bool(len(in_alarm_ms))


def _verified(episodes: Sequence[Episode], verified: Mapping[str, Verification]) -> str:
    found = [verified[e.id].result for e in episodes if e.id in verified]
    equal, unequal = found.count(EQUAL), found.count(UNEQUAL)
    return f"{equal} equal, {unequal} unequal, {len(episodes) - equal - unequal} not verified"


def _words(check: str) -> str:
    return IN_WORDS.get(check, check)


def _place(alerted: tuple[str, str]) -> tuple[int, int, str]:
    """PSI in the order of the series, then the other checks."""
    check, subject = alerted
    return check != PSI, SERIES.index(subject) if subject in SERIES else len(SERIES), check


def _cause(cause: Cause | None) -> str:
    return "NOT KNOWN" if cause is None else cause.in_words


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
    above = float(np.mean(defined > PLAIN_LIMIT))
    return f"{np.median(defined):9.3f}{np.max(defined):9.3f}{above:9.1%}"
