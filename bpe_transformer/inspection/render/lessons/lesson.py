"""Lessons in the terminal; colour and shades only repeat what the numbers say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.lessons.lesson import Curves, Lesson, LessonList, LessonStep, Matrix, Step, Table
from bpe_transformer.inspection.render.elements import LABEL, STRONG, Heading, abbreviate, plain_table
from bpe_transformer.inspection.render.lessons.figures import plot_of, written_value
from bpe_transformer.inspection.render.plots import TerminalPlot
from bpe_transformer.io.printable import printable

_LONGEST_LINE = 100  # cells; longer lines of text are hard to read
_SHADES = " ·░▒▓█"  # from -1 to 1
_WIDEST_NAME = 24  # cells of a row's name
_PLOT_ROWS = 10


@draws
def _(lesson: Lesson) -> RenderableType:
    steps = [_step(step, f"{number}/{len(lesson.steps)}") for number, step in enumerate(lesson.steps, 1)]
    return Group(*_head(lesson), *(part for step in steps for part in (Text(), step)))


@draws
def _(view: LessonStep) -> RenderableType:
    lesson = view.lesson
    place = f"{view.place + 1}/{len(lesson.steps)}"
    return Group(*_head(lesson), Text(), _step(lesson.steps[view.place], place))


@draws
def _(step: Step) -> RenderableType:
    return _step(step, "")


@draws
def _(listed: LessonList) -> RenderableType:
    widest = max(cell_len(name) for name, _, _ in listed.lessons)
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(style=STRONG, no_wrap=True, min_width=widest)
    grid.add_column()
    for name, title, summary in listed.lessons:
        grid.add_row(Text(name), Text.assemble(title, "\n", (summary, LABEL)))
    return Group(grid, Text(), Text(listed.remark, LABEL))


@draws
def _(matrix: Matrix) -> RenderableType:
    return _Shades(matrix) if matrix.shaded else _Bands(matrix)


@draws
def _(table: Table) -> RenderableType:
    numeric = [all(_is_number(row[column]) for row in table.rows) for column in range(len(table.columns))]
    drawn = plain_table(
        [(name, "right" if right else "left") for name, right in zip(table.columns, numeric, strict=True)]
    )
    for row in table.rows:
        drawn.add_row(*(Text(printable(cell), overflow="fold") for cell in row))
    return Group(*_named(table.name), drawn)


@draws
def _(curves: Curves) -> RenderableType:
    return Group(*_named(curves.name), TerminalPlot(plot_of(curves), rows=_PLOT_ROWS))


def _head(lesson: Lesson) -> tuple[RenderableType, ...]:
    return Text(lesson.title, STRONG), Text(printable(lesson.basis), LABEL)


def _step(step: Step, place: str) -> RenderableType:
    title = Text.assemble((f"{place}  " if place else "", LABEL), (printable(step.title), STRONG))
    parts: list[RenderableType] = [Heading(title), _Paragraphs(step.text)]
    if step.worked:
        parts += [Text(), *(Padding(Text(printable(line), overflow="fold"), (0, 0, 0, 2)) for line in step.worked)]
    for figure in step.figures:
        parts += [Text(), figure]
    return Group(*parts)


class _Paragraphs:
    """Text in lines that are not too long to read."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, paragraph in enumerate(self.text.split("\n\n")):
            if number:
                yield Text()
            width = min(options.max_width, _LONGEST_LINE)
            yield from Text(printable(paragraph), overflow="fold").wrap(console, width)


class _Bands:
    """A matrix with its names; columns that do not fit follow below, in bands."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        self.cells = [[written_value(value, matrix.digits) for value in row] for row in matrix.values]
        self.rows = [abbreviate(printable(name), _WIDEST_NAME) for name in matrix.rows]
        names = [printable(name) for name in matrix.columns]
        self.widths = [
            max(cell_len(name), *(len(row[place]) for row in self.cells)) for place, name in enumerate(names)
        ]
        self.names = names

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _named(self.matrix.name)
        margin = max(map(cell_len, self.rows))
        for number, band in enumerate(self._bands(options.max_width - margin)):
            if number:
                yield Text()
            table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=LABEL)
            table.add_column(Text(), justify="right", min_width=margin, no_wrap=True, style=LABEL)
            for place in band:
                table.add_column(Text(self.names[place]), justify="right", min_width=self.widths[place], no_wrap=True)
            for name, row in zip(self.rows, self.cells, strict=True):
                table.add_row(Text(name), *(Text(row[place]) for place in band))
            yield table

    def _bands(self, room: int) -> Iterator[Sequence[int]]:
        band: list[int] = []
        used = 0
        for place, width in enumerate(self.widths):
            if band and used + width + 2 > room:
                yield band
                band, used = [], 0
            band.append(place)
            used += width + 2
        yield band


class _Shades:
    """A matrix with values from -1 to 1 as a picture: two cells a value, a line a row."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _named(self.matrix.name)
        margin = max(map(cell_len, self.matrix.rows))
        size = 2 if margin + 1 + 2 * len(self.matrix.columns) <= options.max_width else 1
        for name, row in zip(self.matrix.rows, self.matrix.values, strict=True):
            yield Text.assemble((f"{name:>{margin}} ", LABEL), "".join(_shade(value) * size for value in row))


def _shade(value: float | None) -> str:
    share = 0.0 if value is None else (min(max(value, -1.0), 1.0) + 1) / 2
    return _SHADES[min(int(share * len(_SHADES)), len(_SHADES) - 1)]


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in "-−"


def _named(name: str) -> list[RenderableType]:
    return [Text(printable(name), LABEL)] if name else []
