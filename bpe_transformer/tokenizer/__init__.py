"""The standalone BPE learner and encoder. Needs `io`, NumPy and the native core, and no other package of the pipeline."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.counting.counter import PretokenCounter
    from bpe_transformer.tokenizer.counting.counts import PretokenCounts
    from bpe_transformer.tokenizer.encoding.encodings import Encodings
    from bpe_transformer.tokenizer.learning import LearningInterrupted, learn_bpe, learn_superwords
    from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
    from bpe_transformer.tokenizer.store import TokenStore
    from bpe_transformer.tokenizer.tokenizer import Tokenizer
    from bpe_transformer.tokenizer.vocabulary.trace import MergeStep, MergeTrace

_HOME = {
    "Encodings": "encoding.encodings",
    "LearningInterrupted": "learning",
    "MergeStep": "vocabulary.trace",
    "MergeTrace": "vocabulary.trace",
    "PretokenCounter": "counting.counter",
    "PretokenCounts": "counting.counts",
    "Pretokenizer": "splitting.pretokenizer",
    "TokenStore": "store",
    "Tokenizer": "tokenizer",
    "learn_bpe": "learning",
    "learn_superwords": "learning",
}

__all__ = [
    "Encodings",
    "LearningInterrupted",
    "MergeStep",
    "MergeTrace",
    "PretokenCounter",
    "PretokenCounts",
    "Pretokenizer",
    "TokenStore",
    "Tokenizer",
    "learn_bpe",
    "learn_superwords",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'bpe_transformer.tokenizer' has no attribute {name!r}")
    value = getattr(import_module(f"bpe_transformer.tokenizer.{_HOME[name]}"), name)
    globals()[name] = value  # found without this function the next time
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
