"""Plots as SVG text for a page: lines over an axis, bars with whiskers. No scripts, no fonts.

Colours and text are classes (`s0` is the first series), so that the page decides on light or dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 260
LEFT: Final = 56
RIGHT: Final = 130  # room for the names at the lines' ends
TOP: Final = 12
BOTTOM: Final = 34
BAR: Final = 26
LABELS_MOST: Final = 8
NAME_GAP: Final = 14

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A series: a value a place, None where there is none; `band` is (low, high) a place."""

    name: str
    values: Sequence[float | None]
    band: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """A named value with its interval, and a word behind it."""

    name: str
    value: float
    low: float
    high: float
    strong: bool = False
    note: str = ""


def line_plot(title: str, lines: Sequence[Line], labels: Sequence[str], below: str) -> str:
    """Return lines over equally spaced labels, the vertical axis from 0; `below` names the axis."""
    highest = max(
        [v for line in lines for v in line.values if v is not None]
        + [high for line in lines for _, high in line.band],
        default=0.0,
    )
    ticks = nice_ticks(highest)
    parts = [_grid(ticks), _places(labels), _text(LEFT, HEIGHT - 2, below, "start")]
    ends: list[tuple[float, int, str]] = []
    for number, line in enumerate(lines):
        points = [
            (_x(n, len(labels)), _y(value, ticks[-1]))
            for n, value in enumerate(line.values)
            if value is not None
        ]
        if line.band:
            parts.append(_band(line.band, len(labels), ticks[-1]))
        if points:
            parts.append(_path(number, points))
            ends.append((points[-1][1], number, line.name))
    for y, number, name in _apart(ends):
        place = WIDTH - RIGHT + 8
        parts.append(f'<text x="{place}" y="{y + 4:.1f}" class="t{number}">{escape(name)}</text>')
    return _whole(title, HEIGHT, parts)


def bar_plot(title: str, bars: Sequence[Bar]) -> str:
    """Return one horizontal bar a value, its interval as a whisker, from 0.

    The axis ends at twice the longest bar: one interval of a few events must not flatten the rest.
    """
    longest = max([bar.value for bar in bars], default=0.0)
    highest = max([bar.high for bar in bars], default=0.0)
    ticks = nice_ticks(min(highest, 2.0 * longest) if longest else highest)
    left, right = 150, 140
    height = TOP + BAR * len(bars) + 24
    scale = (WIDTH - left - right) / ticks[-1]
    parts = []
    for tick in ticks:
        x = left + tick * scale
        parts.append(f'<path d="M{x:.1f} {TOP}V{height - 22}" class="grid"/>')
        parts.append(_text(x, height - 6, _number(tick), "middle"))
    for n, bar in enumerate(bars):
        y = TOP + BAR * n
        middle = y + BAR / 2
        low, high = left + bar.low * scale, left + min(bar.high, ticks[-1]) * scale
        shade = "b0" if bar.strong else "b1"
        width = max(bar.value * scale, 0.0)
        parts.append(_text(left - 8, middle + 4, bar.name, "end"))
        parts.append(
            f'<rect x="{left}" y="{y + 5}" width="{width:.1f}" height="{BAR - 10}" '
            f'class="{shade}"/>'
        )
        parts.append(
            f'<path d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8'
            f'M{high:.1f} {middle - 4}v8" class="whisker"/>'
        )
        parts.append(_text(high + 6, middle + 4, f"{bar.value:.4f} {bar.note}", "start"))
    return _whole(title, height, parts)


def nice_ticks(highest: float, most: int = 5) -> list[float]:
    """Return round numbers from 0 to at least `highest`.

    >>> nice_ticks(0.23)
    [0.0, 0.05, 0.1, 0.15, 0.2, 0.25]
    """
    if not highest > 0.0 or not math.isfinite(highest):
        return [0.0, 1.0]
    rough = highest / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough * (1 - 1e-9))
    count = math.ceil(highest / step - 1e-9)
    return [round(step * n, 12) for n in range(count + 1)]


def _whole(title: str, height: float, parts: Sequence[str]) -> str:
    name = escape(title, quote=True)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{name}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _x(place: int, places: int) -> float:
    inside = WIDTH - LEFT - RIGHT
    return LEFT + (inside * place / (places - 1) if places > 1 else inside / 2)


def _y(value: float, highest: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / highest)


def _grid(ticks: Sequence[float]) -> str:
    parts = []
    for tick in ticks:
        y = _y(tick, ticks[-1])
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="grid"/>')
        parts.append(_text(LEFT - 6, y + 4, _number(tick), "end"))
    return "".join(parts)


def _places(labels: Sequence[str]) -> str:
    """Return the labels below, so many that they do not meet."""
    step = max(1, math.ceil(len(labels) / LABELS_MOST))
    return "".join(
        _text(_x(n, len(labels)), HEIGHT - BOTTOM + 15, label, "middle")
        for n, label in enumerate(labels)
        if (len(labels) - 1 - n) % step == 0
    )


def _path(number: int, points: Sequence[Point]) -> str:
    moves = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    if len(points) == 1:
        x, y = points[0]
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="b{number}"/>'
    return f'<path d="M{moves}" class="s{number}"/>'


def _band(band: Sequence[tuple[float, float]], places: int, highest: float) -> str:
    upper = [(_x(n, places), _y(high, highest)) for n, (_, high) in enumerate(band)]
    lower = [(_x(n, places), _y(low, highest)) for n, (low, _) in enumerate(band)]
    moves = "L".join(f"{x:.1f} {y:.1f}" for x, y in [*upper, *reversed(lower)])
    return f'<path d="M{moves}Z" class="band"/>'


def _apart(ends: Sequence[tuple[float, int, str]]) -> list[tuple[float, int, str]]:
    """Return the names' places, moved so that they do not lie on each other, nor below the plot."""
    placed: list[tuple[float, int, str]] = []
    for y, number, name in sorted(ends):
        lowest = placed[-1][0] + NAME_GAP if placed else y
        placed.append((max(y, lowest), number, name))
    over = max([y - (HEIGHT - BOTTOM) for y, _, _ in placed], default=0.0)
    return [(y - max(over, 0.0), number, name) for y, number, name in placed]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:g}"
