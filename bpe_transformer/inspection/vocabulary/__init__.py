"""A vocabulary to browse: its tokens, what a corpus uses of them, and those that no text is ever encoded to."""

from bpe_transformer.inspection.vocabulary.reachability import Obstacle, unreachable, witness
from bpe_transformer.inspection.vocabulary.vocab_browser import VocabBrowser
from bpe_transformer.inspection.vocabulary.vocab_entries import Pruning, VocabEntry, VocabView

__all__ = [
    "Obstacle",
    "Pruning",
    "VocabBrowser",
    "VocabEntry",
    "VocabView",
    "unreachable",
    "witness",
]
