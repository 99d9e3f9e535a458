"""Corpora as datasets, text as ids, ids as batches. Names load on first use: only the batching ones need torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.data.batches.batch import (
        PackedBlocks,
        TokenBatchSampler,
        TranslationBatch,
        collate_translation,
    )
    from bpe_transformer.data.corpora.load import corpus_info, load_corpus
    from bpe_transformer.data.corpora.recipes import CorpusInfo, list_corpora
    from bpe_transformer.data.corpora.table_cache import read_stage
    from bpe_transformer.data.counting.pretoken_counts import count_corpus
    from bpe_transformer.data.prepared.ledger import Amount, Ledger, LedgerRow, Stage
    from bpe_transformer.data.prepared.prepare import (
        SPECIAL_TOKENS,
        Prepared,
        SpecialIds,
        prepare_language_model,
        prepare_translation,
    )

_HOME = {
    "Amount": "prepared.ledger",
    "CorpusInfo": "corpora.recipes",
    "Ledger": "prepared.ledger",
    "LedgerRow": "prepared.ledger",
    "PackedBlocks": "batches.batch",
    "Prepared": "prepared.prepare",
    "SPECIAL_TOKENS": "prepared.prepare",
    "SpecialIds": "prepared.prepare",
    "Stage": "prepared.ledger",
    "TokenBatchSampler": "batches.batch",
    "TranslationBatch": "batches.batch",
    "collate_translation": "batches.batch",
    "corpus_info": "corpora.load",
    "count_corpus": "counting.pretoken_counts",
    "list_corpora": "corpora.recipes",
    "load_corpus": "corpora.load",
    "prepare_language_model": "prepared.prepare",
    "prepare_translation": "prepared.prepare",
    "read_stage": "corpora.table_cache",
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
