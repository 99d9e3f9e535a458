"""Where a token stands: sinusoids (Vaswani et al. 2017, section 3.5) or a learned vector a position."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bpe_transformer.errors import ConfigError


def sinusoids(length: int, d_model: int) -> Tensor:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d_model)), PE(pos, 2i+1) = cos(the same): (length, d_model), float32."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    angle = position / 10000 ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    table = torch.stack((angle.sin(), angle.cos()), dim=-1).reshape(length, -1)
    return table[:, :d_model].float()


class SinusoidalPositions(nn.Module):
    """Position vectors by formula; the table starts at `max_len` positions and grows when a longer text comes."""

    table: Tensor

    def __init__(self, *, d_model: int, max_len: int) -> None:
        super().__init__()
        self.d_model = d_model
        self.register_buffer("table", sinusoids(max_len, d_model), persistent=False)

    def forward(self, positions: Tensor) -> Tensor:
        """positions (T,) or (B, T) -> (T, C) or (B, T, C)"""
        needed = int(positions.max()) + 1 if positions.numel() else 0
        if needed > self.table.size(0):
            self.table = sinusoids(2 * needed, self.d_model).to(self.table)
        return self.table[positions]


class LearnedPositions(nn.Module):
    """A trained vector for each of `max_len` positions; `ConfigError` beyond them."""

    def __init__(self, *, d_model: int, max_len: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(max_len, d_model)
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(self, positions: Tensor) -> Tensor:
        """positions (T,) or (B, T) -> (T, C) or (B, T, C)"""
        needed = int(positions.max()) + 1 if positions.numel() else 0
        if needed > self.embedding.num_embeddings:
            raise ConfigError(
                f"position {needed} is beyond max_len={self.embedding.num_embeddings}, and learned positions end "
                "there; shorten the text or train with a larger max_len or positions='sinusoidal'"
            )
        vectors: Tensor = self.embedding(positions)
        return vectors


def make_positions(kind: str, *, d_model: int, max_len: int) -> nn.Module:
    """`kind` is "sinusoidal" or "learned"; `ConfigError` for anything else."""
    if kind == "sinusoidal":
        return SinusoidalPositions(d_model=d_model, max_len=max_len)
    if kind == "learned":
        return LearnedPositions(d_model=d_model, max_len=max_len)
    raise ConfigError(f"positions={kind!r} is unknown; choose 'sinusoidal' or 'learned'")
