"""A vocabulary at every size: a table for each corpus, and the curves of compression in one plot."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.render._dispatch import render
from bpe_transformer.inspection.render._parts import LABEL, STRONG, Heading, add_row, number, plain_table, times
from bpe_transformer.inspection.sizes import CorpusLadder, SizeLadder, SizeRow

KNEE = "◆"
PLOT_ROWS = 14
MAX_PLOT = 100  # columns
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHADES = ("cyan", "yellow", "green", "magenta")  # the letters say the same


@render.register
def _(ladder: SizeLadder) -> RenderableType:
    several = len(ladder.corpora) > 1
    parts: list[RenderableType] = []
    for letter, corpus in zip(_LETTERS, ladder.corpora, strict=False):
        title = f"{letter}  {corpus.name}" if several else corpus.name
        facts = [times(corpus.num_bytes, "byte")]
        facts += [times(corpus.num_words, "word")] if corpus.num_words is not None else []
        parts += [Heading(Text.assemble((title, STRONG), "   ", ", ".join(facts))), _table(corpus), Text()]
    parts += [_Plot(ladder.corpora), Text(), _notes(ladder)]
    return Group(*parts)


@render.register
def _(corpus: CorpusLadder) -> RenderableType:
    return _table(corpus)


@render.register
def _(row: SizeRow) -> RenderableType:
    return Text(f"{row.vocab_size:,}: {row.bytes_per_token:.3f} bytes a token, {times(row.num_tokens, 'token')}")


def _table(corpus: CorpusLadder) -> Table:
    words = any(row.fertility is not None for row in corpus.rows)
    parity = any(row.parity is not None for row in corpus.rows)
    grid = plain_table(
        [
            *(("vocabulary", "right"), ("tokens", "right"), ("bytes/token", "right")),
            *((("tokens/word", "right"),) if words else ()),
            ("never used", "right"),
            *((("parity", "right"),) if parity else ()),
            ("", "mark"),
        ]
    )
    for row in corpus.rows:
        add_row(
            grid,
            number(row.vocab_size),
            number(row.num_tokens),
            f"{row.bytes_per_token:.3f}",
            *(["–" if row.fertility is None else f"{row.fertility:.3f}"] if words else []),
            "–" if row.never_used is None else f"{row.never_used:.1%}",
            *(["–" if row.parity is None else f"{row.parity:.3f}"] if parity else []),
            f"{KNEE} knee" if row.vocab_size == corpus.knee else "",
        )
    return grid


def _notes(ladder: SizeLadder) -> Text:
    notes = [f"tokenizer {ladder.digest[:12]}, cut to each size"]
    if ladder.from_trace:
        notes.append("read off the trace of the learning corpus; its words are not known (name texts with --text)")
    notes.append("never used: of the tokens that merges made")
    if len(ladder.corpora) > 1:
        notes.append(f"parity: tokens over those of {ladder.corpora[0].name}, for texts that say the same")
    if any(corpus.knee is not None for corpus in ladder.corpora):
        notes.append(f"{KNEE} knee: beyond it more vocabulary buys less (kneedle, Satopaa et al. 2011)")
    return Text("; ".join(notes), LABEL)


class _Plot:
    """Bytes per token over the logarithm of the vocabulary size; every corpus is drawn with its letter."""

    def __init__(self, corpora: Sequence[CorpusLadder]) -> None:
        self.corpora = corpora

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        import plotille

        sizes = [row.vocab_size for row in self.corpora[0].rows]
        values = [row.bytes_per_token for corpus in self.corpora for row in corpus.rows]
        low, high = min(values), max(values)
        if len(sizes) < 2 or high <= low:
            return
        margin = len(f"{high:.2f}") + 2
        columns = min(options.max_width, MAX_PLOT) - margin
        x = [math.log(size) for size in sizes]
        room = (high - low) * 0.04
        canvas = plotille.Canvas(columns, PLOT_ROWS, x[0], low - room, x[-1] + (x[-1] - x[0]) / columns, high + room)
        for corpus in self.corpora:
            y = [row.bytes_per_token for row in corpus.rows]
            for i in range(len(x) - 1):
                canvas.line(x[i], y[i], x[i + 1], y[i + 1])
        for letter, corpus in zip(_LETTERS, self.corpora, strict=False):
            for place, row in zip(x, corpus.rows, strict=True):
                mark = KNEE if row.vocab_size == corpus.knee else letter if len(self.corpora) > 1 else "●"
                canvas.text(place, row.bytes_per_token, mark)
        yield Text("bytes/token", LABEL)
        for line_number, line in enumerate(canvas.plot().split("\n")):
            at = high + room - (line_number + 0.5) * (high - low + 2 * room) / PLOT_ROWS
            label = f"{at:.2f}" if line_number % 3 == 0 else ""
            yield Text.assemble((f"{label:>{margin - 2}} ", LABEL), ("│", LABEL), self._coloured(line))
        yield Text(" " * (margin - 1) + "└" + "─" * columns, LABEL)
        yield Text(" " * margin + _axis(sizes, [(value - x[0]) / (x[-1] - x[0]) for value in x], columns), LABEL)

    def _coloured(self, line: str) -> Text:
        text = Text(line)
        for position, char in enumerate(line):
            if char in _LETTERS:
                text.stylize(_SHADES[_LETTERS.index(char) % len(_SHADES)], position, position + 1)
            elif char in f"{KNEE}●":
                text.stylize(STRONG, position, position + 1)
        return text


def _axis(sizes: Sequence[int], places: Sequence[float], columns: int) -> str:
    """The sizes below their points, as many as fit; the largest always."""
    line = [" "] * columns
    free = columns
    for size, place in sorted(zip(sizes, places, strict=True), reverse=True):
        label = _short(size)
        start = min(max(round(place * (columns - 1)) - cell_len(label) // 2, 0), columns - cell_len(label))
        if start + cell_len(label) + (free < columns) <= free:
            line[start : start + cell_len(label)] = label
            free = start
    return "".join(line).rstrip()


def _short(size: int) -> str:
    """
    >>> _short(32000), _short(1500), _short(300)
    ('32k', '1.5k', '300')
    """
    return f"{size / 1000:g}k" if size >= 1000 and size % 100 == 0 else str(size)
