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
        word_starts: (V,) bool, which tokens begin a word wherever they stand; None: single ids are hidden, not whole
            words.
        word_ends: (V,) bool, after which tokens the next one begins a word, such as a bracket before a letter.
    """

    mask_id: int
    special_ids: tuple[int, ...]
    word_starts: Tensor | None = None
    word_ends: Tensor | None = None

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, whole_words: bool = False) -> Masking:
        """
        Raises:
            SpecialTokenError: the tokenizer has no token with the role mask.
        """
        mask_id = role_id(tokenizer, "mask")
        starts, ends = _word_borders(tokenizer) if whole_words else (None, None)
        return cls(mask_id, tuple({mask_id, *tokenizer.special_tokens.values()}), starts, ends)


def _word_borders(tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """(V,) bool twice: tokens that do not begin, and that do not end, with a letter, a digit or a part of one."""
    starts = torch.ones(tokenizer.vocab_size, dtype=torch.bool)
    ends = torch.ones(tokenizer.vocab_size, dtype=torch.bool)
    special = set(tokenizer.special_tokens.values())
    for id in range(tokenizer.vocab_size):
        if token := b"" if id in special else tokenizer.model.tokens[id]:
            starts[id] = not _in_word(token[0])
            ends[id] = not _in_word(token[-1])
    return starts, ends


def _in_word(byte: int) -> bool:
    return bytes([byte]).isalnum() or byte >= 0x80
