"""Transformers on ids and tensors: a translation model and a language model.

Nothing here knows a tokenizer, a file or a default: constructors take every setting by name, `training.config` is where
the values come from.
"""

from __future__ import annotations

from bpe_transformer.models.attention import KeyValueCache, MultiHeadAttention
from bpe_transformer.models.language_model import LanguageModel
from bpe_transformer.models.positional import LearnedPositions, SinusoidalPositions, sinusoids
from bpe_transformer.models.transformer import DecodingCache, TransformerLayer
from bpe_transformer.models.translation import TranslationAttention, TranslationModel

__all__ = [
    "DecodingCache",
    "KeyValueCache",
    "LanguageModel",
    "LearnedPositions",
    "MultiHeadAttention",
    "SinusoidalPositions",
    "TransformerLayer",
    "TranslationAttention",
    "TranslationModel",
    "sinusoids",
]
