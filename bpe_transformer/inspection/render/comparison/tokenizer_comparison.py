"""Several tokenizers beside each other: a table for each text, then overlap, parity and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.comparison.tokenizer_comparison import (
    Comparison,
    Overlap,
    Parity,
    Score,
    TokenizerFacts,
)
from bpe_transformer.inspection.render.elements import (
    LABEL,
    STRONG,
    Column,
    Columns,
    Heading,
    abbreviate_name,
    number,
    percent,
)
from bpe_transformer.io.printable import printable, times

_BEST = "◂"
_LEGEND = (
    f"{_BEST} best of its column; vs: tokens beside the first tokenizer's; fertility: tokens a word; whole: words that no "
    "token boundary cuts; Rényi: how evenly the vocabulary is used (α = 2.5); unknown: tokens for characters that are lost; "
    "in parts: tokens that are no whole character (no column of either: none)"
)


@draws
def _(comparison: Comparison) -> RenderableType:
    parts: list[RenderableType] = [_tokenizers(comparison.tokenizers), Text()]
    for text in comparison.texts:
        scores = [score for score in comparison.scores if score.text == text]
        parts += [Heading(_text_title(scores[0])), _scores(scores), Text()]
    parts += [Text(_LEGEND, LABEL), Text()]
    if comparison.overlaps:
        parts += [_titled("tokens in common", "share of all tokens of both, and weighted by use")]
        parts += [_overlaps(comparison.overlaps), Text()]
    if comparison.parities:
        parts += [_titled("parity", "tokens of a text over those of the text it translates; 1 is the same")]
        parts += [_parities(comparison.parities), Text()]
    for title, differences in (("words", comparison.words), ("lines", comparison.lines)):
        if differences:
            why = "tokens won or lost in all their occurrences" if title == "words" else "difference in tokens"
            parts += [_titled(f"{title} that they cut most differently", why)]
            parts += [part for difference in differences for part in (difference, Text())]
    return Group(*parts[:-1])


def _titled(title: str, more: str) -> RenderableType:
    return Heading(Text.assemble((title, STRONG), f"   {more}"))


def _text_title(score: Score) -> Text:
    measured = score.measured
    sizes = f"{times(measured.num_bytes, 'byte')}, {times(measured.num_chars, 'character')}"
    return Text.assemble(
        (printable(score.text), STRONG), f"   {sizes}, {times(measured.num_words, 'word')}", overflow="fold"
    )


def _tokenizers(tokenizers: Sequence[TokenizerFacts]) -> Columns:
    return Columns(
        [
            Column("tokenizer", "left", [abbreviate_name(one.name) for one in tokenizers]),
            Column("tokens", "right", [number(one.vocab_size) for one in tokenizers]),
            Column("unit", "mark", [one.unit for one in tokenizers], drop=3),
            Column("pattern", "left", [one.pattern for one in tokenizers], drop=1),
            Column("digest", "mark", [one.digest[:12] for one in tokenizers], drop=2),
        ]
    )


def _scores(scores: Sequence[Score]) -> Columns:
    measured = [score.measured for score in scores]

    def best(values: Sequence[float], show: Callable[[float], str], choose: Callable[..., float]) -> list[str | Text]:
        """The values as text, the best one bold and marked; no mark if all are equal."""
        top = choose(values)
        if len(set(values)) == 1:
            return [show(value) + " " * (len(values) > 1) for value in values]
        return [Text(show(value) + _BEST, STRONG) if value == top else show(value) + " " for value in values]

    first = measured[0].num_tokens
    lost = [one.unknown_rate for one in measured]
    cut = [one.byte_fallback_rate for one in measured]
    return Columns(
        [
            Column("tokenizer", "left", [abbreviate_name(score.tokenizer) for score in scores]),
            Column("tokens", "right", [number(one.num_tokens) for one in measured], drop=1),
            Column("vs", "right", ["–", *(_change(one.num_tokens, first) for one in measured[1:])], drop=7),
            Column("bytes/token", "right", best([one.bytes_per_token for one in measured], "{:.3f}".format, max)),
            Column("fertility", "right", best([one.fertility for one in measured], "{:.3f}".format, min), drop=3),
            Column("whole", "right", best([one.share_whole_words for one in measured], percent, max), drop=4),
            Column("Rényi", "right", best([one.renyi_efficiency for one in measured], "{:.3f}".format, max), drop=5),
            *([Column("unknown", "right", best(lost, percent, min), drop=2)] if any(lost) else []),
            *([Column("in parts", "right", best(cut, percent, min), drop=6)] if any(cut) else []),
        ]
    )


def _change(tokens: int, first: int) -> str:
    return f"{100 * (tokens - first) / first:+.1f} %" if first else "–"


def _overlaps(overlaps: Sequence[Overlap]) -> Columns:
    return Columns(
        [
            Column("one", "left", [abbreviate_name(one.one) for one in overlaps]),
            Column("other", "left", [abbreviate_name(one.other) for one in overlaps]),
            Column("in common", "right", [number(one.num_common) for one in overlaps], drop=1),
            Column("share", "right", [percent(one.share) for one in overlaps]),
            Column("by use", "right", [percent(one.weighted_share) for one in overlaps]),
        ]
    )


def _parities(parities: Sequence[Parity]) -> Columns:
    return Columns(
        [
            Column("tokenizer", "left", [abbreviate_name(one.tokenizer) for one in parities]),
            Column("text", "left", [one.text for one in parities]),
            Column("translates", "left", [one.reference for one in parities]),
            Column("lines", "right", [number(one.num_lines) for one in parities], drop=2),
            Column("tokens", "right", [number(one.num_tokens) for one in parities], drop=1),
            Column("beside", "right", [number(one.num_tokens_reference) for one in parities], drop=1),
            Column("parity", "right", [f"{one.parity:.3f}" for one in parities]),
        ]
    )


@draws
def _(score: Score) -> RenderableType:
    return _scores([score])


@draws
def _(overlap: Overlap) -> RenderableType:
    return _overlaps([overlap])


@draws
def _(parity: Parity) -> RenderableType:
    return _parities([parity])


@draws
def _(tokenizer: TokenizerFacts) -> RenderableType:
    return _tokenizers([tokenizer])
