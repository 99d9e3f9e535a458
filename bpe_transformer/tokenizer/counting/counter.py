"""`PretokenCounter`: counts the pre-tokens of files, streams, texts, datasets and other counts, added one after another."""

from __future__ import annotations

import os
from collections.abc import Sequence

from bpe_transformer.tokenizer.counting import counts_file
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.counting.facts import CountFacts
from bpe_transformer.tokenizer.counting.text_counter import TextCounter
from bpe_transformer.tokenizer.counting.weights import Weight

PathLike = str | os.PathLike[str]


class PretokenCounter(TextCounter):
    """Counts texts from several sources one after another; `counts()` or `save()` at the end.

    >>> counter = PretokenCounter("gpt2")
    >>> counter.add_texts(["low lower", "low"])
    >>> counter.counts()
    PretokenCounts(2 distinct, 3 in all, pattern='gpt2')

    Args:
        pattern: how texts become pre-tokens.
        num_threads: None takes one for each core this process may use.
        max_memory: bytes, or a text such as "2GB", for the tables and buffers of counting; the interpreter and its
            libraries (about 100 MB) come on top. Tables that would grow larger go to a temporary file as sorted runs, and
            the counts are exactly the same. A document whose pattern Python has to split has to fit whatever the limit.
        spill_dir: folder of the temporary file, which has no name there and goes with the process. None: the system's.
        max_word_bytes: a longer pre-token is refused, with its place; so is one of more than an eighth of `max_memory`. A
            word needs about eleven times its size on its way.
        max_row_bytes: a longer line of a .jsonl, .csv or .tsv file, or row of several lines, is refused, with its place.
    """

    def add_counts(self, counts: PretokenCounts | PathLike) -> None:
        """Adds counts, or a file of them, which is read in portions. Raises `LearningError` if they were split differently."""
        if isinstance(counts, PretokenCounts):
            self._add_words(counts.count_facts, counts_file.sorted_columns(counts._native))
        else:
            facts, columns = counts_file.read(counts)
            self._add_words(CountFacts.from_json(facts), columns)

    def counts(
        self, weights: Sequence[Weight] | None = None, *, temperature: float | None = None, min_count: int = 1
    ) -> PretokenCounts:
        """All that was counted, which has to fit in memory. The counter is then finished.

        Args:
            weights: one for each group (see `start_group`), as in `PretokenCounts.__mul__`.
            temperature: weights from the sizes of the groups instead, see `PretokenCounts.mix`.
            min_count: words that occur less often, after weighting, are dropped and reported.

        Raises `CorpusError` if the words need more than `max_memory`.
        """
        return PretokenCounts(*self.collect(weights, temperature=temperature, min_count=min_count))
