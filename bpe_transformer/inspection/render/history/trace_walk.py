"""Drawing of one state of a walk through the merges."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view
from bpe_transformer.inspection.history.trace_walk import WalkFrame
from bpe_transformer.inspection.render.elements import LABEL, NEW, STRONG, Heading, add_row, facts, plain_table
from bpe_transformer.inspection.render.history.trace_rows import MergeLines, merge_facts
from bpe_transformer.io.printable import times


@draws
def _(frame: WalkFrame) -> RenderableType:
    return _Frame(frame)


class _Frame:
    """The last merge, the words after it, and the neighbouring merges."""

    def __init__(self, frame: WalkFrame) -> None:
        self.frame = frame

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        frame = self.frame
        size = "" if frame.vocab_size is None else f", vocabulary {frame.vocab_size:,}"
        where = "before any merge" if frame.rank is None else f"rank {frame.rank:,}"
        title = Text.assemble((where, STRONG), f"   {frame.merges:,} of {times(frame.total, 'merge')}{size}")
        yield Heading(title)
        if frame.words:
            yield Padding(self._words(), (0, 0, 1, 2), expand=False)
        if frame.table is None:
            yield Padding(
                Text("every word is in its base tokens; the next merge makes the first token", LABEL), (0, 0, 1, 2)
            )
            return
        row = next(row for row in frame.table.rows if row.rank == frame.rank)
        yield Padding(facts(merge_facts(row)), (0, 0, 1, 2), expand=False)
        yield MergeLines(frame.table, frame.rank, note=False)

    def _words(self) -> RenderableType:
        frame = self.frame
        new_token = None if frame.table is None else next(r.new_token for r in frame.table.rows if r.rank == frame.rank)
        table = plain_table([("  word", "left"), ("", "mark"), ("tokens", "left")])
        for number, (word, changed) in enumerate(zip(frame.words, frame.changed, strict=True)):
            tokens = Text(overflow="fold")
            for token in word.tokens:
                tokens.append(" " if tokens else "")
                tokens.append(in_view(token), NEW if changed and token == new_token else "")
            followed = "→ " if frame.followed == number else "  "
            name = Text.assemble(followed, (in_view(word.word), STRONG), overflow="fold")
            add_row(table, name, "changed" if changed else "       ", tokens)
        return table
