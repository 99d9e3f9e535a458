"""A tokenized text: its tokens in colour, a table of them, and a summary."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import SEPARATOR, in_view
from bpe_transformer.inspection.render.elements import LABEL, Column, Columns, number
from bpe_transformer.inspection.tokens.tokenized_text import TokenizedText, TokenSpan
from bpe_transformer.io.printable import times

# Neighbours differ; the separator between them says the same without colour.
_SHADES = ("black on cyan", "black on yellow", "black on green", "black on magenta")  # in every terminal's palette
_SPECIAL = "bold black on white"
_UNKNOWN = "bold white on red"
MAX_ROWS = 200
AT_MERGE = "at merge: how often the pair stood in the learning corpus when it was merged"
NO_TRACE = "no trace lies beside this tokenizer, so how often its pairs stood in the learning corpus is not known"


@draws
def _(text: TokenizedText) -> RenderableType:
    return render_text(text)


def render_text(text: TokenizedText, *, max_rows: int | None = MAX_ROWS, table: bool = True) -> RenderableType:
    """Spans, table and summary; `max_rows` bounds the table (None: all rows)."""
    parts: list[RenderableType] = [Spans(text.spans), Text()] if text.spans else []
    if table and text.spans:
        parts += [_token_table(text.spans[:max_rows])]
        hidden = len(text.spans) - len(text.spans[:max_rows])
        parts += [Text(f"… {times(hidden, 'more token')}", LABEL)] if hidden else []
        parts += [Text()]
    parts.append(_summary(text))
    return Group(*parts)


class Spans:
    """The tokens one after another with `│` between them; a line ends where the text's own line ends."""

    def __init__(self, spans: Sequence[TokenSpan]) -> None:
        self.spans = spans

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text(overflow="fold")
        for place, span in enumerate(self.spans):
            written = written_span(span)
            if line and line.cell_len + cell_len(written) + 1 > options.max_width:
                yield line
                line = Text(overflow="fold")
            line.append(written, _style(span, place))
            line.append(SEPARATOR, LABEL)
            if span.source.endswith(b"\n"):
                yield line
                line = Text(overflow="fold")
        if line:
            yield line


def written_span(span: TokenSpan) -> str:
    """The text shown for a span: its token, and for an unknown character also the character."""
    return f"{in_view(span.source)}→{in_view(span.token)}" if span.kind == "unknown" else in_view(span.token)


def _style(span: TokenSpan, place: int) -> str:
    return {"special": _SPECIAL, "unknown": _UNKNOWN}.get(span.kind, _SHADES[place % len(_SHADES)])


def _token_table(spans: Sequence[TokenSpan]) -> Columns:
    """A table of tokens with their offsets."""
    columns = [
        Column("#", "right", [str(place) for place in range(len(spans))]),
        Column("id", "right", [str(span.id) for span in spans]),
        Column("token", "left", [written_span(span) for span in spans]),
        Column("bytes", "left", [span.source.hex(" ") for span in spans], drop=4),
        Column("byte", "right", [f"{span.byte_start}–{span.byte_end}" for span in spans], drop=1),
        Column("char", "right", [f"{span.char_start}–{span.char_end}" for span in spans], drop=3),
        Column("rank", "right", [number(span.rank) for span in spans]),
        Column("kind", "mark", [span.kind for span in spans]),
    ]
    if any(span.merge_count is not None for span in spans):
        columns[-1:-1] = [Column("at merge", "right", [number(span.merge_count) for span in spans], drop=2)]
    return Columns(columns)


def _summary(text: TokenizedText) -> Text:
    facts = [times(len(text.spans), "token"), times(len(text.text), "character"), times(text.num_bytes, "byte")]
    if text.spans:
        facts.append(f"{text.bytes_per_token:.2f} bytes a token")
    facts.append(f"{text.num_unknown:,} unknown")
    summary = ", ".join(facts)
    if not text.text:
        summary += "; the text is empty: give one as TEXT, with --file FILE or on standard input"
    if any(span.merge_count is not None for span in text.spans):
        summary += f"\n{AT_MERGE}"
    elif any(span.rank is not None for span in text.spans):
        summary += f"\n{NO_TRACE}"
    return Text(summary, LABEL)


@draws
def _(span: TokenSpan) -> RenderableType:
    return _token_table([span])
