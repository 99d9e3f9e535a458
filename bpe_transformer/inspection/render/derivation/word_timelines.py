"""Timelines of words as a table: a line for every merge that changes a word, a column for every word."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view
from bpe_transformer.inspection.derivation.word_timelines import WordStage, WordTimeline
from bpe_transformer.inspection.render.elements import LABEL, STRONG, add_row, number, plain_table, spaced
from bpe_transformer.io.printable import times

COLUMN = 16  # the fewest terminal cells for the column of a word
STAGE_COLUMNS = 24  # cells of the columns before the words


@draws
def _(timeline: WordTimeline) -> RenderableType:
    return _Timeline(timeline)


class _Timeline:
    """A line for every merge that changed a word, a column for every word; too many words are drawn one below another."""

    def __init__(self, timeline: WordTimeline) -> None:
        self.timeline = timeline

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for place, words in enumerate(self._groups(options.max_width - STAGE_COLUMNS)):
            if place:
                yield Text()
            yield self._table(words, options.max_width - STAGE_COLUMNS)
        merges = times(self.timeline.num_merges, "merge")
        yield Text(
            f"after so many of {merges}; an empty cell is as above; tokenizer {self.timeline.digest[:12]}", LABEL
        )

    def _groups(self, width: int) -> list[list[int]]:
        """The words of each table: as many as there is room for, one at least."""
        groups: list[list[int]] = [[]]
        left = width
        for word, text in enumerate(self.timeline.words):
            cells = max(COLUMN, cell_len(in_view(text)) + 2)
            if groups[-1] and cells > left:
                groups.append([])
                left = width
            groups[-1].append(word)
            left -= cells
        return groups

    def _table(self, words: Sequence[int], width: int) -> Table:
        names = [in_view(self.timeline.words[word]) for word in words]
        table = plain_table([("merges", "right"), ("vocabulary", "right"), *((name, "left") for name in names)], width)
        for stage in self.timeline.stages:
            if stage.rank is None or any(stage.changed[word] for word in words):
                add_row(table, number(stage.merges), number(stage.vocab_size), *(_cell(stage, word) for word in words))
        return table


def _cell(stage: WordStage, word: int) -> Text:
    if stage.rank is not None and not stage.changed[word]:
        return Text()
    tokens = stage.words[word].tokens
    return Text(spaced(tokens).plain, STRONG if len(tokens) == 1 else "", overflow="fold")


@draws
def _(stage: WordStage) -> RenderableType:
    table = plain_table([("word", "left"), ("tokens", "left")])
    for word in stage.words:
        add_row(table, in_view(word.word), spaced(word.tokens))
    return table
