"""`bpe-transformer attention`: what a trained model attends to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bpe_transformer.cli.support.console import output, print_json, say
from bpe_transformer.cli.support.options import errors_option, overwrite_option, view_options
from bpe_transformer.cli.support.text_input import read_text
from bpe_transformer.inspection.attention.methods import METHODS

if TYPE_CHECKING:
    from rich.console import Console

    from bpe_transformer.inference.attention_weights import AttentionKind
    from bpe_transformer.inspection.attention import AttendedText, AttentionMap, AttentionOverTraining, Reading, Unit
    from bpe_transformer.inspection.attention.methods import Choice, Method


class NumberOrWord(click.ParamType[Any]):
    """A number from 1, or one of some words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.name = "|".join(["N", *words])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str) or value in self.words:
            return value
        if value.isdecimal():
            return int(value)
        self.fail(f"{value!r} is neither a number nor {' nor '.join(self.words)}", param, ctx)


@click.command(
    epilog="""\b
Examples:
  bpe-transformer attention runs/numbers "three cats"
  bpe-transformer attention runs/numbers "three cats" --target "고양이 세 마리"
  bpe-transformer attention runs/numbers "three cats" --layer 1 --head all
  bpe-transformer attention runs/numbers "three cats" --layer max --head max --chars
  bpe-transformer attention runs/numbers "three cats" --method rollout --svg cats.svg
  bpe-transformer attention runs/language "the cat slept and it was old" --focus it
  bpe-transformer attention runs/numbers "three cats" --kind encoder --tokens --json
  bpe-transformer attention runs/numbers "three cats" --over-training --svg strip.svg
  bpe-transformer attention runs/numbers "three cats" --html attention.html
"""
)
@click.argument("run", type=click.Path())
@click.argument("text", required=False)
@click.option("--target", metavar="TEXT", help="Translation to follow. [what the model writes in greedy search]")
@click.option(
    "--layer", type=NumberOrWord("mean", "max", "all"), metavar="N|mean|max|all", help="Layer, from 1. [the last]"
)
@click.option(
    "--head",
    type=NumberOrWord("mean", "max", "all"),
    metavar="N|mean|max|all",
    default="mean",
    show_default=True,
    help="Head, from 1.",
)
@click.option(
    "--kind",
    type=click.Choice(["cross", "encoder", "decoder"]),
    help="Which attention. [cross, else decoder, else encoder]",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="weights",
    show_default=True,
    help="Weights, weights times value norms, or rollout through the layers.",
)
@click.option("--tokens", "unit", flag_value="tokens", help="Show tokens, not words.")
@click.option("--chars", "unit", flag_value="chars", help="Show characters, not words.")
@click.option(
    "--focus", metavar="WORD", help="The heads that look hardest from this word at another; a word or its place."
)
@click.option(
    "--over-training",
    is_flag=True,
    help="The same sentence at several moments of a run (train --snapshots); --svg draws them.",
)
@click.option(
    "--svg",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the first map, or the strip of --over-training, to this file as well.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write a page in which kind, method, layer and head are chosen to this file as well; not with --over-training.",
)
@overwrite_option
@errors_option()
@view_options
def command(
    run: str,
    text: str | None,
    target: str | None,
    layer: Choice | None,
    head: Choice,
    kind: AttentionKind | None,
    method: Method,
    unit: Literal["tokens", "chars"] | None,
    focus: str | None,
    over_training: bool,
    svg: str | None,
    html: str | None,
    overwrite: bool,
    errors: str,
    as_json: bool,
    width: int | None,
) -> None:
    """Show what the model in the folder RUN attends to in TEXT (or standard input).

    Rows attend, columns are attended to. In cross attention a row is the word that was being written; in
    self-attention it is the word that was read. Tokens are folded to words (what stands between white space): columns
    of a word's tokens are summed, their rows averaged.
    """
    if focus is not None and (layer is not None or head != "mean" or method != "weights"):
        raise click.UsageError(
            "--focus looks at the weights of all layers and heads; leave --layer, --head and --method out"
        )
    pictures = _Pictures(svg, html, overwrite)
    pictures.claim(focus=focus, over_training=over_training)
    source = (read_text(errors).rstrip("\n") if text is None else text).strip()
    console = None if as_json else output(width)
    from bpe_transformer.cli.support.training_options import start_torch

    start_torch()
    from bpe_transformer.inspection.attention import Reading, attended_text

    reading = Reading(kind, layer, head, method)
    if over_training:
        return _show_training(run, source, target, unit or "words", reading, pictures, console)
    found = attended_text(run, source, target, unit or "words")
    if target is None and found.is_empty:
        say("note: the model's translation of this text is empty: it writes only the token that ends a text")
    if focus is not None:
        focused = found.focus(focus, kind)
        return print_json(focused.as_dict()) if console is None else console.print(focused)
    maps = found.maps(reading)
    pictures.write_maps(maps, found, reading, run)
    if console is None:
        return print_json([view.as_dict() for view in maps])
    if found.is_cross(kind):
        console.print(maps[0].links())
        console.print()
    for view in maps:
        console.print(view)
    return None


def _show_training(
    run: str,
    text: str,
    target: str | None,
    unit: Unit,
    reading: Reading,
    pictures: _Pictures,
    console: Console | None,
) -> None:
    from bpe_transformer.inspection.attention import attention_over_training

    view = attention_over_training(run, text, target, unit, reading)
    pictures.write_training(view)
    if console is None:
        print_json(view.as_dict())
    else:
        console.print(view)


@dataclass(frozen=True)
class _Pictures:
    """The files that pictures go to."""

    svg: str | None
    html: str | None
    overwrite: bool

    def claim(self, *, focus: str | None, over_training: bool) -> None:
        """Takes the files for this command. Raises `click.UsageError` beside options whose view they do not draw."""
        from bpe_transformer.cli.support.outputs import claim_output

        if focus is not None and over_training:
            raise click.UsageError("--focus looks at one model; leave it or --over-training out")
        if focus is not None and (self.svg is not None or self.html is not None):
            name = "--svg" if self.svg is not None else "--html"
            raise click.UsageError(f"{name} draws maps, which --focus does not show; leave one of them out")
        if over_training and self.html is not None:
            raise click.UsageError(
                "--html shows the model at its end; draw --over-training with --svg, or leave it out"
            )
        for path in (self.svg, self.html):
            if path is not None:
                claim_output(path)

    def write_maps(self, maps: Sequence[AttentionMap], found: AttendedText, reading: Reading, run: str) -> None:
        """The first map as SVG, and every map of the model as a page."""
        if self.svg is not None:
            from bpe_transformer.inspection.render.attention.svg import svg_attention

            self._write(self.svg, svg_attention(maps[0]))
        if self.html is not None:
            from bpe_transformer.inspection.html import attention_page_html

            self._write(self.html, attention_page_html(found, reading, title=Path(run).resolve().name))

    def write_training(self, view: AttentionOverTraining) -> None:
        """The strip as SVG."""
        if self.svg is not None:
            from bpe_transformer.inspection.render.attention.svg_strip import svg_over_training

            self._write(self.svg, svg_over_training(view))

    def _write(self, path: str, content: str) -> None:
        from bpe_transformer.cli.support.outputs import write_picture

        write_picture(path, content, overwrite=self.overwrite)
        say(f"wrote {path}")
