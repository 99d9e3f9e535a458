"""Pictures of the merge history."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bpe_transformer.inspection.render._dispatch import render
from bpe_transformer.inspection.render._parts import (
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
from bpe_transformer.inspection.render.tokens import written_span
from bpe_transformer.inspection.replay import Alphabet, PairCount, Segmentation, TraceStep
from bpe_transformer.inspection.trace import TraceRow, TraceTable
from bpe_transformer.inspection.visible import visible
from bpe_transformer.inspection.words import Derivation, EncodedWord

# More than this no one reads; the data classes and --json hold everything.
MAX_WORDS = 12
MAX_PAIRS = 24
MAX_ALPHABET = 100
NARROW = 60  # columns below which the table of merges leaves out words and tokens left
WIDE = 100  # columns from which the table of merges also shows ids and the new token


@render.register
def _(alphabet: Alphabet) -> RenderableType:
    shown = [Text(visible(token)) for token in alphabet.tokens[:MAX_ALPHABET]]
    if len(alphabet.tokens) > MAX_ALPHABET:
        shown.append(Text(f"… and {len(alphabet.tokens) - MAX_ALPHABET:,} more", LABEL))
    rows: list[tuple[str, RenderableType]] = [(f"alphabet ({len(alphabet.tokens):,})", Flow(shown, gap=" "))]
    if alphabet.special_tokens:
        rows.append(("special tokens", Flow([Text(visible(name)) for name in alphabet.special_tokens], gap=" ")))
    return facts(rows)


@render.register
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
            visible(old.word),
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
    winner.append(visible(step.new_token), NEW)
    winner.append(f"  (id {step.new_id:,})")
    return [("pairs", Flow(shown)), ("winner", winner), ("runner-up", Text(_second(step)))]


def _pair(pair: PairCount, step: TraceStep) -> Text:
    text = Text(f"{_spelled(pair)} ×{pair.count:,}")
    if pair.pair == step.winner.pair:
        text.stylize(STRONG)
        text.append(" ◂ winner", STRONG)
    return text


def _spelled(pair: PairCount) -> str:
    return " ".join(visible(token) for token in pair.tokens)


def _second(step: TraceStep) -> str:
    second = step.runner_up
    if second is None:
        return "none: no other pair is left"
    behind = f"{_spelled(second)} ×{second.count:,}"
    if not step.tied:
        return behind
    return f"{behind}, tied; tie rule: smaller ids first, {step.winner.pair} < {second.pair}"


@render.register
def _(table: TraceTable) -> RenderableType:
    return _Merges(table)


class _Merges:
    """A window over the merges; a wide terminal also shows ids and new tokens."""

    def __init__(self, table: TraceTable) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= WIDE
        grid = plain_table(
            [
                *(("rank", "right"), ("pair", "left")),
                *((("new token", "left"), ("id", "right")) if wide else ()),
                *(("count", "right"), ("runner-up", "left"), ("count", "right"), ("", "mark")),
                *((("words", "right"), ("tokens left", "right")) if options.max_width >= NARROW else ()),
            ]
        )
        for row in self.table.rows:
            add_row(grid, *self._cells(row, wide)[: len(grid.columns)])
        yield grid
        first, last = self.table.rows[0].rank, self.table.rows[-1].rank
        note = f"ranks {first:,} to {last:,} of {self.table.total:,} merges, tokenizer {self.table.digest[:12]}"
        if any(row.tied for row in self.table.rows):
            note += "; tie: equal counts, the smaller ids were merged"
        if not self.table.has_trace:
            note += "; no trace was saved with this tokenizer, so counts are not known"
        yield Text(note, LABEL)

    @staticmethod
    def _cells(row: TraceRow, wide: bool) -> list[str | Text]:
        made: list[str | Text] = [visible(row.new_token), number(row.new_id)] if wide else []
        return [
            number(row.rank),
            Text(spaced(row.tokens).plain, STRONG, overflow="fold"),
            *made,
            number(row.count),
            spaced(row.runner_up) if row.runner_up else "–",
            number(row.runner_up_count),
            "tie" if row.tied else "",
            number(row.words_touched),
            number(row.tokens_left),
        ]


@render.register
def _(derivation: Derivation) -> RenderableType:
    return facts(_stages(derivation))


def _stages(derivation: Derivation) -> list[tuple[str, RenderableType]]:
    lines: list[tuple[str, RenderableType]] = [("characters", spaced(derivation.stages[0].tokens))]
    for rank, before, after in zip(derivation.ranks, derivation.stages, derivation.stages[1:], strict=False):
        made = next(token for id, token in zip(after.ids, after.tokens, strict=True) if id not in before.ids)
        lines.append((f"merge {rank + 1:,}", spaced(after.tokens, made)))
    return lines


@render.register
def _(word: Segmentation) -> RenderableType:
    return Text.assemble((visible(word.word), STRONG), f"  ×{word.count:,}  ", spaced(word.tokens), overflow="fold")


@render.register
def _(pair: PairCount) -> RenderableType:
    return Text(f"{_spelled(pair)} ×{pair.count:,}")


@render.register
def _(row: TraceRow) -> RenderableType:
    return Text(f"{row.rank:,}: {spaced(row.tokens)} → {visible(row.new_token)}  {number(row.count)}")


@render.register
def _(word: EncodedWord) -> RenderableType:
    spans = word.text.spans
    seen = "occurs in the corpus" if word.occurs else "never occurred in the corpus"
    unknown = f"with {times(word.text.num_unknown, 'unknown character')}" if word.text.num_unknown else "without <unk>"
    written = Text(" ".join(written_span(span) for span in spans), STRONG, overflow="fold")
    rows = _stages(word.derivation) if word.derivation else []
    rows += [("tokens", written), ("ids", " ".join(str(span.id) for span in spans))]
    title = Text.assemble((visible(word.text.text), STRONG), f"   {seen}; it encodes {unknown}")
    return Group(Heading(title), Padding(facts(rows), (0, 0, 0, 2), expand=False))
