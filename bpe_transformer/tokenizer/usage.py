"""What a vocabulary is used for: how often each id occurs in a corpus, from its pre-token counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import EncodingError, LearningError
from bpe_transformer.tokenizer.counts import PretokenCounts, threads
from bpe_transformer.tokenizer.tokenizer import Tokenizer


def token_counts(tokenizer: Tokenizer, counts: PretokenCounts, num_threads: int | None = None) -> NDArray[np.uint64]:
    """By id, how often it occurs in the corpus that `counts` were taken from: shape (vocab_size,).

    Every distinct pre-token is encoded once and weighs what it occurs, so this takes as long as the distinct pre-tokens
    do, not the corpus. Special tokens mean nothing here: their text is plain text.

    Raises:
        LearningError: the counts were split with another pattern than the tokenizer splits with.
        EncodingError: a character is not in the alphabet of a character vocabulary without `<unk>`.

    >>> counts = PretokenCounts.from_words({"low": 5, "lower": 2}, pattern="cl100k")
    >>> int(token_counts(learn_bpe(counts, 256), counts)[ord("o")])           # doctest: +SKIP
    7
    """
    if counts.pattern != tokenizer.pattern:
        raise LearningError(
            f"counts split with {counts.pattern!r} say nothing about a tokenizer that splits with {tokenizer.pattern!r}; "
            "count the texts with the tokenizer's pattern"
        )
    try:
        return tokenizer._encoder.tally(counts._native, tokenizer.vocab_size, threads(num_threads))
    except _core.UnknownCharacter as cause:
        code_point = cause.args[0]
        raise EncodingError(
            f"the counts hold the character {chr(code_point)!r} (U+{code_point:04X}), which is not in this vocabulary's "
            'alphabet; learn it with unk_token="<unk>", on text that holds the character, or with unit="byte"'
        ) from None
