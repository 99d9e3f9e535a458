"""`bpe-transformer generate`: a language model continues texts."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from bpe_transformer.cli.support.console import say, write_text
from bpe_transformer.cli.support.options import errors_option, json_option, threads_option
from bpe_transformer.cli.support.text_input import at_once_option, write_rows
from bpe_transformer.cli.support.text_lines import TextLines
from bpe_transformer.cli.support.training_options import dataclass_options, start_torch
from bpe_transformer.inference.options import GenerationOptions
from bpe_transformer.io.printable import times

if TYPE_CHECKING:
    from bpe_transformer.inference import Continuation, TextGenerator

_BETWEEN = "\n---\n"


@click.command(
    epilog="""\b
Examples:
  bpe-transformer generate runs/python "def main("
  bpe-transformer generate runs/python "import " "class " --num-samples 3 --temperature 0.7 --seed 4
  echo "class Reader:" | bpe-transformer generate runs/python --max-new 60 --temperature 0
  bpe-transformer generate runs/python --whole --stop "\n\n" < begun.py
"""
)
@click.argument("run", type=click.Path())
@click.argument("prompts", nargs=-1, metavar="[PROMPT]...")
@dataclass_options(GenerationOptions)
@click.option("--stop", multiple=True, metavar="TEXT", help=r"End before this text; repeatable. \n is a line end.")
@click.option("--whole", is_flag=True, help="All of standard input is one prompt, not each line of it.")
@json_option
@errors_option()
@threads_option
@at_once_option
def command(
    run: str,
    prompts: tuple[str, ...],
    stop: tuple[str, ...],
    whole: bool,
    as_json: bool,
    errors: str,
    threads: int | None,
    at_once: bool,
    options: Mapping[str, Any],
) -> None:
    """Continue each PROMPT, or each line of standard input, with the language model in the folder RUN.

    Prompt and continuation are written, with a line --- between texts; on a terminal while they are made. With --json
    each prompt is a line of JSON.
    """
    start_torch(threads)
    from bpe_transformer.inference import load_text_generator

    generator = load_text_generator(run)
    ends = tuple(text.replace("\\n", "\n").replace("\\t", "\t") for text in stop)
    row = 1
    lines_read = TextLines(prompts, errors, at_once=at_once, whole=whole)
    for batch in lines_read:
        if sys.stdout.isatty() and not as_json:
            found = _streamed(generator, batch, row, ends, options)
        else:
            found = generator.continuations(batch, stop=ends, first_row=row, **options)
            if as_json:
                write_rows(_facts(number, *one) for number, one in enumerate(zip(batch, found, strict=True), row))
            else:
                texts = [prompt + one.text for prompt, samples in zip(batch, found, strict=True) for one in samples]
                write_text((_BETWEEN.removeprefix("\n") * (row > 1) + _BETWEEN.join(texts) + "\n").encode())
        for number, samples in enumerate(found, row):
            if samples[0].cropped:
                say(
                    f"note: the prompt of row {number:,} lost {times(samples[0].cropped, 'id')} at its beginning (--long crop)"
                )
                prompt = batch[number - row]
                read = generator.tokenizer.encode_ordinary(prompt)[samples[0].cropped - 1 :]
                lines_read.cut(number, prompt, generator.tokenizer.decode_bytes(read), "the beginning of a long prompt")
        row += len(batch)
    lines_read.say_read()


def _streamed(
    generator: TextGenerator, batch: Sequence[str], first: int, stop: tuple[str, ...], options: Mapping[str, Any]
) -> list[list[Continuation]]:
    """Writes each text while it is made, one after the other; the same texts as when they are made together."""
    count = int(options.get("num_samples", 1))
    found: list[list[Continuation]] = []
    for number, prompt in enumerate(batch):
        found.append([])
        for sample in range(count):
            between = "" if (first, number, sample) == (1, 0, 0) else _BETWEEN.removeprefix("\n")
            write_text((between + prompt).encode())
            ((one,),) = generator.continuations(
                [prompt],
                stop=stop,
                on_text=lambda row, place, text: write_text(text.encode()),
                first_row=first + number,
                first_stream=number * count + sample,
                **{**options, "num_samples": 1},
            )
            write_text(b"\n")
            found[-1].append(one)
    return found


def _facts(row: int, prompt: str, samples: Sequence[Continuation]) -> dict[str, Any]:
    return {
        "row": row,
        "prompt": prompt,
        "cropped": samples[0].cropped,
        "samples": [one.to_dict() for one in samples],
    }
