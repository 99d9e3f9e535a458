"""`bpe-transformer curve`: the losses of training runs, drawn together."""

from __future__ import annotations

import click

from bpe_transformer.cli.support.console import output, print_json, say
from bpe_transformer.cli.support.options import overwrite_option, view_options
from bpe_transformer.cli.support.outputs import claim_output, write_picture

_AXES = ("steps", "epochs", "minutes")


@click.command(
    epilog="""\b
Examples:
  bpe-transformer curve runs/numbers
  bpe-transformer curve runs/a runs/b --axis minutes
  bpe-transformer curve runs/a runs/b --svg loss.svg
  bpe-transformer curve runs/a --metric lr
"""
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--axis", type=click.Choice(_AXES), default="steps", show_default=True, help="What the curves run over.")
@click.option("--metric", default="loss", show_default=True, metavar="NAME", help="A figure of metrics.jsonl.")
@click.option("--svg", metavar="FILE", type=click.Path(dir_okay=False), help="Write the plot to this file as well.")
@overwrite_option
@view_options
def command(
    runs: tuple[str, ...],
    axis: str,
    metric: str,
    svg: str | None,
    overwrite: bool,
    as_json: bool,
    width: int | None,
) -> None:
    """Draw the curves of each RUN, a folder that train wrote, finished or still going on.

    The training loss is dashed, the validation loss is drawn through. Losses are in nats per token, and compare only between
    runs with one tokenizer; the bits a byte of language models compare under any (--metric validation_bits_per_byte).
    """
    if svg is not None:
        claim_output(svg)
    console = None if as_json else output(width)
    from bpe_transformer.inspection.curves import run_curves

    curves = run_curves(runs, metric=metric, axis=axis)  # type: ignore[arg-type]  # one of the choices
    if svg is not None:
        from bpe_transformer.inspection.render.curves.run_curves import plot_of
        from bpe_transformer.inspection.render.plots import svg_plot

        picture = svg_plot(plot_of(curves), f"{metric} of {', '.join(run.name for run in curves.runs)}")
        write_picture(svg, picture, overwrite=overwrite)
        say(f"wrote {svg}")
    if console is None:
        print_json(curves.as_dict())
    else:
        console.print(curves)
