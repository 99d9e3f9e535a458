"""`bpe-transformer sizes`: one learned vocabulary at every size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import output, print_json, progress
from bpe_transformer.cli.support.measure_options import measure, sized_options
from bpe_transformer.cli.support.options import view_options

if TYPE_CHECKING:
    from bpe_transformer.io import Errors
from bpe_transformer.cli.support.tokenizer_argument import open_tokenizer


@click.command(
    epilog="""\b
Examples:
  bpe-transformer sizes tok
  bpe-transformer sizes tok --text english.txt --text korean.txt
  bpe-transformer sizes tok --text numbers-en-ko --sizes 1000,2000,4000 --json
"""
)
@click.argument("tokenizer", type=click.Path())
@sized_options
@view_options
def command(
    tokenizer: str, texts: tuple[str, ...], sizes: str | None, errors: Errors, as_json: bool, width: int | None
) -> None:
    """Measure TOKENIZER, cut to smaller and smaller sizes: which vocabulary size do these texts need?

    Merges are prefixes, so one learning run holds every smaller vocabulary. Prints bytes per token, tokens per word, the
    share of tokens that are never used and, for several texts, their parity: tokens over those of the first.
    Without --text the learning corpus is measured, from the trace that lies beside the tokenizer.
    """
    learned = open_tokenizer(tokenizer)
    with progress() as display:
        ladder = measure(learned, texts, sizes, errors, display)
    if as_json:
        print_json(ladder.as_dict())
        return
    output(width).print(ladder)
