"""Rotary positions: queries and keys are turned by an angle that grows with their position (Su et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_FIRST_TABLE = 1024  # rows of a table before a longer text comes


class RotaryPositions(nn.Module):
    """Turns the pair (x[i], x[i + D/2]) of a head by position · base^(-2i/D) (section 3.4.2, equation 34).

    The pairs are those of GPT-NeoX and LLaMA (i with i + D/2); the paper's (2i with 2i + 1) is the same after a
    permutation of the features. The score of a query and a key then depends on their distance only.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, *, head_dim: int, max_len: int, base: float = 10000.0) -> None:
        super().__init__()
        self.head_dim, self.base = head_dim, base
        cos, sin = self._tables(min(max_len, _FIRST_TABLE))
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, x: Tensor, positions: Tensor, end: int) -> Tensor:
        """x (B, H, T, D), positions (T,) or (B, T), all below `end` -> (B, H, T, D)"""
        if end > self.cos.size(0):
            cos, sin = self._tables(2 * end)
            self.cos, self.sin = cos.to(self.cos), sin.to(self.sin)
        cos, sin = self.cos[positions].to(x.dtype), self.sin[positions].to(x.dtype)  # (T, D/2) or (B, T, D/2)
        if positions.dim() == 2:
            cos, sin = cos[:, None], sin[:, None]
        first, second = x.chunk(2, dim=-1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)

    def _tables(self, length: int) -> tuple[Tensor, Tensor]:
        """cos and sin of every position's angles, (length, D/2) each."""
        frequencies = self.base ** (-torch.arange(0, self.head_dim, 2, dtype=torch.float64) / self.head_dim)
        angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies
        return angles.cos().float(), angles.sin().float()
