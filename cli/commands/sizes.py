"""`bpe-transformer sizes`: one learned vocabulary at every size."""

from __future__ import annotations

import click

from bpe_transformer.cli.support.console import output, print_json, progress
from bpe_transformer.cli.support.measure_options import MeasureOptions, measure, measure_options
from bpe_transformer.cli.support.options import tokenizer_argument, view_options
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer


@click.command(
    epilog="""\b
Examples:
  bpe-transformer sizes tok
  bpe-transformer sizes tok --file english.txt --file korean.txt
  bpe-transformer sizes tok --file numbers-en-ko --sizes 1000,2000,4000 --json
"""
)
@tokenizer_argument
@measure_options
@view_options
def command(tokenizer: str, measured: MeasureOptions, as_json: bool, width: int | None) -> None:
    """Measure TOKENIZER, cut to smaller and smaller sizes: which vocabulary size do these texts need?

    Merges are prefixes, so one learning run holds every smaller vocabulary. Prints bytes per token, tokens per word, the
    share of tokens that are never used and, for several texts, their parity: tokens over those of the first.
    Without --file or --text the learning corpus is measured, from the trace that lies beside the tokenizer.
    """
    learned = open_tokenizer(tokenizer)
    with progress() as display:
        sweep = measure(learned, measured, display)
    if as_json:
        print_json(sweep.as_dict())
        return
    output(width).print(sweep)
