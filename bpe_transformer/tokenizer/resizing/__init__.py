"""Smaller vocabularies from a learned one: its first merges, or the tokens that a corpus uses."""

from bpe_transformer.tokenizer.resizing.prune import prune
from bpe_transformer.tokenizer.resizing.truncate import truncate
from bpe_transformer.tokenizer.resizing.usage import TokenUsage, token_usage
from bpe_transformer.tokenizer.vocabulary.pruned_model import PrunedModel

__all__ = ["PrunedModel", "TokenUsage", "prune", "token_usage", "truncate"]
