"""The figures of a vocabulary, and a table of the selected tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view, isolated, visible
from bpe_transformer.inspection.render.elements import (
    LABEL,
    Column,
    Columns,
    abbreviate,
    facts,
    number,
    percent,
)
from bpe_transformer.inspection.render.tokens.tokenized_text import AT_MERGE
from bpe_transformer.inspection.vocabulary.reachability import OBSTACLES
from bpe_transformer.inspection.vocabulary.vocab_entries import Pruning, VocabEntry, VocabView
from bpe_transformer.io.printable import times

_TOKEN_CELLS = 40
_SCRIPTS = 8
_NOTES = {
    "at merge": AT_MERGE,
    "uses": "uses: merges that take it further",
    "swallowed": "swallowed: share of its occurrences that longer tokens took; near 100 % it is only a step on the way",
    "scaffold": "scaffold: the corpus never holds it, but used tokens are made of it; idle: neither, pruning drops it",
}


@draws
def _(view: VocabView) -> RenderableType:
    parts: list[RenderableType] = [] if view.filtered else [facts(_whole(view)), Text()]
    if view.entries:
        parts += [_table(view.entries), Text()]
    shown = f"{number(len(view.entries))} of {times(view.num_found, 'token')} shown"
    if view.filtered:
        shown += f"; the vocabulary has {number(view.num_tokens)}"
    parts.append(Text(f"{shown}, tokenizer {view.digest[:12]}", LABEL))
    if view.near:
        parts.append(Text.assemble(("near it: ", LABEL), *(f"{in_view(token)} " for token in view.near)))
    parts += [Text(note, LABEL) for note in _notes(view.entries)]
    return Group(*parts)


def _whole(view: VocabView) -> list[tuple[str, RenderableType]]:
    rows: list[tuple[str, RenderableType]] = [
        ("vocabulary", f"{times(view.num_tokens, 'token')}: {_listed(view.by_kind)}"),
        ("scripts", _listed(view.by_script, _SCRIPTS)),
    ]
    reasons = [f"{number(count)}: {OBSTACLES[name]}" for name, count in view.unreachable.items()]  # type: ignore[index]
    rows.append(("unreachable", "; ".join(reasons) or "0: every token is encoded to by some text"))
    if view.pruning is not None:
        rows += [("corpus", ", ".join(view.corpus)), *_pruning(view.pruning)]
    return rows


def _pruning(pruning: Pruning) -> list[tuple[str, RenderableType]]:
    unused = pruning.num_scaffold + pruning.num_idle + pruning.num_kept
    return [
        ("used", f"{times(pruning.num_used, 'token')}; {number(unused)} never"),
        (
            "never used",
            f"{number(pruning.num_idle)} idle, {number(pruning.num_scaffold)} scaffold, {number(pruning.num_kept)} kept "
            "(alphabet and special)",
        ),
        (
            "pruning",
            f"would drop the {number(pruning.num_idle)} idle: {times(pruning.vocab_size, 'id')} to "
            f"{number(pruning.vocab_size_after)}, {percent(pruning.share_saved)} of an embedding's rows; "
            "the corpus takes as many tokens as before",
        ),
    ]


def _listed(counts: Mapping[str, int], most: int | None = None) -> str:
    items = list(counts.items())
    shown = [f"{number(count)} {name}" for name, count in items[:most]]
    rest = items[len(shown) :]
    if rest:
        shown.append(f"{number(sum(count for _, count in rest))} of {times(len(rest), 'other')}")
    return ", ".join(shown)


def _table(entries: Sequence[VocabEntry]) -> Columns:
    columns = [
        Column("id", "right", [str(entry.id) for entry in entries]),
        Column("token", "left", [isolated(abbreviate(visible(entry.token), _TOKEN_CELLS)) for entry in entries]),
        Column("rank", "right", [number(entry.rank) for entry in entries], drop=4),
        Column("kind", "mark", [entry.kind for entry in entries], drop=7),
        Column("script", "mark", [entry.script for entry in entries], drop=5),
    ]
    if any(entry.merge_count is not None for entry in entries):
        columns.append(Column("at merge", "right", [number(entry.merge_count) for entry in entries], drop=6))
    columns.append(Column("uses", "right", [number(entry.uses) for entry in entries], drop=8))
    if any(entry.used is not None for entry in entries):
        swallowed = ["–" if entry.swallowed is None else percent(entry.swallowed) for entry in entries]
        columns += [
            Column("used", "right", [number(entry.used) for entry in entries]),
            Column("swallowed", "right", swallowed, drop=3),
            Column("role", "mark", [entry.corpus_use or "" for entry in entries], drop=1),
        ]
    if any(entry.obstacle is not None for entry in entries):
        columns.append(Column("unreachable", "mark", [entry.obstacle or "" for entry in entries], drop=2))
    return Columns(columns)


def _notes(entries: Sequence[VocabEntry]) -> list[str]:
    notes = [_NOTES["at merge"]] if any(entry.merge_count is not None for entry in entries) else []
    notes += [_NOTES["uses"]] if entries else []
    if any(entry.used is not None for entry in entries):
        notes += [_NOTES["swallowed"], _NOTES["scaffold"]]
    found = dict.fromkeys(entry.obstacle for entry in entries if entry.obstacle is not None)
    return notes + [f"{name}: {OBSTACLES[name]}" for name in found]


@draws
def _(entry: VocabEntry) -> RenderableType:
    return _table([entry])


@draws
def _(pruning: Pruning) -> RenderableType:
    return facts(_pruning(pruning))
