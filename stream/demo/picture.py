"""One picture of the demo: what the labels said, then PSI over time per series; limits, alerts and both faults.

January to March shows the control (a dot per odd day against the even days), from April on the lines
are what the service reported for each window, drawn at the window's end. On top AUC and coverage
(`performance_panels`), then one panel per series over one shared, logarithmic PSI axis, so that panels
compare at a glance. Dashed: the effect that an alert needs beside its evidence, so a line may well lie above.
What the service did not report is a gap, not a zero.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stream.demo import performance_panels
from stream.demo.control import ControlDay
from stream.demo.delay_model import DAY_MS
from stream.demo.fault import FAULTS
from stream.demo.flights import REPLAY_START_MS
from stream.demo.ink import FAINT, FAULT, INK, LINE, SEVERITY_COLOUR, SHADE, date, mark_episodes
from stream.demo.performance import AUC, PerformanceResults
from stream.demo.results import PSI, Episode, PsiSeries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

YEAR_START_MS: Final = 1_356_998_400_000  # 2013-01-01T00:00:00Z
LOWEST_PSI: Final = 0.001  # drawn here at least; healthy windows of 900 rows read about 0.003 and more
HIGHEST_PSI: Final = 100.0
BAR_PSI: Final = 40.0  # where in a panel the bar of a firing alert lies
CRITICAL_PSI: Final = 0.25  # the rule of thumb, with which the control is compared in words
INCHES_WIDE: Final = 14.0
INCHES_OF_SERIES: Final = 1.5
INCHES_AROUND: Final = 1.9
DOTS_PER_INCH: Final = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is drawn."""

    replayed: Sequence[PsiSeries]  # one per panel, in the order of the panels
    control: Sequence[PsiSeries]  # PSI per odd day of January to March; a series without one has no dots
    control_days: Sequence[ControlDay]  # their AUC
    performance: PerformanceResults
    estimates: tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]  # ends of windows, AUC by scores alone
    episodes: Mapping[str, Sequence[Episode]]  # by check; each is marked in its panel
    limits: Mapping[str, float]  # by severity: the corrected PSI that an alert needs
    window_hours: int  # the windows' length, for the title


def draw(path: Path, shown: Shown) -> None:
    """Write the picture as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [*performance_panels.INCHES, *([INCHES_OF_SERIES] * len(shown.replayed))]
    height = sum(heights) + INCHES_AROUND
    figure = Figure(figsize=(INCHES_WIDE, height), dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    first = len(performance_panels.INCHES)
    performance_panels.draw(
        *panels[:first],
        performance=shown.performance,
        estimates=shown.estimates,
        control=shown.control_days,
        episodes=shown.episodes.get(AUC, ()),
    )
    _draw_psi(panels[first:], shown)
    _draw_around(panels, shown)
    _draw_words(figure, panels, shown, height)
    figure.savefig(path)


def _draw_psi(panels: Any, shown: Shown) -> None:
    by_name = {series.name: series for series in shown.control}
    for panel, series in zip(panels, shown.replayed, strict=True):
        mine = [e for e in shown.episodes.get(PSI, ()) if e.subject == series.name]
        _draw_panel(panel, series, by_name.get(series.name), shown.limits)
        _name_panel(panel, series.name, by_name.get(series.name), len(mine))
        mark_episodes(panel, mine, BAR_PSI, int(series.window_end_ms[-1]))
    panels[len(panels) // 2].set_ylabel("PSI (nats, logarithmic)", fontsize=9, color=FAINT)


def _draw_panel(panel: "Axes", series: PsiSeries, control: PsiSeries | None, limits: Mapping[str, float]) -> None:
    panel.set_yscale("log")
    panel.set_ylim(LOWEST_PSI, HIGHEST_PSI)
    panel.set_yticks([0.001, 0.01, 0.1, 1, 10], ["0.001", "0.01", "0.1", "1", "10"])
    panel.yaxis.minorticks_off()
    if control is not None:
        panel.plot(
            control.window_end_ms / DAY_MS, _drawn(control), ".", color=LINE, markersize=4.5, alpha=0.8, zorder=3
        )
    panel.plot(series.window_end_ms / DAY_MS, _drawn(series), color=LINE, linewidth=1.1, zorder=3)
    for severity, limit in limits.items():
        panel.axhline(limit, color=SEVERITY_COLOUR[severity], linewidth=0.9, linestyle=(0, (5, 3)), zorder=2)


def _name_panel(panel: "Axes", name: str, control: PsiSeries | None, alerts: int) -> None:
    panel.tick_params(colors=INK, labelsize=8)
    panel.set_title(f"PSI of {name}", loc="left", fontsize=11, fontweight="bold", color=INK, pad=4)
    words = f"{alerts or 'no'} alert{'' if alerts == 1 else 's'}"
    panel.set_title(words, loc="right", fontsize=8.5, fontstyle="italic", color=FAINT, pad=4)
    if control is not None:
        above = f"{int((control.psi > CRITICAL_PSI).sum())} of {len(control.psi)} days above {CRITICAL_PSI}"
        words = f"control: median {np.nanmedian(control.psi):.2g}, {above}"
        panel.annotate(words, (0, 1), (4, -4), "axes fraction", "offset points", va="top", fontsize=7.5, color=FAINT)


def _draw_around(panels: Any, shown: Shown) -> None:
    """What all panels have: the axis of time, the control's shade, the faults."""
    from matplotlib.dates import DateFormatter, MonthLocator

    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.axvspan(date(YEAR_START_MS), date(REPLAY_START_MS), color=SHADE, zorder=0)
        for fault in FAULTS:
            panel.axvline(date(fault.start_ms), color=FAULT, linewidth=1.2, linestyle=(0, (2, 2)), zorder=2)
    last = panels[-1]
    last.set_xlim(date(YEAR_START_MS), date(int(max(s.window_end_ms[-1] for s in shown.replayed))))
    last.xaxis.set_major_locator(MonthLocator())  # type: ignore[no-untyped-call]  # matplotlib's gap
    last.xaxis.set_major_formatter(DateFormatter("%b"))  # type: ignore[no-untyped-call]  # matplotlib's gap
    last.set_xlabel("event time, 2013 (UTC)", fontsize=9, color=FAINT)


def _draw_words(figure: "Figure", panels: Any, shown: Shown, height_inches: float) -> None:
    figure.subplots_adjust(
        left=0.06, right=0.985, bottom=0.62 / height_inches, top=1 - 1.45 / height_inches, hspace=0.42
    )
    figure.text(
        0.06,
        1 - 0.3 / height_inches,
        "A model of flight delays: what its labels say, and PSI against January to March",
        fontsize=16,
        fontweight="bold",
        color=INK,
        va="center",
    )
    figure.text(
        0.06,
        1 - 0.62 / height_inches,
        f"{shown.window_hours} h windows, one an hour, drawn at their end: labels by arrival, PSI by departure. "
        "Shaded: the control, odd days of January to March against even days (no fault, no season).",
        fontsize=10,
        color=FAINT,
        va="center",
    )
    for fault, side in zip(FAULTS, ("right", "left"), strict=True):  # of the words; the faults lie close together
        panels[0].annotate(
            f"fault: {fault.briefly}",
            (date(fault.start_ms), 0),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if side == "right" else 4, 4),
            ha=side,
            textcoords="offset points",
            fontsize=8.5,
            color=FAULT,
            fontweight="bold",
        )
    figure.legend(
        handles=_handles(shown.limits),
        loc="upper left",
        bbox_to_anchor=(0.052, 1 - 0.74 / height_inches),
        ncols=8,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        columnspacing=1.4,
        handlelength=1.6,
    )


def _handles(limits: Iterable[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=LINE, linewidth=1.4, label="replayed"),
        Line2D([], [], color=LINE, marker=".", linestyle="", label="control"),
        *performance_panels.handles(),
        *(
            Line2D([], [], color=SEVERITY_COLOUR[severity], linestyle=(0, (5, 3)), label=f"{severity}: least effect")
            for severity in limits
        ),
        Line2D([], [], color=SEVERITY_COLOUR["critical"], marker="v", linewidth=5, label="alert"),
    ]


def _drawn(series: PsiSeries) -> Any:
    # NaN stays NaN: an undefined window is a gap in the line.
    return np.clip(series.psi, LOWEST_PSI, HIGHEST_PSI)
