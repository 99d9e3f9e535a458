"""`bpe-transformer report`: a vocabulary as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from bpe_transformer.cli.support.console import messages, print_json, progress
from bpe_transformer.cli.support.measure_options import MeasureOptions, measure, measure_options
from bpe_transformer.cli.support.options import json_option, output_option, overwrite_option, tokenizer_argument
from bpe_transformer.cli.support.outputs import claim_output, replacing
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer
from bpe_transformer.io.printable import times


@click.command(
    epilog="""\b
Examples:
  bpe-transformer report tok -o report.html
  bpe-transformer report tok -o report.html --file english.txt --file korean.txt --words "lowest, newest"
"""
)
@tokenizer_argument
@output_option("HTML file to write.", kind="file")
@overwrite_option
@click.option("--words", metavar="WORD,WORD", help="Words to follow through the merges. [some of the vocabulary]")
@click.option("--title", metavar="TEXT", help="Heading of the page. [the tokenizer's name]")
@measure_options
@json_option
def command(
    tokenizer: str,
    output: str,
    overwrite: bool,
    words: str | None,
    title: str | None,
    measured: MeasureOptions,
    as_json: bool,
) -> None:
    """Write TOKENIZER as one HTML page that opens in any browser, without a network.

    It holds a playground that encodes what is typed with this vocabulary, the merges on a slider that segments words as
    they accumulate, the counts of the merges, and bytes per token at every size: on each --file and --text, or else on the
    learning corpus, from the trace.
    """
    from bpe_transformer.inspection.html.report import report_data, write_report

    learned = open_tokenizer(tokenizer)
    claim_output(output)
    with progress() as display:
        sweep = measure(learned, measured, display) if measured.given else None
        data = report_data(
            learned,
            title=title or Path(tokenizer).resolve().name.removesuffix(".json"),
            words=[word for part in (words or "").split(",") if (word := part.strip(" ").replace("·", " "))],
            sweep=sweep,
        )
        with replacing(output, overwrite=overwrite) as path:
            write_report(data, path)
    size = Path(output).stat().st_size
    left_out = [data[key] for key in ("no_playground", "no_trace", "no_sizes") if key in data]
    if as_json:
        print_json({"output": output, "bytes": size, "left_out": left_out})
        return
    console = messages()
    for line in left_out:
        console.print(line, style="dim")
    console.print(f"{output}: {times(size, 'byte')}")
