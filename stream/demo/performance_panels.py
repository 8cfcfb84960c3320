"""The upper panels of the picture: AUC with its bounds beside the estimate, and coverage.

AUC is what the labels said that arrived in each window; around it lie the hard bounds, mostly as narrow
as the line, and two standard errors by sampling. The estimate is by the scores of the predictions
alone. Where labels say that it was off by more than sampling explains, a mark lies at the panel's foot.
Coverage is as reported; a fast replay is read in leaps, so most labels of a leap are there when its windows
are evaluated, and the line lies higher than on the day.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stream.demo.control import ControlDay
from stream.demo.delay_model import DAY_MS
from stream.demo.fault import STUCK
from stream.demo.flights import HOUR_MS
from stream.demo.ink import DOUBT, ESTIMATE, FAINT, INK, LINE, SEVERITY_COLOUR, date, mark_episodes
from stream.demo.performance import PerformanceResults, PerformanceSeries
from stream.demo.results import Episode
from stream.demo.settings import LONGEST_FLIGHT_HOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES: Final = (3.4, 1.3)  # of AUC, of coverage
LOWEST_AUC: Final = 0.3
HIGHEST_AUC: Final = 1.06
BAR_AUC: Final = 1.03  # where the bar of a firing alert lies
DOUBT_AUC: Final = 0.38  # where the marks of the estimate's doubt lie
STANDARD_ERRORS: Final = 2
HIGHEST_FLOOR: Final = 0.98  # of coverage's axis
SPARE: Final = 0.15  # of coverage's range, above and below


def draw(
    auc_panel: "Axes",
    coverage_panel: "Axes",
    *,
    performance: PerformanceResults,
    estimates: tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]],
    control: Sequence[ControlDay],
    episodes: Sequence[Episode],
) -> None:
    """Draw both panels."""
    series = performance.series()
    _draw_auc(auc_panel, series, control)
    ends_ms, estimated = estimates
    auc_panel.plot(ends_ms / DAY_MS, estimated, color=ESTIMATE, linewidth=1.0, zorder=3)
    _draw_limits(auc_panel, performance)
    if len(series.window_end_ms):
        mark_episodes(auc_panel, episodes, BAR_AUC, int(series.window_end_ms[-1]))
    _draw_coverage(coverage_panel, performance, series)


def handles() -> list[Any]:
    """For the legend."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Patch(color=LINE, alpha=0.22, linewidth=0, label=f"AUC ± {STANDARD_ERRORS} se"),
        Line2D([], [], color=ESTIMATE, linewidth=1.4, label="estimate, no labels"),
        Line2D([], [], color=DOUBT, marker="|", linestyle="", markersize=8, label="estimate in doubt"),
    ]


def _draw_auc(panel: "Axes", series: PerformanceSeries, control: Sequence[ControlDay]) -> None:
    at = series.window_end_ms / DAY_MS
    by_chance = STANDARD_ERRORS * series.auc_se
    panel.set_ylim(LOWEST_AUC, HIGHEST_AUC)
    panel.fill_between(
        at, series.auc - by_chance, series.auc + by_chance, color=LINE, alpha=0.22, linewidth=0, zorder=2
    )
    panel.fill_between(at, series.auc_low, series.auc_high, color=LINE, alpha=0.9, linewidth=0, zorder=3)
    panel.plot(at, series.auc, color=LINE, linewidth=1.1, zorder=4)
    doubted = at[series.doubted]
    panel.plot(doubted, np.full(len(doubted), DOUBT_AUC), "|", color=DOUBT, markersize=7, markeredgewidth=0.4, zorder=3)
    days_at = [date(day.end_ms) for day in control]
    panel.plot(days_at, [day.auc for day in control], ".", color=LINE, markersize=4.5, alpha=0.8, zorder=3)
    doubted_at = [date(day.end_ms) for day in control if day.doubted]
    panel.plot(doubted_at, [DOUBT_AUC] * len(doubted_at), "|", color=DOUBT, markersize=7, markeredgewidth=1.2, zorder=3)
    panel.set_title("AUC", loc="left", fontsize=11, fontweight="bold", color=INK, pad=4)
    panel.tick_params(colors=INK, labelsize=8)
    if control:
        words = (
            f"control: AUC {min(d.auc for d in control):.2f} to {max(d.auc for d in control):.2f}, "
            f"estimate in doubt on {len(doubted_at)} of {len(control)} days"
        )
        panel.annotate(words, (0, 0), (4, 4), "axes fraction", "offset points", fontsize=7.5, color=FAINT)
    words = "hard bounds drawn too"
    width = series.auc_high - series.auc_low
    before = width[series.window_end_ms <= STUCK.start_ms]
    if np.isfinite(before).any() and np.isfinite(width).any():
        words += f": at most {np.nanmax(before):.4f} apart before dep_delay is stuck, {np.nanmax(width):.4f} in all"
    panel.set_title(words, loc="right", fontsize=8.5, fontstyle="italic", color=FAINT, pad=4)


def _draw_limits(panel: "Axes", performance: PerformanceResults) -> None:
    windows = performance.complete_windows()
    if not windows:
        return
    newest = windows[-1]
    panel.axhline(newest.baseline, color=FAINT, linewidth=0.9, linestyle=(0, (1, 2)), zorder=2)
    panel.annotate(
        f"baseline {newest.baseline:.3f}", (1, newest.baseline), (-4, 2), ("axes fraction", "data"), "offset points",
        ha="right", fontsize=7.5, color=FAINT,
    )  # fmt: skip
    for severity, limit in (("warning", newest.warning), ("critical", newest.critical)):
        panel.axhline(limit, color=SEVERITY_COLOUR[severity], linewidth=0.9, linestyle=(0, (5, 3)), zorder=2)


def _draw_coverage(panel: "Axes", performance: PerformanceResults, series: PerformanceSeries) -> None:
    """The share that each report gave, of the days that are kept, and what became of each day in the end."""
    panel.plot(series.window_end_ms / DAY_MS, series.coverage, color=LINE, linewidth=1.0, zorder=3)
    days = [day for day in performance.settled_cohorts(LONGEST_FLIGHT_HOURS * HOUR_MS) if day.predictions]
    shares = np.array([day.labelled / day.predictions for day in days])
    panel.plot([date(day.end_ms) for day in days], shares, ".", color=INK, markersize=3.5, zorder=4)
    known = series.coverage[np.isfinite(series.coverage)]
    lowest = min(known.min(initial=HIGHEST_FLOOR), shares.min(initial=HIGHEST_FLOOR))
    panel.set_ylim(lowest - SPARE * (1 - lowest), 1 + SPARE * (1 - lowest))
    panel.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")
    panel.tick_params(colors=INK, labelsize=8)
    panel.set_title("coverage", loc="left", fontsize=11, fontweight="bold", color=INK, pad=4)
    words = "predictions that have their label: line, of the last days, as each report said; dots, each day in the end"
    panel.set_title(words, loc="right", fontsize=8.5, fontstyle="italic", color=FAINT, pad=4)
