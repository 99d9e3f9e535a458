"""The merge history as tables, and one merge in full."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from bpe_transformer.inspection.base.view import draws, render
from bpe_transformer.inspection.base.visible import in_view, isolated, visible
from bpe_transformer.inspection.history.trace_rows import MergeDetail, TraceRow, TraceTable
from bpe_transformer.inspection.render.elements import (
    LABEL,
    NEW,
    STRONG,
    Heading,
    abbreviate,
    add_row,
    facts,
    number,
    plain_table,
    spaced,
)
from bpe_transformer.io.printable import times

# columns of the terminal from which the table of merges also shows
MIDDLE = 60  # words and tokens left
ROOMY = 90  # the compression
WIDE = 100  # ids and the new token
BROAD = 130  # its bytes
_LONG = 48  # cells of a token or its bytes in the table


@draws
def _(table: TraceTable) -> RenderableType:
    return MergeLines(table)


class MergeLines:
    """Some merges, one on each line; `marked` is the rank of a merge to mark."""

    def __init__(self, table: TraceTable, marked: int | None = None, note: bool = True) -> None:
        self.table = table
        self.marked = marked
        self.note = note

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [column for column in _COLUMNS if options.max_width >= column[2]]
        mark = [] if self.marked is None else [("", "mark")]
        grid = plain_table([*mark, *((heading, kind) for heading, kind, _ in columns)])  # type: ignore[list-item]
        for row in self.table.rows:
            cells = [cell for cell, column in zip(_cells(row), _COLUMNS, strict=True) if column in columns]
            here = "▸" if row.rank == self.marked else ""
            add_row(grid, *([] if self.marked is None else [here]), *cells)
        yield grid
        if self.note:
            yield Text(_note(self.table), LABEL)


# heading, kind, and the width from which it is shown; in the order of `_cells`
_COLUMNS = [
    ("rank", "right", 0),
    ("pair", "left", 0),
    ("new token", "left", WIDE),
    ("bytes", "left", BROAD),
    ("id", "right", WIDE),
    ("count", "right", 0),
    ("runner-up", "left", 0),
    ("count", "right", 1),
    ("", "mark", 0),
    ("words", "right", MIDDLE),
    ("tokens left", "right", MIDDLE),
    ("compression", "right", ROOMY),
]


def _cells(row: TraceRow) -> list[str | Text]:
    return [
        number(row.rank),
        Text(" ".join(map(clipped, row.tokens)), STRONG, overflow="fold"),
        clipped(row.new_token),
        abbreviate(row.new_token.hex(" "), _LONG),
        number(row.new_id),
        number(row.count),
        " ".join(map(clipped, row.runner_up)) if row.runner_up else "–",
        number(row.runner_up_count),
        "tie" if row.tied else "",
        number(row.words_touched),
        number(row.tokens_left),
        _compression(row),
    ]


def clipped(token: bytes) -> str:
    """A token for a table: a long one is cut, with its size in bytes after the cut."""
    written = visible(token)
    if cell_len(written) <= _LONG:
        return isolated(written)
    return f"{isolated(abbreviate(written, _LONG // 2))} ({times(len(token), 'byte')})"


def _compression(row: TraceRow) -> str:
    return "–" if row.compression is None else f"{row.compression:.3f}"


def _note(table: TraceTable) -> str:
    first, last = table.rows[0].rank, table.rows[-1].rank
    what = {
        "rank": f"ranks {first:,} to {last:,}",
        "count": f"the {len(table.rows):,} most frequent",
        "words": f"the {len(table.rows):,} that touched most words",
        "length": f"the {len(table.rows):,} that made the longest tokens",
    }[table.order]
    note = f"{what} of {times(table.total, 'merge')}, tokenizer {table.digest[:12]}"
    if any(row.tied for row in table.rows):
        note += "; tie: equal counts, the smaller ids were merged"
    if not table.has_trace:
        note += "; no trace was saved with this tokenizer, so counts are not known"
    elif any(row.count is None for row in table.rows):
        note += "; merges without a count are those of the vocabulary that learning went on from"
    return note


@draws
def _(detail: MergeDetail) -> RenderableType:
    row = detail.row
    title = Text.assemble((f"rank {row.rank:,}", STRONG), f"   of {times(detail.around.total, 'merge')}")
    return Group(
        Heading(title),
        Padding(facts(merge_facts(row)), (0, 0, 1, 2), expand=False),
        Padding(render(detail.tree), (0, 0, 1, 2), expand=False),
        MergeLines(detail.around, row.rank),
    )


def merge_facts(row: TraceRow) -> list[tuple[str, RenderableType]]:
    """The facts of one merge, with labels."""
    new_token = Text(in_view(row.new_token), NEW)
    rows: list[tuple[str, RenderableType]] = [
        (
            "pair",
            Text.assemble(
                (" ".join(map(in_view, row.tokens)), STRONG), "  makes  ", new_token, f"  (id {row.new_id:,})"
            ),
        ),
        ("bytes", row.new_token.hex(" ")),
    ]
    if row.count is None:
        return [*rows, ("count", "not known: the trace of this tokenizer does not hold it")]
    rows += [("count", f"{row.count:,}"), ("runner-up", _second(row))]
    left = f"{times(row.words_touched or 0, 'distinct word')} changed, {times(row.tokens_left or 0, 'token')} left"
    return [*rows, ("corpus", f"{left}, compression {_compression(row)}")]


def _second(row: TraceRow) -> str:
    if row.runner_up is None:
        return "none: no other pair was left"
    second = f"{' '.join(map(in_view, row.runner_up))} ×{number(row.runner_up_count)}"
    return f"{second}, tied; the smaller ids were merged" if row.tied else second


@draws
def _(row: TraceRow) -> RenderableType:
    return Text(f"{row.rank:,}: {spaced(row.tokens)} → {in_view(row.new_token)}  {number(row.count)}")
