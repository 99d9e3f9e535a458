"""A decoder-only Transformer: predicts the next id from the ids before it (Radford et al. 2018, 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bpe_transformer.models.assembly import initialize, make_embedding, make_final_norm, make_layers
from bpe_transformer.models.config import TransformerConfig
from bpe_transformer.models.heads import LanguageModelHead
from bpe_transformer.models.layers import DecodingCache, causal_mask
from bpe_transformer.models.outputs import AttentionWeights


class DecoderOnly(nn.Module):
    """Embedding and `n_layers` causal layers."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = make_embedding(config)
        self.layers = make_layers(config)
        self.norm = make_final_norm(config)
        initialize(self, config)

    def forward(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        cache: DecodingCache | None = None,
    ) -> Tensor:
        """ids (B, T) -> states (B, T, C), each position from itself and its past, the cached past included.

        mask, positions: without a cache. mask (B, T or 1, T) bool, True where a query may see a key of its past, such
        as `document_mask`; padding at the end of a row needs none. positions (B, T), below T; None: 0 to T - 1.
        """
        return self._forward(ids, mask, positions, cache)[0]

    def attention(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> the weights of every layer (layers, B, H, T, T)."""
        return torch.stack(self._forward(ids, None, None, None, need_weights=True)[1])

    def _forward(
        self,
        ids: Tensor,
        mask: Tensor | None,
        positions: Tensor | None,
        cache: DecodingCache | None,
        *,
        need_weights: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        shape = ids.shape
        if cache is None:
            end = ids.size(1)
            positions = torch.arange(end, device=ids.device) if positions is None else positions
            if mask is not None:
                mask = mask & causal_mask(ids.size(1), ids.device)
        else:
            ids, positions, mask = cache.advance(ids)
            end = cache.end
        x = self.embedding(ids, positions, end)
        kept = []
        for index, layer in enumerate(self.layers):
            x, weights, _ = layer(
                x,
                mask=mask,
                causal=cache is None and mask is None,
                positions=positions,
                end=end,
                cache=None if cache is None else cache.self_attention[index],
                need_weights=need_weights,
            )
            kept.append(weights)
        return self.norm(x).view(*shape, -1), kept


class LanguageModel(nn.Module):
    """`DecoderOnly` with a head over the vocabulary."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = DecoderOnly(config)
        self.head = LanguageModelHead(
            d_model=config.d_model,
            vocab_size=config.vocab_size,
            embedding=self.trunk.embedding.tokens if config.tie_embeddings else None,
            bias=config.output_bias,
        )

    def new_cache(self, *, capacity: int = 64) -> DecodingCache:
        """An empty cache for decoding step by step, with room for `capacity` ids before it grows."""
        return DecodingCache(len(self.trunk.layers), capacity=capacity)

    def states(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        cache: DecodingCache | None = None,
    ) -> Tensor:
        """ids (B, T) -> states (B, T, C) for `head`; otherwise as `DecoderOnly.forward`."""
        states: Tensor = self.trunk(ids, mask=mask, positions=positions, cache=cache)
        return states

    def forward(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        cache: DecodingCache | None = None,
    ) -> Tensor:
        """ids (B, T) -> logits of the next id at every position (B, T, V); otherwise as `DecoderOnly.forward`."""
        logits: Tensor = self.head(self.states(ids, mask=mask, positions=positions, cache=cache))
        return logits

    def attention(self, ids: Tensor) -> AttentionWeights:
        """ids (B, T) -> the weights of every layer."""
        return AttentionWeights(decoder=self.trunk.attention(ids))
