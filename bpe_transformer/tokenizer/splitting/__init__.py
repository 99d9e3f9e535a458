"""Splitting text into pre-tokens: patterns, normalisation, protected spans, and the offsets that lead back to the text."""

from bpe_transformer.tokenizer.splitting.alignment import Aligned, Normalization, Offsets, character_offsets
from bpe_transformer.tokenizer.splitting.normalizers import Normalizer, NormalizerSequence
from bpe_transformer.tokenizer.splitting.patterns import DEFAULT_PATTERN, PATTERNS
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer

__all__ = [
    "DEFAULT_PATTERN",
    "PATTERNS",
    "Aligned",
    "Normalization",
    "Normalizer",
    "NormalizerSequence",
    "Offsets",
    "Pretokenizer",
    "character_offsets",
]
