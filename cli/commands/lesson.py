"""`bpe-transformer lesson`: what introductions state, computed step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import output, print_json, say
from bpe_transformer.cli.support.options import overwrite_option, view_options
from bpe_transformer.cli.support.outputs import claim_output, write_picture

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from bpe_transformer.inspection.lessons.catalog import LESSONS

    return [CompletionItem(name) for name in LESSONS if name.startswith(incomplete)]


@click.command(
    epilog="""\b
Examples:
  bpe-transformer lesson
  bpe-transformer lesson attention
  bpe-transformer lesson attention --lang ko --step
  bpe-transformer lesson masks --text "every word of my own"
  bpe-transformer lesson attention --q q.txt --k k.txt --v v.txt
  bpe-transformer lesson encoder-decoder --run runs/numbers --text "two dogs"
  bpe-transformer lesson positions --json
  bpe-transformer lesson masks --svg masks.svg
"""
)
@click.argument("name", required=False, shell_complete=_complete_name)
@click.option("--lang", type=click.Choice(["en", "ko"]), default="en", show_default=True, help="English or Korean.")
@click.option("--step", is_flag=True, help="Walk through the steps with keys, in the terminal.")
@click.option("--text", metavar="TEXT", help="Your own words, or numbers for the lesson norm.")
@click.option("--run", metavar="DIR", help="A run of yours, whose model or settings are shown.")
@click.option("--q", metavar="FILE", help="Queries, a row of numbers a word (attention).")
@click.option("--k", metavar="FILE", help="Keys, likewise.")
@click.option("--v", metavar="FILE", help="Values, likewise.")
@click.option(
    "--svg", metavar="FILE", type=click.Path(dir_okay=False), help="Write the lesson's pictures to this file as well."
)
@overwrite_option
@view_options
def command(
    name: str | None,
    lang: str,
    step: bool,
    text: str | None,
    run: str | None,
    q: str | None,
    k: str | None,
    v: str | None,
    svg: str | None,
    overwrite: bool,
    as_json: bool,
    width: int | None,
) -> None:
    """Show the lesson NAME, or without a name a list of all lessons.

    A lesson computes what introductions to tokenizers and Transformers state, with the library's own layers and every
    number in between. Lessons about trained models take a run; without one they train a small model in a few seconds.
    """
    from bpe_transformer.inspection.lessons import Request, lesson, lessons

    if step and (as_json or svg is not None):
        raise click.UsageError("--json and --svg go without --step, which draws in the terminal")
    if name is None:
        if step or any(value is not None for value in (text, run, q, k, v, svg)):
            raise click.UsageError("name a lesson to go with these options; without any option the list is shown")
        listed = lessons(lang)
        return print_json(listed.as_dict()) if as_json else output(width).print(listed)
    from bpe_transformer.cli.support.training_options import start_torch

    start_torch()
    if step:
        from bpe_transformer.cli.support.viewers import lesson_viewer

        lesson_viewer.check()
        return lesson_viewer.walk(lesson(name, lang, Request(text, run, q, k, v)), width)
    if svg is not None:
        claim_output(svg)
    found = lesson(name, lang, Request(text, run, q, k, v))
    if svg is not None:
        from bpe_transformer.inspection.render.lessons.svg import svg_lesson

        write_picture(svg, svg_lesson(found), overwrite=overwrite)
        say(f"wrote {svg}")
    if as_json:
        print_json(found.as_dict())
    else:
        output(width).print(found)
