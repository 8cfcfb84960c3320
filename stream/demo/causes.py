"""Why an alert fired, named from the data and proven where that can be done.

An injected fault is the cause of what fires for its feature after it began, and of what fires for the score and
the labels, since the model is fed with it. Data quality says itself what is wrong. Of drift it is asked what the
window would say without the rows that have no value: if that is nothing, it was the gap. What is left has no known
cause, and is called so.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.evidence import INDEPENDENT_ROWS, EvidenceTable, judge
from stream.alerts.evidence import bin_labels
from stream.baselines.baseline import Baseline
from stream.baselines.layout import Counts, Layout
from stream.demo.control import SCORE
from stream.demo.fault import FAULTS, Fault
from stream.demo.flights import WEATHER_NUMERIC
from stream.demo.performance import OF_LABELS
from stream.demo.results import PSI, Episode
from stream.demo.settings import WINDOW_MS

MISSING: Final = "missing"  # a bin of every series, and the check of it
OUT_OF_RANGE: Final = "out_of_range"
LEAST_EFFECT: Final = 0.02  # corrected PSI that is told of, the service's default
OF_THE_MODEL: Final = (SCORE,)  # series that a broken feature moves too


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What made an alert fire."""

    in_words: str
    fault: Fault | None  # None: it was not injected


def cause_of(episode: Episode, baseline: Baseline) -> Cause | None:
    """The cause, or None if none is known."""
    begun = [fault for fault in FAULTS if fault.start_ms < episode.begins.at_ms]
    for fault in begun:
        if episode.subject == fault.feature:
            return Cause(in_words=f"the injected fault: {fault.briefly}", fault=fault)
    if begun and (episode.check in OF_LABELS or episode.subject in OF_THE_MODEL):
        return Cause(in_words=f"the injected fault: {begun[-1].briefly}, which the model is fed with", fault=begun[-1])
    found = _gap(episode, baseline) if episode.check == PSI else _of_quality(episode)
    return None if found is None else Cause(in_words=found, fault=None)


def _of_quality(episode: Episode) -> str | None:
    """What the rows themselves say: that they have no value, or weather as it never was from January to March."""
    begins = episode.begins
    if begins.count is None:
        return None
    of = f"{begins.count:,} of {begins.n:,} flights have"
    if episode.check == MISSING:
        return f"a gap in the data: {of} no {episode.subject}"
    if episode.check == OUT_OF_RANGE and episode.subject in WEATHER_NUMERIC:
        return f"the season: {of} a {episode.subject} beyond all of January to March"
    return None


def _gap(episode: Episode, baseline: Baseline) -> str | None:
    """The cause in words if without the rows that have no value there would have been no alert."""
    begins, layout = episode.begins, Layout(baseline)
    if begins.level is None or not begins.current or episode.subject not in layout.names:
        return None
    place = layout.names.index(episode.subject)
    gap = bin_labels(layout.series[place]).index(MISSING)
    missing, rows = begins.current[gap], sum(begins.current)
    if not missing:
        return None
    others = np.array(begins.current, np.int64)
    others[gap] = 0
    proof = _proof(layout, place, others, begins.level)
    if proof is None:
        return None
    return (
        f"a gap in the data: {missing:,} of {rows:,} flights have no {episode.subject} ({missing / rows:.1%}; "
        f"{layout.series[place].missing / baseline.rows:.1%} in the baseline); {proof}"
    )


def _proof(layout: Layout, place: int, others: Counts, level: float) -> str | None:
    """What the window says without its gap, if that is nothing; None: it would alert all the same."""
    rows = int(others.sum())
    if not rows:
        return "nothing else is left"
    known = layout.baseline.evidence_for(WINDOW_MS)
    evidence = INDEPENDENT_ROWS if known is None else known.series[place]
    bounds = [*layout.series_coarse_starts.tolist(), len(layout.baseline_coarse)]
    own = layout.baseline_coarse[bounds[place] : bounds[place + 1]]
    table = EvidenceTable([evidence], own, np.zeros(1, np.int64))
    found = judge(table, others)
    allowed = table.level(level, np.array([float(rows)]))
    if found.breaches(allowed, LEAST_EFFECT, table.guard)[0]:
        return None
    return f"without them the window is a healthy one (p = {found.p_value[0]:.2g}, {allowed[0]:.2g} is allowed)"
