"""`bpe-transformer report`: a vocabulary as one HTML page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import messages, print_json, progress
from bpe_transformer.cli.support.measure_options import measure, sized_options

if TYPE_CHECKING:
    from bpe_transformer.io import Errors
from bpe_transformer.cli.support.tokenizer_argument import open_tokenizer


@click.command(
    epilog="""\b
Examples:
  bpe-transformer report tok -o report.html
  bpe-transformer report tok -o report.html --text english.txt --text korean.txt --words "lowest, newest"
"""
)
@click.argument("tokenizer", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="The HTML file to write.")
@click.option("--words", metavar="WORD,WORD,…", help="Words to follow through the merges. [some of the vocabulary]")
@click.option("--title", help="Heading of the page. [the tokenizer's name]")
@sized_options
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    tokenizer: str,
    output: str,
    words: str | None,
    title: str | None,
    texts: tuple[str, ...],
    sizes: str | None,
    errors: Errors,
    as_json: bool,
) -> None:
    """Write TOKENIZER as one HTML page that opens in any browser, without a network.

    It holds a playground that encodes what is typed with this vocabulary, the merges on a slider that segments words as
    they accumulate, the counts of the merges, and bytes per token at every size: on each --text, or else on the learning
    corpus, from the trace.
    """
    from bpe_transformer.inspection.html.report import report_data, write_report

    learned = open_tokenizer(tokenizer)
    _check_place(Path(output))
    with progress() as display:
        sweep = measure(learned, texts, sizes, errors, display) if texts or sizes else None
        data = report_data(
            learned,
            title=title or Path(tokenizer).resolve().name.removesuffix(".json"),
            words=[word for part in (words or "").split(",") if (word := part.strip(" ").replace("·", " "))],
            sweep=sweep,
        )
        write_report(data, output)
    size = Path(output).stat().st_size
    left_out = [data[key] for key in ("no_playground", "no_trace", "no_sizes") if key in data]
    if as_json:
        print_json({"output": output, "bytes": size, "left_out": left_out})
        return
    console = messages()
    for line in left_out:
        console.print(line, style="dim")
    console.print(f"{output}: {size:,} bytes")


def _check_place(output: Path) -> None:
    """Raises `OSError` before anything is measured, if nothing can be written at `output`."""
    place = next(parent for parent in output.absolute().parents if parent.exists())
    if not place.is_dir():
        raise NotADirectoryError(f"{output} cannot be written: {place} is no folder; choose another place with -o")
    if not os.access(place, os.W_OK):
        raise PermissionError(f"{output} cannot be written: {place} is read-only; choose another place with -o")
