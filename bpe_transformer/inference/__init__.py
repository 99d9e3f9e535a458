"""Trained models at work on text: translating, continuing, labelling, filling gaps. Names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.inference.attention_weights import AttentionWeights, LayerAttention
    from bpe_transformer.inference.classifier import Classifier, LabelProbabilities, load_classifier
    from bpe_transformer.inference.generation import Continuation
    from bpe_transformer.inference.loading import load_translator
    from bpe_transformer.inference.mask_filler import FilledMask, FilledText, MaskedScore, MaskFiller, load_mask_filler
    from bpe_transformer.inference.options import GenerationOptions, TranslationOptions
    from bpe_transformer.inference.search.beam import Hypothesis, beam_search, length_normalizer
    from bpe_transformer.inference.search.constraints import Constraints
    from bpe_transformer.inference.search.decoding_session import (
        DecodingSession,
        LanguageModelSession,
        TranslationSession,
    )
    from bpe_transformer.inference.search.greedy import greedy_search
    from bpe_transformer.inference.search.sampling import filter_logits, sample
    from bpe_transformer.inference.search.stepwise import Written
    from bpe_transformer.inference.text_generator import TextGenerator, TextLikelihood, load_text_generator
    from bpe_transformer.inference.translation import ScoredToken, Translation, TranslationHypothesis
    from bpe_transformer.inference.translator import Translator

_HOME = {
    "AttentionWeights": "attention_weights",
    "Classifier": "classifier",
    "Constraints": "search.constraints",
    "Continuation": "generation",
    "DecodingSession": "search.decoding_session",
    "FilledMask": "mask_filler",
    "FilledText": "mask_filler",
    "GenerationOptions": "options",
    "Hypothesis": "search.beam",
    "LabelProbabilities": "classifier",
    "LanguageModelSession": "search.decoding_session",
    "LayerAttention": "attention_weights",
    "MaskFiller": "mask_filler",
    "MaskedScore": "mask_filler",
    "ScoredToken": "translation",
    "TextGenerator": "text_generator",
    "TextLikelihood": "text_generator",
    "Translation": "translation",
    "TranslationHypothesis": "translation",
    "TranslationOptions": "options",
    "TranslationSession": "search.decoding_session",
    "Translator": "translator",
    "Written": "search.stepwise",
    "beam_search": "search.beam",
    "filter_logits": "search.sampling",
    "greedy_search": "search.greedy",
    "length_normalizer": "search.beam",
    "load_classifier": "classifier",
    "load_mask_filler": "mask_filler",
    "load_text_generator": "text_generator",
    "load_translator": "loading",
    "sample": "search.sampling",
}

__all__ = [
    "AttentionWeights",
    "Classifier",
    "Constraints",
    "Continuation",
    "DecodingSession",
    "FilledMask",
    "FilledText",
    "GenerationOptions",
    "Hypothesis",
    "LabelProbabilities",
    "LanguageModelSession",
    "LayerAttention",
    "MaskFiller",
    "MaskedScore",
    "ScoredToken",
    "TextGenerator",
    "TextLikelihood",
    "Translation",
    "TranslationHypothesis",
    "TranslationOptions",
    "TranslationSession",
    "Translator",
    "Written",
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

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
