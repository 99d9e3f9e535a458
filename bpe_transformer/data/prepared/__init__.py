"""Text columns of `datasets` as token stores, ready for batches, with the digest of their tokenizer. Names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
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

_HOME = {
    "TASKS": "task_columns",
    "PrepareOptions": "prepare",
    "Task": "task_columns",
    "TaskColumns": "task_columns",
    "choose_columns": "task_columns",
    "columns_of": "prepared_splits",
    "load_stores": "prepared_splits",
    "prepare_classification": "prepare",
    "prepare_corpus": "prepare",
    "prepare_language_model": "prepare",
    "prepare_to_url": "prepare",
    "prepare_translation": "prepare",
}

__all__ = [
    "TASKS",
    "PrepareOptions",
    "Task",
    "TaskColumns",
    "choose_columns",
    "columns_of",
    "load_stores",
    "prepare_classification",
    "prepare_corpus",
    "prepare_language_model",
    "prepare_to_url",
    "prepare_translation",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
