"""`bpe-transformer tokens`: a text as it is encoded, or what a tokenizer makes of whole files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import output, print_json, progress, stdin_bytes
from bpe_transformer.cli.support.options import view_options
from bpe_transformer.cli.support.text_input import SpecialPolicy, argument_text, decoded, text_options
from bpe_transformer.cli.support.tokenizer_argument import open_tokenizer

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer
    from bpe_transformer.inspection import FileSummary, TokenizedText
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText

MOST_BYTES = 20_000  # of standard input that is shown token by token


@click.command(
    epilog="""\b
Examples:
  bpe-transformer tokens tok "세 마리 cats"
  bpe-transformer tokens tok "<s>hello</s>" --allow-special all
  bpe-transformer tokens tok --file corpus.en.txt --file corpus.ko.txt
  head -c 2000 README.md | bpe-transformer tokens tok --no-table
"""
)
@click.argument("tokenizer", metavar="TOKENIZER[:PATTERN]")
@click.argument("text", required=False)
@click.option("--file", "files", multiple=True, type=click.Path(), help="Summarise this file, repeatable.")
@click.option("--spans", is_flag=True, help="Show files, too, token by token.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Tokens in a summary's lists.")
@text_options("strict", "replace")
@click.option("--no-table", is_flag=True, help="Only the text, with its tokens set apart.")
@click.option("--all", "all_rows", is_flag=True, help="Every token in the table, not only the first 200.")
@view_options
def command(
    tokenizer: str,
    text: str | None,
    files: tuple[str, ...],
    spans: bool,
    top: int,
    allow_special: tuple[str, ...],
    special_as_text: bool,
    errors: str,
    no_table: bool,
    all_rows: bool,
    as_json: bool,
    width: int | None,
) -> None:
    """Show how TEXT (or standard input) falls into the tokens of TOKENIZER.

    A space is written ·, a newline ↵, a tab ⇥; bytes that are only part of a character stand in brackets, ⟨ea b0⟩. A
    file, or more than 20 kB of standard input, is summarised: its figures, and the tokens that stand out.
    """
    if text is not None and files:
        raise click.UsageError("give either TEXT or --file, not both")
    learned = open_tokenizer(tokenizer)
    policy = SpecialPolicy.of(learned, allow_special, special_as_text or bool(files and not allow_special))
    console = None if as_json else output(width)
    views: list[TokenizedText | FileSummary] = []
    for source in _sources(text, files, errors):
        if spans or text is not None or (source.text is not None and len(source.text.encode()) <= MOST_BYTES):
            views.append(_spans(learned, source, policy))
        else:
            views.append(_summary(learned, source, policy, top))
    if console is None:
        facts = [view.as_dict() for view in views]
        print_json(facts[0] if len(facts) == 1 else facts)
        return
    from bpe_transformer.inspection import TokenizedText
    from bpe_transformer.inspection.render import MAX_ROWS, render_text

    for view in views:
        if isinstance(view, TokenizedText):
            console.print(render_text(view, max_rows=None if all_rows else MAX_ROWS, table=not no_table))
        else:
            console.print(view)


def _sources(text: str | None, files: tuple[str, ...], errors: str) -> list[ChunkedText]:
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText

    if files:
        return [ChunkedText.file(file, errors) for file in files]  # type: ignore[arg-type]  # what text_options offers
    if text is not None:
        return [ChunkedText("the text", argument_text(text, errors))]
    return [ChunkedText("standard input", decoded(stdin_bytes().read(), errors))]


def _spans(tokenizer: Tokenizer, source: ChunkedText, policy: SpecialPolicy) -> TokenizedText:
    from bpe_transformer.inspection import tokenize_text

    whole = source.whole() if source.text is None else source.text
    policy.check(tokenizer, whole, source.name)
    return tokenize_text(tokenizer, whole, **policy.arguments)


def _summary(tokenizer: Tokenizer, source: ChunkedText, policy: SpecialPolicy, top: int) -> FileSummary:
    from bpe_transformer.inspection import summarize

    if source.text is not None:
        policy.check(tokenizer, source.text, source.name)
    with progress() as display:
        size = Path(source.name).stat().st_size if source.text is None and Path(source.name).is_file() else None
        task = display.add_task(f"encoding {source.name}", total=size, unit="bytes")
        return summarize(
            tokenizer,
            source,
            limit=top,
            specials=policy.arguments,
            progress=lambda done: display.update(task, completed=done),
        )
