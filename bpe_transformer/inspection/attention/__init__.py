"""Attention weights between the tokens, words or characters of two texts. Names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.inspection.attention.attended import AttendedText, AttentionReader, attended_text
    from bpe_transformer.inspection.attention.attention_map import Alignment, AttentionMap, SentenceLinks
    from bpe_transformer.inspection.attention.focus import HeadFocus, WordFocus, focus_on
    from bpe_transformer.inspection.attention.gold_alignment import align_pair, alignment_errors, gold_pairs
    from bpe_transformer.inspection.attention.methods import METHODS
    from bpe_transformer.inspection.attention.over_training import (
        AttentionOverTraining,
        TrainingMoment,
        attention_over_training,
    )
    from bpe_transformer.inspection.attention.reading import Reading, read_attention
    from bpe_transformer.inspection.attention.units import Unit, Units, fold
    from bpe_transformer.inspection.attention.word_alignment import Aligner, AlignmentErrors, WordAlignment, error_rate

_HOME = {
    "Aligner": "word_alignment",
    "Alignment": "attention_map",
    "AlignmentErrors": "word_alignment",
    "AttendedText": "attended",
    "AttentionMap": "attention_map",
    "AttentionOverTraining": "over_training",
    "AttentionReader": "attended",
    "HeadFocus": "focus",
    "METHODS": "methods",
    "Reading": "reading",
    "SentenceLinks": "attention_map",
    "TrainingMoment": "over_training",
    "Unit": "units",
    "Units": "units",
    "WordAlignment": "word_alignment",
    "WordFocus": "focus",
    "align_pair": "gold_alignment",
    "alignment_errors": "gold_alignment",
    "attended_text": "attended",
    "attention_over_training": "over_training",
    "error_rate": "word_alignment",
    "focus_on": "focus",
    "fold": "units",
    "gold_pairs": "gold_alignment",
    "read_attention": "reading",
}

__all__ = [
    "METHODS",
    "Aligner",
    "Alignment",
    "AlignmentErrors",
    "AttendedText",
    "AttentionMap",
    "AttentionOverTraining",
    "AttentionReader",
    "HeadFocus",
    "Reading",
    "SentenceLinks",
    "TrainingMoment",
    "Unit",
    "Units",
    "WordAlignment",
    "WordFocus",
    "align_pair",
    "alignment_errors",
    "attended_text",
    "attention_over_training",
    "error_rate",
    "focus_on",
    "fold",
    "gold_pairs",
    "read_attention",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
