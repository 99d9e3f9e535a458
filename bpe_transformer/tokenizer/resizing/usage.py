"""Token usage: how often each id of a vocabulary occurs in a corpus, from pre-token counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import EncodingError, LearningError
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.threads import thread_count
from bpe_transformer.tokenizer.vocabulary.model import BpeModel

_BYTES = 1 << 31  # as kBytes in token_usage.hpp


@dataclass(frozen=True, eq=False)
class TokenUsage:
    """How often each id occurs in a corpus: `counts[id]`, shape (vocab_size,).

    `in_words` is the number of occurrences that hold a byte of a letter, a mark or a number, which is what fertility counts.
    """

    counts: NDArray[np.uint64]
    in_words: int

    @property
    def total(self) -> int:
        """Tokens of the whole corpus."""
        return int(self.counts.sum())


def token_usage(vocabulary: Codec | BpeModel, counts: PretokenCounts, num_threads: int | None = None) -> TokenUsage:
    """How often each id occurs in the corpus that `counts` were taken from.

    Every distinct pre-token is encoded once, so the time depends on their number, not on the size of the corpus. Special
    and added tokens are plain text here, and no space is put before a text.

    Raises:
        LearningError: the counts were split differently from how the vocabulary splits.
        EncodingError: a character is not in the alphabet of a character vocabulary without `<unk>`.

    >>> from bpe_transformer import PretokenCounts, learn_bpe
    >>> counts = PretokenCounts.from_words({"low": 5, "lower": 2})
    >>> int(token_usage(learn_bpe(counts, 256).model, counts).counts[ord("o")])
    7
    """
    codec = vocabulary if isinstance(vocabulary, Codec) else Codec(vocabulary)
    model = codec.model
    if counts.pretokenizer != model.pretokenizer:
        raise LearningError(
            f"counts split with {str(counts.pretokenizer)!r} say nothing about a tokenizer that splits with "
            f"{str(model.pretokenizer)!r}; count the texts as the tokenizer splits them"
        )
    try:
        used, in_words = codec.encoder.token_usage(counts._native, _extents(model), thread_count(num_threads))
    except _core.UnknownCharacter as cause:
        code_point = cause.args[0]
        raise EncodingError(
            f"the counts hold the character {chr(code_point)!r} (U+{code_point:04X}), which is not in this vocabulary's "
            'alphabet; learn it with unk_token="<unk>", on text that holds the character, or with unit="byte"'
        ) from None
    return TokenUsage(used[: model.vocab_size], in_words)


def _extents(model: BpeModel) -> NDArray[np.uint32]:
    """By id, how much of a pre-token it covers, encoded for the native core: bytes, characters, or 0 for `<unk>`."""
    if model.unit == "byte":
        return np.array([_BYTES | len(token) for token in model.tokens], np.uint32)
    mark = len(model.end_of_word or "")
    extents = [
        len(token.decode("utf-8", "replace")) - (mark if id in model.word_ends else 0)
        for id, token in enumerate(model.tokens)
    ]
    for id in model.fallback_ids:
        extents[id] = _BYTES | 1
    if model.unk_token is not None:
        extents[model.special_tokens[model.unk_token]] = 0
    return np.array(extents, np.uint32)
