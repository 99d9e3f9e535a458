"""Models on ids and tensors: the families of the registry, and the layers that they are built of.

Nothing here knows a tokenizer or a file. Names load on first use: configs, presets and registry cost no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.models.attention import KeyValueCache, MultiHeadAttention
    from bpe_transformer.models.language_model import LanguageModel
    from bpe_transformer.models.positional import LearnedPositions, SinusoidalPositions, sinusoids
    from bpe_transformer.models.transformer import DecodingCache, TransformerLayer
    from bpe_transformer.models.translation import TranslationAttention, TranslationModel

_HOME = {
    "DecodingCache": "transformer",
    "KeyValueCache": "attention",
    "LanguageModel": "language_model",
    "LearnedPositions": "positional",
    "MultiHeadAttention": "attention",
    "SinusoidalPositions": "positional",
    "TransformerLayer": "transformer",
    "TranslationAttention": "translation",
    "TranslationModel": "translation",
    "sinusoids": "positional",
}

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


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"bpe_transformer.models.{_HOME[name]}"), name)
    raise AttributeError(f"module 'bpe_transformer.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
