"""How many pre-tokens and tokens corpora have. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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


def __getattr__(name: str) -> object:
    if name in _HOME:
        module = import_module(f"bpe_transformer.data.counting.{_HOME[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'bpe_transformer.data.counting' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
