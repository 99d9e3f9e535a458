"""Ids that a model has and its tokenizer does not: rows that fill up a matrix, and gaps in a vocabulary."""

from __future__ import annotations

from bpe_transformer.tokenizer import Tokenizer


def ids_without_token(tokenizer: Tokenizer, vocab_size: int) -> tuple[int, ...]:
    """The ids below a model's `vocab_size` for which the tokenizer has no text; a model is kept from writing them."""
    tokens = tokenizer.model.tokens[: tokenizer.vocab_size]
    special = {*tokenizer.special_tokens.values(), *tokenizer.model.added_tokens.values()}
    return tuple(id for id in range(vocab_size) if id not in special and (id >= len(tokens) or not tokens[id]))
