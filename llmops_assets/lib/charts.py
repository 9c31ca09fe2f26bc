"""Small bar charts for the Dagster UI, whose Markdown shows images given as data: SVG, without a plotting library."""

import base64
from collections.abc import Mapping
from html import escape

WIDTH, ROW, NAMES = 520, 22, 190


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
    height = max(1, len(shown)) * ROW
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
        f'font-size="12" fill="#1d2733"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>'
    )
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
