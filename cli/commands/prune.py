"""`bpe-transformer prune`: a vocabulary, or a trained model, without the tokens that a corpus never needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import print_json, progress, reporter, say
from bpe_transformer.cli.support.options import (
    errors_option,
    file_option,
    json_option,
    output_option,
    overwrite_option,
    source_dir_option,
    split_option,
    text_option,
)
from bpe_transformer.cli.support.outputs import claim_output, refuse_existing, save_tokenizer
from bpe_transformer.cli.support.text_input import file_text, literal_text, say_read
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer
from bpe_transformer.cli.support.training.run_rows import run_rows
from bpe_transformer.cli.support.training_options import start_torch

if TYPE_CHECKING:
    from bpe_transformer import Tokenizer
    from bpe_transformer.inspection.tokens.chunked_text import ChunkedText
    from bpe_transformer.io import Errors
    from bpe_transformer.tokenizer.tokenizer import Pruned


@click.command(
    epilog="""\b
Examples:
  bpe-transformer prune tok -o tok-small --file corpus.txt
  bpe-transformer prune --run runs/numbers -o runs/numbers-small
  bpe-transformer prune --run runs/de -o runs/de-small --file captions.de --file captions.en
"""
)
@click.argument("tokenizer", metavar="[TOKENIZER]", required=False)
@click.option("--run", metavar="RUN", help="Prune this trained model with its vocabulary, in place of TOKENIZER.")
@output_option("Folder for the pruned vocabulary or model.", kind="folder")
@file_option(
    "A text that has to encode as before, of any format, compressed or not; repeatable. [with --run: its corpus]"
)
@text_option
@source_dir_option
@split_option("Split of the run's corpus, where no text is given.")
@errors_option()
@overwrite_option
@json_option
def command(
    tokenizer: str | None,
    run: str | None,
    output: str,
    files: tuple[str, ...],
    texts: tuple[str, ...],
    source_dir: str | None,
    split: str,
    errors: Errors,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Drop the tokens of TOKENIZER that some texts never need, so that those texts have as many tokens as before.

    Single bytes or characters, special tokens, and tokens that used ones are merged from stay. With --run the model loses
    the rows of the dropped ids; for texts of kept tokens its logits are checked to be the same. vocab shows beforehand what
    would go.
    """
    if (tokenizer is None) == (run is None):
        raise click.UsageError("give either TOKENIZER or --run RUN, whose model is pruned with its tokenizer")
    if run is None and not files and not texts:
        raise click.UsageError("no text says which tokens are needed; give --file FILE or --text TEXT")
    claim_output(output)
    if run is not None:
        refuse_existing(output, overwrite=overwrite)
        start_torch()
    chosen = [*(file_text(path, errors) for path in files), *(literal_text(text, errors) for text in texts)]
    learned = open_tokenizer(tokenizer or str(run))
    needed: Iterable[str] = _chunks(learned, chosen)
    if run is not None and not chosen:
        needed = _run_texts(run, split, source_dir, errors)
    pruned = learned.prune(needed)
    if run is None:
        save_tokenizer(pruned.tokenizer, output, overwrite=overwrite)
    else:
        from bpe_transformer.training.pruned_checkpoint import prune_checkpoint

        prune_checkpoint(run, output, pruned)
    _report(pruned, output, as_json=as_json)
    say_read(chosen)


def _chunks(tokenizer: Tokenizer, texts: Iterable[ChunkedText]) -> Iterator[str]:
    from bpe_transformer.inspection.tokens.chunked_text import ChunkBoundaries

    boundaries = ChunkBoundaries.of(tokenizer)
    for text in texts:
        yield from text.chunks(boundaries)


def _run_texts(run: str, split: str, source_dir: str | None, errors: Errors) -> Iterator[str]:
    """The texts that a run was trained on."""
    from bpe_transformer.training import load_checkpoint_info

    rows = run_rows(run, load_checkpoint_info(run), split, source_dir, errors).train
    with progress() as bars:
        report = reporter(bars, "counting tokens")
        for done, row in enumerate(rows, 1):
            yield from row
            if done % 1_000 == 0 or done == len(rows):
                report(done, len(rows))


def _report(pruned: Pruned, output: str, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "output": output,
                "digest": pruned.tokenizer.digest,
                "vocab_size_before": len(pruned.new_ids),
                "vocab_size": pruned.tokenizer.vocab_size,
                "dropped": pruned.dropped,
                "kept_constituents": pruned.kept_constituents,
                "corpus_tokens": pruned.corpus_tokens,
                "new_ids": pruned.new_ids.tolist(),
            }
        )
        return
    if not pruned.dropped:
        say(
            f"nothing to prune: the texts need all {len(pruned.new_ids):,} ids; {Path(output)} holds the same as before"
        )
        return
    say(f"{pruned}; wrote {Path(output)}")
