"""An encoder-decoder Transformer (Vaswani et al. 2017)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bpe_transformer.models.transformer import DecodingCache, TokenEmbedding, TransformerLayer, final_norm


class TranslationAttention(NamedTuple):
    """The weights of one pass: encoder (layers, B, H, S, S), decoder (…, T, T), decoder over encoder (…, T, S)."""

    encoder: Tensor
    decoder: Tensor
    memory: Tensor


class TranslationModel(nn.Module):
    """Reads a source, writes a target. Padding (`pad_id`) stands at the end of a row and is never attended to.

    With `tie_embeddings` one matrix serves source, target and output (section 3.4), which takes a joint vocabulary.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        pad_id: int,
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
        self.pad_id = pad_id

        def embedding() -> TokenEmbedding:
            return TokenEmbedding(
                vocab_size=vocab_size, d_model=d_model, max_len=max_len, positions=positions, dropout=dropout
            )

        def layers(*, over_memory: bool) -> nn.ModuleList:
            return nn.ModuleList(
                TransformerLayer(
                    d_model=d_model,
                    n_heads=n_heads,
                    d_ff=d_ff,
                    dropout=dropout,
                    attention_dropout=attention_dropout,
                    norm=norm,
                    activation=activation,
                    over_memory=over_memory,
                )
                for _ in range(n_layers)
            )

        self.src_embedding = embedding()
        self.tgt_embedding = self.src_embedding if tie_embeddings else embedding()
        self.encoder = layers(over_memory=False)
        self.encoder_norm = final_norm(d_model, norm)
        self.decoder = layers(over_memory=True)
        self.decoder_norm = final_norm(d_model, norm)
        self.output = None if tie_embeddings else nn.Linear(d_model, vocab_size, bias=False)

    @property
    def output_weight(self) -> Tensor:
        """The projection to the vocabulary, (V, C)."""
        return self.tgt_embedding.tokens.weight if self.output is None else self.output.weight

    def new_cache(self) -> DecodingCache:
        """An empty cache for decoding step by step."""
        return DecodingCache(len(self.decoder))

    def encode(self, src: Tensor) -> tuple[Tensor, Tensor]:
        """src (B, S) -> memory (B, S, C) and its mask (B, S), True where src is real."""
        mask = src != self.pad_id
        x = self.src_embedding(src, torch.arange(src.size(1), device=src.device))
        for layer in self.encoder:
            x, _, _ = layer(x, key_mask=mask)
        return self.encoder_norm(x), mask

    def decode(self, tgt: Tensor, memory: Tensor, memory_mask: Tensor, *, cache: DecodingCache | None = None) -> Tensor:
        """tgt (B, T) (bos first), memory (A, S, C), memory_mask (A, S) -> states (B, T, C) for `project`.

        With a cache, tgt is only what comes after the ids it has seen.
        """
        past = 0 if cache is None else cache.length
        x = self.tgt_embedding(tgt, torch.arange(past, past + tgt.size(1), device=tgt.device))
        for index, layer in enumerate(self.decoder):
            layer_cache = None if cache is None else cache.layers[index]
            x, _, _ = layer(x, memory, memory_mask=memory_mask, causal=True, cache=layer_cache)
        normed: Tensor = self.decoder_norm(x)
        return normed

    def project(self, states: Tensor) -> Tensor:
        """States (…, C) -> logits (…, V)."""
        return functional.linear(states, self.output_weight)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        """src (B, S), tgt (B, T) (bos first) -> logits of the id after each of tgt (B, T, V)."""
        memory, mask = self.encode(src)
        return self.project(self.decode(tgt, memory, mask))

    def attention(self, src: Tensor, tgt: Tensor) -> TranslationAttention:
        """The weights with which tgt (B, T) (bos first) is written from src (B, S)."""
        mask = src != self.pad_id
        x = self.src_embedding(src, torch.arange(src.size(1), device=src.device))
        encoder, decoder, memory_weights = [], [], []
        for layer in self.encoder:
            x, weights, _ = layer(x, key_mask=mask, need_weights=True)
            encoder.append(weights)
        memory = self.encoder_norm(x)
        y = self.tgt_embedding(tgt, torch.arange(tgt.size(1), device=tgt.device))
        for layer in self.decoder:
            y, own, over = layer(y, memory, memory_mask=mask, causal=True, need_weights=True)
            decoder.append(own)
            memory_weights.append(over)
        return TranslationAttention(torch.stack(encoder), torch.stack(decoder), torch.stack(memory_weights))
