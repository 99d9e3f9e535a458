"""Attention masks: bool tensors (B or 1, T or 1, S), True where query t sees key s. Combine them with `&`."""

from __future__ import annotations

import torch
from torch import Tensor


def padding_mask(ids: Tensor, pad_id: int) -> Tensor:
    """ids (B, S) -> (B, 1, S): every query sees the keys that are not padding."""
    return (ids != pad_id)[:, None, :]


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """(1, length, length): the lower triangle, where query t sees the keys up to its own position.

    >>> causal_mask(3).int()
    tensor([[[1, 0, 0],
             [1, 1, 0],
             [1, 1, 1]]], dtype=torch.int32)
    """
    return torch.ones(1, length, length, dtype=torch.bool, device=device).tril()


def document_mask(documents: Tensor) -> Tensor:
    """documents (B, T), a number for the document of each position -> (B, T, T): a query sees its own document's keys.

    >>> document_mask(torch.tensor([[0, 0, 1]]))[0].int()
    tensor([[1, 1, 0],
            [1, 1, 0],
            [0, 0, 1]], dtype=torch.int32)
    """
    return documents[:, :, None] == documents[:, None, :]


def cached_mask(positions: Tensor, end: int) -> Tensor:
    """positions (T,) or (B, T) of the queries -> (1 or B, T, end): a query sees the cache's slots up to its own."""
    slots = torch.arange(end, device=positions.device)
    seen = slots <= positions.unsqueeze(-1)
    return seen if positions.dim() == 2 else seen[None]
