"""An encoder-only Transformer: every position sees the whole text (Devlin et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bpe_transformer.models.config import TransformerConfig
from bpe_transformer.models.heads import MaskedLMHead
from bpe_transformer.models.layers import padding_mask
from bpe_transformer.models.outputs import AttentionWeights
from bpe_transformer.models.transformer_trunk import TransformerTrunk


class EncoderOnly(TransformerTrunk):
    """Embedding and `n_layers` layers without a causal mask."""

    def forward(
        self,
        ids: Tensor,
        *,
        segments: Tensor | None = None,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """ids (B, T), segments (B, T) -> states (B, T, C).

        mask: bool (B or 1, T or 1, T), True where a position sees another; by default all but padding.
        positions: (B, T), below T; None: 0 to T - 1.
        """
        return self._forward(ids, segments, mask, positions)[0]

    def attention(self, ids: Tensor, *, segments: Tensor | None = None) -> Tensor:
        """ids (B, T) -> the weights of every layer (layers, B, H, T, T)."""
        return torch.stack(self._forward(ids, segments, None, None, need_weights=True)[1])

    def _forward(
        self,
        ids: Tensor,
        segments: Tensor | None,
        mask: Tensor | None,
        positions: Tensor | None,
        *,
        need_weights: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        if mask is None:
            mask = padding_mask(ids, self.config.pad_id)
        end = ids.size(1)
        positions = torch.arange(end, device=ids.device) if positions is None else positions
        x = self.embedding(ids, positions, end, segments)
        return self.run_layers(x, mask=mask, positions=positions, end=end, need_weights=need_weights)


class MaskedLanguageModel(nn.Module):
    """`EncoderOnly` with a head that says which id stands at every position."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = EncoderOnly(config)
        self.head = MaskedLMHead(config, embedding=self.trunk.embedding.tokens if config.tie_embeddings else None)

    def states(
        self,
        ids: Tensor,
        *,
        segments: Tensor | None = None,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """ids (B, T) -> states (B, T, C) for `head`; otherwise as `EncoderOnly.forward`."""
        states: Tensor = self.trunk(ids, segments=segments, mask=mask, positions=positions)
        return states

    def forward(
        self,
        ids: Tensor,
        *,
        segments: Tensor | None = None,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """ids (B, T) -> logits of the id at every position (B, T, V); otherwise as `EncoderOnly.forward`."""
        logits: Tensor = self.head(self.states(ids, segments=segments, mask=mask, positions=positions))
        return logits

    def attention(self, ids: Tensor) -> AttentionWeights:
        """ids (B, T) -> the weights of every layer."""
        return AttentionWeights(encoder=self.trunk.attention(ids))
