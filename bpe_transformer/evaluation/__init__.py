"""How well trained models do: scores of texts, and a model scored on a corpus. Names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.evaluation.metrics import (
        Bleu,
        ExactMatch,
        accuracy,
        bits_per_byte,
        bleu,
        bleu_tokenizer,
        chrf,
        exact_match,
        language_of,
        macro_f1,
        perplexity,
    )
    from bpe_transformer.evaluation.model_scores import (
        METRICS,
        ClassificationScore,
        LanguageModelScore,
        MaskedLanguageModelScore,
        Metric,
        Miss,
        TranslationScore,
        evaluate_classifier,
        evaluate_language_model,
        evaluate_masked_language_model,
        evaluate_translator,
    )
    from bpe_transformer.evaluation.rows import ScoredRows, scored_rows

_HOME = {
    "METRICS": "model_scores",
    "Bleu": "metrics",
    "ClassificationScore": "model_scores",
    "ExactMatch": "metrics",
    "LanguageModelScore": "model_scores",
    "MaskedLanguageModelScore": "model_scores",
    "Metric": "model_scores",
    "Miss": "model_scores",
    "ScoredRows": "rows",
    "TranslationScore": "model_scores",
    "accuracy": "metrics",
    "bits_per_byte": "metrics",
    "bleu": "metrics",
    "bleu_tokenizer": "metrics",
    "chrf": "metrics",
    "evaluate_classifier": "model_scores",
    "evaluate_language_model": "model_scores",
    "evaluate_masked_language_model": "model_scores",
    "evaluate_translator": "model_scores",
    "exact_match": "metrics",
    "language_of": "metrics",
    "macro_f1": "metrics",
    "perplexity": "metrics",
    "scored_rows": "rows",
}

__all__ = [
    "METRICS",
    "Bleu",
    "ClassificationScore",
    "ExactMatch",
    "LanguageModelScore",
    "MaskedLanguageModelScore",
    "Metric",
    "Miss",
    "ScoredRows",
    "TranslationScore",
    "accuracy",
    "bits_per_byte",
    "bleu",
    "bleu_tokenizer",
    "chrf",
    "evaluate_classifier",
    "evaluate_language_model",
    "evaluate_masked_language_model",
    "evaluate_translator",
    "exact_match",
    "language_of",
    "macro_f1",
    "perplexity",
    "scored_rows",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
