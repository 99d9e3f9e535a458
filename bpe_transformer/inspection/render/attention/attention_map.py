"""Heat maps of attention: a shade and a number in every cell, so that colour only repeats them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.attention.attention_map import Alignment, AttentionMap, SentenceLinks
from bpe_transformer.inspection.attention.units import folding_remark
from bpe_transformer.inspection.base.split_characters import written_legend
from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import isolated, visible
from bpe_transformer.inspection.render.elements import LABEL, STRONG, Flow, abbreviate

CELL = 4  # a shade and up to three digits
_LEVELS = ((75, "█", "magenta"), (50, "▓", "magenta"), (25, "▒", "cyan"), (5, "░", ""), (0, " ", ""))
_LABEL_CAPS = (32, 12, 8, 6, CELL)  # cells a heading may take, tried from the widest


@draws
def _(attention: AttentionMap) -> RenderableType:
    return HeatMap(attention)


@draws
def _(alignment: Alignment) -> RenderableType:
    return Text(f"target {alignment.tgt} ← source {alignment.src} {alignment.weight:.0%}")


@draws
def _(linked: SentenceLinks) -> RenderableType:
    return Lines(linked)


class HeatMap:
    """Target tokens down, source tokens across, percent in the cells; split into bands where the width runs out.

    With several heads it shows their mean; `attention.head(n)` is the map of one head.
    """

    def __init__(self, attention: AttentionMap) -> None:
        self.map = attention.mean()
        self.alignments = attention.alignments()
        self.src = [visible(token) for token in attention.src_tokens]
        self.tgt = [visible(token) for token in attention.tgt_tokens]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.map.title, STRONG)
        row_label = min(max(cell_len(token) for token in self.tgt), 16)
        for band in self._bands(options.max_width - row_label - 2):
            yield self._band(band, row_label)
            yield Text()
        yield Text("percent of each row (rows attend, columns are attended to); empty: under 0.5", LABEL)
        yield Text(shade_legend(), LABEL)
        if remark := folding_remark(self.map.unit):
            yield Text(remark, LABEL)
        if legend := written_legend(self.map.src_tokens) + written_legend(self.map.tgt_tokens):
            yield Text("characters that lie in several tokens", LABEL)
            yield Flow(Text(line) for line in dict.fromkeys(legend))
        yield Text()
        yield Text("strongest", LABEL)
        yield Flow(Text(f"{self.tgt[best.tgt]} ← {self.src[best.src]} {best.weight:.0%}") for best in self.alignments)

    def _bands(self, width: int) -> list[list[tuple[int, int]]]:
        """(column, its width) in each band: one band if abbreviated headings allow, else as many as it takes."""
        for cap in _LABEL_CAPS:
            columns = [(number, max(CELL, min(cell_len(token), cap))) for number, token in enumerate(self.src)]
            if sum(cells + 1 for _, cells in columns) <= width:
                return [columns]
        bands: list[list[tuple[int, int]]] = [[]]
        left = width
        for number, token in enumerate(self.src):
            cells = max(CELL, min(cell_len(token), 8))
            if bands[-1] and left < cells + 1:
                bands.append([])
                left = width
            bands[-1].append((number, cells))
            left -= cells + 1
        return bands

    def _band(self, band: Sequence[tuple[int, int]], row_label: int) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style=LABEL)
        table.add_column(Text(), justify="right", width=row_label, no_wrap=True)
        for column, cells in band:
            heading = Text(abbreviate(self.src[column], cells), no_wrap=True)
            table.add_column(heading, justify="right", width=cells, no_wrap=True)
        weights = self.map.weights[0]
        for row, label in enumerate(self.tgt):
            strongest = self.alignments[row].src
            cells_of_row = [_cell(float(weights[row, column]), column == strongest) for column, _ in band]
            table.add_row(Text(abbreviate(label, row_label)), *cells_of_row)
        return table


def shade(weight: float) -> tuple[str, str]:
    """The sign of a weight, and its colour."""
    return next((sign, colour) for least, sign, colour in _LEVELS if round(100 * weight) >= least)


def shade_legend() -> str:
    """What the signs mean, in percent."""
    return " ".join(f"{sign} from {least}" for least, sign, _ in reversed(_LEVELS) if sign.strip())


def _cell(weight: float, strongest: bool) -> Text:
    percent = round(100 * weight)
    if not percent:
        return Text()
    sign, colour = shade(weight)
    return Text(f"{sign}{percent:>3}", f"{colour} {STRONG}".strip() if strongest else colour)


class Lines:
    """Two sentences above each other and lines between their words; below 25 % a line is dotted, from 50 % it is double.

    Where the width does not hold a sentence, the links are listed instead.
    """

    rows = 5  # lines of the picture between the sentences

    def __init__(self, linked: SentenceLinks) -> None:
        self.linked = linked

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        top, bottom = (_Line(tokens) for tokens in (self.linked.src_tokens, self.linked.tgt_tokens))
        if max(top.width, bottom.width) > options.max_width:
            yield Flow(
                Text(f"{bottom.names[link.tgt]} ← {top.names[link.src]} {link.weight:.0%}")
                for link in self.linked.links
            )
            return
        yield top.text
        yield from map(Text, self._drawn(top, bottom))
        yield bottom.text

    def _drawn(self, top: _Line, bottom: _Line) -> list[str]:
        import plotille

        width = max(top.width, bottom.width)
        canvas = plotille.Canvas(width, self.rows, 0.0, 0.0, float(width), 1.0)
        for link in self.linked.links:
            x0, x1 = bottom.centres[link.tgt], top.centres[link.src]
            if link.weight < 0.25:
                for step in range(0, 4 * self.rows, 3):
                    share = step / (4 * self.rows)
                    canvas.point(x0 + (x1 - x0) * share, share)
                continue
            canvas.line(x0, 0.0, x1, 0.999)
            if link.weight >= 0.5:
                canvas.line(min(x0 + 0.5, width - 0.01), 0.0, min(x1 + 0.5, width - 0.01), 0.999)
        return [line.rstrip("\u2800 ") for line in str(canvas.plot()).split("\n")]


class _Line:
    """The words of a sentence beside each other, and the cell of each one's centre."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self.names = [visible(token) for token in tokens]
        self.centres: list[float] = []
        self.text = Text(no_wrap=True, overflow="crop")
        for name in self.names:
            self.text.append("  " if self.centres else "")
            self.centres.append(self.text.cell_len + cell_len(name) / 2)
            self.text.append(isolated(name))
        self.width = max(1, self.text.cell_len)
