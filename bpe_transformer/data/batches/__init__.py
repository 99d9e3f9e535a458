"""Rows of ids as batches of tensors: sources, padding, packing. Names load on first use, and torch with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpe_transformer.lazy import lazy_names

if TYPE_CHECKING:
    from bpe_transformer.data.batches.background import BackgroundBatches
    from bpe_transformer.data.batches.batch import (
        IGNORED,
        Batch,
        LabelledBatch,
        MaskedBatch,
        PackedBatch,
        TranslationBatch,
        on_device,
    )
    from bpe_transformer.data.batches.bucketed import LabelledBatches, PairBatches
    from bpe_transformer.data.batches.collators import pad
    from bpe_transformer.data.batches.mixture import ChainedBatches, MixedBatches, MixedStores
    from bpe_transformer.data.batches.packing import PACKS, Pack, pack
    from bpe_transformer.data.batches.resampled import EpochBatches, ResampledRows
    from bpe_transformer.data.batches.samplers import LengthBuckets, sample_within
    from bpe_transformer.data.batches.source import BatchSource, Padding
    from bpe_transformer.data.batches.token_rows import FlatRows, TokenRows
    from bpe_transformer.data.batches.windows import MaskedBatches, PackedBatches

_HOME = {
    "IGNORED": "batch",
    "PACKS": "packing",
    "BackgroundBatches": "background",
    "Batch": "batch",
    "BatchSource": "source",
    "ChainedBatches": "mixture",
    "EpochBatches": "resampled",
    "FlatRows": "token_rows",
    "LabelledBatch": "batch",
    "LabelledBatches": "bucketed",
    "LengthBuckets": "samplers",
    "MaskedBatch": "batch",
    "MaskedBatches": "windows",
    "MixedBatches": "mixture",
    "MixedStores": "mixture",
    "Pack": "packing",
    "PackedBatch": "batch",
    "PackedBatches": "windows",
    "Padding": "source",
    "PairBatches": "bucketed",
    "ResampledRows": "resampled",
    "TokenRows": "token_rows",
    "TranslationBatch": "batch",
    "on_device": "batch",
    "pack": "packing",
    "pad": "collators",
    "sample_within": "samplers",
}

__all__ = [
    "IGNORED",
    "PACKS",
    "BackgroundBatches",
    "Batch",
    "BatchSource",
    "ChainedBatches",
    "EpochBatches",
    "FlatRows",
    "LabelledBatch",
    "LabelledBatches",
    "LengthBuckets",
    "MaskedBatch",
    "MaskedBatches",
    "MixedBatches",
    "MixedStores",
    "Pack",
    "PackedBatch",
    "PackedBatches",
    "Padding",
    "PairBatches",
    "ResampledRows",
    "TokenRows",
    "TranslationBatch",
    "on_device",
    "pack",
    "pad",
    "sample_within",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
