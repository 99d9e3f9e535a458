"""Pictures of derivations: a token's tree, and the merges of a text with what stayed apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from bpe_transformer.inspection.base.visible import SEPARATOR, in_view
from bpe_transformer.inspection.derivation.why import (
    Border,
    Firing,
    MissedMerge,
    PieceWhy,
    SmallestVocabulary,
    TextWhy,
    TokenNode,
    TokenUse,
    TokenWhy,
)
from bpe_transformer.inspection.render._dispatch import render
from bpe_transformer.inspection.render.elements import (
    LABEL,
    NEW,
    STRONG,
    Flow,
    Heading,
    add_row,
    facts,
    number,
    plain_table,
    spaced,
    times,
)

MAX_PIECES = 20  # pre-tokens drawn in full; the data classes and --json hold everything
MAX_FIRINGS = 60
MAX_MISSED = 3
_NO_TRACE = "no trace came with this tokenizer, so counts are not known"
_KINDS = {
    "base": "in the base alphabet",
    "merged": "made by a merge",
    "whole": "made by no merge: only a whole pre-token becomes it",
    "special": "a special token: set apart in a text, where that is allowed, before any merge",
    "added": "an added token: set apart in a text before any merge",
}


@render.register
def _(why: TokenWhy) -> RenderableType:
    title = Text.assemble((in_view(why.token), STRONG), f"   id {why.id:,}, {_KINDS[why.kind]}")
    parts: list[RenderableType] = [Heading(title)]
    if why.tree is not None:
        parts.append(Padding(_tree(why.tree), (0, 0, 0, 2)))
    return Group(*parts, Padding(facts(_about(why)), (1 if why.tree else 0, 0, 0, 2), expand=False))


def _about(why: TokenWhy) -> Iterator[tuple[str, RenderableType]]:
    yield "bytes", why.token.hex(" ")
    if why.makers:
        ranks = ", ".join(f"{rank:,}" for rank in why.makers)
        yield "made by", f"rank {ranks} of {times(why.num_merges, 'merge')}, 0 to {why.num_merges - 1:,}"
    if not why.reached and why.kind in ("merged", "whole"):
        ends = spaced(why.ends_in)
        yield "not reached", Text.assemble("the merges make ", ends, " of its bytes, never this token", overflow="fold")
    if why.smallest is not None:
        yield "smallest vocabulary", _smallest(why.smallest)
    if why.num_uses:
        shown = [Text.assemble(in_view(use.token), (f" {use.rank:,}", LABEL)) for use in why.uses]
        if why.num_uses > len(shown):
            shown.append(Text(f"… {times(why.num_uses - len(shown), 'more merge')}", LABEL))
        yield "builds (rank)", Flow(shown)
    elif why.kind in ("base", "merged"):
        yield "builds", "nothing: no merge goes on from it"
    if not why.has_trace and why.makers:
        yield "counts", _NO_TRACE


def _tree(node: TokenNode) -> Tree:
    tree = Tree(_node(node), guide_style=LABEL)
    waiting = [(node, tree)]
    while waiting:
        parent, branch = waiting.pop()
        for part in (parent.left, parent.right):
            if part is not None:
                waiting.append((part, branch.add(_node(part))))
    return tree


def _node(node: TokenNode) -> Text:
    if node.rank is None:
        return Text.assemble((in_view(node.token), STRONG), (f"  base, id {node.id:,}", LABEL), overflow="fold")
    count = "" if node.count is None else f"  ×{node.count:,}"
    return Text.assemble((in_view(node.token), STRONG), f"  rank {node.rank:,}{count}", overflow="fold")


@render.register
def _(node: TokenNode) -> RenderableType:
    return _tree(node)


@render.register
def _(use: TokenUse) -> RenderableType:
    return Text(f"{in_view(use.token)}  rank {use.rank:,}, id {use.id:,}")


@render.register
def _(smallest: SmallestVocabulary) -> RenderableType:
    return Text(_smallest(smallest))


def _smallest(smallest: SmallestVocabulary) -> str:
    merges = f"the first {times(smallest.merges, 'merge')}" if smallest.merges else "no merge"
    if smallest.vocab_size is None:
        return f"{merges}; ids do not follow their order here, so no smaller vocabulary has the same"
    return f"{smallest.vocab_size:,} ids: the base alphabet and special tokens, and {merges}"


@render.register
def _(why: TextWhy) -> RenderableType:
    return render_text_why(why)


def render_text_why(why: TextWhy, *, max_pieces: int | None = MAX_PIECES) -> RenderableType:
    """Every pre-token with its merges and what stayed apart, then the whole; `max_pieces` bounds the pre-tokens (None: all)."""
    parts: list[RenderableType] = []
    at = 0
    for piece in why.pieces[:max_pieces]:
        inside = why.borders[at : at + len(piece.ids) - 1]
        at += len(piece.ids)  # and one border to the next piece
        parts.append(_piece(piece, inside))
    if hidden := len(why.pieces) - len(why.pieces[:max_pieces]):
        parts.append(Text(f"… {times(hidden, 'more pre-token')}", LABEL))
    return Group(*parts, facts(_about_text(why)))


def _about_text(why: TextWhy) -> Iterator[tuple[str, RenderableType]]:
    tokens = times(len(why.ids), "token")
    yield "text", f"{times(len(why.pieces), 'pre-token')}, {tokens}"
    yield "ids", " ".join(map(str, why.ids))
    between = sum(border.cause == "split" for border in why.borders)
    if between:
        are = "is where the split pattern cuts" if between == 1 else "are where the split pattern cuts"
        yield "between", f"{times(between, 'border')} {are}: no merge crosses a pre-token"
    yield "one token", _one_token(why)
    if not why.has_trace:
        yield "counts", _NO_TRACE


def _one_token(why: TextWhy) -> str:
    if why.smallest is not None:
        return _smallest(why.smallest)
    if len(why.pieces) == 1:
        return f"in no vocabulary of these merges: with all {why.num_merges:,} it is {times(len(why.ids), 'token')}"
    return f"in no vocabulary: it is {times(len(why.pieces), 'pre-token')}, and no merge crosses those"


@render.register
def _(piece: PieceWhy) -> RenderableType:
    return _piece(piece, ())


def _piece(piece: PieceWhy, borders: Sequence[Border]) -> RenderableType:
    title = Text.assemble((in_view(piece.source), STRONG), "   ", _result(piece))
    parts: list[RenderableType] = []
    if piece.kind == "merged" and piece.firings:
        parts.append(_merges(piece))
    if borders:
        parts.append(Padding(Group(*_borders(borders)), (1 if parts else 0, 0, 0, 0)))
    body = [Padding(Group(*parts), (0, 0, 1, 2), expand=False)] if parts else [Text()]
    return Group(Heading(title), *body)


def _result(piece: PieceWhy) -> Text:
    if piece.kind == "special":
        return Text("set apart before any merge")
    if piece.kind == "whole":
        return Text("a token as a whole: this tokenizer takes those without asking the merges")
    if not piece.firings:
        return Text("no merge fires")
    return Text(SEPARATOR.join(map(in_view, piece.tokens)), overflow="fold")


def _merges(piece: PieceWhy) -> Table:
    counted = any(firing.count is not None for firing in piece.firings)
    table = plain_table(
        [
            ("rank", "right"),
            *([("count", "right")] if counted else []),  # type: ignore[list-item]
            *(("merge", "left"), ("makes", "left"), ("so far", "left")),
        ]
    )
    tokens = dict(enumerate(piece.base_tokens))
    add_row(table, "", *([""] if counted else []), "", "", spaced(tokens.values()))
    for firing in piece.firings[:MAX_FIRINGS]:
        del tokens[firing.middle]
        tokens[firing.start] = firing.new_token
        so_far = Text(overflow="fold")
        for place, token in tokens.items():
            so_far.append(" " if so_far else "")
            so_far.append(in_view(token), NEW if place == firing.start else "")
        count = [number(firing.count)] if counted else []
        add_row(table, number(firing.rank), *count, spaced(firing.tokens), in_view(firing.new_token), so_far)
    if len(piece.firings) > MAX_FIRINGS:
        hidden = len(piece.firings) - MAX_FIRINGS
        add_row(table, "…", *([""] if counted else []), Text(times(hidden, "more merge"), LABEL))
    return table


def _borders(borders: Sequence[Border]) -> Iterator[RenderableType]:
    """A line for each that a merge might have crossed; those that none ever could together, if there are several."""
    without = [border for border in borders if border.cause == "no merge"]
    for border in borders:
        if border.cause != "no merge" or len(without) == 1:
            yield _border(border)
    if len(without) > 1:
        yield Text(f"{len(without)} borders without any merge of what stands or stood there:")
        yield Flow(Text(_sides(border), STRONG) for border in without)


def _sides(border: Border) -> str:
    return " ┊ ".join(map(in_view, border.tokens))


@render.register
def _(border: Border) -> RenderableType:
    return _border(border)


def _border(border: Border) -> Text:
    text = Text.assemble((_sides(border), STRONG), "  ", overflow="fold")
    if border.cause == "special":
        return text.append("one of them is a special or added token")
    if border.cause == "split":
        return text.append("the split pattern cuts here, and no merge crosses a pre-token")
    text.append("there is no merge of the two")
    for missed in border.missed[:MAX_MISSED]:
        text.append("; ")
        text.append(_missed(missed))
    if len(border.missed) > MAX_MISSED:
        text.append(f"; and {times(len(border.missed) - MAX_MISSED, 'more merge')} forestalled")
    return text


def _missed(missed: MissedMerge) -> str:
    taker = missed.taken_by
    taken = missed.tokens[missed.taken == "right"]
    return (
        f"{' '.join(map(in_view, missed.tokens))} has one (rank {missed.rank:,}), but "
        f"{' '.join(map(in_view, taker.tokens))} (rank {taker.rank:,}) took {in_view(taken)} before"
    )


@render.register
def _(missed: MissedMerge) -> RenderableType:
    return Text(_missed(missed))


@render.register
def _(firing: Firing) -> RenderableType:
    return Text(f"{firing.rank:,}: {spaced(firing.tokens)} → {in_view(firing.new_token)}  {number(firing.count)}")
