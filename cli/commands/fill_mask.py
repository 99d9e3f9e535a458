"""`bpe-transformer fill-mask`: a masked language model fills gaps in texts, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import write_text
from bpe_transformer.cli.support.options import errors_option, json_option, threads_option, whole_number
from bpe_transformer.cli.support.text_input import at_once_option, one_line, write_rows
from bpe_transformer.cli.support.text_lines import TextLines
from bpe_transformer.cli.support.training_options import start_torch
from bpe_transformer.io.printable import printable

if TYPE_CHECKING:
    from bpe_transformer.inference import FilledText


@click.command(
    epilog="""\b
Examples:
  bpe-transformer fill-mask runs/docs "Return a <mask> of the object."
  bpe-transformer fill-mask runs/docs "Return a <mask> of the object." --best 5
  bpe-transformer fill-mask runs/docs --json < gaps.txt
"""
)
@click.argument("run", type=click.Path())
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--best", type=whole_number(1), metavar="N", help="Also write the N most probable tokens of each gap.")
@json_option
@errors_option()
@threads_option
@at_once_option
def command(
    run: str,
    texts: tuple[str, ...],
    best: int | None,
    as_json: bool,
    errors: str,
    threads: int | None,
    at_once: bool,
) -> None:
    """Fill the mask tokens of each TEXT, or of each line of standard input, with the model in the folder RUN.

    One line in, one line out; an empty line stays empty. With --best the tokens of each gap follow, a line each:
    gap, probability and token, with tabs between them. With --json each row is a line of JSON.
    """
    start_torch(threads)
    from bpe_transformer.inference import load_mask_filler

    filler = load_mask_filler(run)
    row = 1
    lines_read = TextLines(texts, errors, at_once=at_once)
    for batch in lines_read:
        filled = [place for place, text in enumerate(batch) if text.strip()]
        rows = [row + place for place in filled]
        found: list[FilledText | None] = [None] * len(batch)
        each = filler.candidates([batch[place] for place in filled], limit=best or 5, row_numbers=rows)
        for place, one in zip(filled, each, strict=True):
            found[place] = one
        if as_json:
            write_rows(
                {"row": number, "text": text, **_facts(one)}
                for number, (text, one) in enumerate(zip(batch, found, strict=True), row)
            )
        else:
            lines = [line for one in found for line in _lines(one, best)]
            write_text("".join(f"{line}\n" for line in lines).encode())
        row += len(batch)
    lines_read.say_read()


def _lines(found: FilledText | None, best: int | None) -> list[str]:
    if found is None:
        return [""]
    gaps = [
        f"{gap}\t{one.probability:.4f}\t{printable(one.token.decode('utf-8', 'surrogateescape'))}"
        for gap, candidates in enumerate(found.masks, 1)
        for one in candidates
    ]
    return [one_line(found.text), *(gaps if best else ())]


def _facts(found: FilledText | None) -> dict[str, Any]:
    from bpe_transformer.inference.translation import token_dict

    if found is None:
        return {"filled": "", "masks": []}
    masks = [[{**token_dict(one.token), "probability": one.probability} for one in gap] for gap in found.masks]
    return {"filled": found.text, "masks": masks}
