"""The classes of `transformers` for modern decoders: rotary positions, RMSNorm before sublayers.

Llama has a gated feed-forward and Arcee one without a gate; Qwen3 and Apertus are the same with normalised queries and
keys. NanoChat's class has norms without gains and caps its logits, which no option here does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    folded,
    optional_id,
    refuse_fields,
    rows_of,
    without,
)
from bpe_transformer.models.convert.weight_maps import Entry, linear, norm, projections, to_ours, to_theirs

# (gated feed-forward, normalised queries and keys) -> the class
_CLASSES = {
    (True, False): "LlamaForCausalLM",
    (False, False): "ArceeForCausalLM",
    (True, True): "Qwen3ForCausalLM",
    (False, True): "ApertusForCausalLM",
}
_HAVE_BIASES = ("LlamaForCausalLM", "ArceeForCausalLM")
_KNOWN = (
    *("vocab_size", "max_position_embeddings", "hidden_size", "num_hidden_layers", "num_attention_heads", "head_dim"),
    *("num_key_value_heads", "intermediate_size", "hidden_act", "attention_dropout", "rms_norm_eps", "attention_bias"),
    *("mlp_bias", "rope_parameters", "rope_theta", "rope_scaling", "tie_word_embeddings", "pad_token_id"),
    *("bos_token_id", "eos_token_id", "architectures", "model_type", "dtype", "torch_dtype", "transformers_version"),
)


class ModernConverter:
    """`LanguageModel` to and from `LlamaForCausalLM`, `ArceeForCausalLM`, `Qwen3ForCausalLM`, `ApertusForCausalLM`."""

    class_names = tuple(_CLASSES.values())

    def problems(self, config: TransformerConfig, head: Head) -> list[str]:
        name = _CLASSES[config.activation == "swiglu", config.qk_norm]
        wanted: dict[str, tuple[object, ...]] = {
            "norm": ("rmsnorm",),
            "norm_place": ("pre",),
            "positions": ("rope",),
            "embedding_norm": (False,),
            "n_segments": (0,),
            "output_bias": (False,),
        }
        if name not in _HAVE_BIASES:
            wanted["bias"] = (False,)
        found = differing(config, wanted, name)
        if head.labels:
            found.append(f"a classifier, whose head {name.replace('CausalLM', 'SequenceClassification')} has not")
        return found

    def to_transformers(
        self, config: TransformerConfig, weights: Mapping[str, Tensor], special: SpecialTokens, head: Head
    ) -> Foreign:
        name = _CLASSES[config.activation == "swiglu", config.qk_norm]
        tokens, output, notes = folded(config, weights, "trunk.embedding")
        notes = [note for note in notes if not note.startswith("positions")]
        kv_heads = config.n_kv_heads or config.n_heads
        sizes = (config.d_model, kv_heads * config.head_dim, kv_heads * config.head_dim)
        state = to_theirs(_entries(name, config.n_layers, sizes, bias=config.bias), weights)
        state |= {"model.embed_tokens.weight": tokens, "lm_head.weight": output}
        if config.dropout:
            notes.append(f"dropout={config.dropout} is of training alone, and the class has none")
        fields: dict[str, Any] = {
            "vocab_size": config.vocab_size,
            "max_position_embeddings": config.max_len,
            "hidden_size": config.d_model,
            "num_hidden_layers": config.n_layers,
            "num_attention_heads": config.n_heads,
            "num_key_value_heads": kv_heads,
            "head_dim": config.head_dim,
            "intermediate_size": config.d_ff,
            "hidden_act": ACTIVATIONS[config.activation][0],
            "attention_dropout": config.attention_dropout,
            "rms_norm_eps": config.norm_eps,
            "attention_bias": config.bias,
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
            "tie_word_embeddings": output is tokens,
            "pad_token_id": special.pad,
            "bos_token_id": special.bos,
            "eos_token_id": special.eos,
        }
        if name in _HAVE_BIASES:
            fields["mlp_bias"] = config.bias
        return Foreign(name, fields, state, tuple(notes))

    def from_transformers(self, class_name: str, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Native:
        gated, qk_norm = next(shape for shape, name in _CLASSES.items() if name == class_name)
        default_act = "silu" if gated else "relu2" if class_name == "ArceeForCausalLM" else "xielu"
        options = _options(class_name, config)
        activation = activation_of(config.get("hidden_act", default_act), gated=gated)
        tokens = rows_of(weights, "model.embed_tokens.weight")
        d_model, n_heads, kv_heads = tokens.size(1), options["n_heads"], options["n_kv_heads"]
        if (
            n_heads < 1
            or d_model % n_heads
            or field_of(config, "head_dim", int, d_model // n_heads) * n_heads != d_model
        ):
            raise ConversionError(
                f"{class_name} with head_dim={config.get('head_dim')} is wider inside than hidden_size"
            )
        kv = kv_heads * (d_model // n_heads)
        bias = options["bias"]
        state = to_ours(_entries(class_name, options["n_layers"], (d_model, kv, kv), bias=bias), weights)
        state["trunk.embedding.tokens.weight"] = tokens.float()
        tied = field_of(config, "tie_word_embeddings", bool, False)
        if not tied:
            state["head.weight"] = rows_of(weights, "lm_head.weight").float()
        options |= {"d_model": d_model, "activation": activation, "qk_norm": qk_norm, "tie_embeddings": tied}
        return Native(
            "gpt",
            options,
            tokens.size(0),
            state,
            optional_id(config, "pad_token_id"),
            optional_id(config, "bos_token_id"),
            optional_id(config, "eos_token_id"),
            other_fields=without(config, _KNOWN),
        )


def _options(class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are fields of config.json. Raises `ConversionError` for fields that compute something else."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default")) if isinstance(rope, Mapping) else rope
    if kind != "default" or (isinstance(rope, Mapping) and rope.get("partial_rotary_factor", 1) != 1):
        raise ConversionError(
            f"{class_name} with rotary positions {rope!r} turns them by other angles than any option here"
        )
    base = rope.get("rope_theta", config.get("rope_theta"))
    if base is None:
        raise ConversionError(
            f"the config.json of {class_name} says no rope_theta, and there is no default that all have"
        )
    refuse_fields(config, {"use_sliding_window": (False,), "pretraining_tp": (1,)}, class_name)
    bias = field_of(config, "attention_bias", bool, False)
    if bias != (class_name in _HAVE_BIASES and field_of(config, "mlp_bias", bool, False)):
        raise ConversionError(
            f"{class_name} has biases in its attention or its feed-forward alone; here both have them or none"
        )
    n_heads = field_of(config, "num_attention_heads", int)
    return {
        "n_layers": field_of(config, "num_hidden_layers", int),
        "n_heads": n_heads,
        "n_kv_heads": config.get("num_key_value_heads") or n_heads,
        "d_ff": field_of(config, "intermediate_size", int),
        "max_len": field_of(config, "max_position_embeddings", int),
        "dropout": 0.0,
        "attention_dropout": field_of(config, "attention_dropout", float, 0.0),
        "norm": "rmsnorm",
        "norm_eps": field_of(config, "rms_norm_eps", float, 1e-6),
        "positions": "rope",
        "rope_base": float(base),
        "bias": bias,
        "scale_embeddings": False,
        "init": "gpt2",
    }


def _entries(class_name: str, n_layers: int, sizes: tuple[int, int, int], *, bias: bool) -> list[Entry]:
    attention_norm, feed_forward_norm = "input_layernorm", "post_attention_layernorm"
    if class_name == "ApertusForCausalLM":
        attention_norm, feed_forward_norm = "attention_layernorm", "feedforward_layernorm"
    gated, qk_norm = next(shape for shape, name in _CLASSES.items() if name == class_name)
    entries = norm("trunk.norm", "model.norm", bias=False)
    for index in range(n_layers):
        ours, theirs = f"trunk.layers.{index}", f"model.layers.{index}"
        attention = f"{theirs}.self_attn"
        names = (f"{attention}.q_proj", f"{attention}.k_proj", f"{attention}.v_proj")
        entries += norm(f"{ours}.self_attention_norm", f"{theirs}.{attention_norm}", bias=False)
        entries += norm(f"{ours}.feed_forward_norm", f"{theirs}.{feed_forward_norm}", bias=False)
        entries += projections(f"{ours}.self_attention.qkv", names, sizes=sizes, bias=bias)
        entries += linear(f"{ours}.self_attention.out", f"{attention}.o_proj", bias=bias)
        for part in ("q_norm", "k_norm") if qk_norm else ():
            entries.append(Entry(f"{ours}.self_attention.{part}.weight", (f"{attention}.{part}.weight",)))
        for part in ("up_proj", "down_proj", *(("gate_proj",) if gated else ())):
            entries += linear(f"{ours}.feed_forward.{part}", f"{theirs}.mlp.{part}", bias=bias)
    return entries


CONVERTER = ModernConverter()
