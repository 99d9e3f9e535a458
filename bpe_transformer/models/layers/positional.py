"""What tells a model where a token stands: sinusoids (Vaswani et al. 2017, section 3.5) or learned vectors.

Modules here are called with `positions` (T,) or (B, T) and `end`, a Python int that is above every one of them: the
tables are checked against it without reading a tensor, which would stop a GPU and break a compiled graph.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bpe_transformer.errors import ConfigError

_FIRST_TABLE = 1024  # rows of a table before a longer text comes


def sinusoids(length: int, d_model: int) -> Tensor:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d_model)), PE(pos, 2i+1) = cos(the same): (length, d_model), float32."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    angle = position / 10000 ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    table = torch.stack((angle.sin(), angle.cos()), dim=-1).reshape(length, -1)
    return table[:, :d_model].float()


class SinusoidalPositions(nn.Module):
    """Position vectors by formula; the table grows when a text is longer than it."""

    table: Tensor

    def __init__(self, *, d_model: int, max_len: int) -> None:
        super().__init__()
        self.d_model = d_model
        self.register_buffer("table", sinusoids(min(max_len, _FIRST_TABLE), d_model), persistent=False)

    def forward(self, positions: Tensor, end: int) -> Tensor:
        """positions (T,) or (B, T) -> (T, C) or (B, T, C)"""
        if end > self.table.size(0):
            self.table = sinusoids(2 * end, self.d_model).to(self.table)
        return self.table[positions]


class LearnedPositions(nn.Module):
    """A trained vector for each of `max_len` positions; `ConfigError` beyond them."""

    def __init__(self, *, d_model: int, max_len: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(max_len, d_model)
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(self, positions: Tensor, end: int) -> Tensor:
        """positions (T,) or (B, T) -> (T, C) or (B, T, C)"""
        if end > self.embedding.num_embeddings:
            raise ConfigError(
                f"position {end} is beyond max_len={self.embedding.num_embeddings}, and learned positions end "
                "there; shorten the text or train with a larger max_len or positions='sinusoidal'"
            )
        vectors: Tensor = self.embedding(positions)
        return vectors


def make_positions(kind: str, *, d_model: int, max_len: int) -> nn.Module | None:
    """The module that is added to the token vectors for `kind`; None for "rope" (see `RotaryPositions`) and "none"."""
    if kind == "sinusoidal":
        return SinusoidalPositions(d_model=d_model, max_len=max_len)
    if kind == "learned":
        return LearnedPositions(d_model=d_model, max_len=max_len)
    if kind in ("rope", "none"):
        return None
    raise ConfigError(f"positions={kind!r} is unknown; choose 'sinusoidal', 'learned', 'rope' or 'none'")
