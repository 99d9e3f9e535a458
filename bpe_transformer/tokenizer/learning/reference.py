"""Textbook byte-pair encoding in plain Python, written to be read and to compare the native core with in tests.

Follows Sennrich, Haddow and Birch (2016), "Neural Machine Translation of Rare Words with Subword Units", algorithm 1, with
this library's tie rule and trace. Counts all pairs again for every merge, so it is for small corpora only. Works on sequences
of base ids; it neither splits text nor maps it to base ids.

>>> words = {(3, 5, 9): 5, (3, 5, 9, 1, 6): 2}      # "low" 5, "lower" 2, letters numbered
>>> [(step.left, step.right, step.count) for step in learn(words, first_merge_id=10, max_merges=2)]
[(3, 5, 7), (10, 9, 7)]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bpe_transformer.tokenizer.encoding.reference import merge_pair
from bpe_transformer.tokenizer.vocabulary.trace import MergeStep

Pair = tuple[int, int]
Word = tuple[int, ...]


def pair_counts(words: Mapping[Word, int]) -> Counter[Pair]:
    """How often every two neighbouring ids occur, each word counted as often as it occurs."""
    counts: Counter[Pair] = Counter()
    for word, count in words.items():
        for pair in zip(word, word[1:], strict=False):
            counts[pair] += count
    return counts


def ranking(counts: Mapping[Pair, int]) -> list[Pair]:
    """Pairs from best to worst: the highest count, ties to the smallest (left id, right id)."""
    return sorted(counts, key=lambda pair: (-counts[pair], pair))


def learn(
    words: Mapping[Word, int] | Iterable[tuple[Word, int]],
    *,
    first_merge_id: int,
    max_merges: int,
    min_frequency: int = 1,
    allowed: Callable[[int, int], bool] = lambda left, right: True,
) -> Iterator[MergeStep]:
    """Yields merges until there are `max_merges` or no pair occurs `min_frequency` times.

    `allowed` says which pairs may be merged. `words` may hold the same ids twice, as words with different unknown characters do.
    """
    corpus: list[tuple[Word, int]] = list(words.items() if isinstance(words, Mapping) else words)
    for rank in range(max_merges):
        counts = _sum_pairs(corpus)
        candidates = [pair for pair in ranking(counts) if allowed(*pair)]
        if not candidates or counts[candidates[0]] < min_frequency:
            return
        best, new_id = candidates[0], first_merge_id + rank
        runner_up = candidates[1] if len(candidates) > 1 else None
        merged = [(merge_pair(word, best, new_id), count) for word, count in corpus]
        yield MergeStep(
            rank=rank,
            left=best[0],
            right=best[1],
            new_id=new_id,
            count=counts[best],
            runner_up=runner_up,
            runner_up_count=counts[runner_up] if runner_up else 0,
            tied=runner_up is not None and counts[runner_up] == counts[best],
            words_touched=sum(new != old for (new, _), (old, _) in zip(merged, corpus, strict=True)),
            tokens_left=sum(len(word) * count for word, count in merged),
        )
        corpus = merged


def _sum_pairs(corpus: Sequence[tuple[Word, int]]) -> Counter[Pair]:
    counts: Counter[Pair] = Counter()
    for word, count in corpus:
        counts.update({pair: n * count for pair, n in pair_counts({word: 1}).items()})
    return counts


def encode(symbols: Sequence[int], merges: Sequence[Pair], first_merge_id: int) -> list[int]:
    """Encodes one pre-token, given as base ids: merges the pair of lowest rank, from the left, until none is left.

    >>> encode([3, 5, 9, 1], [(3, 5), (10, 9)], first_merge_id=10)
    [11, 1]
    """
    rank = {pair: number for number, pair in enumerate(merges)}
    word = tuple(symbols)
    while True:
        present = [pair for pair in zip(word, word[1:], strict=False) if pair in rank]
        if not present:
            return list(word)
        best = min(present, key=rank.__getitem__)
        word = merge_pair(word, best, first_merge_id + rank[best])
