"""A decoder-only Transformer: predicts the next id from the ids before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bpe_transformer.models.transformer import DecodingCache, TokenEmbedding, TransformerLayer, final_norm


class LanguageModel(nn.Module):
    """Embedding, `n_layers` causal layers, and a projection to the vocabulary: the embedding itself when tied."""

    def __init__(
        self,
        *,
        vocab_size: int,
        d_model: int,
        n_layers: int,
        n_heads: int,
        d_ff: int,
        max_len: int,
        dropout: float,
        attention_dropout: float,
        norm: str,
        positions: str,
        activation: str,
        tie_embeddings: bool,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(
            vocab_size=vocab_size, d_model=d_model, max_len=max_len, positions=positions, dropout=dropout
        )
        self.layers = nn.ModuleList(
            TransformerLayer(
                d_model=d_model,
                n_heads=n_heads,
                d_ff=d_ff,
                dropout=dropout,
                attention_dropout=attention_dropout,
                norm=norm,
                activation=activation,
                over_memory=False,
            )
            for _ in range(n_layers)
        )
        self.norm = final_norm(d_model, norm)
        self.output = None if tie_embeddings else nn.Linear(d_model, vocab_size, bias=False)

    @property
    def output_weight(self) -> Tensor:
        """The projection to the vocabulary, (V, C)."""
        return self.embedding.tokens.weight if self.output is None else self.output.weight

    def new_cache(self) -> DecodingCache:
        """An empty cache for decoding step by step."""
        return DecodingCache(len(self.layers))

    def project(self, states: Tensor) -> Tensor:
        """States (…, C) -> logits (…, V)."""
        return functional.linear(states, self.output_weight)

    def states(self, ids: Tensor, *, key_mask: Tensor | None = None, cache: DecodingCache | None = None) -> Tensor:
        """ids (B, T) -> (B, T, C), each position from itself and its past, the cached past included.

        key_mask: (B, S), False for padding at the left; positions are then counted from the first real id.
        """
        past = 0 if cache is None else cache.length
        if key_mask is None:
            positions = torch.arange(past, past + ids.size(1), device=ids.device)
        else:
            positions = (key_mask.long().cumsum(1) - 1).clamp(min=0)[:, past:]
        x = self.embedding(ids, positions)
        for index, layer in enumerate(self.layers):
            layer_cache = None if cache is None else cache.layers[index]
            x, _, _ = layer(x, key_mask=key_mask, causal=True, cache=layer_cache)
        normed: Tensor = self.norm(x)
        return normed

    def forward(self, ids: Tensor, *, key_mask: Tensor | None = None, cache: DecodingCache | None = None) -> Tensor:
        """ids (B, T) -> logits of the next id at every position (B, T, V)."""
        return self.project(self.states(ids, key_mask=key_mask, cache=cache))

    def attention(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> the weights of every layer (layers, B, H, T, T)."""
        x = self.embedding(ids, torch.arange(ids.size(1), device=ids.device))
        weights = []
        for layer in self.layers:
            x, layer_weights, _ = layer(x, causal=True, need_weights=True)
            weights.append(layer_weights)
        return torch.stack(weights)
