"""`bpe-transformer attention`: what a trained model attends to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import output, print_json
from bpe_transformer.cli.support.options import errors_option, view_options
from bpe_transformer.cli.support.text_input import read_text

if TYPE_CHECKING:
    from bpe_transformer.inference.attention_weights import AttentionKind, AttentionWeights
    from bpe_transformer.inspection import AttentionMap


@click.command(
    epilog="""\b
Examples:
  bpe-transformer attention runs/numbers "three cats"
  bpe-transformer attention runs/numbers "three cats" --target "고양이 세 마리"
  bpe-transformer attention runs/numbers "three cats" --layer 1 --head all
  bpe-transformer attention runs/numbers "three cats" --kind encoder --json
"""
)
@click.argument("run", type=click.Path())
@click.argument("text", required=False)
@click.option("--target", metavar="TEXT", help="Translation to follow. [the model's own]")
@click.option("--layer", type=int, metavar="N", help="Layer, from 1. [the last]")
@click.option("--head", default="mean", show_default=True, metavar="N|mean|all", help="Head, from 1.")
@click.option(
    "--kind",
    type=click.Choice(["cross", "encoder", "decoder"]),
    help="Which attention. [cross, else decoder, else encoder]",
)
@errors_option()
@view_options
def command(
    run: str,
    text: str | None,
    target: str | None,
    layer: int | None,
    head: str,
    kind: AttentionKind | None,
    errors: str,
    as_json: bool,
    width: int | None,
) -> None:
    """Show what the model in the folder RUN attends to in TEXT (or standard input).

    Rows attend, columns are attended to. In cross attention a row is the token that was being written; in
    self-attention it is the token that was read.
    """
    if head not in ("mean", "all") and not head.isdigit():
        raise click.BadParameter(f"{head!r} is neither a number, nor mean, nor all", param_hint="--head")
    source = (read_text(errors).rstrip("\n") if text is None else text).strip()
    from bpe_transformer.cli.support.training_options import start_torch

    start_torch()
    weights = _weights(run, source, target)
    from bpe_transformer.inspection import AttentionMap

    maps = _heads(AttentionMap(*weights.layer(layer, kind)), head)
    if as_json:
        print_json([view.as_dict() for view in maps])
        return
    console = output(width)
    for view in maps:
        console.print(view)


def _weights(run: str, text: str, target: str | None) -> AttentionWeights:
    """All attention of the model in `run` over `text`."""
    from bpe_transformer.errors import ConfigError
    from bpe_transformer.inference import load_mask_filler, load_text_generator, load_translator
    from bpe_transformer.training import load_checkpoint_info

    if not text:
        raise ConfigError("the text is empty, so there is nothing to attend to; give a text with at least one word")
    info = load_checkpoint_info(run)
    if info.task == "translation":
        return load_translator(run).attention(text, target)
    if target is not None:
        raise ConfigError(f"{run} holds a {info.kind}, which has no target; leave --target out")
    return (load_mask_filler if info.task == "masked-language-model" else load_text_generator)(run).attention(text)


def _heads(attention: AttentionMap, head: str) -> list[AttentionMap]:
    if head == "mean":
        return [attention.mean()]
    return [attention.head(number) for number in (range(1, attention.num_heads + 1) if head == "all" else [int(head)])]
