"""`bpe-transformer generate`: a language model continues a text."""

from __future__ import annotations

from collections.abc import Mapping

import click

from bpe_transformer.cli.support.console import write_text
from bpe_transformer.cli.support.options import errors_option, threads_option
from bpe_transformer.cli.support.text_input import read_text
from bpe_transformer.cli.support.training_options import Setting, setting_options, start_torch


@click.command(
    epilog="""\b
Examples:
  bpe-transformer generate runs/python "def main("
  bpe-transformer generate runs/python "import " --samples 3 --temperature 0.7 --seed 4
  echo "class Reader:" | bpe-transformer generate runs/python --max-new 60 --temperature 0
"""
)
@click.argument("run", type=click.Path())
@click.argument("prompt", required=False)
@click.option("--max-new", type=click.IntRange(min=1), metavar="N", help="Ids to add at most. [what max_len leaves]")
@click.option(
    "--samples", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Texts to write."
)
@setting_options("temperature", "top_k", "top_p")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Of the draws.")
@errors_option()
@threads_option
def command(
    run: str,
    prompt: str | None,
    max_new: int | None,
    samples: int,
    seed: int,
    errors: str,
    threads: int | None,
    settings: Mapping[str, Setting],
) -> None:
    """Continue PROMPT (or standard input) with the language model in the folder RUN; prompt and continuation are
    written, several samples with a line --- between them."""
    start_torch(threads)
    from bpe_transformer.inference import load_text_generator

    text = read_text(errors).rstrip("\n") if prompt is None else prompt
    generator = load_text_generator(run)
    decoding = generator.info.settings.override(settings).decoding
    written = generator.generate(
        text,
        max_new=max_new,
        samples=samples,
        temperature=decoding.temperature,
        top_k=decoding.top_k,
        top_p=decoding.top_p,
        seed=seed,
    )
    write_text("\n---\n".join(text + continuation for continuation in written).encode() + b"\n")
