"""What the commands that measure a vocabulary at several sizes share: their options, and how a corpus is read."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bpe_transformer.cli.support.counting_options import as_dataclass
from bpe_transformer.cli.support.options import errors_option, file_option, text_option
from bpe_transformer.errors import LearningError

if TYPE_CHECKING:
    from rich.progress import Progress

    from bpe_transformer import PretokenCounts, Pretokenizer, Tokenizer
    from bpe_transformer.inspection.comparison.vocab_size_sweep import SweepCorpus, VocabSizeSweep


@dataclass(frozen=True)
class MeasureOptions:
    """The texts to measure, and at which sizes."""

    files: tuple[str, ...]
    texts: tuple[str, ...]
    sizes: str | None  # N,N,…
    errors: Literal["strict", "replace"]

    @property
    def given(self) -> bool:
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
    from bpe_transformer.inspection.comparison.vocab_size_sweep import sweep_vocab_sizes

    chosen = _parsed(options.sizes)
    corpora = [corpus for file in options.files for corpus in read_corpora(tokenizer, file, options.errors)]
    for number, text in enumerate(options.texts, 1):
        name = "the text" if len(options.texts) == 1 else f"text {number}"
        corpora.append(_literal(tokenizer, text, name, options.errors))
    corpora = [
        replace(corpus, name=short) for corpus, short in zip(corpora, _short([c.name for c in corpora]), strict=True)
    ]
    task = display.add_task("measuring", total=None, visible=bool(corpora))
    return sweep_vocab_sizes(
        tokenizer, corpora, chosen, progress=lambda done, total: display.update(task, completed=done, total=total)
    )


def _parsed(sizes: str | None) -> list[int] | None:
    if sizes is None:
        return None
    try:
        return [int(part.replace("_", "")) for part in sizes.split(",")]
    except ValueError:
        raise LearningError(f"--sizes {sizes!r} is no list of whole numbers; write them like 1000,2000,4000") from None


def _short(names: list[str]) -> list[str]:
    """Files without their folders, where that tells them apart."""
    short = [os.path.basename(name) or name for name in names]
    return short if len(set(short)) == len(short) else names


def _literal(tokenizer: Tokenizer, text: str, name: str, errors: str) -> SweepCorpus:
    from bpe_transformer import PretokenCounts
    from bpe_transformer.cli.support.text_input import literal_text
    from bpe_transformer.inspection.comparison.vocab_size_sweep import SweepCorpus, count_words

    read = [literal_text(text, errors).text or ""]
    counts = PretokenCounts.from_iterator(read, tokenizer.model.pretokenizer)
    words = count_words(PretokenCounts.from_iterator(read, "whitespace"))
    return SweepCorpus(name, counts, words, counts.num_bytes)


def read_corpora(tokenizer: Tokenizer, name: str, errors: Literal["strict", "replace"] = "strict") -> list[SweepCorpus]:
    """A corpus as it is measured. One with several text columns gives one for each: the sides of parallel text."""
    from bpe_transformer import PretokenCounts
    from bpe_transformer.data import count_corpus
    from bpe_transformer.data.corpora.load import corpus_info
    from bpe_transformer.inspection.comparison.vocab_size_sweep import SweepCorpus, count_words
    from bpe_transformer.tokenizer.counting.counts_file import is_counts_file

    def counted(pattern: Pretokenizer | str, column: str | None) -> PretokenCounts:
        return count_corpus(name, pattern=pattern, columns=None if column is None else [column], errors=errors)

    if is_counts_file(name):
        return [SweepCorpus.of_counts(PretokenCounts.load(name), name=Path(name).name)]
    info = corpus_info(name, errors=errors)
    columns = list(info.text_columns) if len(info.text_columns) > 1 else [None]
    corpora = []
    for column in columns:
        counts = counted(tokenizer.model.pretokenizer, column)
        if info.kind == "words":
            corpora.append(SweepCorpus.of_counts(counts, name=info.name))
            continue
        words = count_words(counted("whitespace", column))
        label = info.name if column is None else f"{info.name} {column}"
        corpora.append(SweepCorpus(label, counts, words, counts.num_bytes))
    return corpora
