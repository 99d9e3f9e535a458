"""Options of the commands that measure a vocabulary at several sizes, and reading their corpora."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from bpe_transformer.cli.support.counting_options import as_dataclass
from bpe_transformer.cli.support.options import errors_option, file_option, text_option
from bpe_transformer.errors import LearningError

if TYPE_CHECKING:
    from rich.progress import Progress

    from bpe_transformer import Tokenizer
    from bpe_transformer.inspection.comparison.vocab_size_sweep import VocabSizeSweep
    from bpe_transformer.io import Errors


@dataclass(frozen=True)
class MeasureOptions:
    """The texts to measure, and at which sizes."""

    files: tuple[str, ...]
    texts: tuple[str, ...]
    sizes: str | None  # N,N,…
    errors: Errors

    @property
    def given(self) -> bool:
        """Whether there is anything to measure on."""
        return bool(self.files or self.texts or self.sizes)


measure_options = as_dataclass(
    MeasureOptions,
    "measured",
    file_option("Measure on this file, of text or counts, or on a listed corpus; repeatable. [the learning corpus]"),
    text_option,
    click.option("--sizes", metavar="N,N,…", help="Vocabulary sizes. [doublings of 1,000 up to all of it]"),
    errors_option(),
)


def measure(tokenizer: Tokenizer, options: MeasureOptions, display: Progress) -> VocabSizeSweep:
    """The sweep of `tokenizer` on the texts, with progress on `display`."""
    from bpe_transformer.cli.support.text_input import STDIN, literal_text, read_text
    from bpe_transformer.inspection.comparison.sweep_corpora import corpora_to_sweep, text_to_sweep
    from bpe_transformer.inspection.comparison.vocab_size_sweep import sweep_vocab_sizes

    sizes = _parsed(options.sizes)
    corpora = []
    for file in options.files:
        if file == "-":
            corpora.append(text_to_sweep(tokenizer, read_text(options.errors), STDIN))
        else:
            corpora += corpora_to_sweep(tokenizer, file, options.errors)
    for number, text in enumerate(options.texts, 1):
        name = "the text" if len(options.texts) == 1 else f"text {number}"
        corpora.append(text_to_sweep(tokenizer, literal_text(text, options.errors).text or "", name))
    short = _short_names([corpus.name for corpus in corpora])
    corpora = [replace(corpus, name=name) for corpus, name in zip(corpora, short, strict=True)]
    task = display.add_task("measuring", total=None, visible=bool(corpora))
    return sweep_vocab_sizes(
        tokenizer, corpora, sizes, progress=lambda done, total: display.update(task, completed=done, total=total)
    )


def _parsed(sizes: str | None) -> list[int] | None:
    if sizes is None:
        return None
    try:
        return [int(part.replace("_", "")) for part in sizes.split(",")]
    except ValueError:
        raise LearningError(
            f"--sizes {sizes!r} is not a list of whole numbers; write them like 1000,2000,4000"
        ) from None


def _short_names(names: list[str]) -> list[str]:
    """The names of files without their folders, if these are distinct."""
    short = [os.path.basename(name) or name for name in names]
    return short if len(set(short)) == len(short) else names
