"""The segmentations of a word or a line by several tokenizers, one below the other."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import SEPARATOR, in_view
from bpe_transformer.inspection.comparison.segmentation_differences import Difference, Segments
from bpe_transformer.inspection.render.elements import LABEL, STRONG, Flow, abbreviate_name, plain_table

MOST_TOKENS = 40  # drawn of a text; the JSON has all


@draws
def _(difference: Difference) -> RenderableType:
    place = difference.source + (f", line {difference.line:,}" if difference.line is not None else "")
    often = f"×{difference.count:,}  " if difference.count > 1 or difference.line is None else ""
    title = Text.assemble((in_view(difference.text), STRONG), f"   {often}{place}", overflow="fold")
    return Group(title, Padding(_cuts(difference.segments), (0, 0, 0, 2), expand=False))


def _cuts(segments: Sequence[Segments]) -> RenderableType:
    """A row for each segmentation: the tokenizers that give it, the number of tokens, and the tokens."""
    alike: dict[tuple[bytes, ...], list[str]] = {}
    for one in segments:
        alike.setdefault(one.tokens, []).append(abbreviate_name(one.tokenizer))
    table = plain_table([("", "left"), ("", "right"), ("", "left")])
    table.show_header = False
    for tokens, names in alike.items():
        shown = [Text(in_view(token), overflow="fold") for token in tokens[:MOST_TOKENS]]
        if len(tokens) > MOST_TOKENS:
            shown.append(Text(f" … {len(tokens) - MOST_TOKENS} more", LABEL))
        table.add_row(Text(", ".join(names), LABEL), Text(str(len(tokens))), Flow(shown, gap=SEPARATOR))
    return table


@draws
def _(segments: Segments) -> RenderableType:
    return _cuts([segments])
