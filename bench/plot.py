"""A plot of ratios as an SVG picture, readable on light and on dark pages."""

import math
from collections.abc import Sequence
from html import escape

_LABELS, _BARS, _ROW = 330, 330, 22
_TOP, _BOTTOM = 34, 26


def ratio_bars(title: str, ratios: Sequence[tuple[str, float]]) -> str:
    """A bar for each ratio on a logarithmic scale: from 1 to the right, to the left if it is below."""
    lowest = min(0.5, *(ratio for _, ratio in ratios))
    highest = max(2.0, *(ratio for _, ratio in ratios))
    ticks = [10**power * step for power in range(-2, 4) for step in (1, 2, 5)]
    scale = _BARS / math.log(highest / lowest)

    def place(ratio: float) -> float:
        return _LABELS + scale * math.log(ratio / lowest)

    height = _TOP + _ROW * len(ratios) + _BOTTOM
    width = _LABELS + _BARS + 60
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    font = 'font-family="system-ui, sans-serif" font-size="12" fill="#888"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f"<title>{escape(title)}</title>",
        f'<text x="8" y="18" font-size="14">{escape(title)}</text>',
    ]
    for tick in ticks:
        if lowest <= tick <= highest:
            x = place(tick)
            stroke = "#888" if tick == 1 else "#8884"
            parts.append(f'<path d="M{x:.1f} {_TOP - 6}V{height - _BOTTOM}" stroke="{stroke}"/>')
            parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{tick:g}</text>')
    for row, (label, ratio) in enumerate(ratios):
        y = _TOP + _ROW * row
        left, right = sorted((place(1), place(ratio)))
        color = "#e2611c" if ratio >= 1 else "#7a7a7a"
        parts.append(f'<text x="{_LABELS - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>')
        parts.append(
            f'<path d="M{left:.1f} {y + 10}H{right:.1f}" stroke="{color}" stroke-width="{_ROW - 8}"/>'
        )
        parts.append(f'<text x="{right + 5:.1f}" y="{y + 14}">{ratio:.1f}</text>')
    return "\n".join([*parts, "</svg>", ""])
