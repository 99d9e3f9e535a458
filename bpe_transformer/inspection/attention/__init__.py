"""Attention weights with the tokens that they stand between."""

from bpe_transformer.inspection.attention.attention_map import Alignment, AttentionMap

__all__ = [
    "Alignment",
    "AttentionMap",
]
