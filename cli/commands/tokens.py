"""`bpe-transformer tokens`: the tokens of a text, or a summary of the tokens of whole files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import output, print_json, progress
from bpe_transformer.cli.support.options import (
    errors_option,
    file_option,
    limit_option,
    text_option,
    tokenizer_argument,
    view_options,
)
from bpe_transformer.cli.support.text_input import (
    SpecialPolicy,
    file_text,
    literal_text,
    one_text,
    say_read,
    special_token_options,
)
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer
    from bpe_transformer.inspection import FileSummary, TokenizedText
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
    from bpe_transformer.io import Errors

MOST_BYTES = 20_000  # of standard input that is shown token by token


@click.command(
    epilog="""\b
Examples:
  bpe-transformer tokens tok "세 마리 cats"
  bpe-transformer tokens tok "<s>hello</s>" --allow-special all
  bpe-transformer tokens tok "hello" --explain
  bpe-transformer tokens tok --file corpus.en.txt --file corpus.ko.txt
  head -c 2000 README.md | bpe-transformer tokens tok --no-table
"""
)
@tokenizer_argument
@click.argument("text", required=False, metavar="[TEXT]")
@text_option
@file_option("Summarise this file, of any format, compressed or not, or - for standard input; repeatable.")
@click.option("--spans", is_flag=True, help="Show files, too, token by token.")
@limit_option(10, "tokens in a summary's lists", least=1)
@special_token_options
@errors_option()
@click.option("--no-table", is_flag=True, help="Only the text, with its tokens set apart.")
@click.option("--all", "all_rows", is_flag=True, help="Every token in the table, not only the first 200.")
@click.option("--explain", is_flag=True, help="Also say what does each stage: the native core, or Python, and why.")
@view_options
def command(
    tokenizer: str,
    text: str | None,
    texts: tuple[str, ...],
    files: tuple[str, ...],
    spans: bool,
    limit: int,
    allow_special: tuple[str, ...],
    special_as_text: bool,
    errors: Errors,
    no_table: bool,
    all_rows: bool,
    explain: bool,
    as_json: bool,
    width: int | None,
) -> None:
    """Show how TEXT (or standard input) falls into the tokens of TOKENIZER.

    A space is written ·, a newline ↵, a tab ⇥; bytes that are only part of a character stand in brackets, ⟨ea b0⟩. A
    file, or more than 20 kB of standard input, is summarised: its figures, and the tokens that stand out.
    """
    texts = one_text(text, texts)
    if texts and files:
        raise click.UsageError("give either a text or --file, not both")
    learned = open_tokenizer(tokenizer)
    policy = SpecialPolicy.of(learned, allow_special, special_as_text or bool(files and not allow_special))
    console = None if as_json else output(width)
    views: list[TokenizedText | FileSummary] = []
    sources = _sources(texts, files, errors)
    for source in sources:
        if spans or texts or (not files and source.text and len(source.text.encode()) <= MOST_BYTES):
            views.append(_spans(learned, source, policy))
        else:
            views.append(_summary(learned, source, policy, limit))
    if console is None:
        stages = {"stages": learned.codec.stages} if explain else {}
        facts = [view.as_dict() | stages for view in views]
        print_json(facts[0] if len(facts) == 1 else facts)
        return say_read(sources)
    from bpe_transformer.inspection import TokenizedText
    from bpe_transformer.inspection.render import MAX_ROWS, render_text

    for view in views:
        if isinstance(view, TokenizedText):
            console.print(render_text(view, max_rows=None if all_rows else MAX_ROWS, table=not no_table))
        else:
            console.print(view)
    for stage, way in learned.codec.stages.items() if explain else ():
        console.print(f"{stage}: {way}", style="dim", markup=False)
    say_read(sources)


def _sources(texts: tuple[str, ...], files: tuple[str, ...], errors: Errors) -> list[ChunkedText]:
    if files or not texts:
        return [file_text(file, errors) for file in files or ("-",)]
    return [literal_text(text, errors) for text in texts]


def _spans(tokenizer: Tokenizer, source: ChunkedText, policy: SpecialPolicy) -> TokenizedText:
    from bpe_transformer.inspection import tokenize_text

    whole = source.whole() if source.text is None else source.text
    policy.check(tokenizer, whole, source.name)
    return tokenize_text(tokenizer, whole, **policy.arguments)


def _summary(tokenizer: Tokenizer, source: ChunkedText, policy: SpecialPolicy, limit: int) -> FileSummary:
    from bpe_transformer.inspection import summarize

    if source.text is not None:
        policy.check(tokenizer, source.text, source.name)
    with progress() as display:
        size = Path(source.name).stat().st_size if source.text is None and Path(source.name).is_file() else None
        task = display.add_task(f"encoding {source.name}", total=size, unit="bytes")
        return summarize(
            tokenizer,
            source,
            limit=limit,
            specials=policy.arguments,
            progress=lambda done: display.update(task, completed=done),
        )
