"""`bpe-transformer trace diff`: how the merges of two tokenizers differ."""

from __future__ import annotations

import click

from bpe_transformer.cli.support.console import output, print_json
from bpe_transformer.cli.support.options import view_options


@click.command(
    epilog="""\b
Examples:
  bpe-transformer trace diff tok other
  bpe-transformer trace diff tok gpt2/tokenizer.json --json
  bpe-transformer trace diff tok o200k_base.tiktoken:o200k
"""
)
@click.argument("a", metavar="TOKENIZER")
@click.argument("b", metavar="TOKENIZER")
@view_options
def command(a: str, b: str, as_json: bool, width: int | None) -> None:
    """Compare the merges of two tokenizers: where they part, what they share, and what moved.

    Tokens are compared by the bytes they stand for, so the two may differ in corpus, size, options and ids.
    """
    from bpe_transformer.cli.support.tokenizer_files import open_tokenizer
    from bpe_transformer.inspection import trace_diff

    diff = trace_diff(open_tokenizer(a), open_tokenizer(b))
    if as_json:
        print_json(diff.as_dict())
    else:
        output(width).print(diff)
