"""How well trained models do: scores of texts, and a model scored on a corpus. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.evaluation.metrics import Bleu, ExactMatch, bits_per_byte, bleu, exact_match, perplexity

_HOME = {
    "Bleu": "metrics",
    "ExactMatch": "metrics",
    "bits_per_byte": "metrics",
    "bleu": "metrics",
    "exact_match": "metrics",
    "perplexity": "metrics",
}

__all__ = ["Bleu", "ExactMatch", "bits_per_byte", "bleu", "exact_match", "perplexity"]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"bpe_transformer.evaluation.{_HOME[name]}"), name)
    raise AttributeError(f"module 'bpe_transformer.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
