"""What the numbers do not say themselves: why nothing is judged, and where there are no labels."""

from stream.alerts.rules import PerformanceRules
from stream.backtest.inputs import BacktestInput
from stream.backtest.labels import NEVER
from stream.backtest.result import BacktestResult
from stream.backtest.rule_sets import Hop


def window_remarks(result: BacktestResult, min_count: int) -> list[str]:
    """One sentence each, about windows that are not judged."""
    remarks = []
    small = sum(w.n < min_count and not w.partial for w in result.windows)
    if small:
        remarks.append(
            f"{small} of {len(result.windows)} windows have fewer than min_count = {min_count} rows: not judged"
        )
    if result.windows and all(w.partial for w in result.windows):
        remarks.append("the only window is partial, and a partial window never alerts; use a smaller --chunk-rows")
    return remarks


def label_remarks(given: BacktestInput, hop: Hop, result: BacktestResult, rules: PerformanceRules) -> list[str]:
    """One sentence each; none where nobody asked for labels."""
    if given.labels is None:
        return []
    if given.labels.n == 0:
        return ["the file has no labels: only the estimate is shown"]
    remarks = []
    if result.baseline.n_labels is None:
        remarks.append(
            "the baseline's file has no labels: nothing is known to compare with, and nothing can be estimated"
        )
    rule = rules.mae if given.baseline.task == "regression" else rules.auc
    few = 0 if rule is None else sum((w.n_labels or 0) < rule.min_samples and not w.partial for w in result.windows)
    if rule is not None and few:
        least = f"min_samples = {rule.min_samples}"
        remarks.append(f"{few} of {len(result.windows)} windows have fewer than {least} labels: not judged by them")
    if later := _after_the_last_window(given, hop):
        remarks.append(f"{later} labels come after the last window and count nowhere")
    return remarks


def _after_the_last_window(given: BacktestInput, hop: Hop) -> int:
    if given.labels is None or given.labels.came_ms is None or given.time_ms is None:
        return 0
    newest = int(given.time_ms.max())
    end_ms = newest + 1 if hop.by_rows else newest - newest % hop.pane + hop.pane
    return int(((given.labels.came_ms >= end_ms) & (given.labels.came_ms != NEVER)).sum())
