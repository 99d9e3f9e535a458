"""Settings, the training loop, checkpoints, scores, and trained models at work. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.training.checkpoint import ModelCard, load_card, load_checkpoint, save_checkpoint
    from bpe_transformer.training.config import PRESETS, DecodingConfig, ModelConfig, Settings, TrainingConfig
    from bpe_transformer.training.metrics import Bleu, ExactMatch, bits_per_byte, bleu, exact_match, perplexity
    from bpe_transformer.training.runners import (
        AttentionWeights,
        LanguageModelRunner,
        Translator,
        load_language_model,
        load_translator,
    )
    from bpe_transformer.training.train import train_language_model, train_translation
    from bpe_transformer.training.trainer import Outcome, Progress

_HOME = {
    "PRESETS": "config",
    "AttentionWeights": "runners",
    "Bleu": "metrics",
    "DecodingConfig": "config",
    "ExactMatch": "metrics",
    "LanguageModelRunner": "runners",
    "ModelCard": "checkpoint",
    "ModelConfig": "config",
    "Outcome": "trainer",
    "Progress": "trainer",
    "Settings": "config",
    "TrainingConfig": "config",
    "Translator": "runners",
    "bits_per_byte": "metrics",
    "bleu": "metrics",
    "exact_match": "metrics",
    "load_card": "checkpoint",
    "load_checkpoint": "checkpoint",
    "load_language_model": "runners",
    "load_translator": "runners",
    "perplexity": "metrics",
    "save_checkpoint": "checkpoint",
    "train_language_model": "train",
    "train_translation": "train",
}

__all__ = [
    "PRESETS",
    "AttentionWeights",
    "Bleu",
    "DecodingConfig",
    "ExactMatch",
    "LanguageModelRunner",
    "ModelCard",
    "ModelConfig",
    "Outcome",
    "Progress",
    "Settings",
    "TrainingConfig",
    "Translator",
    "bits_per_byte",
    "bleu",
    "exact_match",
    "load_card",
    "load_checkpoint",
    "load_language_model",
    "load_translator",
    "perplexity",
    "save_checkpoint",
    "train_language_model",
    "train_translation",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"bpe_transformer.training.{_HOME[name]}"), name)
    raise AttributeError(f"module 'bpe_transformer.training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
