"""The standalone BPE learner and encoder. Needs `io`, NumPy and the native core, and no other package of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
