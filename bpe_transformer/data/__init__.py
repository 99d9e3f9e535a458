"""Corpora as datasets, text as ids, ids as batches. Names load on first use: only the batching ones need torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.data.batches.batch import Batch, LabelledBatch, MaskedBatch, PackedBatch, TranslationBatch
    from bpe_transformer.data.batches.bucketed import LabelledBatches, PairBatches
    from bpe_transformer.data.batches.source import BatchSource, Padding
    from bpe_transformer.data.batches.token_rows import FlatRows, TokenRows
    from bpe_transformer.data.batches.windows import MaskedBatches, PackedBatches
    from bpe_transformer.data.corpora.load import corpus_info, load_corpus
    from bpe_transformer.data.corpora.reading import Reading
    from bpe_transformer.data.corpora.recipes import CorpusInfo, list_corpora
    from bpe_transformer.data.corpora.table_cache import read_stage
    from bpe_transformer.data.corpora.validation_rows import KnownRows, hold_out, load_with_validation
    from bpe_transformer.data.counting.pretoken_counts import count_corpus
    from bpe_transformer.data.prepared.prepare import (
        PrepareOptions,
        prepare_classification,
        prepare_corpus,
        prepare_language_model,
        prepare_to_url,
        prepare_translation,
    )
    from bpe_transformer.data.prepared.prepared_splits import columns_of, load_stores
    from bpe_transformer.data.prepared.task_columns import TASKS, Task, TaskColumns, choose_columns
    from bpe_transformer.data.special_ids import SPECIAL_TOKENS, SpecialIds
    from bpe_transformer.ledger import Amount, Ledger, LedgerRow, Stage
    from bpe_transformer.tokenizer.store import TokenStore

_HOME = {
    "KnownRows": "corpora.validation_rows",
    "SPECIAL_TOKENS": "special_ids",
    "TASKS": "prepared.task_columns",
    "Amount": "bpe_transformer.ledger",
    "Batch": "batches.batch",
    "BatchSource": "batches.source",
    "CorpusInfo": "corpora.recipes",
    "FlatRows": "batches.token_rows",
    "LabelledBatch": "batches.batch",
    "LabelledBatches": "batches.bucketed",
    "Ledger": "bpe_transformer.ledger",
    "LedgerRow": "bpe_transformer.ledger",
    "MaskedBatch": "batches.batch",
    "MaskedBatches": "batches.windows",
    "PackedBatch": "batches.batch",
    "PackedBatches": "batches.windows",
    "Padding": "batches.source",
    "PairBatches": "batches.bucketed",
    "PrepareOptions": "prepared.prepare",
    "Reading": "corpora.reading",
    "SpecialIds": "special_ids",
    "Stage": "bpe_transformer.ledger",
    "Task": "prepared.task_columns",
    "TaskColumns": "prepared.task_columns",
    "TokenRows": "batches.token_rows",
    "TokenStore": "bpe_transformer.tokenizer.store",
    "TranslationBatch": "batches.batch",
    "choose_columns": "prepared.task_columns",
    "columns_of": "prepared.prepared_splits",
    "corpus_info": "corpora.load",
    "count_corpus": "counting.pretoken_counts",
    "hold_out": "corpora.validation_rows",
    "list_corpora": "corpora.recipes",
    "load_corpus": "corpora.load",
    "load_stores": "prepared.prepared_splits",
    "load_with_validation": "corpora.validation_rows",
    "prepare_classification": "prepared.prepare",
    "prepare_corpus": "prepared.prepare",
    "prepare_language_model": "prepared.prepare",
    "prepare_to_url": "prepared.prepare",
    "prepare_translation": "prepared.prepare",
    "read_stage": "corpora.table_cache",
}

__all__ = [
    "SPECIAL_TOKENS",
    "TASKS",
    "Amount",
    "Batch",
    "BatchSource",
    "CorpusInfo",
    "FlatRows",
    "KnownRows",
    "LabelledBatch",
    "LabelledBatches",
    "Ledger",
    "LedgerRow",
    "MaskedBatch",
    "MaskedBatches",
    "PackedBatch",
    "PackedBatches",
    "Padding",
    "PairBatches",
    "PrepareOptions",
    "Reading",
    "SpecialIds",
    "Stage",
    "Task",
    "TaskColumns",
    "TokenRows",
    "TokenStore",
    "TranslationBatch",
    "choose_columns",
    "columns_of",
    "corpus_info",
    "count_corpus",
    "hold_out",
    "list_corpora",
    "load_corpus",
    "load_stores",
    "load_with_validation",
    "prepare_classification",
    "prepare_corpus",
    "prepare_language_model",
    "prepare_to_url",
    "prepare_translation",
    "read_stage",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
