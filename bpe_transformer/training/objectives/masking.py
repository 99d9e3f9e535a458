"""What a masked language model has to know of its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bpe_transformer.data.special_ids import role_id
from bpe_transformer.tokenizer import Tokenizer


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
            SpecialTokenError: the tokenizer has no token with the role mask.
        """
        mask_id = role_id(tokenizer, "mask")
        starts = _word_starts(tokenizer) if whole_words else None
        return cls(mask_id, tuple({mask_id, *tokenizer.special_tokens.values()}), starts)


def _word_starts(tokenizer: Tokenizer) -> Tensor:
    """(V,) bool: tokens that begin with a space, a mark or a sign; a letter, digit or part of one goes on with a word."""
    starts = torch.ones(tokenizer.vocab_size, dtype=torch.bool)
    special = set(tokenizer.special_tokens.values())
    for id in range(tokenizer.vocab_size):
        token = b"" if id in special else tokenizer.token_bytes(id)
        if token and (token[:1].isalnum() or token[0] >= 0x80):
            starts[id] = False
    return starts
