"""Attention weights between the tokens of two texts."""

from bpe_transformer.inspection.attention.attention_map import Alignment, AttentionMap

__all__ = [
    "Alignment",
    "AttentionMap",
]
