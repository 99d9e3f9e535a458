"""A vocabulary as plain data: tokens and merges (`BpeModel`), what special tokens are for (`Roles`), its merge trace."""

from bpe_transformer.tokenizer.vocabulary.model import BpeModel, PrefixSpace, Unit
from bpe_transformer.tokenizer.vocabulary.roles import Roles
from bpe_transformer.tokenizer.vocabulary.trace import MergeStep, MergeTrace

__all__ = ["BpeModel", "MergeStep", "MergeTrace", "PrefixSpace", "Roles", "Unit"]
