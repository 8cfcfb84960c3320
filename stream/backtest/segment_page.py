"""The part of a backtest's page about segments: PSI of each series that alerts in one."""

import html
from collections.abc import Sequence

from stream.alerts.rules import PSI
from stream.backtest.picture import Axis, lines, mark, picture
from stream.backtest.result import WindowResult

BySegment = dict[str, WindowResult]


def segment_section(windows: Sequence[WindowResult], bands: str) -> str:
    """As HTML: folded, one part a segment; `bands` lie behind each picture's lines."""
    by_window: list[BySegment] = [{part.segment: part for part in window.segments} for window in windows]
    alerts = {
        (part.segment, a.subject) for one in by_window for part in one.values() for a in part.alerts if a.check == PSI
    }
    parts = []
    for segment in sorted({segment for segment, _ in alerts}):
        subjects = sorted(subject for of, subject in alerts if of == segment)
        drawn = "\n".join(_series(windows, by_window, segment, subject, bands) for subject in subjects)
        parts.append(f"<details><summary>{html.escape(segment)}</summary>{drawn}</details>")
    return "\n".join(parts)


def _series(
    windows: Sequence[WindowResult], by_window: Sequence[BySegment], segment: str, subject: str, bands: str
) -> str:
    """One series of one segment; the line is interrupted where the segment has no rows."""
    values = [one[segment].psi[subject] if segment in one else None for one in by_window]
    highest = max((value for value in values if value is not None), default=0.0)
    axis = Axis(len(windows), 0.0, max(highest, 0.01) * 1.1)
    marks = [
        mark(
            i, a.value, a.severity, f"{windows[i].start}: PSI {a.value:.3g}, {one[segment].n} rows, {a.severity}", axis
        )
        for i, one in enumerate(by_window)
        for a in (one[segment].alerts if segment in one else ())
        if (a.check, a.subject) == (PSI, subject)
    ]
    drawn = "".join([bands, lines("line", values, axis), *marks])
    return picture(f"{subject} in {segment}", f"highest PSI {highest:.3g}", drawn, axis, windows)
