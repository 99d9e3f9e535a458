"""What the drawings of a lesson in the terminal and as SVG share: the plot of its curves, and numbers as text."""

from __future__ import annotations

from bpe_transformer.inspection.lessons.lesson import Curves
from bpe_transformer.inspection.render.plots import Line, Plot
from bpe_transformer.inspection.render.plots.line import MARKS


def plot_of(curves: Curves) -> Plot:
    """The lines; each carries its letter at another place, so that they do not hide each other's."""
    lines = [
        Line(
            name,
            points,
            points[len(points) * (2 * place + 1) // (2 * len(curves.lines)) :][:1],
            (),
            MARKS[place],
            place,
        )
        for place, (name, points) in enumerate(curves.lines)
    ]
    whole = all(x.is_integer() for _, points in curves.lines for x, _ in points)
    return Plot(lines, curves.x_label, curves.y_label, whole_x=whole)


def written_value(value: float | None, digits: int) -> str:
    """A number of a matrix; None is -∞, and nothing is written as -0."""
    if value is None:
        return "−∞"
    written = f"{value:.{digits}f}"
    return written.lstrip("-") if not float(written) else written
