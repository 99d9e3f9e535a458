"""Settings, the training loop, checkpoints and recipes. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.training.checkpoint import (
        CheckpointInfo,
        load_checkpoint,
        load_checkpoint_info,
        save_checkpoint,
    )
    from bpe_transformer.training.config import PRESETS, DecodingConfig, ModelConfig, Settings, TrainingConfig
    from bpe_transformer.training.train import train_language_model, train_translation
    from bpe_transformer.training.trainer import Progress, RunResult

_HOME = {
    "PRESETS": "config",
    "CheckpointInfo": "checkpoint",
    "DecodingConfig": "config",
    "ModelConfig": "config",
    "Progress": "trainer",
    "RunResult": "trainer",
    "Settings": "config",
    "TrainingConfig": "config",
    "load_checkpoint": "checkpoint",
    "load_checkpoint_info": "checkpoint",
    "save_checkpoint": "checkpoint",
    "train_language_model": "train",
    "train_translation": "train",
}

__all__ = [
    "PRESETS",
    "CheckpointInfo",
    "DecodingConfig",
    "ModelConfig",
    "Progress",
    "RunResult",
    "Settings",
    "TrainingConfig",
    "load_checkpoint",
    "load_checkpoint_info",
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
