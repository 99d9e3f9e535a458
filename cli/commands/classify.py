"""`bpe-transformer classify`: labels for texts, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.console import progress, reporter, say, write_text
from bpe_transformer.cli.support.options import errors_option, json_option, threads_option
from bpe_transformer.cli.support.text_input import at_once_option, one_line, write_rows
from bpe_transformer.cli.support.text_lines import TextLines
from bpe_transformer.cli.support.training_options import start_torch

if TYPE_CHECKING:
    from bpe_transformer.inference import Classifier


@click.command(
    epilog="""\b
Examples:
  bpe-transformer classify runs/reviews "a film to see twice"
  bpe-transformer classify runs/reviews --json < reviews.txt
"""
)
@click.argument("run", type=click.Path())
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--scores", is_flag=True, help="Write the probability before each label, with a tab between them.")
@json_option
@errors_option()
@threads_option
@at_once_option
def command(
    run: str,
    texts: tuple[str, ...],
    scores: bool,
    as_json: bool,
    errors: str,
    threads: int | None,
    at_once: bool,
) -> None:
    """Label each TEXT, or each line of standard input, with the classifier in the folder RUN.

    One line in, one label out; an empty line stays empty. Of a text of more ids than the model was trained on only the
    beginning is read. With --json each row is a line of JSON with the probabilities of all labels.
    """
    start_torch(threads)
    from bpe_transformer.inference import LabelProbabilities, load_classifier

    classifier = load_classifier(run)
    row = 1
    lines_read = TextLines(texts, errors, at_once=at_once)
    for batch in lines_read:
        filled = [place for place, text in enumerate(batch) if text.strip()]
        with progress() as display:
            report = reporter(display, "classifying") if len(batch) > 1 else None
            labelled = classifier.classify([batch[place] for place in filled], progress=report)
        found: list[LabelProbabilities | None] = [None] * len(batch)
        for place, one in zip(filled, labelled, strict=True):
            found[place] = one
        _tell_long(classifier, batch, row, lines_read)
        if as_json:
            write_rows(
                {
                    "row": number,
                    "text": text,
                    "label": one and one.label,
                    "probabilities": one.probabilities if one else {},
                }
                for number, (text, one) in enumerate(zip(batch, found, strict=True), row)
            )
        else:
            lines = [
                "" if one is None else f"{one.probabilities[one.label]:.4f}\t" * scores + one_line(one.label)
                for one in found
            ]
            write_text("".join(f"{line}\n" for line in lines).encode())
        row += len(batch)
    lines_read.say_read()


def _tell_long(classifier: Classifier, batch: Sequence[str], first: int, lines_read: TextLines) -> None:
    """Says on standard error of which texts only the beginning was read."""
    longest, tokenizer = classifier.longest, classifier.tokenizer
    for row, ids in enumerate(tokenizer.encode_batch(list(batch), disallowed_special=()), first):
        if len(ids) > longest:
            say(f"note: row {row:,} has {len(ids):,} ids, and the model reads {longest:,}; only its beginning was read")
            lines_read.cut(
                row, batch[row - first], tokenizer.decode_bytes(ids[:longest]), "longer than the model reads"
            )
