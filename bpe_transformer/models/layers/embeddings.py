"""Ids to vectors."""

from __future__ import annotations

from torch import Tensor, nn

from bpe_transformer.models.layers.dropout import Dropout


class TokenEmbedding(nn.Module):
    """The sum of token, position and segment vectors, normalised if `norm` is given, then dropout.

    Token vectors are multiplied by √d_model if `scale` (Vaswani et al. 2017, section 3.4).

    Args:
        positions: a module (positions, end) -> vectors, or None.
        n_segments: segments that have a vector of their own (Devlin et al. 2019, figure 2); 0: none.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        d_model: int,
        positions: nn.Module | None = None,
        n_segments: int = 0,
        norm: nn.Module | None = None,
        scale: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.scale = d_model**0.5 if scale else 1.0
        self.tokens = nn.Embedding(vocab_size, d_model)
        # variance 1/d_model: unit variance after the scaling, and logits of unit variance when the matrix is tied
        nn.init.normal_(self.tokens.weight, std=d_model**-0.5 if scale else 0.02)
        self.positions = positions
        self.segments = nn.Embedding(n_segments, d_model) if n_segments else None
        if self.segments is not None:
            nn.init.normal_(self.segments.weight, std=0.02)
        self.norm = norm
        self.dropout = Dropout(dropout)

    def forward(self, ids: Tensor, positions: Tensor, end: int, segments: Tensor | None = None) -> Tensor:
        """ids (B, T), positions (T,) or (B, T) below `end`, segments (B, T) (None: all 0) -> (B, T, C)"""
        x = self.tokens(ids) * self.scale
        if self.positions is not None:
            x = x + self.positions(positions, end)
        if self.segments is not None:
            x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        if self.norm is not None:
            x = self.norm(x)
        embedded: Tensor = self.dropout(x)
        return embedded
