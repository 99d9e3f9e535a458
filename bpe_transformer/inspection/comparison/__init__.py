"""Several tokenizers on the same texts, and one vocabulary at several sizes."""

from bpe_transformer.inspection.comparison.segmentation_differences import Difference, Segments
from bpe_transformer.inspection.comparison.sweep_corpora import corpora_to_sweep, text_to_sweep
from bpe_transformer.inspection.comparison.tokenizer_comparison import Comparison, compare
from bpe_transformer.inspection.comparison.vocab_size_sweep import (
    CorpusSweep,
    SizeRow,
    SweepCorpus,
    VocabSizeSweep,
    sweep_vocab_sizes,
)

__all__ = [
    "Comparison",
    "CorpusSweep",
    "Difference",
    "Segments",
    "SizeRow",
    "SweepCorpus",
    "VocabSizeSweep",
    "compare",
    "corpora_to_sweep",
    "sweep_vocab_sizes",
    "text_to_sweep",
]
