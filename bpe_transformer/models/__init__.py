"""Transformers on ids and tensors: a translation model, a language model, and how they write.

Nothing here knows a tokenizer, a file or a default: constructors take every setting by name, `training.config` is where
the values come from.
"""

from __future__ import annotations

from bpe_transformer.models.attention import KeyValueCache, MultiHeadAttention
from bpe_transformer.models.generation import (
    Hypothesis,
    LanguageModelStepper,
    Stepper,
    TranslationStepper,
    beam_search,
    filter_logits,
    greedy,
    length_penalty,
    sample,
)
from bpe_transformer.models.language_model import LanguageModel
from bpe_transformer.models.positional import LearnedPositions, SinusoidalPositions, sinusoids
from bpe_transformer.models.transformer import DecodingCache, TransformerLayer
from bpe_transformer.models.translation import TranslationAttention, TranslationModel

__all__ = [
    "DecodingCache",
    "Hypothesis",
    "KeyValueCache",
    "LanguageModel",
    "LanguageModelStepper",
    "LearnedPositions",
    "MultiHeadAttention",
    "SinusoidalPositions",
    "Stepper",
    "TransformerLayer",
    "TranslationAttention",
    "TranslationModel",
    "TranslationStepper",
    "beam_search",
    "filter_logits",
    "greedy",
    "length_penalty",
    "sample",
    "sinusoids",
]
