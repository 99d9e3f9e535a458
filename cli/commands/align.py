"""`bpe-transformer align`: which words of a translation say what words of the source say."""

from __future__ import annotations

import click

from bpe_transformer.cli.support.console import output, print_json
from bpe_transformer.cli.support.options import view_options, whole_number


@click.command(
    epilog="""\b
Examples:
  bpe-transformer align runs/numbers "three cats" "고양이 세 마리"
  bpe-transformer align runs/numbers
  bpe-transformer align runs/numbers --pairs 500 --json
"""
)
@click.argument("run", type=click.Path())
@click.argument("source", required=False)
@click.argument("target", required=False)
@click.option("--pairs", type=whole_number(1), metavar="N", help="Test pairs to measure on, without SOURCE. [200]")
@view_options
def command(
    run: str, source: str | None, target: str | None, pairs: int | None, as_json: bool, width: int | None
) -> None:
    """Align the words of SOURCE and TARGET by the attention of the translator in the folder RUN.

    Without a pair of sentences, measure the alignment error on numbers-en-ko, whose gold alignment is known: which
    layer aligns best, and whether a row is of the word being written or of the word just read.
    """
    if source is not None and target is None:
        raise click.UsageError(
            "give a translation of SOURCE as TARGET, or neither, to measure the error on numbers-en-ko"
        )
    if source is not None and pairs is not None:
        raise click.UsageError("--pairs counts pairs of numbers-en-ko; leave it out beside a SOURCE of your own")
    console = None if as_json else output(width)
    from bpe_transformer.cli.support.training_options import start_torch

    start_torch()
    from bpe_transformer.inference import load_translator
    from bpe_transformer.inspection.attention.gold_alignment import TESTING, align_pair, alignment_errors

    translator = load_translator(run)
    view = (
        alignment_errors(translator, pairs or TESTING)
        if source is None or target is None
        else align_pair(translator, source, target)
    )
    if console is None:
        print_json(view.as_dict())
    else:
        console.print(view)
