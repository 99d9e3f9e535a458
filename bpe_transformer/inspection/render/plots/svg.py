"""Line plots as SVG: one file without scripts or embedded fonts, readable on a light and on a dark page."""

from __future__ import annotations

from html import escape

from bpe_transformer.inspection.render.plots.line import Line, Plot, written
from bpe_transformer.io.printable import printable

WIDTH, HEIGHT = 720, 420  # pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 34, 48
_LEGEND = 20  # pixels a line of the legend
# Okabe and Ito's colours, which people with any colour vision tell apart (https://jfly.uni-koeln.de/color/)
_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#555}.grid{stroke:#999;stroke-opacity:.25}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}}"
)


def plot_size(plot: Plot) -> tuple[int, int]:
    """Width and height of the picture in pixels: the plot and a legend where there are several lines."""
    return WIDTH, HEIGHT + _LEGEND * (len(plot.lines) if len(plot.lines) > 1 else 0)


def svg_plot(plot: Plot, title: str) -> str:
    """The plot as the text of an SVG file."""
    bounds = plot.bounds
    legend = plot.lines if len(plot.lines) > 1 else ()
    width, height = plot_size(plot)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{_text(title)}">',
        f"<style>{_STYLE}</style>",
        f'<text x="{_LEFT}" y="20">{_text(title)}</text>',
    ]
    if bounds is not None:
        parts += _axes(plot, bounds)
        for line in plot.lines:
            parts += _line(plot, line, bounds)
    for number, line in enumerate(legend):
        y = HEIGHT + _LEGEND * number
        color = _COLORS[line.color % len(_COLORS)]
        parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + 24}" y1="{y}" y2="{y}" stroke="{color}" stroke-width="2"{_dashes(line)}/>'
        )
        if line.marked:
            parts.append(f'<circle cx="{_LEFT + 12}" cy="{y}" r="3.5" fill="{color}"/>')
        parts.append(f'<text x="{_LEFT + 32}" y="{y + 4}">{_text(line.name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _axes(plot: Plot, bounds: tuple[float, float, float, float]) -> list[str]:
    bottom = HEIGHT - _BOTTOM
    parts = []
    for value in plot.y_ticks(7):
        y = _y(value, bounds)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:g}" text-anchor="end">{written(value)}</text>')
    for value in plot.x_ticks(8):
        parts.append(f'<text x="{_x(plot, value)}" y="{bottom + 18}" text-anchor="middle">{written(value)}</text>')
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:g}" y="{bottom + 38}" text-anchor="middle">{_text(plot.x_label)}</text>')
    up = (_TOP + bottom) / 2
    parts.append(
        f'<text x="16" y="{up:g}" text-anchor="middle" transform="rotate(-90 16 {up:g})">{_text(plot.y_label)}</text>'
    )
    return parts


def _line(plot: Plot, line: Line, bounds: tuple[float, float, float, float]) -> list[str]:
    color = _COLORS[line.color % len(_COLORS)]
    points = " ".join(f"{_x(plot, x)},{_y(y, bounds)}" for x, y in line.points)
    faint = ' stroke-opacity=".55"' if line.dashed else ""
    parts = [f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"{_dashes(line)}{faint}/>']
    for (x, y), height in zip(line.marked, line.error, strict=False):
        top, bottom, place = _y(y + height, bounds), _y(y - height, bounds), _x(plot, x)
        parts.append(f'<line x1="{place}" x2="{place}" y1="{top}" y2="{bottom}" stroke="{color}" stroke-width="1.5"/>')
    for x, y in line.marked:
        label = f"{_text(line.name)}: {y:.4g}"
        parts.append(
            f'<circle cx="{_x(plot, x)}" cy="{_y(y, bounds)}" r="3.5" fill="{color}"><title>{label}</title></circle>'
        )
    return parts


def _x(plot: Plot, value: float) -> float:
    return round(_LEFT + plot.across(value) * (WIDTH - _LEFT - _RIGHT), 2)


def _y(value: float, bounds: tuple[float, float, float, float]) -> float:
    _, _, y0, y1 = bounds
    return round(_TOP + (y1 - value) / (y1 - y0) * (HEIGHT - _TOP - _BOTTOM), 2)


def _dashes(line: Line) -> str:
    return ' stroke-dasharray="5 4"' if line.dashed else ""


def _text(text: str) -> str:
    return escape(printable(text), quote=True)
