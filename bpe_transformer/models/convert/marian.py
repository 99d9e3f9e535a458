"""Marian's class of `transformers`, an encoder-decoder with the norm after sublayers, and what Pegasus shares with it.

Their sinusoids stand in halves (all sines, then all cosines), ours in turn. One permutation of the residual stream, of
the columns of whatever reads it and the rows of whatever writes it, makes one model of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bpe_transformer.errors import ConversionError
from bpe_transformer.models.config import TransformerConfig
from bpe_transformer.models.convert.converter import (
    ACTIVATIONS,
    Foreign,
    Head,
    Native,
    SpecialTokens,
    activation_of,
    differing,
    field_of,
    heads_differ,
    optional_id,
    refuse_fields,
    rows_of,
    without,
)
from bpe_transformer.models.convert.weight_maps import Entry, Weights, linear, norm, projections, to_ours, to_theirs

_KNOWN = (
    *("vocab_size", "decoder_vocab_size", "max_position_embeddings", "d_model", "encoder_layers", "decoder_layers"),
    *("encoder_attention_heads", "decoder_attention_heads", "encoder_ffn_dim", "decoder_ffn_dim", "dropout"),
    *("activation_function", "attention_dropout", "scale_embedding", "share_encoder_decoder_embeddings"),
    *("tie_word_embeddings", "pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"),
    *("architectures", "model_type", "dtype", "torch_dtype", "transformers_version", "num_hidden_layers"),
    *("is_encoder_decoder", "forced_eos_token_id"),
)
_NORM_EPS = 1e-5  # of both classes, which have no field for it


class MarianConverter:
    """`EncoderDecoder` with the norm after sublayers to and from `MarianMTModel`."""

    class_names: tuple[str, ...] = ("MarianMTModel",)
    norm_place = "post"
    has_own_matrices = True  # source, target and output may each have a matrix of their own

    @property
    def _name(self) -> str:
        return self.class_names[0]

    def problems(self, config: TransformerConfig, head: Head) -> list[str]:
        wanted: dict[str, tuple[object, ...]] = {
            "norm": ("layernorm",),
            "norm_place": (self.norm_place,),
            "norm_eps": (_NORM_EPS,),
            "positions": ("sinusoidal",),
            "activation": ("relu", "gelu", "gelu_tanh", "relu2"),
            "qk_norm": (False,),
            "embedding_norm": (False,),
            "n_segments": (0,),
        }
        if not self.has_own_matrices:
            wanted["tie_embeddings"] = (True,)
        return differing(config, wanted, self._name) + heads_differ(config, self._name)

    def to_transformers(
        self, config: TransformerConfig, weights: Mapping[str, Tensor], special: SpecialTokens, head: Head
    ) -> Foreign:
        order = halves(config.d_model)
        state = to_theirs(self._entries(config.n_layers, config.d_model, config.d_ff), weights, order)
        source = weights["src_embedding.tokens.weight"][:, order].contiguous()
        if config.tie_embeddings:
            state |= {"model.shared.weight": source}
            state |= {f"model.{side}.embed_tokens.weight": source for side in ("encoder", "decoder")}
            state["lm_head.weight"] = source
        else:
            state["model.encoder.embed_tokens.weight"] = source
            state["model.decoder.embed_tokens.weight"] = weights["tgt_embedding.tokens.weight"][:, order].contiguous()
            state["lm_head.weight"] = weights["head.weight"][:, order].contiguous()
        state["final_logits_bias"] = weights.get("head.bias", torch.zeros(config.vocab_size))[None]
        fields: dict[str, Any] = {
            "vocab_size": config.vocab_size,
            "max_position_embeddings": config.max_len,
            "d_model": config.d_model,
            **{f"{side}_layers": config.n_layers for side in ("encoder", "decoder")},
            **{f"{side}_attention_heads": config.n_heads for side in ("encoder", "decoder")},
            **{f"{side}_ffn_dim": config.d_ff for side in ("encoder", "decoder")},
            "activation_function": ACTIVATIONS[config.activation][0],
            "dropout": config.dropout,
            "attention_dropout": config.attention_dropout,
            "activation_dropout": 0.0,
            "scale_embedding": config.scale_embeddings,
            "tie_word_embeddings": config.tie_embeddings,
            "pad_token_id": special.pad,
            "bos_token_id": special.bos,
            "eos_token_id": special.eos,
            "decoder_start_token_id": special.bos,
            "forced_eos_token_id": None,
        }
        if self.has_own_matrices:
            fields["share_encoder_decoder_embeddings"] = config.tie_embeddings
        notes = [] if config.bias else ["biases that the model lacks are written as zeros"]
        return Foreign(self._name, fields, state, tuple(notes))

    def from_transformers(self, class_name: str, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Native:
        self._check(config)
        shared = config.get("share_encoder_decoder_embeddings", True) and config.get("tie_word_embeddings", True)
        names = ("model.shared.weight", "model.encoder.embed_tokens.weight", "lm_head.weight")
        source = rows_of(weights, next((name for name in names if name in weights), names[0]))
        if not shared:
            source = rows_of(weights, next((name for name in names[1::-1] if name in weights), names[0]))
        d_model = source.size(1)
        order = halves(d_model)
        inverse = order.argsort()
        n_layers, d_ff = field_of(config, "encoder_layers", int, 12), field_of(config, "encoder_ffn_dim", int, 4096)
        state: Weights = to_ours(self._entries(n_layers, d_model, d_ff), weights, order)
        state["src_embedding.tokens.weight"] = source.float()[:, inverse].contiguous()
        if not shared:
            target = weights.get("model.decoder.embed_tokens.weight", source)
            output = target if config.get("tie_word_embeddings", True) else rows_of(weights, "lm_head.weight")
            state["tgt_embedding.tokens.weight"] = target.float()[:, inverse].contiguous()
            state["head.weight"] = output.float()[:, inverse].contiguous()
        bias = weights.get("final_logits_bias")
        has_bias = bias is not None and bool(bias.any())
        if bias is not None and has_bias:
            state["head.bias"] = bias.float().flatten()
        options = {
            "d_model": d_model,
            "n_layers": n_layers,
            "n_heads": field_of(config, "encoder_attention_heads", int, 16),
            "d_ff": d_ff,
            "max_len": field_of(config, "max_position_embeddings", int, 1024),
            "dropout": field_of(config, "dropout", float, 0.1),
            "attention_dropout": field_of(config, "attention_dropout", float, 0.0),
            "norm_place": self.norm_place,
            "norm_eps": _NORM_EPS,
            "activation": activation_of(config.get("activation_function", "gelu"), gated=False),
            "tie_embeddings": bool(shared),
            "scale_embeddings": field_of(config, "scale_embedding", bool, False),
            "output_bias": has_bias,
        }
        return Native(
            "transformer",
            options,
            source.size(0),
            state,
            optional_id(config, "pad_token_id"),
            optional_id(config, "decoder_start_token_id"),
            optional_id(config, "eos_token_id"),
            other_fields=without(config, _KNOWN),
        )

    def _check(self, config: Mapping[str, Any]) -> None:
        for name in ("layers", "attention_heads", "ffn_dim"):
            encoder, decoder = config.get(f"encoder_{name}"), config.get(f"decoder_{name}")
            if encoder != decoder:
                raise ConversionError(
                    f"{self._name} has encoder_{name}={encoder} and decoder_{name}={decoder}; here both are alike"
                )
        if config.get("decoder_vocab_size", config.get("vocab_size")) not in (None, config.get("vocab_size")):
            raise ConversionError(f"{self._name} has a vocabulary for each side; here one serves both")
        refuse_fields(
            config, {"encoder_layerdrop": (0,), "decoder_layerdrop": (0,), "activation_dropout": (0,)}, self._name
        )

    def _entries(self, n_layers: int, d_model: int, d_ff: int) -> list[Entry]:
        entries: list[Entry] = []
        for side in ("encoder", "decoder"):
            if self.norm_place == "pre":
                entries += norm(f"{side}_norm", f"model.{side}.layer_norm", size=d_model)
            for index in range(n_layers):
                ours, theirs = f"{side}.{index}", f"model.{side}.layers.{index}"
                entries += _attention(f"{ours}.self_attention", f"{theirs}.self_attn", d_model)
                if side == "decoder":
                    entries += _attention(f"{ours}.cross_attention", f"{theirs}.encoder_attn", d_model)
                entries += norm(f"{ours}.feed_forward_norm", f"{theirs}.final_layer_norm", size=d_model)
                entries += linear(f"{ours}.feed_forward.up_proj", f"{theirs}.fc1", size=d_ff, reads=True)
                entries += linear(f"{ours}.feed_forward.down_proj", f"{theirs}.fc2", size=d_model, writes=True)
        return entries


def halves(d_model: int) -> Tensor:
    """(C,): which of our features each of theirs is: the even ones, which hold sines, then the odd ones."""
    return torch.cat((torch.arange(0, d_model, 2), torch.arange(1, d_model, 2)))


def _attention(ours: str, theirs: str, d_model: int) -> list[Entry]:
    names = (f"{theirs}.q_proj", f"{theirs}.k_proj", f"{theirs}.v_proj")
    return [
        *projections(f"{ours}.qkv", names, sizes=(d_model,) * 3, zeros=True),
        *linear(f"{ours}.out", f"{theirs}.out_proj", size=d_model, writes=True),
        *norm(f"{ours}_norm", f"{theirs}_layer_norm", size=d_model),
    ]


CONVERTER = MarianConverter()
