"""Settings, the training loop, checkpoints and recipes. Names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.training.callbacks import Callback, Progress, RunResult, RunStart
    from bpe_transformer.training.checkpoint import (
        CheckpointInfo,
        load_checkpoint,
        load_checkpoint_info,
        save_checkpoint,
    )
    from bpe_transformer.training.config import PRESETS, DecodingConfig, Settings, TrainingConfig
    from bpe_transformer.training.engine import Engine
    from bpe_transformer.training.objectives.objective import CausalLM, Classification, LossSum, MaskedLM, Seq2Seq
    from bpe_transformer.training.recipes import learn_tokenizer, recommended_settings
    from bpe_transformer.training.state import load_run_settings
    from bpe_transformer.training.train import (
        train_classifier,
        train_language_model,
        train_model,
        train_translation,
    )

_HOME = {
    "PRESETS": "config",
    "Callback": "callbacks",
    "CausalLM": "objectives.objective",
    "CheckpointInfo": "checkpoint",
    "Classification": "objectives.objective",
    "DecodingConfig": "config",
    "Engine": "engine",
    "LossSum": "objectives.objective",
    "MaskedLM": "objectives.objective",
    "Progress": "callbacks",
    "RunResult": "callbacks",
    "RunStart": "callbacks",
    "Seq2Seq": "objectives.objective",
    "Settings": "config",
    "TrainingConfig": "config",
    "learn_tokenizer": "recipes",
    "load_checkpoint": "checkpoint",
    "load_checkpoint_info": "checkpoint",
    "load_run_settings": "state",
    "recommended_settings": "recipes",
    "save_checkpoint": "checkpoint",
    "train_classifier": "train",
    "train_language_model": "train",
    "train_model": "train",
    "train_translation": "train",
}

__all__ = [
    "PRESETS",
    "Callback",
    "CausalLM",
    "CheckpointInfo",
    "Classification",
    "DecodingConfig",
    "Engine",
    "LossSum",
    "MaskedLM",
    "Progress",
    "RunResult",
    "RunStart",
    "Seq2Seq",
    "Settings",
    "TrainingConfig",
    "learn_tokenizer",
    "load_checkpoint",
    "load_checkpoint_info",
    "load_run_settings",
    "recommended_settings",
    "save_checkpoint",
    "train_classifier",
    "train_language_model",
    "train_model",
    "train_translation",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
