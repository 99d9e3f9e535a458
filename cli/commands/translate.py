"""`bpe-transformer translate`: text in, translations out, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import progress, reporter, say, write_text
from bpe_transformer.cli.support.options import errors_option, threads_option
from bpe_transformer.cli.support.text_input import at_once_option, decoded, line_batches
from bpe_transformer.cli.support.training_options import beam_options, start_torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command(
    epilog="""\b
Examples:
  bpe-transformer translate runs/numbers "three cats" "25 to 5 pm"
  bpe-transformer translate runs/multi30k < captions.en > captions.de
"""
)
@click.argument("run", type=click.Path())
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@beam_options
@errors_option()
@threads_option
@at_once_option
def command(
    run: str,
    texts: tuple[str, ...],
    beam: int | None,
    length_penalty: float | None,
    errors: str,
    threads: int | None,
    at_once: bool,
) -> None:
    """Translate each TEXT, or each line of standard input, with the model in the folder RUN.

    One line in, one line out: an empty line stays empty, and a translation's own line breaks become spaces.
    """
    start_torch(threads)
    from bpe_transformer.inference import load_translator

    translator = load_translator(run)
    longest = translator.info.settings.model.max_len

    def note_long(row: int, length: int) -> None:
        say(
            f"note: row {row:,} has {length:,} ids, more than the {longest:,} that the model was trained on; it may "
            "take long and be translated badly: cut it up, a sentence a row"
        )

    row = 1
    for batch in [list(texts)] if texts else _lines(errors, at_once):
        with progress() as display:
            report = reporter(display, "translating") if len(batch) > 1 else None
            written = translator.translate(
                batch,
                beam=beam,
                length_penalty=length_penalty,
                progress=report,
                on_long=note_long,
                first_row=row,
            )
        row += len(batch)
        write_text("".join(" ".join(text.splitlines()) + "\n" for text in written).encode())


def _lines(errors: str, at_once: bool) -> Iterator[list[str]]:
    offset, number = 0, 1
    for batch in line_batches(at_once=at_once):
        texts = []
        for raw in batch:
            texts.append(decoded(raw, errors, offset, number).rstrip("\r"))
            offset, number = offset + len(raw) + 1, number + 1
        yield texts
