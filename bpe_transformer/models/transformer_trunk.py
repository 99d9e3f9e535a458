"""A Transformer below its head: its parts, built from a `TransformerConfig`, and what the trunks with one stack share."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from bpe_transformer.models.config import TransformerConfig
from bpe_transformer.models.layers import (
    DecodingCache,
    FeedForward,
    MultiHeadAttention,
    RMSNorm,
    RotaryPositions,
    TokenEmbedding,
    TransformerLayer,
    make_norm,
    make_positions,
)

_INIT_STD = 0.02  # of GPT-2 (Radford et al. 2019) and BERT (Devlin et al. 2019)


class TransformerTrunk(nn.Module):
    """An embedding, `n_layers` layers and a closing norm; base of `DecoderOnly` and `EncoderOnly`."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = make_embedding(config)
        self.layers = make_layers(config)
        self.norm = make_final_norm(config)
        initialize(self, config)

    def run_layers(
        self,
        x: Tensor,
        *,
        mask: Tensor | None,
        positions: Tensor,
        end: int,
        causal: bool = False,
        cache: DecodingCache | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        """x (B, T, C) -> normed states (B, T, C), and each layer's weights (B, H, T, T) if `need_weights`."""
        kept = []
        for index, layer in enumerate(self.layers):
            x, weights, _ = layer(
                x,
                mask=mask,
                causal=causal,
                positions=positions,
                end=end,
                cache=None if cache is None else cache.self_attention[index],
                need_weights=need_weights,
            )
            kept.append(weights)
        return self.norm(x), kept


def make_embedding(config: TransformerConfig) -> TokenEmbedding:
    """The embedding of tokens, positions and segments."""
    return TokenEmbedding(
        vocab_size=config.vocab_size,
        d_model=config.d_model,
        positions=make_positions(config.positions, d_model=config.d_model, max_len=config.max_len),
        n_segments=config.n_segments,
        norm=_norm(config) if config.embedding_norm else None,
        scale=config.scale_embeddings,
        dropout=config.dropout,
    )


def make_layers(config: TransformerConfig, *, cross_attention: bool = False) -> nn.ModuleList:
    """`n_layers` layers, with attention over an encoder if `cross_attention`; rotary positions share one table."""
    rope = None
    if config.positions == "rope":
        rope = RotaryPositions(head_dim=config.head_dim, max_len=config.max_len, base=config.rope_base)
    return nn.ModuleList(
        TransformerLayer(
            attention=_attention(config, rope),
            cross_attention=_attention(config, None) if cross_attention else None,
            feed_forward=FeedForward(
                d_model=config.d_model, d_ff=config.d_ff, activation=config.activation, bias=config.bias
            ),
            norm=partial(_norm, config),
            norm_place=config.norm_place,
            dropout=config.dropout,
        )
        for _ in range(config.n_layers)
    )


def make_final_norm(config: TransformerConfig) -> nn.Module:
    """The norm that closes a stack of pre-norm layers; post-norm layers end in one already."""
    return _norm(config) if config.norm_place == "pre" else nn.Identity()


def initialize(model: nn.Module, config: TransformerConfig) -> None:
    """Initialises the weights again if `config.init` is "gpt2" or "bert"; layers are made with "xavier".

    Both draw from N(0, 0.02²); GPT-2 divides the maps that write into the residual stream by √(2 · n_layers)
    (Radford et al. 2019, section 2.3).
    """
    if config.init == "xavier":
        return
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            residual = config.init == "gpt2" and name.endswith(("attention.out", "feed_forward.down_proj"))
            nn.init.normal_(module.weight, std=_INIT_STD / (2 * config.n_layers) ** 0.5 if residual else _INIT_STD)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def _norm(config: TransformerConfig) -> nn.Module:
    return make_norm(config.norm, config.d_model, eps=config.norm_eps, bias=config.bias)


def _attention(config: TransformerConfig, rope: RotaryPositions | None) -> MultiHeadAttention:
    return MultiHeadAttention(
        d_model=config.d_model,
        n_heads=config.n_heads,
        n_kv_heads=config.n_kv_heads,
        bias=config.bias,
        dropout=config.attention_dropout,
        rope=rope,
        q_norm=RMSNorm(config.head_dim, eps=config.norm_eps) if config.qk_norm else None,
        k_norm=RMSNorm(config.head_dim, eps=config.norm_eps) if config.qk_norm else None,
    )
