"""Counting pre-tokens, the first stage of learning: in bounded memory, on several threads, in files that add up."""

from bpe_transformer.tokenizer.counting.counter import PretokenCounter
from bpe_transformer.tokenizer.counting.counts import PretokenCounts
from bpe_transformer.tokenizer.counting.counts_file import is_counts_file
from bpe_transformer.tokenizer.counting.facts import CountFacts, CountSource
from bpe_transformer.tokenizer.counting.weights import Weight, temperature_weights

__all__ = [
    "CountFacts",
    "CountSource",
    "PretokenCounter",
    "PretokenCounts",
    "Weight",
    "is_counts_file",
    "temperature_weights",
]
