"""A vocabulary as plain data: its tokens and merges (`BpeModel`), and what decided every merge (`MergeTrace`)."""

from bpe_transformer.tokenizer.vocabulary.model import BpeModel, PrefixSpace, Unit
from bpe_transformer.tokenizer.vocabulary.trace import MergeStep, MergeTrace

__all__ = ["BpeModel", "MergeStep", "MergeTrace", "PrefixSpace", "Unit"]
