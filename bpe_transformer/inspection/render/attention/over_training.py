"""Attention as training goes, in the terminal: a small map for each moment side by side, and what the model wrote then."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from bpe_transformer.inspection.attention.over_training import AttentionOverTraining, TrainingMoment
from bpe_transformer.inspection.attention.units import folding_remark
from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view, visible
from bpe_transformer.inspection.render.attention.attention_map import shade, shade_legend
from bpe_transformer.inspection.render.elements import LABEL, STRONG, Column, Columns, Flow, abbreviate, percent
from bpe_transformer.io.printable import printable

_CELL = 2  # cells of the terminal a weight
_GAP = 3
_WIDEST_NAME = 16


@draws
def _(view: AttentionOverTraining) -> RenderableType:
    moments = view.moments
    names = [Text.assemble((f"{number} ", LABEL), in_view(name)) for number, name in enumerate(view.last.src_tokens, 1)]
    columns = [
        Column("step", "right", [f"{moment.step:,}" for moment in moments]),
        Column("rows as at the end", "right", [percent(moment.agreement) for moment in moments], 1),
    ]
    if view.target is not None:
        columns.append(Column("writes", "left", [printable(moment.written or "") or "nothing" for moment in moments]))
    remark = folding_remark(view.last.unit)
    return Group(
        Text.assemble((f"{view.last.title}, over {len(moments)} moments of ", STRONG), (printable(view.run), STRONG)),
        Text(),
        _Strip(view),
        Text("columns", LABEL),
        Flow(names),
        Text(shade_legend(), LABEL),
        *([Text(remark, LABEL)] if remark else []),
        Text(),
        Columns(columns),
    )


@draws
def _(moment: TrainingMoment) -> RenderableType:
    return Group(Text(f"step {moment.step:,}", STRONG), moment.map)


class _Strip:
    """The maps beside each other, as many as there is room for in a line."""

    def __init__(self, view: AttentionOverTraining) -> None:
        self.moments = view.moments
        self.rows = [visible(token) for token in view.last.tgt_tokens]
        self.label = min(max(map(cell_len, self.rows)), _WIDEST_NAME)
        titles = max(cell_len(_title(moment)) for moment in self.moments)
        self.block = max(_CELL * len(view.last.src_tokens), titles)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        count = max(1, (options.max_width - self.label) // (self.block + _GAP))
        for first in range(0, len(self.moments), count):
            yield from self._line(self.moments[first : first + count])
            yield Text()

    def _line(self, moments: tuple[TrainingMoment, ...]) -> Iterator[Text]:
        numbers = "".join(f"{number % 100:>{_CELL}}" for number in range(1, moments[0].map.weights.shape[2] + 1))
        margin, gap = " " * self.label, " " * _GAP
        for written in ([_title(moment) for moment in moments], [numbers] * len(moments)):
            yield Text(margin + "".join(f"{gap}{part:<{self.block}}" for part in written), LABEL, no_wrap=True)
        for row, name in enumerate(self.rows):
            shown = abbreviate(name, self.label)
            line = Text(" " * (self.label - cell_len(shown)) + shown, no_wrap=True)
            for moment in moments:
                line.append(gap)
                weights = moment.map.weights[0, row]
                for weight in weights:
                    sign, colour = shade(float(weight))
                    line.append(sign * _CELL, colour)
                line.append(" " * (self.block - _CELL * len(weights)))
            yield line


def _title(moment: TrainingMoment) -> str:
    return f"step {moment.step:,}"
