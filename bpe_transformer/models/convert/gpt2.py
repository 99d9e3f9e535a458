"""GPT-2's class of `transformers`: layer norm before sublayers, a table of positions, any activation without a gate.

Its linear maps are transposed (Conv1D). Sinusoids, segments and missing biases are written as values of its own tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

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
    folded,
    heads_differ,
    optional_id,
    position_table,
    refuse_fields,
    rows_of,
    without,
)
from bpe_transformer.models.convert.weight_maps import Entry, linear, norm, to_ours, to_theirs

_CLASS = "GPT2LMHeadModel"
_KNOWN = (
    *("vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner", "activation_function", "resid_pdrop"),
    *("embd_pdrop", "attn_pdrop", "layer_norm_epsilon", "tie_word_embeddings", "pad_token_id", "bos_token_id"),
    *("eos_token_id", "architectures", "model_type", "dtype", "torch_dtype", "transformers_version"),
)


class GPT2Converter:
    """`LanguageModel` to and from `GPT2LMHeadModel`."""

    class_names = (_CLASS,)

    def problems(self, config: TransformerConfig, head: Head) -> list[str]:
        wanted: dict[str, tuple[object, ...]] = {
            "norm": ("layernorm",),
            "norm_place": ("pre",),
            "positions": ("learned", "sinusoidal", "none"),
            "activation": ("relu", "gelu", "gelu_tanh", "relu2"),
            "qk_norm": (False,),
            "embedding_norm": (False,),
            "output_bias": (False,),
        }
        found = differing(config, wanted, _CLASS) + heads_differ(config, _CLASS)
        if head.labels:
            found.append(
                "a classifier, whose head GPT2ForSequenceClassification has not: its labels follow the state at once"
            )
        return found

    def to_transformers(
        self, config: TransformerConfig, weights: Mapping[str, Tensor], special: SpecialTokens, head: Head
    ) -> Foreign:
        tokens, output, notes = folded(config, weights, "trunk.embedding")
        table = position_table(config, weights, "trunk.embedding")
        if config.n_segments:
            table = table + weights["trunk.embedding.segments.weight"][0]
            notes.append("the vector of the first segment is added to that of every position")
        state = to_theirs(_entries(config.n_layers, config.d_model, config.d_ff), weights)
        state |= {"transformer.wte.weight": tokens, "transformer.wpe.weight": table, "lm_head.weight": output}
        tied = output is tokens
        fields = {
            "vocab_size": config.vocab_size,
            "n_positions": config.max_len,
            "n_embd": config.d_model,
            "n_layer": config.n_layers,
            "n_head": config.n_heads,
            "n_inner": config.d_ff,
            "activation_function": ACTIVATIONS[config.activation][0],
            "resid_pdrop": config.dropout,
            "embd_pdrop": config.dropout,
            "attn_pdrop": config.attention_dropout,
            "layer_norm_epsilon": config.norm_eps,
            "tie_word_embeddings": tied,
            "pad_token_id": special.pad,
            "bos_token_id": special.bos,
            "eos_token_id": special.eos,
        }
        return Foreign(_CLASS, fields, state, tuple(notes))

    def from_transformers(self, class_name: str, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Native:
        wanted: dict[str, tuple[object, ...]] = {
            "scale_attn_weights": (True,),
            "scale_attn_by_inverse_layer_idx": (False,),
            "add_cross_attention": (False,),
        }
        refuse_fields(config, wanted, class_name)
        weights = {name if "." not in name or name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}": value
                   for name, value in weights.items()}  # fmt: skip  # the first GPT-2 has no prefix
        tokens = rows_of(weights, "transformer.wte.weight")
        d_model, tied = tokens.size(1), field_of(config, "tie_word_embeddings", bool, True)
        n_layers = field_of(config, "n_layer", int, 12)
        d_ff = field_of(config, "n_inner", int, 4 * d_model) if config.get("n_inner") is not None else 4 * d_model
        state = to_ours(_entries(n_layers, d_model, d_ff), weights)
        positions = rows_of(weights, "transformer.wpe.weight")
        state |= {
            "trunk.embedding.tokens.weight": tokens.float(),
            "trunk.embedding.positions.embedding.weight": positions.float(),
        }
        if not tied:
            state["head.weight"] = rows_of(weights, "lm_head.weight").float()
        options = {
            "d_model": d_model,
            "n_layers": n_layers,
            "n_heads": field_of(config, "n_head", int, 12),
            "d_ff": d_ff,
            "max_len": positions.size(0),
            "dropout": field_of(config, "resid_pdrop", float, 0.1),
            "attention_dropout": field_of(config, "attn_pdrop", float, 0.1),
            "norm_eps": field_of(config, "layer_norm_epsilon", float, 1e-5),
            "positions": "learned",
            "activation": activation_of(config.get("activation_function", "gelu_new"), gated=False),
            "tie_embeddings": tied,
            "scale_embeddings": False,
            "init": "gpt2",
        }
        eos = optional_id(config, "eos_token_id")
        pad = optional_id(config, "pad_token_id")
        return Native(
            "gpt",
            options,
            tokens.size(0),
            state,
            pad,
            optional_id(config, "bos_token_id"),
            eos,
            other_fields=without(config, _KNOWN),
        )


def _entries(n_layers: int, d_model: int, d_ff: int) -> list[Entry]:
    entries = norm("trunk.norm", "transformer.ln_f", size=d_model)
    for index in range(n_layers):
        ours, theirs = f"trunk.layers.{index}", f"transformer.h.{index}"
        entries += norm(f"{ours}.self_attention_norm", f"{theirs}.ln_1", size=d_model)
        entries += norm(f"{ours}.feed_forward_norm", f"{theirs}.ln_2", size=d_model)
        entries += linear(f"{ours}.self_attention.qkv", f"{theirs}.attn.c_attn", size=3 * d_model, transposed=True)
        entries += linear(f"{ours}.self_attention.out", f"{theirs}.attn.c_proj", size=d_model, transposed=True)
        entries += linear(f"{ours}.feed_forward.up_proj", f"{theirs}.mlp.c_fc", size=d_ff, transposed=True)
        entries += linear(f"{ours}.feed_forward.down_proj", f"{theirs}.mlp.c_proj", size=d_model, transposed=True)
    return entries


CONVERTER = GPT2Converter()
