"""Word alignments: two sentences with lines, and a table of the errors of every reading."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from bpe_transformer.inspection.attention.word_alignment import (
    AlignmentErrors,
    AlignmentReading,
    ErrorRate,
    WordAlignment,
)
from bpe_transformer.inspection.base.view import draws
from bpe_transformer.inspection.base.visible import in_view
from bpe_transformer.inspection.render.elements import LABEL, STRONG, Column, Columns, Flow, percent
from bpe_transformer.io.printable import times


@draws
def _(alignment: WordAlignment) -> RenderableType:
    links = (
        Text.assemble(in_view(alignment.tgt_words[link.tgt]), " ← ", in_view(alignment.src_words[link.src]))
        for link in alignment.links
    )
    return Group(
        alignment.as_sentences(),
        Text(),
        Flow(links),
        Text(),
        Text(f"{_words(alignment.reading)}; chosen on {alignment.chosen_on}", LABEL),
    )


@draws
def _(errors: AlignmentErrors) -> RenderableType:
    rates = errors.readings
    test = errors.test
    table = Columns(
        [
            Column("layer", "right", [str(rate.reading.layer) for rate in rates]),
            Column("row is of", "left", [_row(rate.reading) for rate in rates]),
            Column("source words left", "left", ["linked" if rate.reading.filled else "not linked" for rate in rates]),
            Column("error rate", "right", [percent(rate.error_rate) for rate in rates]),
            Column("precision", "right", [percent(rate.precision) for rate in rates], 1),
            Column("recall", "right", [percent(rate.recall) for rate in rates], 2),
        ]
    )
    return Group(
        Text(f"{errors.corpus}: alignment error on {times(errors.choosing, 'validation pair')}, best first", LABEL),
        table,
        Text(),
        Text.assemble(
            f"on {times(errors.testing, 'test pair')} the best of these ({_words(test.reading)}) has an error rate of ",
            (percent(test.error_rate), STRONG),
            f" (precision {percent(test.precision)}, recall {percent(test.recall)})",
        ),
    )


@draws
def _(rate: ErrorRate) -> RenderableType:
    return Text(f"{_words(rate.reading)}: error rate {percent(rate.error_rate)}")


def _words(reading: AlignmentReading) -> str:
    filled = ", source words left are linked too" if reading.filled else ""
    return f"layer {reading.layer}, a row is of {_row(reading)}{filled}"


def _row(reading: AlignmentReading) -> str:
    return "the token read" if reading.shifted else "the token written"
