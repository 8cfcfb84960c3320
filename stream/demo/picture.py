"""One picture of the demo: PSI over time per series, with the limits, the alerts and the fault.

One panel per series over one shared, logarithmic PSI axis, so that panels compare at a glance.
January to March shows the control (a dot per odd day against the even days), from April on the line
is what the service reported for each 24 h window, drawn at the window's end. Series that wander by themselves
are grey and carry no alerts. What the service did not report is a gap, not a zero.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stream.demo.delay_model import DAY_MS
from stream.demo.fault import FAULT_FEATURE, FAULT_START_MS
from stream.demo.flights import REPLAY_START_MS
from stream.demo.results import Episode, PsiSeries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

YEAR_START_MS: Final = 1_356_998_400_000  # 2013-01-01T00:00:00Z
INK: Final = "#1f2933"
LINE: Final = "#1f5fa8"
GREY: Final = "#a3acb5"
FAINT: Final = "#66707a"
SHADE: Final = "#f3f5f7"
FAULT: Final = "#7b2d8b"
SEVERITY_COLOUR: Final = {"warning": "#e69f00", "critical": "#d1242f"}
LOWEST_PSI: Final = 0.001  # drawn here at least; healthy windows of 900 rows read about 0.003 and more
HIGHEST_PSI: Final = 100.0
BAR_PSI: Final = 40.0  # where in a panel the bar of a firing alert lies
CRITICAL_PSI: Final = 0.25  # the default limit, with which the control is compared in words
INCHES_WIDE: Final = 14.0
INCHES_ALERTED: Final = 1.75
INCHES_WANDERING: Final = 1.1
INCHES_AROUND: Final = 1.9
DOTS_PER_INCH: Final = 110


def draw(
    path: Path,
    *,
    replayed: Sequence[PsiSeries],
    control: Sequence[PsiSeries],
    episodes: Sequence[Episode],
    limits: dict[str, dict[str, float]],
    window_hours: int,
) -> None:
    """Write the picture as PNG.

    Args:
        path: the file.
        replayed: one per panel, in the order of the panels: PSI at the end of each window.
        control: PSI per odd day of January to March, by name; a series without one has no dots.
        episodes: the alerts; each is marked in its subject's panel.
        limits: series -> severity -> limit, for the series that are alerted; the others are grey.
        window_hours: the windows' length, for the title.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [INCHES_ALERTED if s.name in limits else INCHES_WANDERING for s in replayed]
    figure = Figure(figsize=(INCHES_WIDE, sum(heights) + INCHES_AROUND), dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(replayed), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    by_name = {series.name: series for series in control}
    for panel, series in zip(panels, replayed, strict=True):
        _draw_panel(panel, series, by_name.get(series.name), limits.get(series.name))
        _mark_episodes(panel, [e for e in episodes if e.subject == series.name], series)
    _draw_axis_of_time(panels, replayed)
    _draw_words(figure, panels, window_hours, sum(heights) + INCHES_AROUND)
    figure.savefig(path)


def _draw_panel(panel: "Axes", series: PsiSeries, control: PsiSeries | None, limits: dict[str, float] | None) -> None:
    alerted = limits is not None
    colour = LINE if alerted else GREY
    panel.set_yscale("log")
    panel.set_ylim(LOWEST_PSI, HIGHEST_PSI)
    panel.set_yticks([0.001, 0.01, 0.1, 1, 10], ["0.001", "0.01", "0.1", "1", "10"])
    panel.yaxis.minorticks_off()
    panel.axvspan(_date(YEAR_START_MS), _date(REPLAY_START_MS), color=SHADE, zorder=0)
    if control is not None:
        panel.plot(
            control.window_end_ms / DAY_MS, _drawn(control), ".", color=colour, markersize=4.5, alpha=0.8, zorder=3
        )
    panel.plot(series.window_end_ms / DAY_MS, _drawn(series), color=colour, linewidth=1.1, zorder=3)
    for severity, limit in (limits or {}).items():
        panel.axhline(limit, color=SEVERITY_COLOUR[severity], linewidth=0.9, linestyle=(0, (5, 3)), zorder=2)
    panel.axvline(_date(FAULT_START_MS), color=FAULT, linewidth=1.2, linestyle=(0, (2, 2)), zorder=2)
    _name_panel(panel, series.name, control, alerted)


def _name_panel(panel: "Axes", name: str, control: PsiSeries | None, alerted: bool) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(colors=INK if alerted else FAINT, labelsize=8)
    weight, colour = ("bold", INK) if alerted else ("normal", FAINT)
    panel.set_title(name, loc="left", fontsize=11, fontweight=weight, color=colour, pad=4)
    if not alerted:
        words = "wanders by itself: drawn, not alerted yet"
        panel.set_title(words, loc="right", fontsize=8.5, fontstyle="italic", color=FAINT, pad=4)
    if control is not None:
        above = f"{int((control.psi > CRITICAL_PSI).sum())} of {len(control.psi)} days above {CRITICAL_PSI}"
        words = f"control: median {np.nanmedian(control.psi):.2g}, {above}"
        panel.annotate(words, (0, 1), (4, -4), "axes fraction", "offset points", va="top", fontsize=7.5, color=FAINT)


def _mark_episodes(panel: "Axes", episodes: Sequence[Episode], series: PsiSeries) -> None:
    """A bar for as long as the alert fires, a triangle on it where each severity was reached."""
    for episode in episodes:
        until_ms = int(series.window_end_ms[-1]) if episode.resolved_at_ms is None else episode.resolved_at_ms
        ends_ms = [*(change.at_ms for change in episode.changes[1:]), until_ms]
        for change, end_ms in zip(episode.changes, ends_ms, strict=True):
            colour = SEVERITY_COLOUR[change.severity]
            bar = [_date(change.at_ms), _date(end_ms)]
            panel.plot(bar, [BAR_PSI] * 2, color=colour, linewidth=5, solid_capstyle="butt", zorder=4)
            panel.plot(bar[:1], [BAR_PSI], "v", color=colour, markersize=9, markeredgecolor="white", zorder=5)


def _draw_axis_of_time(panels: Any, replayed: Sequence[PsiSeries]) -> None:
    from matplotlib.dates import DateFormatter, MonthLocator

    last = panels[-1]
    last.set_xlim(_date(YEAR_START_MS), _date(int(max(s.window_end_ms[-1] for s in replayed))))
    last.xaxis.set_major_locator(MonthLocator())  # type: ignore[no-untyped-call]  # matplotlib's gap
    last.xaxis.set_major_formatter(DateFormatter("%b"))  # type: ignore[no-untyped-call]  # matplotlib's gap
    last.set_xlabel("event time, 2013 (UTC)", fontsize=9, color=FAINT)
    panels[len(panels) // 2].set_ylabel("PSI (nats, logarithmic)", fontsize=9, color=FAINT)


def _draw_words(figure: "Figure", panels: Any, window_hours: int, height_inches: float) -> None:
    from matplotlib.lines import Line2D

    figure.subplots_adjust(
        left=0.06, right=0.985, bottom=0.62 / height_inches, top=1 - 1.15 / height_inches, hspace=0.42
    )
    figure.text(
        0.06,
        1 - 0.3 / height_inches,
        "PSI against January to March, per series",
        fontsize=16,
        fontweight="bold",
        color=INK,
        va="center",
    )
    figure.text(
        0.06,
        1 - 0.58 / height_inches,
        f"{window_hours} h windows, one an hour, drawn at their end. Shaded: the control, odd days of January to March "
        "against even days (no fault, no season).",
        fontsize=10,
        color=FAINT,
        va="center",
    )
    panels[0].annotate(
        f"injected fault: {FAULT_FEATURE} in kilometres",
        (_date(FAULT_START_MS), LOWEST_PSI),
        xytext=(5, 5),
        textcoords="offset points",
        fontsize=9,
        color=FAULT,
        fontweight="bold",
    )
    handles = [
        Line2D([], [], color=LINE, linewidth=1.4, label="replayed"),
        Line2D([], [], color=LINE, marker=".", linestyle="", label="control"),
        *(Line2D([], [], color=c, linestyle=(0, (5, 3)), label=f"{s} limit") for s, c in SEVERITY_COLOUR.items()),
        Line2D([], [], color=SEVERITY_COLOUR["critical"], marker="v", linewidth=5, label="alert: begins, fires"),
    ]
    figure.legend(
        handles=handles,
        loc="upper right",
        bbox_to_anchor=(0.985, 1 - 0.12 / height_inches),
        ncols=5,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )


def _drawn(series: PsiSeries) -> Any:
    # NaN stays NaN: an undefined window is a gap in the line.
    return np.clip(series.psi, LOWEST_PSI, HIGHEST_PSI)


def _date(at_ms: int) -> float:
    """Days since 1970, which is how matplotlib counts time."""
    return at_ms / DAY_MS
