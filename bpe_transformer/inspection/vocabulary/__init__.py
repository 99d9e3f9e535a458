"""A vocabulary to browse: its tokens, what a corpus uses of them, those that no text has, and what a model made of them."""

from bpe_transformer.inspection.vocabulary.reachability import Obstacle, unreachable, witness
from bpe_transformer.inspection.vocabulary.trained_tokens import TrainedToken, TrainedTokens, trained_tokens
from bpe_transformer.inspection.vocabulary.vocab_browser import VocabBrowser
from bpe_transformer.inspection.vocabulary.vocab_entries import Pruning, VocabEntry, VocabView

__all__ = [
    "Obstacle",
    "Pruning",
    "TrainedToken",
    "TrainedTokens",
    "VocabBrowser",
    "VocabEntry",
    "VocabView",
    "trained_tokens",
    "unreachable",
    "witness",
]
