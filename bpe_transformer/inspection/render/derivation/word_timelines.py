"""A line for every merge that changes a word, a column for every word."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view
from bpe_transformer.inspection.derivation.word_timelines import WordStage, WordTimeline
from bpe_transformer.inspection.render.elements import LABEL, STRONG, add_row, number, plain_table, spaced, times

COLUMN = 16  # cells that a word needs at least for a column of its own


@draws
def _(timeline: WordTimeline) -> RenderableType:
    return _Timeline(timeline)


class _Timeline:
    """A line for every merge that changed a word, a column for every word; too many words are drawn one below another."""

    def __init__(self, timeline: WordTimeline) -> None:
        self.timeline = timeline

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        words = range(len(self.timeline.words))
        fit = max(1, (options.max_width - 24) // COLUMN)
        for start in range(0, len(words), fit):
            if start:
                yield Text()
            yield self._table(words[start : start + fit])
        merges = times(self.timeline.num_merges, "merge")
        yield Text(
            f"after so many of {merges}; an empty cell is as above; tokenizer {self.timeline.digest[:12]}", LABEL
        )

    def _table(self, words: Sequence[int]) -> Table:
        names = [in_view(self.timeline.words[word]) for word in words]
        table = plain_table([("merges", "right"), ("vocabulary", "right"), *((name, "left") for name in names)])
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
