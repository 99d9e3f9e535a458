"""One layer of a Transformer: self-attention, attention over an encoder if it has one, feed-forward."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers.attention import MultiHeadAttention
from bpe_transformer.models.layers.dropout import Dropout
from bpe_transformer.models.layers.kv_cache import KVCache, ProjectedMemory


class TransformerLayer(nn.Module):
    """Sublayers with a residual connection, a norm and dropout around each (Vaswani et al. 2017, section 3.1).

    norm_place="post": norm(x + sublayer(x)), as in section 3.1.
    norm_place="pre": x + sublayer(norm(x)), which trains without a long warm-up (Xiong et al. 2020).

    Args:
        norm: makes the norm of a sublayer.
        cross_attention: over the output of an encoder; None for an encoder and for a decoder without one.
    """

    def __init__(
        self,
        *,
        attention: MultiHeadAttention,
        feed_forward: nn.Module,
        norm: Callable[[], nn.Module],
        cross_attention: MultiHeadAttention | None = None,
        norm_place: str = "pre",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if norm_place not in ("pre", "post"):
            raise ConfigError(f"norm_place={norm_place!r} is unknown; choose 'pre' or 'post'")
        self.pre_norm = norm_place == "pre"
        self.self_attention = attention
        self.self_attention_norm = norm()
        self.cross_attention = cross_attention
        self.cross_attention_norm = None if cross_attention is None else norm()
        self.feed_forward = feed_forward
        self.feed_forward_norm = norm()
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        memory_mask: Tensor | None = None,
        positions: Tensor | None = None,
        end: int = 0,
        cache: KVCache | None = None,
        memory_cache: ProjectedMemory | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """x (B, T, C), memory (A, S, C); masks, positions and caches as in `MultiHeadAttention`.

        Returns (B, T, C) and, if asked for, the weights over itself (B, H, T, T) and over the memory (B, H, T, S).
        """
        attended, weights = self.self_attention(
            self._pre(self.self_attention_norm, x),
            mask=mask,
            causal=causal,
            positions=positions,
            end=end,
            cache=cache,
            need_weights=need_weights,
        )
        x = self._post(self.self_attention_norm, x, attended)
        memory_weights = None
        if self.cross_attention is not None and self.cross_attention_norm is not None:
            attended, memory_weights = self.cross_attention(
                self._pre(self.cross_attention_norm, x),
                memory,
                mask=memory_mask,
                cache=memory_cache,
                need_weights=need_weights,
            )
            x = self._post(self.cross_attention_norm, x, attended)
        change = self.feed_forward(self._pre(self.feed_forward_norm, x))
        return self._post(self.feed_forward_norm, x, change), weights, memory_weights

    def _pre(self, norm: nn.Module, x: Tensor) -> Tensor:
        """(B, T, C): the sublayer's input."""
        return norm(x) if self.pre_norm else x

    def _post(self, norm: nn.Module, x: Tensor, change: Tensor) -> Tensor:
        """(B, T, C) twice -> (B, T, C): the residual sum of the input and the sublayer's output."""
        total: Tensor = x + self.dropout(change)
        return total if self.pre_norm else norm(total)
