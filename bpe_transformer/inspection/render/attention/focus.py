"""The strongest heads of a word: each with its weights over the text, a column a word."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from bpe_transformer.inspection.attention.attention_map import AttentionMap
from bpe_transformer.inspection.attention.focus import HeadFocus, WordFocus
from bpe_transformer.inspection.attention.units import UNIT_NOUNS
from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view, visible
from bpe_transformer.inspection.render.attention.attention_map import HeatMap
from bpe_transformer.inspection.render.elements import LABEL, STRONG


@draws
def _(focus: WordFocus) -> RenderableType:
    rows = [f"{head.layer}.{head.head}" for head in focus.heads]
    weights = [head.weights for head in focus.heads]
    table = AttentionMap(
        focus.src_tokens, rows, weights, f"what {visible(focus.word)} attends to, by layer.head", unit=focus.unit
    )
    lines = [
        Text.assemble(
            (f"layer {head.layer} head {head.head}", LABEL),
            "  ",
            (in_view(focus.src_tokens[head.peak]), STRONG),
            f" {head.weights[head.peak]:.0%}",
        )
        for head in focus.heads
    ]
    return Group(
        Text(f"{focus.title}: the heads with the largest weight on another {UNIT_NOUNS[focus.unit]}", LABEL),
        *lines,
        Text(),
        HeatMap(table),
    )


@draws
def _(head: HeadFocus) -> RenderableType:
    return Text(f"layer {head.layer} head {head.head}: {head.weights[head.peak]:.0%}")
