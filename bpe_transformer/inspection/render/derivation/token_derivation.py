"""The derivation tree of a token, and its facts: kind, rank, counts and what is built on it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text
from rich.tree import Tree

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view
from bpe_transformer.inspection.derivation.token_derivation import (
    LongerToken,
    SmallestVocabulary,
    TokenDerivation,
    TokenNode,
)
from bpe_transformer.inspection.render.elements import LABEL, STRONG, Flow, Heading, facts, spaced
from bpe_transformer.io.printable import times

NO_TRACE = "no trace came with this tokenizer, so counts are not known"

_KINDS = {
    "base": "in the base alphabet",
    "merged": "made by a merge",
    "whole": "made by no merge: only a whole pre-token becomes it",
    "special": "a special token: set apart in a text, where that is allowed, before any merge",
    "added": "an added token: set apart in a text before any merge",
}


@draws
def _(derivation: TokenDerivation) -> RenderableType:
    title = Text.assemble((in_view(derivation.token), STRONG), f"   id {derivation.id:,}, {_KINDS[derivation.kind]}")
    parts: list[RenderableType] = [Heading(title)]
    if derivation.tree is not None:
        parts.append(Padding(_tree(derivation.tree), (0, 0, 0, 2)))
    return Group(*parts, Padding(facts(_about(derivation)), (1 if derivation.tree else 0, 0, 0, 2), expand=False))


def _about(derivation: TokenDerivation) -> Iterator[tuple[str, RenderableType]]:
    yield "bytes", derivation.token.hex(" ")
    if derivation.makers:
        ranks = ", ".join(f"{rank:,}" for rank in derivation.makers)
        yield "made by", f"rank {ranks} of {times(derivation.num_merges, 'merge')}, 0 to {derivation.num_merges - 1:,}"
    if not derivation.reached and derivation.kind in ("merged", "whole"):
        ends = spaced(derivation.ends_in)
        yield "not reached", Text.assemble("the merges make ", ends, " of its bytes, never this token", overflow="fold")
    if derivation.becomes:
        ends = spaced(derivation.becomes)
        yield "undone", Text.assemble("the vocabulary does not have it: it becomes ", ends, overflow="fold")
    if derivation.smallest is not None:
        yield "smallest vocabulary", written_smallest(derivation.smallest)
    if derivation.num_uses:
        shown = [Text.assemble(in_view(use.token), (f" {use.rank:,}", LABEL)) for use in derivation.uses]
        if derivation.num_uses > len(shown):
            shown.append(Text(f"… {times(derivation.num_uses - len(shown), 'more merge')}", LABEL))
        yield "builds (rank)", Flow(shown)
    elif derivation.kind in ("base", "merged"):
        yield "builds", "nothing: no merge goes on from it"
    if not derivation.has_trace and derivation.makers:
        yield "counts", NO_TRACE


def _tree(node: TokenNode) -> Tree:
    tree = Tree(_node(node), guide_style=LABEL)
    waiting = [(node, tree)]
    while waiting:
        parent, branch = waiting.pop()
        for child in (parent.left, parent.right):
            if child is not None:
                waiting.append((child, branch.add(_node(child))))
    return tree


def _node(node: TokenNode) -> Text:
    if node.rank is None:
        return Text.assemble((in_view(node.token), STRONG), (f"  base, id {node.id:,}", LABEL), overflow="fold")
    count = "" if node.count is None else f"  ×{node.count:,}"
    return Text.assemble((in_view(node.token), STRONG), f"  rank {node.rank:,}{count}", overflow="fold")


@draws
def _(node: TokenNode) -> RenderableType:
    return _tree(node)


@draws
def _(use: LongerToken) -> RenderableType:
    return Text(f"{in_view(use.token)}  rank {use.rank:,}, id {use.id:,}")


@draws
def _(smallest: SmallestVocabulary) -> RenderableType:
    return Text(written_smallest(smallest))


def written_smallest(smallest: SmallestVocabulary) -> str:
    """The smallest vocabulary as a sentence."""
    merges = f"the first {times(smallest.merges, 'merge')}" if smallest.merges else "no merge"
    if smallest.vocab_size is None:
        return f"{merges}; ids do not follow their order here, so no smaller vocabulary has the same"
    return f"{times(smallest.vocab_size, 'id')}: the base alphabet and special tokens, and {merges}"
