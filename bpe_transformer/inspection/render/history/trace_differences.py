"""Two merge histories side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view
from bpe_transformer.inspection.history.trace_differences import (
    MovedToken,
    OptionDifference,
    RankedToken,
    SharedTokens,
    TraceDiff,
)
from bpe_transformer.inspection.history.trace_rows import TraceRow
from bpe_transformer.inspection.render.elements import LABEL, Flow, Heading, add_row, facts, number, plain_table
from bpe_transformer.io.printable import times


@draws
def _(diff: TraceDiff) -> RenderableType:
    parts: list[RenderableType] = [facts(_runs(diff))]
    if diff.options:
        parts += [Text(), Heading(Text("settings")), _indented(_options(diff.options))]
    parts += [Text(), Heading(Text("first difference")), _indented(_first(diff))]
    parts += [Text(), Heading(Text("what they share")), _indented(facts(_shared(diff))), Text()]
    parts.append(_indented(_depths(diff.by_depth)))
    if diff.moved:
        parts += [Text(), Heading(Text("what moved most")), _indented(_moved(diff.moved))]
    for name, tokens in (("a", diff.only_a), ("b", diff.only_b)):
        if tokens:
            parts += [Text(), Heading(Text(f"only in {name}, the first")), _indented(Flow(map(_ranked, tokens)))]
    return Group(*parts)


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2), expand=False)


def _runs(diff: TraceDiff) -> Iterator[tuple[str, RenderableType]]:
    for name, digest, merges, tokens in (
        ("a", diff.digest_a, diff.merges_a, diff.tokens_a),
        ("b", diff.digest_b, diff.merges_b, diff.tokens_b),
    ):
        several = "" if tokens == merges else f", which make {times(tokens, 'distinct token')}"
        yield name, f"tokenizer {digest[:12]}, {times(merges, 'merge')}{several}"


def _options(options: Sequence[OptionDifference]) -> Table:
    table = plain_table([("setting", "left"), ("a", "left"), ("b", "left")])
    for option in options:
        add_row(table, option.name, in_view(option.a), in_view(option.b))
    return table


def _first(diff: TraceDiff) -> RenderableType:
    if diff.first_a is None and diff.first_b is None:
        return Text("none: the merges are the same")
    note = f"the first {times(diff.same_merges, 'merge')} are the same; then" if diff.same_merges else "at once"
    table = plain_table(
        [
            ("", "mark"),
            ("rank", "right"),
            ("pair", "left"),
            ("count", "right"),
            ("runner-up", "left"),
            ("count", "right"),
        ]
    )
    for name, row in (("a", diff.first_a), ("b", diff.first_b)):
        add_row(table, name, *_cells(row))
    return Group(Text(note), table)


def _cells(row: TraceRow | None) -> tuple[str, ...]:
    if row is None:
        return "–", "no merge is left"
    second = " ".join(map(in_view, row.runner_up)) if row.runner_up else "–"
    return number(row.rank), " ".join(map(in_view, row.tokens)), number(row.count), second, number(row.runner_up_count)


def _shared(diff: TraceDiff) -> Iterator[tuple[str, RenderableType]]:
    of_a, of_b = diff.shared_tokens / diff.tokens_a, diff.shared_tokens / diff.tokens_b
    yield "tokens", f"{diff.shared_tokens:,}: {of_a:.1%} of a, {of_b:.1%} of b, {diff.overlap:.1%} of all"
    yield "merges", f"{diff.shared_pairs:,} of the same two tokens"
    if diff.shared_tokens:
        median = f"{diff.median_shift:,.1f}".removesuffix(".0")
        yield "shift", f"of shared tokens, up or down: median {median} ranks, largest {diff.largest_shift:,}"


def _depths(depths: Sequence[SharedTokens]) -> Table:
    table = plain_table([("first merges", "right"), ("tokens shared", "right"), ("share", "right")])
    for depth in depths:
        add_row(table, number(depth.merges), number(depth.shared), f"{depth.share:.1%}")
    return table


def _moved(moved: Sequence[MovedToken]) -> Table:
    table = plain_table([("token", "left"), ("rank in a", "right"), ("rank in b", "right"), ("", "mark")])
    for token in moved:
        later = "b" if token.rank_b > token.rank_a else "a"
        add_row(
            table,
            in_view(token.token),
            number(token.rank_a),
            number(token.rank_b),
            f"later in {later}, ×{token.factor:,.1f}",
        )
    return table


def _ranked(token: RankedToken) -> Text:
    return Text.assemble(in_view(token.token), (f" {token.rank:,}", LABEL))


@draws
def _(option: OptionDifference) -> RenderableType:
    return _options([option])


@draws
def _(depth: SharedTokens) -> RenderableType:
    return _depths([depth])


@draws
def _(token: MovedToken) -> RenderableType:
    return _moved([token])


@draws
def _(token: RankedToken) -> RenderableType:
    return _ranked(token)
