"""How many pre-tokens and tokens corpora have. Names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.data.counting.pretoken_counts import (
        CountInput,
        add_inputs,
        count_corpus,
        count_inputs,
        pretokenizer_for,
    )
    from bpe_transformer.data.counting.token_counts import TokenCount, count_tokens

_HOME = {
    "CountInput": "pretoken_counts",
    "TokenCount": "token_counts",
    "add_inputs": "pretoken_counts",
    "count_corpus": "pretoken_counts",
    "count_inputs": "pretoken_counts",
    "count_tokens": "token_counts",
    "pretokenizer_for": "pretoken_counts",
}

__all__ = [
    "CountInput",
    "TokenCount",
    "add_inputs",
    "count_corpus",
    "count_inputs",
    "count_tokens",
    "pretokenizer_for",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
