"""Learning while it runs: its progress, the words that are watched, and the latest merges."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view
from bpe_transformer.inspection.history.live_learning import LiveFrame
from bpe_transformer.inspection.history.trace_rows import TraceTable
from bpe_transformer.inspection.render.elements import LABEL, STRONG, Heading, add_row, plain_table, spaced
from bpe_transformer.inspection.render.history.trace_rows import MergeLines
from bpe_transformer.io.printable import times


@draws
def _(frame: LiveFrame) -> RenderableType:
    title = Text.assemble((f"{frame.merges:,}", STRONG), f" of {times(frame.wanted, 'merge')}, {frame.seconds:,.1f} s")
    parts: list[RenderableType] = [Heading(title)]
    parts.append(ProgressBar(total=max(frame.wanted, 1), completed=frame.merges))
    if frame.words:
        parts.append(Padding(_words(frame), (1, 0, 0, 0), expand=False))
    if frame.rows:
        table = TraceTable(frame.rows, frame.wanted, "", has_trace=True)
        parts.append(Padding(MergeLines(table, note=False), (1, 0, 0, 0), expand=False))
    else:
        parts.append(Text("no merge yet", LABEL))
    return Group(*parts)


def _words(frame: LiveFrame) -> Table:
    table = plain_table([("word", "left"), ("tokens", "left")])
    for word in frame.words:
        add_row(table, Text(in_view(word.word), STRONG), spaced(word.tokens))
    return table
