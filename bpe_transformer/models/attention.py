"""One multi-head attention for every use: self, causal, over another sequence (Vaswani et al. 2017, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bpe_transformer.errors import ConfigError


class KeyValueCache:
    """Keys and values of the positions seen so far, each (B, H, S, C/H); empty at first."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    @property
    def length(self) -> int:
        """Positions held."""
        return 0 if self.keys is None else self.keys.size(2)

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Adds positions at the end, (B, H, T, C/H) each, and gives all of them back."""
        if self.keys is not None and self.values is not None:
            keys, values = torch.cat((self.keys, keys), dim=2), torch.cat((self.values, values), dim=2)
        self.keys, self.values = keys, values
        return keys, values

    def select(self, rows: Tensor) -> None:
        """Keeps the batch rows (R,) in the order given; a row may come several times."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys.index_select(0, rows), self.values.index_select(0, rows)


class MultiHeadAttention(nn.Module):
    """softmax(QKᵀ / √d) V in `n_heads` subspaces, then a projection. The three input projections are one matrix.

    `dropout` falls on the attention weights. Raises `ConfigError` when `d_model` does not divide by `n_heads`.
    """

    def __init__(self, *, d_model: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ConfigError(f"d_model={d_model} does not divide into n_heads={n_heads}; choose a multiple")
        self.n_heads = n_heads
        self.dropout = dropout
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)
        for block in self.qkv.weight.chunk(3):  # each projection has its own fan-out
            nn.init.xavier_uniform_(block)
        nn.init.xavier_uniform_(self.out.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        query: Tensor,
        memory: Tensor | None = None,
        *,
        key_mask: Tensor | None = None,
        causal: bool = False,
        cache: KeyValueCache | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attends from `query` (B, T, C) to itself, or to `memory` (A, S, C).

        key_mask: (A, S) bool, True where a key is real; the cached keys count. A query that sees no key gets zeros.
        causal: query t sees the keys up to its own place, counted from the end, so cached keys are all in its past.
        cache: self-attention appends to it; over a memory, it is projected once and then read from the cache.
        A may be smaller than B: B/A consecutive rows (the beams of one sentence) then share a row of the memory.
        Returns (B, T, C) and, if `need_weights`, the weights before dropout (B, H, T, S).
        """
        rows, length, width = query.shape
        if memory is None:
            q, k, v = (self._split(part) for part in self.qkv(query).chunk(3, dim=-1))
            if cache is not None:
                k, v = cache.append(k, v)
        else:
            q = functional.linear(query, self.qkv.weight[:width], self.qkv.bias[:width])
            q = self._split(q.reshape(memory.size(0), -1, width))
            k, v = self._project_memory(memory, cache)
        visible = _visible(q.size(2), k.size(2), key_mask, causal, q.device)
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            attended, weights = attend(q, k, v, visible, dropout=dropout)
        else:
            whole = causal and key_mask is None and q.size(2) == k.size(2)  # the kernel has this mask built in
            attended = _fused(q, k, v, None if whole else visible, causal=whole, dropout=dropout)
        mixed: Tensor = self.out(attended.transpose(1, 2).reshape(rows, length, width))
        return mixed, weights

    def _project_memory(self, memory: Tensor, cache: KeyValueCache | None) -> tuple[Tensor, Tensor]:
        if cache is not None and cache.keys is not None and cache.values is not None:
            return cache.keys, cache.values
        width = memory.size(-1)
        both = functional.linear(memory, self.qkv.weight[width:], self.qkv.bias[width:])
        k, v = (self._split(part) for part in both.chunk(2, dim=-1))
        return (k, v) if cache is None else cache.append(k, v)

    def _split(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, H, T, C/H)"""
        rows, length, width = x.shape
        return x.view(rows, length, self.n_heads, width // self.n_heads).transpose(1, 2)


def attend(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None, *, dropout: float) -> tuple[Tensor, Tensor]:
    """Equation 1 of Vaswani et al. 2017, written out: (B, H, T, D), (B, H, S, D) twice -> (B, H, T, D), (B, H, T, S).

    visible: bool, broadcast to (B, H, T, S), True where the query sees the key; a row without any is all zeros.
    """
    scores = (q @ k.transpose(-2, -1)) / q.size(-1) ** 0.5
    if visible is not None:
        # the lowest finite value, not -inf: a row of -inf alone would make softmax and its gradient NaN
        scores = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)
    if visible is not None:
        weights = weights.masked_fill(~visible, 0.0)
    return functional.dropout(weights, dropout, training=dropout > 0) @ v, weights


def _fused(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None, *, causal: bool, dropout: float) -> Tensor:
    """`attend` without the weights, in one kernel; in float32, since its bfloat16 gradient is 4 times slower on a CPU."""
    with torch.autocast(q.device.type, enabled=False):
        return functional.scaled_dot_product_attention(
            q.float(), k.float(), v.float(), attn_mask=visible, dropout_p=dropout, is_causal=causal
        )


def _visible(queries: int, keys: int, key_mask: Tensor | None, causal: bool, device: torch.device) -> Tensor | None:
    """The mask of `attend`, (A or 1, 1, T or 1, S), or None when every query sees every key."""
    visible = None if key_mask is None else key_mask[:, None, None, :]
    if causal and queries > 1:
        past = torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)[None, None]
        visible = past if visible is None else visible & past
    return visible
