"""What the commands that measure a vocabulary on texts share: `--text` and `--sizes`, and how a text is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bpe_transformer.errors import LearningError

if TYPE_CHECKING:
    from rich.progress import Progress

    from bpe_transformer import PretokenCounts, Tokenizer
    from bpe_transformer.inspection.comparison.vocab_size_sweep import SweepCorpus, VocabSizeSweep
    from bpe_transformer.io import Errors

Command = TypeVar("Command", bound=Callable[..., Any])


def sized_options(command: Command) -> Command:
    """`--text`, `--sizes` and `--errors`, as the arguments `texts`, `sizes` and `errors`."""
    text = click.option(
        "--text",
        "texts",
        multiple=True,
        metavar="CORPUS",
        help="Measure on this: a text file, a counts file or a listed corpus; repeatable. [the learning corpus]",
    )
    sizes = click.option("--sizes", metavar="N,N,…", help="Vocabulary sizes. [doublings of 1,000 up to all of it]")
    errors = click.option(
        "--errors", type=click.Choice(["strict", "replace"]), default="strict", show_default=True, help="Bad UTF-8."
    )
    return text(sizes(errors(command)))


def measure(
    tokenizer: Tokenizer, texts: tuple[str, ...], sizes: str | None, errors: Errors, display: Progress
) -> VocabSizeSweep:
    """The sweep of `tokenizer` on `texts`, with progress on `display`."""
    from bpe_transformer.inspection.comparison.vocab_size_sweep import sweep_vocab_sizes

    chosen = _parsed(sizes)
    corpora = [corpus for text in texts for corpus in read_corpora(tokenizer, text, errors)]
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


def read_corpora(tokenizer: Tokenizer, name: str, errors: Errors = "strict") -> list[SweepCorpus]:
    """A corpus as it is measured. One with several text columns gives one for each: the sides of parallel text."""
    from bpe_transformer import PretokenCounts
    from bpe_transformer.data import count_corpus
    from bpe_transformer.data.corpora.load import corpus_info
    from bpe_transformer.inspection.comparison.vocab_size_sweep import SweepCorpus, count_words
    from bpe_transformer.tokenizer.counting.counts_file import is_counts_file

    def counted(pattern: Any, column: str | None) -> PretokenCounts:
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
