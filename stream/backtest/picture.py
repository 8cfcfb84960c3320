"""A picture over the windows of a backtest: one SVG, no script."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stream.backtest.result import WindowResult

WIDTH: Final = 720  # of a picture, in its own units
HEIGHT: Final = 120
MARGIN: Final = 44  # left of the axis, for its numbers


@dataclass(frozen=True, slots=True)
class Axis:
    """Where a value of a window lies in the picture."""

    windows: int
    bottom: float  # the value at the lower edge
    top: float  # at the upper one, above `bottom`

    def x(self, index: int) -> float:
        """Of a window."""
        return MARGIN + (WIDTH - MARGIN - 4) * (index / (self.windows - 1) if self.windows > 1 else 0.5)

    def y(self, value: float) -> float:
        """Of a value; one beyond the edges lies on them.

        >>> Axis(2, 0.0, 4.0).y(1.0), Axis(2, 0.0, 4.0).y(3.0)
        (90.0, 30.0)
        """
        return HEIGHT * (1 - min(max((value - self.bottom) / (self.top - self.bottom), 0), 1))


def picture(name: str, remark: str, drawn: str, axis: Axis, windows: Sequence[WindowResult]) -> str:
    """The frame: its name above, numbers at the axis, the first start and the last end below."""
    label = html.escape(name, quote=True)
    return f"""<h2>{html.escape(name)} <small>{html.escape(remark)}</small></h2>
<svg viewBox="0 0 {WIDTH} {HEIGHT + 18}" role="img" aria-label="{label} over the windows">
<line class="axis" x1="{MARGIN}" y1="{HEIGHT}" x2="{WIDTH}" y2="{HEIGHT}"/>
<text x="0" y="12">{axis.top:.3g}</text><text x="0" y="{HEIGHT}">{axis.bottom:.3g}</text>
{drawn}
<text x="{MARGIN}" y="{HEIGHT + 14}">{html.escape(str(windows[0].start))}</text>
<text x="{WIDTH}" y="{HEIGHT + 14}" text-anchor="end">{html.escape(str(windows[-1].end))}</text>
</svg>"""


def lines(kind: str, values: Sequence[float | None], axis: Axis) -> str:
    """The curve, interrupted where there is no value."""
    pieces: list[list[str]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{axis.x(i):.1f},{axis.y(value):.1f}")
    drawn = []
    for piece in pieces:
        if len(piece) == 1:  # a line needs two points
            x, y = piece[0].split(",")
            drawn.append(f'<circle class="{kind} dot" cx="{x}" cy="{y}" r="1.5"/>')
        elif piece:
            drawn.append(f'<polyline class="{kind}" points="{" ".join(piece)}"/>')
    return "".join(drawn)


def limit_line(kind: str, value: float, axis: Axis) -> str:
    """A level line from edge to edge."""
    y = f"{axis.y(value):.1f}"
    return f'<line class="limit {kind}" x1="{MARGIN}" y1="{y}" x2="{WIDTH}" y2="{y}"/>'


def mark(index: int, value: float, severity: str, title: str, axis: Axis) -> str:
    """A window that alerts; its title is shown under the mouse."""
    x, y = axis.x(index), axis.y(value)
    return f'<circle class="{severity}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{html.escape(title)}</title></circle>'
