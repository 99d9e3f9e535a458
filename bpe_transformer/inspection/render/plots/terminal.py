"""Line plots in the terminal, in braille dots; every line carries its letter, so that colour only repeats it."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from bpe_transformer.inspection.render.elements import LABEL
from bpe_transformer.inspection.render.plots.line import Line, Plot, written
from bpe_transformer.io.printable import printable

ROWS = 14
MAX_WIDTH = 100  # columns
_COLORS = ("cyan", "yellow", "green", "magenta", "red", "blue")


class TerminalPlot:
    """A plot as wide as there is room for, `rows` lines high, with a legend when it has several lines."""

    def __init__(self, plot: Plot, rows: int = ROWS) -> None:
        self.plot, self.rows = plot, rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        plot, bounds = self.plot, self.plot.bounds
        if bounds is None:
            yield Text(f"no {plot.y_label} yet", LABEL)
            return
        _, _, y0, y1 = bounds
        labels = self._y_labels(y0, y1)
        margin = max(map(cell_len, labels)) + 2
        columns = max(8, min(options.max_width, MAX_WIDTH) - margin)
        yield Text(f"{plot.y_label} by {plot.x_label}", LABEL)
        for label, line in zip(labels, self._drawn(columns, y0, y1), strict=True):
            picture = Text.from_ansi(line.rstrip("⠀"))
            yield Text.assemble((f"{label:>{margin - 2}} ", LABEL), ("│", LABEL), picture)
        yield Text(" " * (margin - 1) + "└" + "─" * columns, LABEL)
        yield Text(" " * margin + self._axis(columns), LABEL)
        if len(plot.lines) > 1:
            yield from map(_legend, plot.lines)

    def _drawn(self, columns: int, y0: float, y1: float) -> list[str]:
        import plotille

        canvas = plotille.Canvas(columns, self.rows, 0.0, y0, 1.0 + 1.0 / columns, y1, mode="names")
        for line in self.plot.lines:
            color = _COLORS[line.color % len(_COLORS)]
            points = [(self.plot.across(x), y) for x, y in line.points]
            for number, ((x, y), (then, there)) in enumerate(zip(points, points[1:], strict=False)):
                if not line.dashed or number % 2 == 0:
                    canvas.line(x, y, then, there, color=color)
            if len(points) == 1:
                canvas.point(*points[0], color=color)
            for (x, y), height in zip(line.marked, line.error, strict=False):
                place = self.plot.across(x)
                canvas.line(place, y - height, place, y + height, color=color)
        for line in self.plot.lines:
            for x, y in line.marked:
                canvas.text(self.plot.across(x), y, line.letter, color=_COLORS[line.color % len(_COLORS)])
        return str(canvas.plot()).split("\n")

    def _y_labels(self, y0: float, y1: float) -> list[str]:
        labels = [""] * self.rows
        for value in self.plot.y_ticks(max(4, self.rows // 3)):
            row = min(self.rows - 1, int((y1 - value) / (y1 - y0) * self.rows))
            labels[row] = written(value)
        return labels

    def _axis(self, columns: int) -> str:
        """Round values below their places, as many as fit."""
        plot = self.plot
        assert plot.bounds is not None
        line = [" "] * columns
        free = 0
        for value in plot.x_ticks(max(2, columns // 10)):
            label = written(value)
            start = min(max(round(plot.across(value) * (columns - 1)) - len(label) // 2, 0), columns - len(label))
            if start >= free:
                line[start : start + len(label)] = label
                free = start + len(label) + 2
        return "".join(line).rstrip()


def _legend(line: Line) -> Text:
    sign = line.letter if line.marked else ("┄┄" if line.dashed else "──")
    return Text.assemble((f"{sign:<2} ", _COLORS[line.color % len(_COLORS)]), printable(line.name))
