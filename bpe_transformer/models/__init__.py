"""Models on ids and tensors: the families of the registry, and the layers that they are built of.

Nothing here knows a tokenizer or a file. Names load on first use: configs, presets and registry cost no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.models.config import (
        ModelConfig,
        ModelOptions,
        RecurrentAttentionConfig,
        RecurrentAttentionOptions,
        RecurrentConfig,
        RecurrentOptions,
        TransformerConfig,
        TransformerOptions,
    )
    from bpe_transformer.models.decoder_only import DecoderOnly, LanguageModel
    from bpe_transformer.models.encoder_decoder import EncoderDecoder
    from bpe_transformer.models.encoder_only import EncoderOnly, MaskedLanguageModel
    from bpe_transformer.models.heads import ClassificationHead, Classifier, LanguageModelHead, MaskedLMHead
    from bpe_transformer.models.outputs import AttentionWeights, Cache, Memory
    from bpe_transformer.models.presets import SHAPES, Shape
    from bpe_transformer.models.recurrent import RecurrentSeq2Seq
    from bpe_transformer.models.registry import FAMILIES, Family, family_named

_HOME = {
    "AttentionWeights": "outputs",
    "Cache": "outputs",
    "ClassificationHead": "heads",
    "Classifier": "heads",
    "DecoderOnly": "decoder_only",
    "EncoderDecoder": "encoder_decoder",
    "EncoderOnly": "encoder_only",
    "FAMILIES": "registry",
    "Family": "registry",
    "LanguageModel": "decoder_only",
    "LanguageModelHead": "heads",
    "MaskedLMHead": "heads",
    "MaskedLanguageModel": "encoder_only",
    "Memory": "outputs",
    "ModelConfig": "config",
    "ModelOptions": "config",
    "RecurrentAttentionConfig": "config",
    "RecurrentAttentionOptions": "config",
    "RecurrentConfig": "config",
    "RecurrentOptions": "config",
    "RecurrentSeq2Seq": "recurrent",
    "SHAPES": "presets",
    "Shape": "presets",
    "TransformerConfig": "config",
    "TransformerOptions": "config",
    "family_named": "registry",
}

__all__ = [
    "FAMILIES",
    "SHAPES",
    "AttentionWeights",
    "Cache",
    "ClassificationHead",
    "Classifier",
    "DecoderOnly",
    "EncoderDecoder",
    "EncoderOnly",
    "Family",
    "LanguageModel",
    "LanguageModelHead",
    "MaskedLMHead",
    "MaskedLanguageModel",
    "Memory",
    "ModelConfig",
    "ModelOptions",
    "RecurrentAttentionConfig",
    "RecurrentAttentionOptions",
    "RecurrentConfig",
    "RecurrentOptions",
    "RecurrentSeq2Seq",
    "Shape",
    "TransformerConfig",
    "TransformerOptions",
    "family_named",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
