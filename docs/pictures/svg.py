"""Just enough SVG for diagrams: lines, arrows, dots and labels, in the colours of the page around them."""

from html import escape
from math import atan2, cos, hypot, sin

__all__ = ["Drawing"]

# for light and dark pages alike; what has no colour of its own takes the text's
COLOURS = {
    "": "currentColor",
    "faint": "currentColor",
    "blue": "#3b82f6",
    "green": "#2f9e5f",
    "orange": "#e08a00",
    "red": "#e5484d",
}


class Drawing:
    """A picture in the making.

    Args:
        title: what it shows, for those who can't see it.
        width: units across; the page scales it.
        height: units down.
    """

    def __init__(self, title: str, width: float, height: float) -> None:
        self._title = title
        self._size = f"{width:g} {height:g}"
        self._parts: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = "", *, dashed: bool = False) -> None:
        """A straight line."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self._add(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{_stroke(colour)}{dash}/>')

    def arrow(self, x1: float, y1: float, x2: float, y2: float, colour: str = "", *, short: float = 0.0) -> None:
        """A line with a head at its end, which stops ``short`` before the point that it means."""
        length = hypot(x2 - x1, y2 - y1) or 1.0
        x2, y2 = x2 - (x2 - x1) * short / length, y2 - (y2 - y1) * short / length
        self.line(x1, y1, x2, y2, colour)
        angle = atan2(y2 - y1, x2 - x1)
        corners = [(x2, y2)] + [(x2 - 8 * cos(angle + turn), y2 - 8 * sin(angle + turn)) for turn in (0.4, -0.4)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        self._add(f'<polygon points="{points}"{_fill(colour)}/>')

    def dot(self, x: float, y: float, colour: str = "", *, radius: float = 4.0) -> None:
        """A filled circle."""
        self._add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"{_fill(colour)}/>')

    def band(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A translucent rectangle, to lie behind what is drawn on it."""
        shape = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self._add(f'<rect {shape} fill="{COLOURS[colour]}" fill-opacity="0.12"/>')

    def label(self, x: float, y: float, text: str, colour: str = "", *, anchor: str = "start") -> None:
        """Text whose baseline begins, ends or has its ``middle`` at that point."""
        self._add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{_fill(colour)}>{escape(text)}</text>')

    def text(self) -> str:
        """The finished picture, an ``svg`` element."""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._size}" role="img" '
        style = 'font-family="sans-serif" font-size="13" style="width:100%;height:auto" '
        return "\n".join([f'{head}{style}aria-label="{escape(self._title)}">', *self._parts, "</svg>"])

    def _add(self, part: str) -> None:
        self._parts.append(part)


def _stroke(colour: str) -> str:
    opacity = ' stroke-opacity="0.25"' if colour == "faint" else ""
    return f' stroke="{COLOURS[colour]}" stroke-width="1.4"{opacity}'


def _fill(colour: str) -> str:
    opacity = ' fill-opacity="0.6"' if colour == "faint" else ""
    return f' fill="{COLOURS[colour]}"{opacity}'
