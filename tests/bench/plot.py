"""Lines over numbers as SVG, written by hand: a page of figures needs no library for it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from tests.bench.result import number

_WIDTH: Final = 640
_HEIGHT: Final = 320
# Around the lines: for the numbers, the names, the title and the label.
_LEFT: Final = 70
_RIGHT: Final = 190
_TOP: Final = 30
_BOTTOM: Final = 45
_COLOURS: Final = ("#1f6feb", "#d1242f", "#1a7f37", "#8250df", "#9a6700", "#57606a", "#bf3989")
_GRID_LINES: Final = 4


@dataclass(frozen=True, slots=True)
class Point:
    """`least` and `most` are drawn as a bar around `y`."""

    x: float
    y: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    points: Sequence[Point]


def svg(
    title: str, x_label: str, lines: Sequence[Line], *, is_log_x: bool, is_log_y: bool = False
) -> str:
    """A plot from zero up, or in powers of ten. At least one point."""
    points = [point for line in lines for point in line.points]
    top = max(point.most for point in points) or 1.0
    is_log_y = is_log_y and min(point.least for point in points) > 0
    grid = [top * step / _GRID_LINES for step in range(_GRID_LINES + 1)]
    if is_log_y:
        least = math.floor(math.log10(min(point.least for point in points)))
        grid = [10.0**power for power in range(least, math.ceil(math.log10(top)) + 1)]
    place_x = _scale([point.x for point in points], _LEFT, _WIDTH - _RIGHT, is_log=is_log_x)

    place_y = _Scale(grid[0], grid[-1], _HEIGHT - _BOTTOM, _TOP, is_log_y)
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 18, title, "start"),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, x_label, "middle"),
    ]
    for y in grid:
        at = place_y(y)
        parts.append(_stroke(_LEFT, at, _WIDTH - _RIGHT, at, "#d0d7de"))
        parts.append(_text(_LEFT - 6, at + 4, number(y), "end"))
    for x in sorted({point.x for point in points}) if len(points) < 60 else ():
        parts.append(_text(place_x(x), _HEIGHT - _BOTTOM + 16, f"{x:,g}", "middle"))
    for index, line in enumerate(lines):
        colour = _COLOURS[index % len(_COLOURS)]
        ordered = sorted(line.points, key=lambda point: point.x)
        path = " ".join(f"{place_x(each.x):.1f},{place_y(each.y):.1f}" for each in ordered)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for each in ordered:
            at = place_x(each.x)
            parts.append(_stroke(at, place_y(each.least), at, place_y(each.most), colour))
        label_y = _TOP + 10 + 18 * index
        parts.append(_stroke(_WIDTH - _RIGHT + 10, label_y, _WIDTH - _RIGHT + 28, label_y, colour))
        parts.append(_text(_WIDTH - _RIGHT + 34, label_y + 4, line.name, "start"))
    return "\n".join([*parts, "</svg>", ""])


class _Scale:
    """From values to places in the picture: `least` stands at `begin`, `most` at `end`."""

    def __init__(self, least: float, most: float, begin: float, end: float, is_log: bool) -> None:
        self._least: Final = least
        self._most: Final = most
        self._begin: Final = begin
        self._end: Final = end
        self._is_log: Final = is_log

    def __call__(self, value: float) -> float:
        least, most = self._least, self._most
        if self._is_log:
            value, least, most = math.log(value), math.log(least), math.log(most)
        share = 0.5 if most == least else (value - least) / (most - least)
        return self._begin + (self._end - self._begin) * share


def _scale(values: Sequence[float], begin: float, end: float, *, is_log: bool) -> _Scale:
    is_log = is_log and min(values) > 0
    return _Scale(min(values), max(values), begin, end, is_log)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _stroke(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"'
        ' stroke-width="1"/>'
    )
