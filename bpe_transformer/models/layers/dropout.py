"""Dropout that costs little on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 1 << 16


class _CpuDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, threshold: int) -> Tensor:
        draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device).random_(-(1 << 63), None)
        kept = draws.view(torch.int16)[: x.numel()].view(x.shape) >= threshold - _LEVELS // 2
        ctx.mask = kept.to(x.dtype).mul_(_LEVELS / (_LEVELS - threshold))
        dropped: Tensor = x * ctx.mask
        return dropped

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.mask, None


class Dropout(nn.Module):
    """Zeroes each element with probability `p` in training and scales the others by 1 / (1 - p); (…) -> (…).

    `nn.Dropout` draws a number for every element, one after another: an eighth of a training step on a CPU. Four
    elements share a 64-bit draw here, so p is a multiple of 2⁻¹⁶. On a GPU, and where the step is compiled, this is
    `nn.Dropout`, which is fast there. Seeded by `torch.manual_seed` like everything else.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.threshold = round(p * _LEVELS)

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.threshold):
            return x
        if torch.compiler.is_compiling() or x.device.type != "cpu":
            return functional.dropout(x, self.p)
        dropped: Tensor = _CpuDropout.apply(x, self.threshold)  # type: ignore[no-untyped-call]
        return dropped

    def extra_repr(self) -> str:
        return f"p={self.p}"
