"""The derivation of one word, merge by merge, and its tokens."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view
from bpe_transformer.inspection.derivation.word_derivation import EncodedWord, WordDerivation
from bpe_transformer.inspection.render.elements import STRONG, Heading, facts, spaced
from bpe_transformer.inspection.render.tokens.tokenized_text import written_span
from bpe_transformer.io.printable import times


@draws
def _(derivation: WordDerivation) -> RenderableType:
    return facts(_stages(derivation))


def _stages(derivation: WordDerivation) -> list[tuple[str, RenderableType]]:
    lines: list[tuple[str, RenderableType]] = [("characters", spaced(derivation.stages[0].tokens))]
    for rank, before, after in zip(derivation.ranks, derivation.stages, derivation.stages[1:], strict=False):
        merged = next(token for id, token in zip(after.ids, after.tokens, strict=True) if id not in before.ids)
        lines.append((f"merge {rank + 1:,}", spaced(after.tokens, merged)))
    if len(derivation.stages) > len(derivation.ranks) + 1:
        lines.append(("undone", spaced(derivation.stages[-1].tokens)))
    return lines


@draws
def _(word: EncodedWord) -> RenderableType:
    spans = word.text.spans
    seen = "occurs in the corpus" if word.occurs else "never occurred in the corpus"
    unknown = f"with {times(word.text.num_unknown, 'unknown character')}" if word.text.num_unknown else "without <unk>"
    written = Text(" ".join(written_span(span) for span in spans), STRONG, overflow="fold")
    rows = _stages(word.derivation) if word.derivation else []
    rows += [("tokens", written), ("ids", " ".join(str(span.id) for span in spans))]
    title = Text.assemble((in_view(word.text.text), STRONG), f"   {seen}; it encodes {unknown}")
    return Group(Heading(title), Padding(facts(rows), (0, 0, 0, 2), expand=False))
