"""The training loop: its steps, its course from warm-up to end, its signals, and what it saves."""

from bpe_transformer.training.trainer.trainer import Trainer

__all__ = ["Trainer"]
