"""Collators: rows of ids to batches of padded tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch


class TranslationBatch(NamedTuple):
    """A batch of translation pairs: src (B, S) int64, … eos, padded; tgt (B, T) int64, bos … eos, padded."""

    src: torch.Tensor
    tgt: torch.Tensor


def collate_translation(rows: Sequence[Mapping[str, Any]], pad_id: int) -> TranslationBatch:
    """Pads rows with src_ids and tgt_ids to the longest of each side.

    >>> collate_translation([{"src_ids": [5, 2], "tgt_ids": [1, 2]}, {"src_ids": [2], "tgt_ids": [1, 7, 2]}], 0).tgt
    tensor([[1, 2, 0],
            [1, 7, 2]])
    """
    return TranslationBatch(
        pad([row["src_ids"] for row in rows], pad_id), pad([row["tgt_ids"] for row in rows], pad_id)
    )


class LabelledBatch(NamedTuple):
    """ids: (B, T) int64, padded at the end; labels: (B,) int64."""

    ids: torch.Tensor
    labels: torch.Tensor


def collate_labelled(rows: Sequence[Mapping[str, Any]], pad_id: int) -> LabelledBatch:
    """Pads rows with ids and a label to the longest.

    >>> collate_labelled([{"ids": [2, 5, 2], "label": 1}, {"ids": [2, 2], "label": 0}], 0)
    LabelledBatch(ids=tensor([[2, 5, 2],
            [2, 2, 0]]), labels=tensor([1, 0]))
    """
    return LabelledBatch(pad([row["ids"] for row in rows], pad_id), torch.tensor([int(row["label"]) for row in rows]))


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> torch.Tensor:
    """The rows as one tensor, (B, longest) int64, with `pad_id` after the end of each row."""
    padded = np.full((len(rows), max(map(len, rows), default=0)), pad_id, dtype=np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return torch.from_numpy(padded)
