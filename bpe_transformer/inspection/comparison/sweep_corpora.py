"""Opening the corpora of a sweep over vocabulary sizes: listed names, files of text or counts, and literal texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bpe_transformer.inspection.comparison.vocab_size_sweep import SweepCorpus, count_words

if TYPE_CHECKING:
    from bpe_transformer.io import Errors
    from bpe_transformer.tokenizer import PretokenCounts, Pretokenizer, Tokenizer


def corpora_to_sweep(tokenizer: Tokenizer, name: str, errors: Errors = "strict") -> list[SweepCorpus]:
    """A listed corpus, a local file or folder, or a file of counts as corpora for `sweep_vocab_sizes`.

    One with several text columns gives one for each: the sides of parallel text. Raises `CorpusError`.
    """
    from bpe_transformer.data import count_corpus
    from bpe_transformer.data.corpora.load import corpus_info
    from bpe_transformer.tokenizer import PretokenCounts
    from bpe_transformer.tokenizer.counting.counts_file import is_counts_file

    def count(pattern: Pretokenizer | str, column: str | None) -> PretokenCounts:
        return count_corpus(name, pattern=pattern, columns=None if column is None else [column], errors=errors)

    if is_counts_file(name):
        return [SweepCorpus.of_counts(PretokenCounts.load(name), name=Path(name).name)]
    info = corpus_info(name, errors=errors)
    columns = list(info.text_columns) if len(info.text_columns) > 1 else [None]
    corpora = []
    for column in columns:
        counts = count(tokenizer.model.pretokenizer, column)
        if info.kind == "words":
            corpora.append(SweepCorpus.of_counts(counts, name=info.name))
            continue
        words = count_words(count("whitespace", column))
        label = info.name if column is None else f"{info.name} {column}"
        corpora.append(SweepCorpus(label, counts, words, counts.num_bytes))
    return corpora


def text_to_sweep(tokenizer: Tokenizer, text: str, name: str = "the text") -> SweepCorpus:
    """A literal text as a corpus for `sweep_vocab_sizes`."""
    from bpe_transformer.tokenizer import PretokenCounts

    counts = PretokenCounts.from_iterator([text], tokenizer.model.pretokenizer)
    words = count_words(PretokenCounts.from_iterator([text], "whitespace"))
    return SweepCorpus(name, counts, words, counts.num_bytes)
