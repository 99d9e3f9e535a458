"""Small parts that several pictures share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.visible import visible

LABEL = "dim"  # names of things; dim and bold survive NO_COLOR
STRONG = "bold"
NEW = "bold underline"  # what a merge has just made


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
        text.append(visible(token), NEW if new is not None and token == new else "")
    return text


def facts(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """A label and what it labels, a line each."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=LABEL, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in rows:
        grid.add_row(Text(label), Text(value) if isinstance(value, str) else value)
    return grid


def plain_table(columns: Sequence[tuple[str, Literal["left", "right", "mark"]]]) -> Table:
    """A table without lines. A column is its heading and its kind: text (left), numbers (right) or a single mark.

    Where the width runs out, text is folded and numbers and marks stay whole.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=LABEL)
    for heading, kind in columns:
        side: Literal["left", "right"] = "right" if kind == "right" else "left"
        table.add_column(Text(heading), justify=side, overflow="fold", no_wrap=kind != "left")
    return table


def add_row(table: Table, *cells: str | Text) -> None:
    """Adds a row whose strings stand as they are: a token such as `[red]` is no markup."""
    table.add_row(*(Text(cell, overflow="fold") if isinstance(cell, str) else cell for cell in cells))


def abbreviate(text: str, width: int) -> str:
    """`text` cut to at most `width` cells, the cut shown by `…`."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…"


def number(value: int | None) -> str:
    """With thousands separators; a dash for what is not known."""
    return "–" if value is None else f"{value:,}"


def times(count: int, noun: str) -> str:
    """
    >>> times(1, "word"), times(1200, "word")
    ('1 word', '1,200 words')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
