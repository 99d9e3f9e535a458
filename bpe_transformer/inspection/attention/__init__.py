"""Attention weights between the tokens, words or characters of two texts."""

from bpe_transformer.inspection.attention.attended import AttendedText, attended_text
from bpe_transformer.inspection.attention.attention_map import Alignment, AttentionMap, SentenceLinks
from bpe_transformer.inspection.attention.focus import HeadFocus, WordFocus, focus_on
from bpe_transformer.inspection.attention.reading import Reading, read_attention
from bpe_transformer.inspection.attention.units import Units, fold

__all__ = [
    "Alignment",
    "AttendedText",
    "AttentionMap",
    "HeadFocus",
    "Reading",
    "SentenceLinks",
    "Units",
    "WordFocus",
    "attended_text",
    "focus_on",
    "fold",
    "read_attention",
]
