"""Elements that several views share: tables, headings, labelled values, numbers as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.base.visible import in_view
from bpe_transformer.io.printable import printable, printable_layout

LONGEST_HEADING = 12  # cells of a word in a heading that is never broken
LABEL = "dim"  # names of things; dim and bold survive NO_COLOR
STRONG = "bold"
NEW = "bold underline"  # the token that a merge makes


class Flow:
    """Items one after another, broken into lines between items and never within one that fits."""

    def __init__(self, items: Iterable[Text], gap: str = "   ") -> None:
        self.items = list(items)
        self.gap = gap

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text(overflow="fold")
        for item in self.items:
            if line and line.cell_len + cell_len(self.gap) + item.cell_len > options.max_width:
                yield line
                line = Text(overflow="fold")
            line.append(self.gap if line else "")
            line.append_text(item)
        if line or not self.items:
            yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widths = [item.cell_len for item in self.items] or [0]
        together = sum(widths) + cell_len(self.gap) * (len(widths) - 1)
        return Measurement(min(max(widths), options.max_width), min(together, options.max_width))


class Heading:
    """A title with a line to its right where there is room, and folded where there is not."""

    def __init__(self, title: Text) -> None:
        self.title = title

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fits = self.title.cell_len + 2 <= options.max_width
        yield Rule(self.title, align="left", style=LABEL) if fits else self.title


def spaced(tokens: Iterable[bytes], new: bytes | None = None) -> Text:
    """Tokens with a space between them (a space in a token is written `·`); `new` stands out."""
    text = Text(overflow="fold")
    for number, token in enumerate(tokens):
        text.append(" " if number else "")
        text.append(in_view(token), NEW if new is not None and token == new else "")
    return text


def facts(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """A table of labels and values, one on each line."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=LABEL, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in rows:
        grid.add_row(Text(label), Text(printable_layout(value)) if isinstance(value, str) else value)
    return grid


def plain_table(
    columns: Sequence[tuple[str, Literal["left", "right", "mark"]]], longest_heading: int = LONGEST_HEADING
) -> Table:
    """A table without lines. A column is its heading and its kind: text (left), numbers (right) or a single mark.

    Where the width runs out, text is folded and numbers and marks stay whole. Words of a heading stay whole up to
    `longest_heading` cells.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=LABEL)
    for heading, kind in columns:
        side: Literal["left", "right"] = "right" if kind == "right" else "left"
        least = _longest_word(heading, longest_heading)
        table.add_column(Text(heading), justify=side, overflow="fold", no_wrap=kind != "left", min_width=least)
    return table


def _longest_word(heading: str, most: int = LONGEST_HEADING) -> int:
    """Cells below which a heading would be broken inside a word, `most` at most."""
    return min(max(map(cell_len, heading.split()), default=0), most)


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, its kind as in `plain_table`, and its cells. Where there is no room for all columns,
    the one with the highest `drop` goes first; 0 stays always."""

    heading: str
    kind: Literal["left", "right", "mark"]
    cells: Sequence[str | Text]
    drop: int = 0

    @property
    def widest(self) -> int:
        """The cells of the heading or of the widest cell."""
        lengths = [cell.cell_len if isinstance(cell, Text) else cell_len(cell) for cell in self.cells]
        return max([cell_len(self.heading), *lengths])

    @property
    def narrowest(self) -> int:
        """The fewest cells: text may be folded, but a heading not inside a word; numbers and marks are never folded."""
        return max(min(self.widest, _FOLDED), _longest_word(self.heading)) if self.kind == "left" else self.widest


_FOLDED = 8  # the fewest cells of a column of folded text
_GAP = 2


class Columns:
    """A table without lines, which leaves out the columns it has no room for instead of cutting numbers."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self._fitting(options.max_width)
        table = plain_table([(column.heading, column.kind) for column in shown])
        for cells in zip(*(column.cells for column in shown), strict=True):
            add_row(table, *cells)
        yield table

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        most = sum(column.widest + _GAP for column in self.columns) - _GAP
        least = sum(column.narrowest + _GAP for column in self._fitting(0)) - _GAP
        return Measurement(min(least, options.max_width), min(most, options.max_width))

    def _fitting(self, width: int) -> list[Column]:
        shown = list(self.columns)
        while sum(column.narrowest + _GAP for column in shown) - _GAP > width:
            least = max(shown, key=lambda column: column.drop)
            if least.drop == 0:
                break
            shown.remove(least)
        return shown


def add_row(table: Table, *cells: str | Text) -> None:
    """Adds a row whose strings are not markup, such as a token `[red]`."""
    table.add_row(*(Text(printable_layout(cell), overflow="fold") if isinstance(cell, str) else cell for cell in cells))


def abbreviate(text: str, width: int) -> str:
    """`text` cut to at most `width` cells, the cut shown by `…`."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…"


def abbreviate_name(name: str) -> str:
    """The name of a tokenizer, for a column of names."""
    return abbreviate(printable(name), 24)


def number(value: int | None) -> str:
    """A number with thousands separators; a dash for None."""
    return "–" if value is None else f"{value:,}"


def percent(share: float) -> str:
    """A share as percent.

    >>> percent(0.0314), percent(0), percent(0.00001)
    ('3.1 %', '0 %', '<0.1 %')
    """
    if 0 < share < 0.001:
        return "<0.1 %"
    return "0 %" if share == 0 else f"{100 * share:.1f} %"


class SideBySide:
    """Blocks next to each other, as many as there is room for in a line; below each other where there is none."""

    def __init__(self, blocks: Sequence[RenderableType], gap: int = 4) -> None:
        self.blocks = blocks
        self.gap = gap

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        row: list[RenderableType] = []
        used = 0
        for block in self.blocks:
            wide = Measurement.get(console, options, block).maximum
            if row and used + self.gap + wide > options.max_width:
                yield from self._line(row)
                row, used = [], 0
            used += wide + (self.gap if row else 0)
            row.append(block)
        yield from self._line(row)

    def _line(self, row: list[RenderableType]) -> Iterator[RenderableType]:
        grid = Table.grid(padding=(0, self.gap, 0, 0))
        grid.add_row(*row)
        yield grid
        yield Text()
