"""What a model's folder says of itself: config.json, the settings of generation, and the card for people."""

from bpe_transformer.training.run_files.checkpoint_info import CheckpointInfo
from bpe_transformer.training.run_files.generation_config import (
    GENERATION_CONFIG,
    decoding_notes,
    generation_config,
)
from bpe_transformer.training.run_files.model_card import CARD, model_card

__all__ = ["CARD", "GENERATION_CONFIG", "CheckpointInfo", "decoding_notes", "generation_config", "model_card"]
