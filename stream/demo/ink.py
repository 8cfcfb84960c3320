"""What the panels of the picture share: colours, time, and how an alert is marked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stream.demo.delay_model import DAY_MS
from stream.demo.results import Episode

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK: Final = "#1f2933"
LINE: Final = "#1f5fa8"
FAINT: Final = "#66707a"
SHADE: Final = "#f3f5f7"
FAULT: Final = "#7b2d8b"
ESTIMATE: Final = "#2a9d6f"
DOUBT: Final = "#c2185b"
SEVERITY_COLOUR: Final = {"info": "#5b8dc9", "warning": "#e69f00", "critical": "#d1242f"}


def date(at_ms: int) -> float:
    """Days since 1970, which is how matplotlib counts time."""
    return at_ms / DAY_MS


def mark_episodes(panel: "Axes", episodes: Sequence[Episode], height: float, last_ms: int) -> None:
    """A bar at `height` for as long as an alert fires, a triangle on it where each severity was first reached."""
    for episode in episodes:
        until_ms = last_ms if episode.resolved_at_ms is None else episode.resolved_at_ms
        ends_ms = [*(change.at_ms for change in episode.changes[1:]), until_ms]
        reached: set[str] = set()
        for change, end_ms in zip(episode.changes, ends_ms, strict=True):
            colour = SEVERITY_COLOUR[change.severity]
            bar = [date(change.at_ms), date(end_ms)]
            panel.plot(bar, [height] * 2, color=colour, linewidth=5, solid_capstyle="butt", zorder=4)
            if change.severity not in reached:
                panel.plot(bar[:1], [height], "v", color=colour, markersize=9, markeredgecolor="white", zorder=5)
            reached.add(change.severity)
