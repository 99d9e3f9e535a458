"""Attention weights between the tokens, words or characters of two texts."""

from bpe_transformer.inspection.attention.attended import AttendedText, attended_text
from bpe_transformer.inspection.attention.attention_map import Alignment, AttentionMap, SentenceLinks
from bpe_transformer.inspection.attention.focus import HeadFocus, WordFocus, focus_on
from bpe_transformer.inspection.attention.gold_alignment import align_pair, alignment_errors, gold_pairs
from bpe_transformer.inspection.attention.reading import Reading, read_attention
from bpe_transformer.inspection.attention.units import Units, fold
from bpe_transformer.inspection.attention.word_alignment import Aligner, AlignmentErrors, WordAlignment, error_rate

__all__ = [
    "Aligner",
    "Alignment",
    "AlignmentErrors",
    "AttendedText",
    "AttentionMap",
    "HeadFocus",
    "Reading",
    "SentenceLinks",
    "Units",
    "WordAlignment",
    "WordFocus",
    "align_pair",
    "alignment_errors",
    "attended_text",
    "error_rate",
    "focus_on",
    "fold",
    "gold_pairs",
    "read_attention",
]
