"""A lesson's matrices and curves as one SVG file, below each other under the titles of their steps."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bpe_transformer.errors import ConfigError
from bpe_transformer.inspection.lessons.lesson import Curves, Lesson, Matrix
from bpe_transformer.inspection.render.attention.svg import MARGIN, escaped, text_width
from bpe_transformer.inspection.render.lessons.figures import plot_of, written_value
from bpe_transformer.inspection.render.plots import svg_plot
from bpe_transformer.inspection.render.plots.svg import plot_size

_HIGH = 28  # pixels of a row
_SHADE = 14  # of a cell without a number
_TITLE, _LINE, _GAP = 34, 22, 18
_STYLE = (
    "text{font:14px ui-monospace,'D2Coding','Noto Sans Mono CJK KR',monospace;fill:#333}.n{font-size:11px}"
    ".title{font-size:17px}.title,.step{font-weight:bold}.c{fill:#0072b2}.grid{stroke:#999;stroke-opacity:.25}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.c{fill:#56b4e9}}"
)
_OWN_STYLE = re.compile("<style>.*?</style>", re.DOTALL)  # of a plot: it would hold for the whole file


def svg_lesson(lesson: Lesson) -> str:
    """The pictures of a lesson as the text of an SVG file. Raises `ConfigError` for a lesson that has none."""
    drawn: list[str] = []
    y, width = 28.0, text_width(lesson.title) * 1.2
    for step in lesson.steps:
        figures = [figure for figure in step.figures if isinstance(figure, (Matrix, Curves))]
        if not figures:
            continue
        y += _TITLE
        drawn.append(f'<text class="step" x="{MARGIN}" y="{y:.0f}">{escaped(step.title)}</text>')
        width = max(width, text_width(step.title))
        for figure in figures:
            y += _LINE
            part, wide, high = _matrix(figure, y) if isinstance(figure, Matrix) else _curves(figure, y)
            drawn += part
            width, y = max(width, wide), y + high
    if not drawn:
        raise ConfigError(f"the lesson {lesson.name} is all words and tables, so there is no picture of it to write")
    width += 2 * MARGIN
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {y + MARGIN:.0f}" role="img" '
        f'aria-label="{escaped(lesson.title)}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="{MARGIN}" y="28">{escaped(lesson.title)}</text>',
    ]
    return "\n".join([*head, *drawn, "</svg>", ""])


def _curves(curves: Curves, y: float) -> tuple[list[str], float, float]:
    """The curves, their width and height."""
    plot = plot_of(curves)
    wide, high = plot_size(plot)
    inner = _OWN_STYLE.sub("", svg_plot(plot, curves.name))
    inner = inner.replace("<svg ", f'<svg x="{MARGIN}" y="{y:.0f}" width="{wide}" height="{high}" ', 1)
    return [inner.strip()], float(wide), high + _GAP


def _matrix(matrix: Matrix, y: float) -> tuple[list[str], float, float]:
    """A cell a value, its colour as strong as the value is large, its number inside unless it is drawn as a picture."""
    cells = [[written_value(value, matrix.digits) for value in row] for row in matrix.values]
    names = [] if matrix.shaded else list(matrix.columns)
    side = float(_SHADE) if matrix.shaded else _column_width(names, cells)
    high = _SHADE if matrix.shaded else _HIGH
    left = MARGIN + max(map(text_width, matrix.rows)) + 8
    drawn = [f'<text x="{MARGIN}" y="{y:.0f}">{escaped(matrix.name)}</text>'] if matrix.name else []
    top = y + 10
    if names:
        top += _LINE
        drawn += [
            f'<text class="n" x="{left + side * (place + 0.5):.1f}" y="{top - 8:.1f}" text-anchor="middle">{escaped(name)}</text>'
            for place, name in enumerate(names)
        ]
    shares = _shares(matrix)
    for row, name in enumerate(matrix.rows):
        at = top + high * row
        size = "" if matrix.shaded else ' class="n"'
        drawn.append(
            f'<text{size} x="{left - 6:.1f}" y="{at + high * 0.68:.1f}" text-anchor="end">{escaped(name)}</text>'
        )
        for column, written in enumerate(cells[row]):
            x = left + side * column
            place = f'x="{x:.1f}" y="{at:.1f}" width="{side - 1:.1f}" height="{high - 1}"'
            told = escaped(f"{name}, {matrix.columns[column]}: {written}")
            drawn.append(
                f'<rect class="c" {place} fill-opacity="{shares[row][column]:.2f}"><title>{told}</title></rect>'
            )
            if not matrix.shaded:
                middle = f'x="{x + side / 2:.1f}" y="{at + high * 0.66:.1f}"'
                drawn.append(f'<text class="n" {middle} text-anchor="middle">{escaped(written)}</text>')
    return drawn, left + side * len(matrix.columns), top - y + high * len(matrix.rows) + _GAP


def _column_width(names: Sequence[str], cells: Sequence[Sequence[str]]) -> float:
    """Pixels of the widest heading or number, and some room."""
    return 0.82 * max(text_width(text) for text in (*names, *(cell for row in cells for cell in row))) + 12


def _shares(matrix: Matrix) -> list[list[float]]:
    """How strong the colour of each cell is: from the least value to the largest; what is -∞ has none."""
    known = [value for row in matrix.values for value in row if value is not None]
    low, high = (-1.0, 1.0) if matrix.shaded else (min(0.0, *known), max(known))
    reach = (high - low) or 1.0
    most = 1.0 if matrix.shaded else 0.6
    return [
        [0.0 if value is None else 0.03 + most * 0.97 * (value - low) / reach for value in row] for row in matrix.values
    ]
