"""A tokenizer-first NLP pipeline: text becomes tokens, tokens become a model, and every step can be looked at.

Names load on first use, so that `import bpe_transformer` costs nothing: the tokenizer needs only numpy and the native
core; `data`, `models` and `training` bring in datasets and torch when they are touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import (
        Encodings,
        MergeStep,
        MergeTrace,
        PretokenCounter,
        PretokenCounts,
        Pretokenizer,
        Tokenizer,
        TokenStore,
        learn_bpe,
        learn_superwords,
    )

__version__ = "0.1.0"

_HOME = {
    "Encodings": "bpe_transformer.tokenizer",
    "MergeStep": "bpe_transformer.tokenizer",
    "MergeTrace": "bpe_transformer.tokenizer",
    "Pretokenizer": "bpe_transformer.tokenizer",
    "PretokenCounter": "bpe_transformer.tokenizer",
    "PretokenCounts": "bpe_transformer.tokenizer",
    "TokenStore": "bpe_transformer.tokenizer",
    "Tokenizer": "bpe_transformer.tokenizer",
    "learn_bpe": "bpe_transformer.tokenizer",
    "learn_superwords": "bpe_transformer.tokenizer",
}

__all__ = [
    "Encodings",
    "MergeStep",
    "MergeTrace",
    "PretokenCounter",
    "PretokenCounts",
    "Pretokenizer",
    "TokenStore",
    "Tokenizer",
    "__version__",
    "learn_bpe",
    "learn_superwords",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
