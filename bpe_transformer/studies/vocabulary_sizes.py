"""Several vocabulary sizes from one learning run, since the merges of a smaller vocabulary are the first of a larger one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bpe_transformer.errors import CorpusError, LearningError, refuse_one_string
from bpe_transformer.tokenizer import PretokenCounts, Tokenizer, learn_bpe
from bpe_transformer.tokenizer.splitting.patterns import DEFAULT_PATTERN


def learn_sizes(
    texts: Iterable[str],
    sizes: Sequence[int],
    *,
    pattern: str = DEFAULT_PATTERN,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Tokenizer]:
    """A tokenizer for each of `sizes`, under the size as its name, smallest first. `progress` hears of merges.

    Raises `LearningError`: a size below the 256 bytes, or more than the texts have merges for.

    >>> [tokenizer.vocab_size for tokenizer in learn_sizes(["low lower lowest"], [258, 257]).values()]
    [257, 258]
    """
    refuse_one_string(CorpusError, texts=texts)
    wanted = sorted(set(sizes))
    if not wanted:
        raise LearningError("no vocabulary size is given; give at least one, such as 4000")
    counts = PretokenCounts.from_iterator(texts, pattern=pattern)
    largest = learn_bpe(counts, wanted[-1], progress=progress)
    if largest.vocab_size < wanted[-1]:
        raise LearningError(
            f"the corpus has merges for a vocabulary of {largest.vocab_size:,} at most, not {wanted[-1]:,}; "
            "choose smaller sizes, or more text"
        )
    return {str(size): largest.truncate(size) for size in wanted}
