"""One multi-head attention for every use: self, causal, over another sequence (Vaswani et al. 2017, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers.kv_cache import KVCache, ProjectedMemory
from bpe_transformer.models.layers.rope import RotaryPositions
from bpe_transformer.models.layers.step_attention import attend_step, is_step

_SHORT = 256  # keys


class MultiHeadAttention(nn.Module):
    """softmax(QKᵀ / √D) V in `n_heads` subspaces of D features, then a projection.

    The three input projections are one matrix. With fewer `n_kv_heads`, several query heads share a key and value head
    (grouped queries, Ainslie et al. 2023; with one of them, Shazeer 2019).

    Args:
        dropout: on the attention weights.
        rope: turns queries and keys of a self-attention by their positions.
        q_norm, k_norm: normalise queries and keys (…, D), before they are turned.

    Raises:
        ConfigError: `d_model` does not divide by `n_heads`, or `n_heads` by `n_kv_heads`.
    """

    def __init__(
        self,
        *,
        d_model: int,
        n_heads: int,
        n_kv_heads: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        rope: RotaryPositions | None = None,
        q_norm: nn.Module | None = None,
        k_norm: nn.Module | None = None,
    ) -> None:
        super().__init__()
        n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        if d_model % n_heads:
            raise ConfigError(f"d_model={d_model} does not divide into n_heads={n_heads}; choose a multiple")
        if n_heads % n_kv_heads:
            raise ConfigError(f"n_heads={n_heads} does not divide into n_kv_heads={n_kv_heads}; choose a divisor")
        self.d_model, self.n_heads, self.n_kv_heads = d_model, n_heads, n_kv_heads
        self.head_dim = d_model // n_heads
        self.dropout = dropout
        self.qkv = nn.Linear(d_model, d_model + 2 * n_kv_heads * self.head_dim, bias=bias)
        self.out = nn.Linear(d_model, d_model, bias=bias)
        self.rope, self.q_norm, self.k_norm = rope, q_norm, k_norm
        for block in torch.split(self.qkv.weight, list(self._widths)):  # each projection has its own fan-out
            nn.init.xavier_uniform_(block)
        nn.init.xavier_uniform_(self.out.weight)
        if bias:
            nn.init.zeros_(self.qkv.bias)
            nn.init.zeros_(self.out.bias)

    @property
    def _widths(self) -> tuple[int, int, int]:
        """Output features of the projections to queries, keys and values."""
        kv = self.n_kv_heads * self.head_dim
        return self.d_model, kv, kv

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        positions: Tensor | None = None,
        end: int = 0,
        cache: KVCache | ProjectedMemory | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attends from x (B, T, C) to itself, or to `context` (A, S, C).

        mask: bool (B or 1, T or 1, S), True where a query sees a key; a query that sees no key gets zeros.
        causal: query t sees only the keys up to t; without a cache, whose slots the mask must hide.
        positions, end: of x, (T,) or (B, T), all below `end`: for `rope` and for the cache (default: 0 to T).
        cache: a `KVCache` for x itself; a `ProjectedMemory` for a context, which is then projected only once.
        A may be smaller than B: B/A consecutive rows (the beams of one sentence) then share a row of the context.
        Returns (B, T, C) and, if `need_weights`, the weights before dropout (B, H, T, S).
        """
        rows, length, _ = x.shape
        if context is None:
            if positions is None:
                positions, end = torch.arange(length, device=x.device), length
            q, k, v = self.project(x, positions, end)
            if isinstance(cache, KVCache):
                k, v = cache.update(positions, k, v, end)
        else:
            q = functional.linear(x, *self._weights(slice(0, self.d_model)))
            q = self._normed(self.q_norm, self.split_heads(q.reshape(context.size(0), -1, self.d_model)))
            k, v = self.project_context(context, cache)
        dropout = self.dropout if self.training else 0.0
        weights = None
        if cache is not None and not (causal or dropout or need_weights) and is_step(q, k, v):
            attended = attend_step(q, k, v, mask)
        else:
            if self.n_kv_heads < self.n_heads:
                k, v = (part.repeat_interleave(self.n_heads // self.n_kv_heads, dim=1) for part in (k, v))
            kernel_causal = causal and mask is None and not need_weights  # the kernel has this mask built in
            visible = None if kernel_causal else _combined(mask, causal, q.size(2), q.device)
            if need_weights:
                attended, weights = attend(q, k, v, visible, dropout=dropout)
            else:
                attended = fused_attend(q, k, v, visible, causal=kernel_causal, dropout=dropout)
        # (with a context of fewer rows, its beams lie one after another in the queries)
        mixed: Tensor = self.out(self.join_heads(attended).view(rows, length, self.d_model))
        return mixed, weights

    def project(self, x: Tensor, positions: Tensor, end: int) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, T, C) -> queries (B, H, T, D), keys and values (B, KV, T, D), normalised and turned."""
        q, k, v = (self.split_heads(part) for part in self.qkv(x).split(self._widths, dim=-1))
        q, k = self._normed(self.q_norm, q), self._normed(self.k_norm, k)
        if self.rope is not None:
            q, k = self.rope(q, positions, end), self.rope(k, positions, end)
        return q, k, v

    def project_context(self, context: Tensor, cache: object = None) -> tuple[Tensor, Tensor]:
        """context (A, S, C) -> keys and values (A, KV, S, D), from the cache where it has them."""
        if isinstance(cache, ProjectedMemory) and cache.keys is not None and cache.values is not None:
            return cache.keys, cache.values
        both = functional.linear(context, *self._weights(slice(self.d_model, None)))
        k, v = (self.split_heads(part) for part in both.chunk(2, dim=-1))
        k = self._normed(self.k_norm, k)
        if isinstance(cache, ProjectedMemory):
            cache.keys, cache.values = k, v
        return k, v

    def _weights(self, block: slice) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of a block of the input projection."""
        return self.qkv.weight[block], None if self.qkv.bias is None else self.qkv.bias[block]

    def split_heads(self, x: Tensor) -> Tensor:
        """(B, T, H * D) -> (B, H, T, D)"""
        rows, length, width = x.shape
        return x.view(rows, length, width // self.head_dim, self.head_dim).transpose(1, 2)

    @staticmethod
    def join_heads(x: Tensor) -> Tensor:
        """(B, H, T, D) -> (B, T, H * D), the inverse of `split_heads`."""
        return x.transpose(1, 2).flatten(2)

    @staticmethod
    def _normed(norm: nn.Module | None, x: Tensor) -> Tensor:
        return x if norm is None else norm(x)


def scaled_scores(q: Tensor, k: Tensor) -> Tensor:
    """QKᵀ / √D: (…, T, D), (…, S, D) -> (…, T, S)"""
    scores: Tensor = (q @ k.transpose(-2, -1)) / q.size(-1) ** 0.5
    return scores


def attend(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None, *, dropout: float) -> tuple[Tensor, Tensor]:
    """Equation 1 of Vaswani et al. 2017, written out: (B, H, T, D), (B, H, S, D) twice -> (B, H, T, D), (B, H, T, S).

    visible: bool, broadcast to (B, H, T, S), True where the query sees the key; a row without any is all zeros.
    """
    scores = scaled_scores(q, k)
    if visible is not None:
        # the lowest finite value, not -inf: a row of -inf alone would make softmax and its gradient NaN
        scores = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)
    if visible is not None:
        weights = weights.masked_fill(~visible, 0.0)
    return functional.dropout(weights, dropout, training=dropout > 0) @ v, weights


def fused_attend(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None, *, causal: bool, dropout: float) -> Tensor:
    """`attend` without the weights, in one kernel, in the type that it is given.

    On a CPU that kernel runs in float32, since its bfloat16 gradient is 4 times slower there; bfloat16 of short rows takes
    products of its own, which are faster than either.
    """
    if q.device.type != "cpu":
        return functional.scaled_dot_product_attention(
            q, k, v.to(q.dtype), attn_mask=visible, dropout_p=dropout, is_causal=causal
        )
    with torch.autocast("cpu", enabled=False):
        if q.dtype == torch.bfloat16 and k.size(2) <= _SHORT:
            return _bfloat16_attend(q, k.bfloat16(), v.bfloat16(), visible, causal=causal, dropout=dropout)
        return functional.scaled_dot_product_attention(
            q.float(), k.float(), v.float(), attn_mask=visible, dropout_p=dropout, is_causal=causal
        )


def _bfloat16_attend(
    q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None, *, causal: bool, dropout: float
) -> Tensor:
    """`fused_attend` by batched products; the softmax is computed in float32 and rounded."""
    rows, heads, length, width = q.shape
    hides_all = False  # from some query
    if causal:
        visible = torch.ones(1, 1, length, k.size(2), dtype=torch.bool).tril()
    elif visible is not None:
        hides_all = torch.compiler.is_compiling() or not bool(visible.any(dim=-1).all())
    bias = q.new_zeros(())
    if visible is not None:
        bias = torch.zeros_like(visible, dtype=q.dtype).masked_fill_(~visible, torch.finfo(q.dtype).min)
        bias = bias.expand(rows, heads, length, -1).reshape(rows * heads, length, -1) if bias.size(0) > 1 else bias[0]
    scores = torch.baddbmm(bias, q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2), alpha=width**-0.5)
    weights = scores.softmax(dim=-1)
    if hides_all and visible is not None:
        weights = (weights.view(rows, heads, length, -1) * visible).flatten(0, 1)
    weights = functional.dropout(weights, dropout, training=dropout > 0)
    return torch.bmm(weights, v.flatten(0, 1)).view(rows, heads, length, width)


def _combined(mask: Tensor | None, causal: bool, length: int, device: torch.device) -> Tensor | None:
    """The mask of `attend`, (B or 1, 1, T or 1, S), or None when every query sees every key."""
    if causal and length > 1:
        past = torch.ones(1, length, length, dtype=torch.bool, device=device).tril()
        mask = past if mask is None else mask & past
    return None if mask is None else mask[:, None]
