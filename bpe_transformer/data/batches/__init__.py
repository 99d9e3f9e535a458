"""Rows of ids as batches of tensors: samplers, padding, packing. Names load on first use, and torch with them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_transformer.data.batches.collators import (
        LabelledBatch,
        TranslationBatch,
        collate_labelled,
        collate_translation,
        pad,
    )
    from bpe_transformer.data.batches.packing import PackedBlocks
    from bpe_transformer.data.batches.samplers import TokenBatchSampler

_HOME = {
    "LabelledBatch": "collators",
    "PackedBlocks": "packing",
    "TokenBatchSampler": "samplers",
    "TranslationBatch": "collators",
    "collate_labelled": "collators",
    "collate_translation": "collators",
    "pad": "collators",
}

__all__ = [
    "LabelledBatch",
    "PackedBlocks",
    "TokenBatchSampler",
    "TranslationBatch",
    "collate_labelled",
    "collate_translation",
    "pad",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        module = import_module(f"bpe_transformer.data.batches.{_HOME[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'bpe_transformer.data.batches' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
