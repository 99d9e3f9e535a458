"""Every setting of a run, with its unit and its default; one file for what is set together. Imports nothing heavy."""

from bpe_transformer.training.config.decoding import DecodingConfig
from bpe_transformer.training.config.loop import ENDS
from bpe_transformer.training.config.settings import FIELDS, PRESETS, Settings, TrainingConfig

__all__ = ["ENDS", "FIELDS", "PRESETS", "DecodingConfig", "Settings", "TrainingConfig"]
