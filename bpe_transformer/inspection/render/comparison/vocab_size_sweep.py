"""A vocabulary at every size: a table for each corpus, and the curves of compression in one plot."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.comparison.vocab_size_sweep import CorpusSweep, SizeRow, VocabSizeSweep
from bpe_transformer.inspection.render.elements import LABEL, STRONG, Heading, add_row, number, plain_table
from bpe_transformer.io.printable import printable, times

KNEE = "◆"
PLOT_ROWS = 14
MAX_PLOT = 100  # columns
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHADES = ("cyan", "yellow", "green", "magenta")  # the letters say the same


@draws
def _(sweep: VocabSizeSweep) -> RenderableType:
    several = len(sweep.corpora) > 1
    parts: list[RenderableType] = []
    for letter, corpus in zip(_LETTERS, sweep.corpora, strict=False):
        name = printable(corpus.name)
        title = f"{letter}  {name}" if several else name
        facts = [times(corpus.num_bytes, "byte")]
        facts += [times(corpus.num_words, "word")] if corpus.num_words is not None else []
        parts += [Heading(Text.assemble((title, STRONG), "   ", ", ".join(facts))), _Table(corpus), Text()]
    parts += [_Plot(sweep.corpora), Text(), _notes(sweep)]
    return Group(*parts)


@draws
def _(corpus: CorpusSweep) -> RenderableType:
    return _Table(corpus)


@draws
def _(row: SizeRow) -> RenderableType:
    return Text(f"{row.vocab_size:,}: {row.bytes_per_token:.3f} bytes a token, {times(row.num_tokens, 'token')}")


class _Table:
    """The rows of a corpus; where the width runs out, whole columns are left out and no number is cut."""

    def __init__(self, corpus: CorpusSweep) -> None:
        self.corpus = corpus

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = self.corpus.rows
        columns = {
            "vocabulary": [number(row.vocab_size) for row in rows],
            "tokens": [number(row.num_tokens) for row in rows],
            "bytes/token": [f"{row.bytes_per_token:.3f}" for row in rows],
            "tokens/word": [_written(row.fertility, ".3f") for row in rows],
            "never used": [_written(row.never_used, ".1%") for row in rows],
            "parity": [_written(row.parity, ".3f") for row in rows],
        }
        for optional, key in (("tokens/word", "fertility"), ("parity", "parity")):
            if all(getattr(row, key) is None for row in rows):
                del columns[optional]
        mark = f"{KNEE} knee" if self.corpus.knee is not None else ""
        for expendable in ("tokens", "never used", "tokens/word", "parity"):
            if _width(columns) + cell_len(mark) > options.max_width:
                columns.pop(expendable, None)
        if _width(columns) + cell_len(mark) > options.max_width:
            mark = mark[:1]
        grid = plain_table([*((name, "right") for name in columns), ("", "mark")])
        for row, cells in zip(rows, zip(*columns.values(), strict=True), strict=True):
            add_row(grid, *cells, mark if row.vocab_size == self.corpus.knee else "")
        yield grid


def _width(columns: dict[str, list[str]]) -> int:
    return sum(max(map(cell_len, (name, *cells))) + 2 for name, cells in columns.items())


def _written(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _notes(sweep: VocabSizeSweep) -> Text:
    notes = [f"tokenizer {sweep.digest[:12]}, cut to each size"]
    if sweep.from_trace:
        notes.append("read off the trace of the learning corpus; its words are not known (measure texts to have them)")
    notes.append("never used: of the tokens that merges made")
    if len(sweep.corpora) > 1:
        notes.append(f"parity: tokens over those of {printable(sweep.corpora[0].name)}, for texts that say the same")
    if any(corpus.knee is not None for corpus in sweep.corpora):
        notes.append(f"{KNEE} knee: beyond it more vocabulary buys less (kneedle, Satopaa et al. 2011)")
    return Text("; ".join(notes), LABEL)


class _Plot:
    """Bytes per token over the logarithm of the vocabulary size; every corpus is drawn with its letter."""

    def __init__(self, corpora: Sequence[CorpusSweep]) -> None:
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
            yield Text.assemble((f"{label:>{margin - 2}} ", LABEL), ("│", LABEL), self._coloured(line.rstrip("⠀")))
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
    """A size as a short label.

    >>> _short(32000), _short(1500), _short(300)
    ('32k', '1.5k', '300')
    """
    return f"{size / 1000:g}k" if size >= 1000 and size % 100 == 0 else str(size)
