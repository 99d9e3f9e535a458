"""Attention of a decoding step on the CPU, by the native core: PyTorch's kernels are made for many queries, not for one."""

from __future__ import annotations

import torch
from torch import Tensor

from bpe_transformer import _core

_MOST_QUERIES = 16  # of a row (the beams of a sentence); PyTorch's kernel is faster for more, as in a prompt


def is_step(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether `attend_step` takes queries (B, H, T, D) over keys and values (B, KV, S, D): few, float32, no gradient."""
    return (
        q.size(2) <= _MOST_QUERIES
        and q.dtype == k.dtype == v.dtype == torch.float32
        and q.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
    )


def attend_step(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
    """`attend` without dropout and weights: (B, H, T, D), (B, KV, S, D) twice -> (B, H, T, D), laid out as (B, T, H, D).

    H is a multiple of KV. visible: bool (B or 1, T or 1, S), True where the query sees the key.
    """
    rows, heads, length, width = q.shape
    out = torch.empty(rows, length, heads, width).transpose(1, 2)
    seen = None if visible is None else visible.numpy()
    _core.attend_step(q.numpy(), k.numpy(), v.numpy(), out.numpy(), seen, torch.get_num_threads())
    return out
