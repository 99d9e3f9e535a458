"""A task whose answer depends on one word at a known distance: a list of things with one number in it, which has to be
said in Korean when the list has been read.

" cats books seven dogs" → "일곱": the number is the second word from the end. Every word is one token.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bpe_transformer.corpora import english_numerals, korean_numerals
from bpe_transformer.corpora.counters import THINGS
from bpe_transformer.data.batches.batch import TranslationBatch
from bpe_transformer.data.special_ids import SPECIAL_TOKENS, SpecialIds
from bpe_transformer.tokenizer import PretokenCounts, Tokenizer, learn_bpe

_NUMBERS = range(1, 21)
_VOCAB_SIZE = 2000  # enough for every word to be one token; learning ends earlier


@dataclass(frozen=True, eq=False)
class Recall:
    """The task under a vocabulary.

    things: (W,) ids of the other words. numbers, answers: (N,) ids of the numbers in English and in Korean.
    """

    tokenizer: Tokenizer
    things: NDArray[np.int64]
    numbers: NDArray[np.int64]
    answers: NDArray[np.int64]

    @classmethod
    def of_corpus(cls) -> Recall:
        """The things and numbers of numbers-en-ko."""
        things = sorted({thing.many for thing in THINGS if thing.many.isalpha()})
        numbers = [english_numerals.cardinal(number) for number in _NUMBERS]
        answers = [korean_numerals.attributive(number) for number in _NUMBERS]
        words = [f" {word}" for word in (*things, *numbers, *answers)]
        counts = PretokenCounts.from_iterator(words * 2)
        tokenizer = learn_bpe(counts, _VOCAB_SIZE, special_tokens=list(SPECIAL_TOKENS))
        ids = np.array([_single_id(tokenizer, word) for word in words])
        first, second = len(things), len(things) + len(numbers)
        return cls(tokenizer, ids[:first], ids[first:second], ids[second:])

    @property
    def special(self) -> SpecialIds:
        """Padding, beginning and end."""
        return SpecialIds.of(self.tokenizer)

    def batch(self, draws: np.random.Generator, length: int, distances: NDArray[np.int64]) -> TranslationBatch:
        """A row for each of `distances`, from 1 (the last word read) to `length`: src (B, length), tgt (B, 2)."""
        rows = len(distances)
        src = draws.choice(self.things, (rows, length))
        chosen = draws.integers(0, len(self.numbers), rows)
        src[np.arange(rows), length - distances] = self.numbers[chosen]
        tgt = np.stack([np.full(rows, self.special.bos), self.answers[chosen]], axis=1)
        return TranslationBatch(torch.from_numpy(src), torch.from_numpy(tgt))


def _single_id(tokenizer: Tokenizer, word: str) -> int:
    (id,) = tokenizer.encode(word)
    return int(id)
