"""`bpe-transformer attention`: what a trained model attends to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import output, print_json, view_options
from bpe_transformer.cli.support.text_input import read_text

if TYPE_CHECKING:
    from bpe_transformer.inspection import AttentionMap
    from bpe_transformer.training import AttentionWeights

KINDS = {
    "cross": "decoder-to-encoder attention",
    "encoder": "encoder self-attention",
    "decoder": "decoder self-attention",
}


@click.command(
    epilog="""\b
Examples:
  bpe-transformer attention runs/numbers "three cats"
  bpe-transformer attention runs/numbers "three cats" --target "고양이 세 마리"
  bpe-transformer attention runs/numbers "three cats" --layer 0 --head all
  bpe-transformer attention runs/numbers "three cats" --kind encoder --json
"""
)
@click.argument("run", type=click.Path())
@click.argument("text", required=False)
@click.option("--target", metavar="TEXT", help="Translation to follow. [the model's own]")
@click.option("--layer", type=int, default=-1, metavar="N", help="Layer, from 0; -1 is the last.  [default: -1]")
@click.option("--head", default="mean", show_default=True, metavar="N|mean|all", help="Head, from 0.")
@click.option("--kind", type=click.Choice(list(KINDS)), help="Which attention. [cross; a language model has decoder]")
@view_options
def command(
    run: str,
    text: str | None,
    target: str | None,
    layer: int,
    head: str,
    kind: str | None,
    as_json: bool,
    width: int | None,
) -> None:
    """Show what the model in the folder RUN attends to in TEXT (or standard input).

    Rows attend, columns are attended to. In cross attention a row is the token that was being written; in
    self-attention it is the token that was read.
    """
    if head not in ("mean", "all") and not head.isdigit():
        raise click.BadParameter(f"{head!r} is neither a number, nor mean, nor all", param_hint="--head")
    source = (read_text("strict").rstrip("\n") if text is None else text).strip()
    weights, end = _weights(run, source, target)
    maps = _heads(_map(weights, end, kind, layer), head)
    if as_json:
        print_json([view.as_dict() for view in maps])
        return
    console = output(width)
    for view in maps:
        console.print(view)


def _weights(run: str, text: str, target: str | None) -> tuple[AttentionWeights, bytes]:
    """All attention of the model in `run`, and the token that ends a target."""
    from bpe_transformer.errors import ConfigError
    from bpe_transformer.training import load_card, load_language_model, load_translator

    if not text:
        raise ConfigError("the text is empty, so there is nothing to attend to; give a text with at least one word")
    if load_card(run).task == "translation":
        translator = load_translator(run)
        return translator.attention(text, target), translator.tokenizer.token_bytes(translator.special.eos)
    if target is not None:
        raise ConfigError(f"{run} holds a language model, which has no target; leave --target out")
    reader = load_language_model(run)
    return reader.attention(text), reader.tokenizer.token_bytes(reader.special.eos)


def _map(weights: AttentionWeights, end: bytes, kind: str | None, layer: int) -> AttentionMap:
    """One layer of one kind, all its heads."""
    from bpe_transformer.errors import ConfigError
    from bpe_transformer.inspection import AttentionMap

    kind = kind or ("decoder" if weights.cross is None else "cross")
    found = {"cross": weights.cross, "encoder": weights.encoder, "decoder": weights.decoder}[kind]
    if found is None:
        raise ConfigError(f"a language model has no {KINDS[kind]}; choose --kind decoder or leave it out")
    layers = len(found)
    if not -layers <= layer < layers:
        raise ConfigError(f"there is no layer {layer}; this model has layers 0 to {layers - 1}, and -1 is the last")
    title = f"{KINDS[kind]}, layer {layer % layers} of {layers}"
    # the row of the token read last is where the next one was written
    written = (*weights.tgt_tokens[1:], end)
    src, tgt = {
        "cross": (weights.src_tokens, written),
        "encoder": (weights.src_tokens, weights.src_tokens),
        "decoder": (weights.tgt_tokens, weights.tgt_tokens),
    }[kind]
    return AttentionMap(src, tgt, found[layer], title)


def _heads(attention: AttentionMap, head: str) -> list[AttentionMap]:
    if head == "mean":
        return [attention.mean()]
    return [attention.head(number) for number in (range(attention.num_heads) if head == "all" else [int(head)])]
