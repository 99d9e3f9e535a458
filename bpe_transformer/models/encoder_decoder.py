"""An encoder-decoder Transformer (Vaswani et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bpe_transformer.models.config import TransformerConfig
from bpe_transformer.models.heads import LanguageModelHead
from bpe_transformer.models.layers import DecodingCache, padding_mask
from bpe_transformer.models.outputs import AttentionWeights, Cache, Memory
from bpe_transformer.models.transformer_trunk import initialize, make_embedding, make_final_norm, make_layers


class EncoderDecoder(nn.Module):
    """Reads a source, writes a target. Padding stands at the end of a row and is never attended to.

    With `tie_embeddings` one matrix serves source, target and output (section 3.4), which takes a joint vocabulary.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.src_embedding = make_embedding(config)
        self.tgt_embedding = self.src_embedding if config.tie_embeddings else make_embedding(config)
        self.encoder = make_layers(config)
        self.encoder_norm = make_final_norm(config)
        self.decoder = make_layers(config, cross_attention=True)
        self.decoder_norm = make_final_norm(config)
        self.head = LanguageModelHead(
            d_model=config.d_model,
            vocab_size=config.vocab_size,
            embedding=self.tgt_embedding.tokens if config.tie_embeddings else None,
            bias=config.output_bias,
        )
        initialize(self, config)

    def new_cache(self, *, capacity: int = 64) -> DecodingCache:
        """An empty cache for decoding step by step, with room for `capacity` ids before it grows."""
        return DecodingCache(len(self.decoder), capacity=capacity)

    def encode(self, src: Tensor) -> Memory:
        """src (B, S) -> states (B, S, C) and their mask."""
        return Memory(self._encode(src)[0], src != self.config.pad_id)

    def decode(self, tgt: Tensor, memory: Memory, *, cache: Cache | None = None) -> Tensor:
        """tgt (B, T) (bos first) -> states (B, T, C) for `head`.

        With a cache, tgt is only what comes after the ids it has seen. When the memory has A < B rows, B/A consecutive
        rows of tgt are the beams of one source; with a cache they go on by one id at a time, T = 1.
        """
        return self._decode(tgt, memory, cache)[0]

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        """src (B, S), tgt (B, T) (bos first) -> logits of the id after each of tgt (B, T, V)."""
        logits: Tensor = self.head(self.decode(tgt, self.encode(src)))
        return logits

    def attention(self, src: Tensor, tgt: Tensor) -> AttentionWeights:
        """The weights with which tgt (B, T) (bos first) is written from src (B, S)."""
        states, encoder = self._encode(src, need_weights=True)
        _, decoder, cross = self._decode(tgt, Memory(states, src != self.config.pad_id), None, need_weights=True)
        return AttentionWeights(torch.stack(encoder), torch.stack(decoder), torch.stack(cross))

    def _encode(self, src: Tensor, *, need_weights: bool = False) -> tuple[Tensor, list[Tensor]]:
        mask = padding_mask(src, self.config.pad_id)
        positions, end = torch.arange(src.size(1), device=src.device), src.size(1)
        x = self.src_embedding(src, positions, end)
        kept = []
        for layer in self.encoder:
            x, weights, _ = layer(x, mask=mask, positions=positions, end=end, need_weights=need_weights)
            kept.append(weights)
        return self.encoder_norm(x), kept

    def _decode(
        self, tgt: Tensor, memory: Memory, cache: Cache | None, *, need_weights: bool = False
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        mask: Tensor | None = None
        shape = tgt.shape
        if isinstance(cache, DecodingCache):
            tgt, positions, mask = cache.advance(tgt, len(memory))
            end = cache.end
        else:
            positions, end = torch.arange(tgt.size(1), device=tgt.device), tgt.size(1)
        x = self.tgt_embedding(tgt, positions, end)
        own_kept, cross_kept = [], []
        for index, layer in enumerate(self.decoder):
            x, own, cross = layer(
                x,
                memory.states,
                mask=mask,
                causal=cache is None,
                memory_mask=memory.mask[:, None],
                positions=positions,
                end=end,
                cache=cache.self_attention[index] if isinstance(cache, DecodingCache) else None,
                memory_cache=cache.cross_attention[index] if isinstance(cache, DecodingCache) else None,
                need_weights=need_weights,
            )
            own_kept.append(own)
            cross_kept.append(cross)
        return self.decoder_norm(x).view(*shape, -1), own_kept, cross_kept
