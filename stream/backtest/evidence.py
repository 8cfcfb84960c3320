"""How much healthy windows differ, and what is normal at each hour, learned from the baseline's file.

Cost: about 0.1 s per series and million rows; nothing where the rules ask for neither.
"""

from dataclasses import replace
from typing import Final

from stream.backtest.inputs import BacktestInput
from stream.backtest.rule_sets import RuleSet
from stream.baselines.learning import Windows, learn
from stream.baselines.segment_evidence import with_segment_evidence
from stream.baselines.segmentation import Segmentation
from stream.evaluate.live_evidence import MILESTONES

BY_ROWS: Final = (
    "windows are cut by rows, so how much healthy windows differ is not learned and alerts are provisional; "
    "cut them by time with --window"
)
LIVE: Final = (
    "what the baseline's file does not say of healthy windows is learned of the judged ones, as the service does, "
    f"first at {MILESTONES[0]} of them"
)


def with_evidence(given: BacktestInput, rules: RuleSet) -> BacktestInput:
    """The input with what the baseline's rows say of such windows, and with notes on what they do not say."""
    if not rules.by_budget and rules.season is None:
        return given
    if rules.hop.by_rows:
        return replace(given, notes=(*given.notes, BY_ROWS))
    if given.normal_times is not None:
        return replace(given, notes=(*given.notes, given.normal_times, LIVE))
    hop = rules.hop
    learned = learn(given.baseline, given.normal, Windows((hop.window,), hop.pane), rules.season)
    known = learned.baseline.evidence_for(hop.window)
    if rules.segments and rules.by_budget:
        judged = Segmentation.of(learned.baseline, rules.segments).names
        windows = Windows((hop.window,), hop.pane)
        of_segments = with_segment_evidence(learned.baseline, given.normal, windows, judged)
        learned = replace(of_segments, notes=learned.notes + of_segments.notes)
    live = (LIVE,) if rules.by_budget and (known is None or known.provisional) else ()
    return replace(given, baseline=learned.baseline, notes=(*given.notes, *learned.notes, *live))
