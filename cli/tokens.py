"""`bpe-transformer tokens`: a text as it is encoded."""

from __future__ import annotations

import click

from bpe_transformer.cli._common import output, print_json, view_options
from bpe_transformer.cli._text import SpecialPolicy, read_text, text_options


@click.command(
    epilog="""\b
Examples:
  bpe-transformer tokens tok "세 마리 cats"
  bpe-transformer tokens tok "<s>hello</s>" --allow-special all
  head -c 2000 README.md | bpe-transformer tokens tok --no-table
"""
)
@click.argument("tokenizer", type=click.Path())
@click.argument("text", required=False)
@text_options("strict", "replace")
@click.option("--no-table", is_flag=True, help="Only the text, with its tokens set apart.")
@click.option("--all", "all_rows", is_flag=True, help="Every token in the table, not only the first 200.")
@view_options
def command(
    tokenizer: str,
    text: str | None,
    allow_special: tuple[str, ...],
    special_as_text: bool,
    errors: str,
    no_table: bool,
    all_rows: bool,
    as_json: bool,
    width: int | None,
) -> None:
    """Show how TEXT (or standard input) falls into the tokens of TOKENIZER.

    A space is written ·, a newline ↵, a tab ⇥; bytes that are only part of a character stand in brackets, ⟨ea b0⟩.
    """
    from bpe_transformer import Tokenizer
    from bpe_transformer.inspection import tokenize_text

    learned = Tokenizer.load(tokenizer)
    policy = SpecialPolicy.of(learned, allow_special, special_as_text)
    source = read_text(errors) if text is None else text
    policy.check(learned, source, "the text")
    shown = tokenize_text(learned, source, **policy.arguments)
    if as_json:
        print_json(shown.as_dict())
        return
    from bpe_transformer.inspection.render import MAX_ROWS, render_text

    console = output(width)
    console.print(render_text(shown, max_rows=None if all_rows else MAX_ROWS, table=not no_table))
