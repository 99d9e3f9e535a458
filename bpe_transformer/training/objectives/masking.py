"""What a masked language model has to know of its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bpe_transformer.errors import SpecialTokenError
from bpe_transformer.tokenizer import Tokenizer

MASK_TOKEN = "<mask>"


@dataclass(frozen=True)
class Masking:
    """Which ids are hidden, and by what.

    Attributes:
        mask_id: what a hidden id is replaced with.
        special_ids: never hidden, and never drawn as a replacement.
        word_starts: (V,) bool, which tokens begin a word; None: single ids are hidden, not whole words.
    """

    mask_id: int
    special_ids: tuple[int, ...]
    word_starts: Tensor | None = None

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, whole_words: bool = False) -> Masking:
        """
        Raises:
            SpecialTokenError: the tokenizer has no mask token.
        """
        special = tokenizer.special_tokens
        if MASK_TOKEN not in special:
            raise SpecialTokenError(
                f"the tokenizer has no special token {MASK_TOKEN}, which a masked language model needs; "
                f"learn it with special_tokens=['<pad>', '<s>', '</s>', '{MASK_TOKEN}']"
            )
        starts = _word_starts(tokenizer) if whole_words else None
        return cls(special[MASK_TOKEN], tuple(special.values()), starts)


def _word_starts(tokenizer: Tokenizer) -> Tensor:
    """(V,) bool: tokens that begin with a space, a mark or a sign; a letter, digit or part of one goes on with a word."""
    starts = torch.ones(tokenizer.vocab_size, dtype=torch.bool)
    special = set(tokenizer.special_tokens.values())
    for id in range(tokenizer.vocab_size):
        token = b"" if id in special else tokenizer.token_bytes(id)
        if token and (token[:1].isalnum() or token[0] >= 0x80):
            starts[id] = False
    return starts
