"""Batches: named tuples of tensors on the CPU, which know no device. An engine moves them, an objective reads them."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

IGNORED = -100  # the target of a position that is not predicted, as in torch.nn.functional.cross_entropy


class TranslationBatch(NamedTuple):
    """A batch of translation pairs: src (B, S) int64, … eos, padded; tgt (B, T) int64, bos … eos, padded."""

    src: Tensor
    tgt: Tensor


class PackedBatch(NamedTuple):
    """Windows over documents, and the id that follows at every position.

    ids: (B, T) int64, padded at the end. Every document begins with the id that stands between documents.
    targets: (B, T) int64, `IGNORED` where nothing is predicted, as for padding.
    documents: (B, T) int64, equal where positions belong to one document; None: no border matters in this batch.
    positions: (B, T) int64, from 0 on in each document; None: 0 to T - 1 in every row.
    """

    ids: Tensor
    targets: Tensor
    documents: Tensor | None = None
    positions: Tensor | None = None


class MaskedBatch(NamedTuple):
    """Windows over documents of which an objective hides some ids.

    ids, documents, positions: as in `PackedBatch`. rows: (B,) int64, the windows' numbers in the data, and epoch:
    scalar int64, decide the masks.
    """

    ids: Tensor
    rows: Tensor
    epoch: Tensor
    documents: Tensor | None = None
    positions: Tensor | None = None


class LabelledBatch(NamedTuple):
    """ids: (B, T) int64, padded at the end; labels: (B,) int64, `IGNORED` where there is nothing to predict."""

    ids: Tensor
    labels: Tensor


Batch = TranslationBatch | PackedBatch | MaskedBatch | LabelledBatch
AnyBatch = TypeVar("AnyBatch", bound=Batch)


def on_device(batch: AnyBatch, device: torch.device) -> AnyBatch:
    """The batch with its tensors on a device; from pinned memory they are copied while other work goes on."""
    if device.type == "cpu":
        return batch
    parts = (None if part is None else part.to(device, non_blocking=True) for part in batch)
    return cast(AnyBatch, cast(Any, type(batch))(*parts))
