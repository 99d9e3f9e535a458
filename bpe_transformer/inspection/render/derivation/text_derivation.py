"""The merges of a text, pre-token by pre-token, and why neighbouring tokens stayed apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.base.split_characters import written_legend
from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import SEPARATOR, in_view
from bpe_transformer.inspection.derivation.text_derivation import (
    Firing,
    MissedMerge,
    PretokenDerivation,
    TextDerivation,
    TokenBoundary,
)
from bpe_transformer.inspection.render.derivation.token_derivation import NO_TRACE, written_smallest
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
)
from bpe_transformer.io.printable import times

MAX_PRETOKENS = 20  # drawn in full; the data classes and --json hold everything
MAX_FIRINGS = 60
MAX_MISSED = 3
MAX_CHARACTERS = 24  # whose bytes are listed


@draws
def _(derivation: TextDerivation) -> RenderableType:
    return render_text_derivation(derivation)


def render_text_derivation(derivation: TextDerivation, *, max_pretokens: int | None = MAX_PRETOKENS) -> RenderableType:
    """Every pre-token with its merges and boundaries, then figures of the whole; `max_pretokens` limits them (None: all)."""
    parts: list[RenderableType] = []
    at = 0
    for pretoken in derivation.pretokens[:max_pretokens]:
        inside = derivation.boundaries[at : at + len(pretoken.ids) - 1]
        at += len(pretoken.ids)  # and one boundary to the next pre-token
        parts.append(_pretoken(pretoken, inside))
    if hidden := len(derivation.pretokens) - len(derivation.pretokens[:max_pretokens]):
        parts.append(Text(f"… {times(hidden, 'more pre-token')}", LABEL))
    return Group(*parts, facts(_about_text(derivation)))


def _about_text(derivation: TextDerivation) -> Iterator[tuple[str, RenderableType]]:
    tokens = times(len(derivation.ids), "token")
    yield "text", f"{times(len(derivation.pretokens), 'pre-token')}, {tokens}"
    yield "ids", " ".join(map(str, derivation.ids))
    if legend := _bytes_of_characters(derivation):
        yield "bytes", Flow(Text(line) for line in legend)
    between = sum(boundary.cause == "split" for boundary in derivation.boundaries)
    if between:
        are = "is where the split pattern cuts" if between == 1 else "are where the split pattern cuts"
        yield "between", f"{times(between, 'border')} {are}: no merge crosses a pre-token"
    yield "one token", _one_token(derivation)
    if not derivation.has_trace:
        yield "counts", NO_TRACE


def _bytes_of_characters(derivation: TextDerivation) -> list[str]:
    """Every character that is shown in bytes on the way, with them, such as "세 = ⟨ec⟩ ⟨84⟩ ⟨b8⟩"."""
    lines = [line for pretoken in derivation.pretokens[:MAX_PRETOKENS] for line in written_legend(pretoken.base_tokens)]
    distinct = list(dict.fromkeys(lines))
    if len(distinct) > MAX_CHARACTERS:
        return [*distinct[:MAX_CHARACTERS], f"… {times(len(distinct) - MAX_CHARACTERS, 'more character')}"]
    return distinct


def _one_token(derivation: TextDerivation) -> str:
    if derivation.smallest is not None:
        return written_smallest(derivation.smallest)
    if len(derivation.pretokens) == 1:
        return f"in no vocabulary of these merges: with all {derivation.num_merges:,} it is {times(len(derivation.ids), 'token')}"
    return f"in no vocabulary: it is {times(len(derivation.pretokens), 'pre-token')}, and no merge crosses those"


@draws
def _(pretoken: PretokenDerivation) -> RenderableType:
    return _pretoken(pretoken, ())


def _pretoken(pretoken: PretokenDerivation, boundaries: Sequence[TokenBoundary]) -> RenderableType:
    title = Text.assemble((in_view(pretoken.source), STRONG), "   ", _result(pretoken))
    parts: list[RenderableType] = []
    if pretoken.kind == "merged" and pretoken.firings:
        parts.append(_merges(pretoken))
    if boundaries:
        parts.append(Padding(Group(*_boundaries(boundaries)), (1 if parts else 0, 0, 0, 0)))
    body = [Padding(Group(*parts), (0, 0, 1, 2), expand=False)] if parts else [Text()]
    return Group(Heading(title), *body)


def _result(pretoken: PretokenDerivation) -> Text:
    if pretoken.kind == "special":
        return Text("set apart before any merge")
    if pretoken.kind == "whole":
        return Text("a token as a whole: this tokenizer takes those without applying merges")
    if not pretoken.firings and pretoken.ids == pretoken.base_ids:
        return Text("no merge fires")
    return Text(SEPARATOR.join(map(in_view, pretoken.tokens)), overflow="fold")


def _merges(pretoken: PretokenDerivation) -> Table:
    counted = any(firing.count is not None for firing in pretoken.firings)
    table = plain_table(
        [
            ("rank", "right"),
            *([("count", "right")] if counted else []),  # type: ignore[list-item]
            *(("merge", "left"), ("makes", "left"), ("so far", "left")),
        ]
    )
    tokens = dict(enumerate(pretoken.base_tokens))
    add_row(table, "", *([""] if counted else []), "", "", spaced(tokens.values()))
    for firing in pretoken.firings[:MAX_FIRINGS]:
        del tokens[firing.middle]
        tokens[firing.start] = firing.new_token
        so_far = Text(overflow="fold")
        for place, token in tokens.items():
            so_far.append(" " if so_far else "")
            so_far.append(in_view(token), NEW if place == firing.start else "")
        count = [number(firing.count)] if counted else []
        add_row(table, number(firing.rank), *count, spaced(firing.tokens), in_view(firing.new_token), so_far)
    if len(pretoken.firings) > MAX_FIRINGS:
        hidden = len(pretoken.firings) - MAX_FIRINGS
        add_row(table, "…", *([""] if counted else []), Text(times(hidden, "more merge"), LABEL))
    return table


def _boundaries(boundaries: Sequence[TokenBoundary]) -> Iterator[RenderableType]:
    """A line for each boundary; several without any merge across them are listed together."""
    without = Counter(_sides(boundary) for boundary in boundaries if boundary.cause == "no merge")
    lines = [_boundary(boundary) for boundary in boundaries if boundary.cause != "no merge" or len(without) == 1]
    often = Counter(line.plain for line in lines)
    for line in {line.plain: line for line in lines}.values():
        yield line.append(f" ({often[line.plain]} times)" if often[line.plain] > 1 else "")
    if len(without) > 1:
        yield Text(f"{without.total()} borders without any merge of what stands or stood there:")
        yield Flow(
            Text.assemble((sides, STRONG), f" ({number} times)" if number > 1 else "")
            for sides, number in without.items()
        )


def _sides(boundary: TokenBoundary) -> str:
    return " ┊ ".join(map(in_view, boundary.tokens))


@draws
def _(boundary: TokenBoundary) -> RenderableType:
    return _boundary(boundary)


def _boundary(boundary: TokenBoundary) -> Text:
    text = Text.assemble((_sides(boundary), STRONG), "  ", overflow="fold")
    if boundary.cause == "special":
        return text.append("one of them is a special or added token")
    if boundary.cause == "split":
        return text.append("the split pattern cuts here, and no merge crosses a pre-token")
    if boundary.undone is not None:
        return text.append(f"merged to {in_view(boundary.undone)}, which the vocabulary does not have: undone")
    text.append("there is no merge of the two")
    for missed in boundary.missed[:MAX_MISSED]:
        text.append("; ")
        text.append(_missed(missed))
    if len(boundary.missed) > MAX_MISSED:
        text.append(f"; and {times(len(boundary.missed) - MAX_MISSED, 'more merge')} prevented")
    return text


def _missed(missed: MissedMerge) -> str:
    taker = missed.taken_by
    taken = missed.tokens[missed.taken == "right"]
    return (
        f"{' '.join(map(in_view, missed.tokens))} has one (rank {missed.rank:,}), but "
        f"{' '.join(map(in_view, taker.tokens))} (rank {taker.rank:,}) took {in_view(taken)} before"
    )


@draws
def _(missed: MissedMerge) -> RenderableType:
    return Text(_missed(missed))


@draws
def _(firing: Firing) -> RenderableType:
    return Text(f"{firing.rank:,}: {spaced(firing.tokens)} → {in_view(firing.new_token)}  {number(firing.count)}")
