"""Corpora as datasets, text as ids, ids as batches. Names load on first use: only the batching ones need torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.data.batching import (
        PackedBlocks,
        TokenBatchSampler,
        TranslationBatch,
        collate_translation,
    )
    from bpe_transformer.data.corpora import corpus_info, load_corpus
    from bpe_transformer.data.counting import count_corpus
    from bpe_transformer.data.ledger import Amount, Ledger, LedgerRow, Stage
    from bpe_transformer.data.preprocess import (
        SPECIAL_TOKENS,
        Prepared,
        SpecialIds,
        prepare_language_model,
        prepare_translation,
    )
    from bpe_transformer.data.recipes import CorpusInfo, list_corpora
    from bpe_transformer.data.table_cache import read_stage

_HOME = {
    "Amount": "ledger",
    "CorpusInfo": "recipes",
    "Ledger": "ledger",
    "LedgerRow": "ledger",
    "PackedBlocks": "batching",
    "Prepared": "preprocess",
    "SPECIAL_TOKENS": "preprocess",
    "SpecialIds": "preprocess",
    "Stage": "ledger",
    "TokenBatchSampler": "batching",
    "TranslationBatch": "batching",
    "collate_translation": "batching",
    "corpus_info": "corpora",
    "count_corpus": "counting",
    "list_corpora": "recipes",
    "load_corpus": "corpora",
    "prepare_language_model": "preprocess",
    "prepare_translation": "preprocess",
    "read_stage": "table_cache",
}

__all__ = [
    "SPECIAL_TOKENS",
    "Amount",
    "CorpusInfo",
    "Ledger",
    "LedgerRow",
    "PackedBlocks",
    "Prepared",
    "SpecialIds",
    "Stage",
    "TokenBatchSampler",
    "TranslationBatch",
    "collate_translation",
    "corpus_info",
    "count_corpus",
    "list_corpora",
    "load_corpus",
    "prepare_language_model",
    "prepare_translation",
    "read_stage",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"bpe_transformer.data.{_HOME[name]}"), name)
    raise AttributeError(f"module 'bpe_transformer.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
