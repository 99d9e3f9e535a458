"""A decoder-only Transformer: predicts the next id from the ids before it (Radford et al. 2018, 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bpe_transformer.models.config import TransformerConfig
from bpe_transformer.models.heads import LanguageModelHead
from bpe_transformer.models.layers import DecodingCache, causal_mask
from bpe_transformer.models.outputs import AttentionWeights
from bpe_transformer.models.transformer_trunk import TransformerTrunk


class DecoderOnly(TransformerTrunk):
    """Embedding and `n_layers` causal layers."""

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
        states, kept = self.run_layers(
            x,
            mask=mask,
            positions=positions,
            end=end,
            causal=cache is None and mask is None,
            cache=cache,
            need_weights=need_weights,
        )
        return states.view(*shape, -1), kept


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
