"""What both model families are built of: embedding, feed-forward, residual with layer norm, the layer."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.attention import KeyValueCache, MultiHeadAttention
from bpe_transformer.models.dropout import Dropout
from bpe_transformer.models.positional import make_positions


class TokenEmbedding(nn.Module):
    """Token vector times √d_model (Vaswani et al. 2017, section 3.4) plus position vector, then dropout."""

    def __init__(self, *, vocab_size: int, d_model: int, max_len: int, positions: str, dropout: float) -> None:
        super().__init__()
        self.scale = d_model**0.5
        self.tokens = nn.Embedding(vocab_size, d_model)
        # variance 1/d_model: unit variance after the scaling, and logits of unit variance when the matrix is tied
        nn.init.normal_(self.tokens.weight, std=d_model**-0.5)
        self.positions = make_positions(positions, d_model=d_model, max_len=max_len)
        self.dropout = Dropout(dropout)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        """ids (B, T), positions (T,) or (B, T) -> (B, T, C)"""
        embedded: Tensor = self.dropout(self.tokens(ids) * self.scale + self.positions(positions))
        return embedded


class FeedForward(nn.Module):
    """Two linear maps with a ReLU or GELU between, at every position alike (section 3.3): (B, T, C) -> (B, T, C)."""

    def __init__(self, *, d_model: int, d_ff: int, activation: str) -> None:
        super().__init__()
        if activation not in ("relu", "gelu"):
            raise ConfigError(f"activation={activation!r} is unknown; choose 'relu' or 'gelu'")
        self.activation = functional.relu if activation == "relu" else functional.gelu
        self.widen = _linear(d_model, d_ff)
        self.narrow = _linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        narrowed: Tensor = self.narrow(self.activation(self.widen(x)))
        return narrowed


class Residual(nn.Module):
    """A residual connection around a sublayer, with its dropout and layer norm.

    norm="post": LayerNorm(x + sublayer(x)), as Vaswani et al. 2017 (section 5.4).
    norm="pre": x + sublayer(LayerNorm(x)), which trains without a long warm-up (Xiong et al. 2020).
    A sublayer is run as `x = residual.leave(x, sublayer(residual.enter(x)))`.
    """

    def __init__(self, *, d_model: int, dropout: float, norm: str) -> None:
        super().__init__()
        if norm not in ("pre", "post"):
            raise ConfigError(f"norm={norm!r} is unknown; choose 'pre' or 'post'")
        self.pre = norm == "pre"
        self.norm = nn.LayerNorm(d_model)
        self.dropout = Dropout(dropout)

    def enter(self, x: Tensor) -> Tensor:
        """(B, T, C): what the sublayer is given."""
        return self.norm(x) if self.pre else x

    def leave(self, x: Tensor, change: Tensor) -> Tensor:
        """(B, T, C) twice -> (B, T, C): the input and what the sublayer made of it, joined."""
        joined: Tensor = x + self.dropout(change)
        return joined if self.pre else self.norm(joined)


@dataclass
class LayerCache:
    """What one decoder layer keeps between steps: its own past, and the projected memory."""

    own: KeyValueCache = field(default_factory=KeyValueCache)
    memory: KeyValueCache = field(default_factory=KeyValueCache)


class DecodingCache:
    """What a model keeps between decoding steps, one `LayerCache` a layer."""

    def __init__(self, n_layers: int) -> None:
        self.layers = [LayerCache() for _ in range(n_layers)]

    @property
    def length(self) -> int:
        """Positions decoded so far."""
        return self.layers[0].own.length

    def select(self, rows: Tensor, memory_rows: Tensor | None = None) -> None:
        """Keeps `rows` (R,) of the decoded past and `memory_rows` of the memory (None: all), in that order."""
        for layer in self.layers:
            layer.own.select(rows)
            if memory_rows is not None:
                layer.memory.select(memory_rows)


class TransformerLayer(nn.Module):
    """Self-attention, attention over a memory if `over_memory`, feed-forward: one class for encoder and decoder."""

    def __init__(
        self,
        *,
        d_model: int,
        n_heads: int,
        d_ff: int,
        dropout: float,
        attention_dropout: float,
        norm: str,
        activation: str,
        over_memory: bool,
    ) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(d_model=d_model, n_heads=n_heads, dropout=attention_dropout)
        self.attention_residual = Residual(d_model=d_model, dropout=dropout, norm=norm)
        if over_memory:
            self.memory_attention = MultiHeadAttention(d_model=d_model, n_heads=n_heads, dropout=attention_dropout)
            self.memory_residual = Residual(d_model=d_model, dropout=dropout, norm=norm)
        self.feed_forward = FeedForward(d_model=d_model, d_ff=d_ff, activation=activation)
        self.feed_forward_residual = Residual(d_model=d_model, dropout=dropout, norm=norm)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        *,
        key_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        causal: bool = False,
        cache: LayerCache | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """x (B, T, C), memory (A, S, C), masks (B, T) and (A, S), True where real; A as in `MultiHeadAttention`.

        Returns (B, T, C) and, if asked for, the weights over itself (B, H, T, T) and over the memory (B, H, T, S).
        """
        attended, own_weights = self.attention(
            self.attention_residual.enter(x),
            key_mask=key_mask,
            causal=causal,
            cache=None if cache is None else cache.own,
            need_weights=need_weights,
        )
        x = self.attention_residual.leave(x, attended)
        memory_weights = None
        if memory is not None:
            attended, memory_weights = self.memory_attention(
                self.memory_residual.enter(x),
                memory,
                key_mask=memory_mask,
                cache=None if cache is None else cache.memory,
                need_weights=need_weights,
            )
            x = self.memory_residual.leave(x, attended)
        x = self.feed_forward_residual.leave(x, self.feed_forward(self.feed_forward_residual.enter(x)))
        return x, own_weights, memory_weights


def final_norm(d_model: int, norm: str) -> nn.Module:
    """The layer norm that closes a stack of pre-norm layers; post-norm layers end in one already."""
    return nn.LayerNorm(d_model) if norm == "pre" else nn.Identity()


def _linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
