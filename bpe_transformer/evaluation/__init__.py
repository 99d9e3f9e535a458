"""How well trained models do: scores of texts, and a model scored on a corpus. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.evaluation.evaluator import (
        METRICS,
        LanguageModelScore,
        MaskedLanguageModelScore,
        Metric,
        Miss,
        TranslationScore,
        evaluate_language_model,
        evaluate_masked_language_model,
        evaluate_translator,
    )
    from bpe_transformer.evaluation.metrics import Bleu, ExactMatch, bits_per_byte, bleu, exact_match, perplexity

_HOME = {
    "METRICS": "evaluator",
    "Bleu": "metrics",
    "ExactMatch": "metrics",
    "LanguageModelScore": "evaluator",
    "MaskedLanguageModelScore": "evaluator",
    "Metric": "evaluator",
    "Miss": "evaluator",
    "TranslationScore": "evaluator",
    "bits_per_byte": "metrics",
    "bleu": "metrics",
    "evaluate_language_model": "evaluator",
    "evaluate_masked_language_model": "evaluator",
    "evaluate_translator": "evaluator",
    "exact_match": "metrics",
    "perplexity": "metrics",
}

__all__ = [
    "METRICS",
    "Bleu",
    "ExactMatch",
    "LanguageModelScore",
    "MaskedLanguageModelScore",
    "Metric",
    "Miss",
    "TranslationScore",
    "bits_per_byte",
    "bleu",
    "evaluate_language_model",
    "evaluate_masked_language_model",
    "evaluate_translator",
    "exact_match",
    "perplexity",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        module = import_module(f"bpe_transformer.evaluation.{_HOME[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'bpe_transformer.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
