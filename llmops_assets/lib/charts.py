"""Small charts for the Dagster UI, whose Markdown shows images given as data: SVG, without a plotting library."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, ROW, NAMES, PLOT = 520, 22, 190, 180
COLOURS = ("#4f6bed", "#e07b39", "#3a9e6e", "#a04fb5")
MORE_COLOURS = ("#c8372d", "#1f8a9e", "#8a6d1d", "#d1589f", "#5a6473", "#2f4d1e")


def bars(title: str, counts: Mapping[str, int], limit: int = 15) -> str:
    """Markdown with one image: a bar for each of the largest counts, the rest of them summed up."""
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = ranked[:limit]
    if rest := sum(count for _, count in ranked[limit:]):
        shown.append((f"{len(ranked) - limit} more", rest))
    largest = max((count for _, count in shown), default=1) or 1
    parts = []
    for number, (name, count) in enumerate(shown):
        y, length = number * ROW + 2, (WIDTH - NAMES - 60) * count / largest
        parts.append(
            f'<text x="{NAMES - 8}" y="{y + 14}" text-anchor="end">{escape(name[:26])}</text>'
            f'<rect x="{NAMES}" y="{y}" width="{length:.1f}" height="{ROW - 6}" fill="#4f6bed"/>'
            f'<text x="{NAMES + length + 6:.1f}" y="{y + 14}">{count}</text>'
        )
    return _image(title, max(1, len(shown)) * ROW, "".join(parts))


def lines(title: str, curves: Mapping[str, Sequence[float]]) -> str:
    """Markdown with one image: every curve over its steps, with the smallest and the largest value written beside."""
    return f"![{title}]({lines_uri(curves)})"


def lines_uri(curves: Mapping[str, Sequence[float]]) -> str:
    """The image of `lines` as a data URI."""
    values = [value for curve in curves.values() for value in curve]
    low, high = min(values, default=0.0), max(values, default=1.0)
    spread = (high - low) or 1.0
    left, width = 60, WIDTH - 80
    parts = [
        f'<text x="{left - 8}" y="18" text-anchor="end">{high:.3g}</text>',
        f'<text x="{left - 8}" y="{PLOT - 12}" text-anchor="end">{low:.3g}</text>',
    ]
    for number, (name, curve) in enumerate(curves.items()):
        step = width / max(1, len(curve) - 1)
        points = " ".join(
            f"{left + n * step:.1f},{14 + (PLOT - 30) * (high - value) / spread:.1f}" for n, value in enumerate(curve)
        )
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{left + 8 + 150 * number}" y="12" fill="{colour}">{escape(name[:20])}</text>')
    return _uri(PLOT, "".join(parts))


def scatter(title: str, points: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Markdown with one image: points of every name in its colour, the names beside; the first name is grey."""
    return f"![{title}]({scatter_uri(points)})"


def scatter_uri(points: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The image of `scatter` as a data URI."""
    every = [point for of in points.values() for point in of]
    low = [min((p[axis] for p in every), default=0.0) for axis in (0, 1)]
    size = [max((p[axis] for p in every), default=1.0) - low[axis] or 1.0 for axis in (0, 1)]
    height, side = 2 * PLOT, WIDTH - 150
    shades = dict(zip(points, ("#c3cad4", *COLOURS, *MORE_COLOURS), strict=False))
    parts = []
    for number, (name, of) in enumerate(points.items()):
        shade = shades.get(name, "#1d2733")
        parts.append(
            f'<text x="{side + 16}" y="{18 + 18 * number}" fill="{shade}">{escape(name[:20])} {len(of)}</text>'
        )
        parts += [
            f'<circle cx="{8 + (side - 16) * (x - low[0]) / size[0]:.0f}" '
            f'cy="{8 + (height - 16) * (y - low[1]) / size[1]:.0f}" r="3" fill="{shade}"/>'
            for x, y in of
        ]
    return _uri(height, "".join(parts))


def pairs(title: str, values: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown with one image: for every name a bar per side, shares from 0 to 1."""
    sides = list(dict.fromkeys(side for of in values.values() for side in of))
    colour = {side: COLOURS[n % len(COLOURS)] for n, side in enumerate(sides)}
    parts = [
        f'<text x="{NAMES + 120 * n}" y="14" fill="{shade}">{escape(side)}</text>'
        for n, (side, shade) in enumerate(colour.items())
    ]
    top = ROW
    for name, of in values.items():
        parts.append(f'<text x="{NAMES - 8}" y="{top + 13}" text-anchor="end">{escape(name[:26])}</text>')
        for side, value in of.items():
            length = (WIDTH - NAMES - 60) * value
            parts.append(
                f'<rect x="{NAMES}" y="{top + 3}" width="{length:.1f}" height="{ROW // 2}" fill="{colour[side]}"/>'
                f'<text x="{NAMES + length + 6:.1f}" y="{top + 13}">{value:.2f}</text>'
            )
            top += ROW // 2 + 4
        top += 6
    return _image(title, top, "".join(parts))


@dataclass(frozen=True)
class Interval:
    """A measured difference (-1 to 1) with its interval, the margin it may lose, and what is said of it."""

    name: str
    low: float
    value: float
    high: float
    margin: float
    said: str


SAID = {"better": "#3a9e6e", "not worse": "#4f6bed", "undecided": "#a86f0c", "worse": "#c8372d"}
"""Colours of what is said; grey for anything else."""


def intervals(title: str, rows: Sequence[Interval]) -> str:
    """Markdown with one image: for every row its interval as a line, the value as a dot, the margin as a red tick.

    An interval that goes on beyond the picture ends in an arrow.
    """
    return f"![{title}]({intervals_uri(rows)})"


def intervals_uri(rows: Sequence[Interval]) -> str:
    """The image of `intervals` as a data URI."""
    names, told, top, width = 160, 140, 26, 680
    plot = width - names - told
    ends = [0.05, *(-row.low for row in rows), *(row.margin for row in rows), *(row.high for row in rows)]
    # Three points in a slice of a dozen questions may be anything: what lies further out than this is cut off.
    reach = min(0.5, max(ends) * 1.05)

    def x(value: float) -> float:
        # Room for an arrow on both sides.
        return names + 10 + (plot - 20) * (min(reach, max(-reach, value)) + reach) / (2 * reach)

    height = top + ROW * max(1, len(rows)) + 4
    parts = [
        f'<line x1="{x(0):.1f}" y1="{top - 6}" x2="{x(0):.1f}" y2="{height}" stroke="#8a94a3"/>',
        f'<text x="{x(0):.1f}" y="14" text-anchor="middle">equal</text>',
        f'<text x="{names}" y="14">{100 * -reach:.0f} points</text>',
        f'<text x="{names + plot}" y="14" text-anchor="end">+{100 * reach:.0f} points</text>',
    ]
    for number, row in enumerate(rows):
        y, colour = top + number * ROW + ROW // 2, SAID.get(row.said.partition(",")[0], "#8a94a3")
        parts.append(
            f'<text x="{names - 8}" y="{y + 4}" text-anchor="end">{escape(row.name[:28])}</text>'
            f'<line x1="{x(-row.margin):.1f}" y1="{y - 8}" x2="{x(-row.margin):.1f}" y2="{y + 8}" '
            f'stroke="#c8372d" stroke-width="2" stroke-dasharray="3 2"/>'
            f'<line x1="{x(row.low):.1f}" y1="{y}" x2="{x(row.high):.1f}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
            f"{_arrow(x(-reach), y, -1, colour) if row.low < -reach else ''}"
            f"{_arrow(x(reach), y, 1, colour) if row.high > reach else ''}"
            f'<circle cx="{x(row.value):.1f}" cy="{y}" r="4" fill="{colour}"/>'
            f'<text x="{names + plot + 8}" y="{y + 4}" fill="{colour}">{escape(row.said)}</text>'
        )
    return _uri(height, "".join(parts), width)


def _arrow(x: float, y: int, way: int, colour: str) -> str:
    """A triangle that points left (-1) or right (1)."""
    return f'<path d="M{x:.1f} {y - 5}L{x + 8 * way:.1f} {y}L{x:.1f} {y + 5}Z" fill="{colour}"/>'


def _image(title: str, height: int, drawing: str) -> str:
    return f"![{title}]({_uri(height, drawing)})"


def _uri(height: int, drawing: str, width: int = WIDTH) -> str:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12" fill="#1d2733"><rect width="100%" height="100%" fill="#fff"/>{drawing}</svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
