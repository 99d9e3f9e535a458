"""Trained models at work on text: translating, continuing, and the searches that write ids. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.inference.attention_weights import AttentionWeights, LayerAttention
    from bpe_transformer.inference.beam import Hypothesis, beam_search, length_normalizer
    from bpe_transformer.inference.classifier import Classifier, LabelProbabilities, load_classifier
    from bpe_transformer.inference.decoding_session import DecodingSession, LanguageModelSession, TranslationSession
    from bpe_transformer.inference.greedy import greedy_search
    from bpe_transformer.inference.mask_filler import MaskedScore, MaskFiller, load_mask_filler
    from bpe_transformer.inference.sampling import filter_logits, sample
    from bpe_transformer.inference.text_generator import TextGenerator, TextLikelihood, load_text_generator
    from bpe_transformer.inference.translator import Translator, load_translator

_HOME = {
    "AttentionWeights": "attention_weights",
    "Classifier": "classifier",
    "DecodingSession": "decoding_session",
    "Hypothesis": "beam",
    "LabelProbabilities": "classifier",
    "LanguageModelSession": "decoding_session",
    "LayerAttention": "attention_weights",
    "MaskFiller": "mask_filler",
    "MaskedScore": "mask_filler",
    "TextGenerator": "text_generator",
    "TextLikelihood": "text_generator",
    "TranslationSession": "decoding_session",
    "Translator": "translator",
    "beam_search": "beam",
    "filter_logits": "sampling",
    "greedy_search": "greedy",
    "length_normalizer": "beam",
    "load_classifier": "classifier",
    "load_mask_filler": "mask_filler",
    "load_text_generator": "text_generator",
    "load_translator": "translator",
    "sample": "sampling",
}

__all__ = [
    "AttentionWeights",
    "Classifier",
    "DecodingSession",
    "Hypothesis",
    "LabelProbabilities",
    "LanguageModelSession",
    "LayerAttention",
    "MaskFiller",
    "MaskedScore",
    "TextGenerator",
    "TextLikelihood",
    "TranslationSession",
    "Translator",
    "beam_search",
    "filter_logits",
    "greedy_search",
    "length_normalizer",
    "load_classifier",
    "load_mask_filler",
    "load_text_generator",
    "load_translator",
    "sample",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        module = import_module(f"bpe_transformer.inference.{_HOME[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'bpe_transformer.inference' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
