"""The summary of a tokenized file: figures first, then its most frequent, longest and rarest tokens."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import isolated, visible
from bpe_transformer.inspection.render.elements import (
    LABEL,
    STRONG,
    Column,
    Columns,
    Heading,
    SideBySide,
    abbreviate,
    facts,
    number,
    percent,
)
from bpe_transformer.inspection.render.tokens.tokenized_text import AT_MERGE
from bpe_transformer.inspection.tokens.file_summary import FileSummary, ScriptUse, TokenUse
from bpe_transformer.io.printable import printable, times

_TOKEN_CELLS = 24


@draws
def _(summary: FileSummary) -> RenderableType:
    measured = summary.measured
    rows: list[tuple[str, RenderableType]] = [
        ("text", f"{times(measured.num_bytes, 'byte')}, {times(measured.num_chars, 'character')}"),
        ("tokens", f"{measured.num_tokens:,}, {measured.bytes_per_token:.3f} bytes a token"),
        ("words", _words(summary)),
        ("vocabulary", f"{measured.num_used:,} of {times(measured.vocab_size, 'token')} used ({_share_used(summary)})"),
        ("Rényi efficiency", f"{measured.renyi_efficiency:.3f}"),
        ("lost or in parts", f"{percent(measured.unknown_rate)} unknown, {_in_parts(summary)}"),
        ("kinds", ", ".join(f"{count:,} {kind}" for kind, count in summary.by_kind.items())),
    ]
    blocks = [
        _titled("most frequent", use_table(summary.top)),
        _titled("rarest", use_table(summary.rarest)),
        _titled("longest", use_table(summary.longest)),
        _titled("by script", _script_table(summary.by_script)),
    ]
    known = any(use.merge_count is not None for use in (*summary.top, *summary.rarest, *summary.longest))
    notes = [Text(AT_MERGE, LABEL)] if known else []
    title = Heading(
        Text.assemble((printable(summary.name), STRONG), f"   tokenizer {summary.digest[:12]}", overflow="fold")
    )
    return Group(title, facts(rows), Text(), SideBySide(blocks), *notes)


def _words(summary: FileSummary) -> str:
    measured = summary.measured
    return (
        f"{measured.num_words:,}, {measured.fertility:.3f} tokens a word (fertility), "
        f"{percent(measured.share_whole_words)} kept whole"
    )


def _in_parts(summary: FileSummary) -> str:
    return f"{percent(summary.measured.byte_fallback_rate)} hold part of a character"


def _share_used(summary: FileSummary) -> str:
    return percent(summary.measured.num_used / summary.measured.vocab_size)


def _titled(title: str, table: Columns) -> RenderableType:
    return Group(Text(title, STRONG), table)


def use_table(uses: Sequence[TokenUse]) -> Columns:
    """A table of tokens with how often they are used."""
    columns = [
        Column("token", "mark", [isolated(abbreviate(visible(use.token), _TOKEN_CELLS)) for use in uses]),
        Column("id", "right", [str(use.id) for use in uses], drop=3),
        Column("used", "right", [number(use.used) for use in uses]),
        Column("share", "right", [percent(use.share) for use in uses], drop=2),
    ]
    if any(use.merge_count is not None for use in uses):
        columns.append(Column("at merge", "right", [number(use.merge_count) for use in uses], drop=1))
    return Columns(columns)


def _script_table(rows: Sequence[ScriptUse]) -> Columns:
    columns = [
        Column("script", "mark", [row.script for row in rows]),
        Column("distinct", "right", [number(row.num_tokens) for row in rows], drop=3),
        Column("used", "right", [number(row.used) for row in rows]),
        Column("share", "right", [percent(row.share) for row in rows], drop=1),
        Column("bytes", "right", [number(row.num_bytes) for row in rows], drop=2),
    ]
    return Columns(columns)


@draws
def _(use: TokenUse) -> RenderableType:
    return use_table([use])


@draws
def _(use: ScriptUse) -> RenderableType:
    return _script_table([use])
