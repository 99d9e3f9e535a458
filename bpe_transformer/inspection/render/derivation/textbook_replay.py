"""The textbook algorithm step by step: words, pair counts and the winner of each merge."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view
from bpe_transformer.inspection.derivation.textbook_replay import Alphabet, PairCount, Segmentation, TraceStep
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

# More than this is not readable; the data classes and --json hold everything.
MAX_WORDS = 12
MAX_PAIRS = 24
MAX_ALPHABET = 100
NARROW = 60  # columns below which the table of merges leaves out words and tokens left
WIDE = 100  # columns from which the table of merges also shows ids and the new token


@draws
def _(alphabet: Alphabet) -> RenderableType:
    shown = [Text(in_view(token)) for token in alphabet.tokens[:MAX_ALPHABET]]
    if len(alphabet.tokens) > MAX_ALPHABET:
        shown.append(Text(f"… and {len(alphabet.tokens) - MAX_ALPHABET:,} more", LABEL))
    rows: list[tuple[str, RenderableType]] = [(f"alphabet ({len(alphabet.tokens):,})", Flow(shown, gap=" "))]
    if alphabet.special_tokens:
        rows.append(("special tokens", Flow([Text(in_view(name)) for name in alphabet.special_tokens], gap=" ")))
    return facts(rows)


@draws
def _(step: TraceStep) -> RenderableType:
    left = f"{times(step.words_touched, 'word')} changed, {times(step.tokens_left, 'token')} left"
    title = Text.assemble((f"merge {step.rank + 1:,}", STRONG), f"   vocabulary {step.vocab_size:,}, {left}")
    return Group(
        Heading(title),
        Padding(_words(step), (0, 0, 0, 2), expand=False),
        Padding(facts(_facts_of(step)), (1, 0, 1, 2), expand=False),
    )


def _words(step: TraceStep) -> Table:
    pairs = list(zip(step.before, step.after, strict=True))
    if len(pairs) > MAX_WORDS:
        pairs.sort(key=lambda pair: pair[0].ids == pair[1].ids)  # stable: what changed comes first
    table = plain_table([("word", "left"), ("count", "right"), ("before", "left"), ("after", "left"), ("", "mark")])
    for old, new in pairs[:MAX_WORDS]:
        changed = old.ids != new.ids
        add_row(
            table,
            in_view(old.word),
            number(old.count),
            spaced(old.tokens),
            spaced(new.tokens, step.new_token if changed else None),
            "changed" if changed else "",
        )
    if len(pairs) > MAX_WORDS:
        add_row(table, Text(f"… {times(len(pairs) - MAX_WORDS, 'more word')}", LABEL))
    return table


def _facts_of(step: TraceStep) -> list[tuple[str, RenderableType]]:
    shown = [_pair(pair, step) for pair in step.pairs[:MAX_PAIRS]]
    if len(step.pairs) > MAX_PAIRS:
        shown.append(Text(f"… {times(len(step.pairs) - MAX_PAIRS, 'more pair')}", LABEL))
    winner = Text.assemble((f"{_spelled(step.winner)} ×{step.winner.count:,}", STRONG), "  makes  ")
    winner.append(in_view(step.new_token), NEW)
    winner.append(f"  (id {step.new_id:,})")
    return [("pairs", Flow(shown)), ("winner", winner), ("runner-up", Text(_second(step)))]


def _pair(pair: PairCount, step: TraceStep) -> Text:
    text = Text(f"{_spelled(pair)} ×{pair.count:,}")
    if pair.pair == step.winner.pair:
        text.stylize(STRONG)
        text.append(" ◂ winner", STRONG)
    return text


def _spelled(pair: PairCount) -> str:
    return " ".join(in_view(token) for token in pair.tokens)


def _second(step: TraceStep) -> str:
    second = step.runner_up
    if second is None:
        return "none: no other pair is left"
    behind = f"{_spelled(second)} ×{second.count:,}"
    if not step.tied:
        return behind
    return f"{behind}, tied; tie rule: smaller ids first, {step.winner.pair} < {second.pair}"


@draws
def _(word: Segmentation) -> RenderableType:
    return Text.assemble((in_view(word.word), STRONG), f"  ×{word.count:,}  ", spaced(word.tokens), overflow="fold")


@draws
def _(pair: PairCount) -> RenderableType:
    return Text(f"{_spelled(pair)} ×{pair.count:,}")
