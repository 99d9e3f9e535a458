"""`bpe-transformer report`: a vocabulary, or a trained model, as one HTML page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from bpe_transformer.cli.support.console import messages, print_json, progress
from bpe_transformer.cli.support.measure_options import MeasureOptions, measure, measure_options
from bpe_transformer.cli.support.options import json_option, output_option, overwrite_option
from bpe_transformer.cli.support.outputs import claim_output, replacing
from bpe_transformer.cli.support.python_names import with_options
from bpe_transformer.cli.support.tokenizer_files import open_tokenizer
from bpe_transformer.io.printable import times

_LARGE = 8_000_000  # bytes of a page, above which int8 is proposed


@click.command(
    epilog="""\b
Examples:
  bpe-transformer report tok -o report.html
  bpe-transformer report tok -o report.html --file english.txt --file korean.txt --words "lowest, newest"
  bpe-transformer report runs/numbers -o model.html
  bpe-transformer report runs/numbers/tokenizer.json -o vocabulary.html
"""
)
@click.argument("source", metavar="TOKENIZER|RUN")
@output_option("HTML file to write.", kind="file")
@overwrite_option
@click.option("--title", metavar="TEXT", help="Heading of the page. [the name of what it shows]")
@click.option(
    "--words", metavar="WORD,WORD", help="Of a vocabulary: words to follow through the merges. [some of the vocabulary]"
)
@click.option(
    "--weights",
    type=click.Choice(["float16", "int8"]),
    help="Of a model: its weights in the page; int8 is half as large and less exact. [float16]",
)
@measure_options
@json_option
def command(
    source: str,
    output: str,
    overwrite: bool,
    title: str | None,
    words: str | None,
    weights: str | None,
    measured: MeasureOptions,
    as_json: bool,
) -> None:
    """Write TOKENIZER, or the model in the folder RUN, as one HTML page that opens in any browser, without a network.

    A vocabulary's page holds a playground that encodes what is typed, the merges on a slider that segments words as they
    accumulate, the counts of the merges, and bytes per token at every size: on each --file and --text, or else on the
    learning corpus, from the trace.

    A model's page runs the model itself on what is typed: its tokens, the attention of every layer and head in words,
    what it writes token by token with beams or draws, the runners-up of every token, and its training.
    """
    from bpe_transformer.inspection.html.trained_model_page import holds_run

    is_run = holds_run(source)
    _refuse_misplaced(source, is_run, words, weights, measured)
    claim_output(output)
    with replacing(output, overwrite=overwrite) as path:
        facts = (
            _write_model(source, path, title, weights)
            if is_run
            else _write_vocabulary(source, path, title, words, measured)
        )
    size = Path(output).stat().st_size
    left_out = [with_options(reason) for reason in facts.pop("left_out")]
    if as_json:
        print_json({"output": output, "bytes": size, **facts, "left_out": left_out})
        return
    console = messages()
    for line in left_out:
        console.print(line, style="dim")
    held = f", {facts['parameters']:,} weights as {facts['weights']}" if is_run else ""
    console.print(f"{output}: {times(size, 'byte')}{held}")
    if is_run and size > _LARGE and facts["weights"] == "float16":
        console.print("The page is large; --weights int8 makes it about half as large, and less exact.", style="dim")


def _refuse_misplaced(
    source: str, is_run: bool, words: str | None, weights: str | None, measured: MeasureOptions
) -> None:
    """Raises `UsageError` for options of the other kind of page."""
    if is_run and (words is not None or measured.given):
        raise click.UsageError(
            f"--words, --file, --text and --sizes are for a vocabulary, and {source} holds a trained model; "
            f"name its tokenizer: {Path(source) / 'tokenizer.json'}"
        )
    if not is_run and weights is not None:
        raise click.UsageError(f"--weights is for a trained model, and {source} holds a vocabulary; leave it out")


def _write_vocabulary(
    source: str, path: Path, title: str | None, words: str | None, measured: MeasureOptions
) -> dict[str, Any]:
    from bpe_transformer.inspection.html.report import report_data, write_report

    learned = open_tokenizer(source)
    with progress() as display:
        sweep = measure(learned, measured, display) if measured.given else None
        data = report_data(
            learned,
            title=title or Path(source).resolve().name.removesuffix(".json"),
            words=[word for part in (words or "").split(",") if (word := part.strip(" ").replace("·", " "))],
            sweep=sweep,
        )
        write_report(data, path)
    left_out = [data[key] for key in ("no_playground", "no_trace", "no_sizes") if key in data]
    return {"shows": "vocabulary", "left_out": left_out}


def _write_model(source: str, path: Path, title: str | None, weights: Any) -> dict[str, Any]:
    from bpe_transformer.cli.support.training_options import hide_library_bars, start_torch

    start_torch()
    hide_library_bars()
    from bpe_transformer.inspection.html.trained_model_page import model_page, write_model_page

    page = model_page(source, title=title, weights=weights or "float16")
    left_out = tuple(map(with_options, page.training.left_out))
    page = replace(page, training=replace(page.training, left_out=left_out))
    write_model_page(page, path)
    return {
        "shows": "model",
        "weights": page.weights.kind,
        "parameters": page.weights.parameters,
        "left_out": list(left_out),
    }
