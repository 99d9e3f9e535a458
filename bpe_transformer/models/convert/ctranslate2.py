"""Translators and language models as specifications of CTranslate2, which its engine loads from a folder.

CTranslate2 is imported on first use. Its attention has our order of queries, keys and values in one matrix, and its
tables of positions are ours, so nothing is permuted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bpe_transformer.errors import ConversionError
from bpe_transformer.models.config import ModelConfig, TransformerConfig
from bpe_transformer.models.convert.converter import differing, heads_differ
from bpe_transformer.models.layers import sinusoids
from bpe_transformer.models.registry import Family

_ACTIVATIONS = {"relu": "RELU", "gelu": "GELU", "gelu_tanh": "GELUTanh", "swiglu": "SWISH"}


@dataclass(frozen=True)
class Vocabulary:
    """What CTranslate2 knows of a tokenizer.

    Attributes:
        tokens: the text of every id, each another one.
        bos, eos, unk: of them.
        start: what a target, or a text, begins with.
    """

    tokens: Sequence[str]
    bos: str
    eos: str
    unk: str
    start: str


def to_ctranslate2(
    family: Family, config: ModelConfig, weights: Mapping[str, Tensor], vocabulary: Vocabulary, *, positions: int
) -> Any:
    """A specification that `save(folder)` writes, checked to be whole.

    positions: rows of the tables of sinusoids, which the engine does not lengthen.

    Raises:
        ConversionError: the family or an option is none that CTranslate2 has, or the package is missing.
    """
    check_ctranslate2(family, config)
    assert isinstance(config, TransformerConfig)
    state = {name: value.detach().float().contiguous() for name, value in weights.items()}
    spec = _translator(config, state, positions) if family.task == "translation" else _decoder(config, state, positions)
    if family.task == "translation":
        spec.register_source_vocabulary(list(vocabulary.tokens))
        spec.register_target_vocabulary(list(vocabulary.tokens))
        spec.config.decoder_start_token = vocabulary.start
        spec.config.add_source_bos = False
        spec.config.add_source_eos = False
    else:
        spec.register_vocabulary(list(vocabulary.tokens))
    spec.config.bos_token, spec.config.eos_token = vocabulary.bos, vocabulary.eos
    spec.config.unk_token = vocabulary.unk
    spec.config.layer_norm_epsilon = config.norm_eps
    spec.validate()
    spec.optimize()
    return spec


def check_ctranslate2(family: Family, config: ModelConfig) -> None:
    """`ConversionError`, naming everything that CTranslate2 cannot hold, or that it is not installed."""
    owner = "CTranslate2"
    if not isinstance(config, TransformerConfig):
        raise ConversionError(
            f"{owner} has no recurrent encoder-decoder, which family={family.name!r} is; keep the run as it is"
        )
    wanted: dict[str, tuple[object, ...]] = {"activation": tuple(_ACTIVATIONS), "embedding_norm": (False,)}
    found = []
    if family.task == "translation":
        wanted |= {"positions": ("sinusoidal", "learned", "none"), "qk_norm": (False,), "n_segments": (0,)}
        found = heads_differ(config, owner)
    elif family.task != "language-model":
        raise ConversionError(
            f"{owner} translates and continues texts, and family={family.name!r} does neither; use transformers"
        )
    elif config.qk_norm and config.positions != "rope":
        found.append("qk_norm=True without rotary positions, where its class has both or neither")
    if config.qk_norm and config.bias:
        found.append("qk_norm=True with biases")
    found = differing(config, wanted, owner) + found
    if found:
        raise ConversionError(f"{owner} cannot hold this model: {'; '.join(found)}")
    try:
        import ctranslate2  # noqa: F401
    except ImportError:
        raise ConversionError(
            "the package ctranslate2 is not installed; run pip install 'bpe-transformer[ctranslate2]'"
        ) from None


def _translator(config: TransformerConfig, state: Mapping[str, Tensor], positions: int) -> Any:
    from ctranslate2.specs import transformer_spec

    shape: dict[str, Any] = {
        "pre_norm": config.norm_place == "pre",
        "activation": _activation(config),
        "ffn_glu": config.activation == "swiglu",
        "rms_norm": config.norm == "rmsnorm",
    }
    encoder = transformer_spec.TransformerEncoderSpec(config.n_layers, config.n_heads, **shape)
    decoder = transformer_spec.TransformerDecoderSpec(config.n_layers, config.n_heads, **shape)
    target = "src_embedding" if config.tie_embeddings else "tgt_embedding"
    _embed(encoder, encoder.embeddings[0], config, state, "src_embedding", positions)
    _embed(decoder, decoder.embeddings, config, state, target, positions)
    for side, spec in (("encoder", encoder), ("decoder", decoder)):
        if shape["pre_norm"]:
            _norm(spec.layer_norm, state, f"{side}_norm")
        for index, layer in enumerate(spec.layer):
            _layer(layer, config, state, f"{side}.{index}", cross=side == "decoder")
    _project(decoder.projection, config, state, target)
    return transformer_spec.TransformerSpec(encoder, decoder)


def _decoder(config: TransformerConfig, state: Mapping[str, Tensor], positions: int) -> Any:
    from ctranslate2.specs import transformer_spec

    rotary = config.positions == "rope"
    kv_heads = config.n_kv_heads or config.n_heads
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        config.n_layers,
        config.n_heads,
        pre_norm=config.norm_place == "pre",
        activation=_activation(config),
        ffn_glu=config.activation == "swiglu",
        rms_norm=config.norm == "rmsnorm",
        rotary_dim=config.head_dim if rotary else None,
        rotary_interleave=False,
        rotary_base=config.rope_base,
        num_heads_kv=None if kv_heads == config.n_heads else kv_heads,
        head_dim=config.head_dim if config.qk_norm else None,
        qk_norm=config.qk_norm,
    )
    decoder = spec.decoder
    _embed(decoder, decoder.embeddings, config, state, "trunk.embedding", positions)
    if config.norm_place == "pre":
        _norm(decoder.layer_norm, state, "trunk.norm")
    for index, layer in enumerate(decoder.layer):
        _layer(layer, config, state, f"trunk.layers.{index}", cross=False)
    _project(decoder.projection, config, state, "trunk.embedding")
    return spec


def _embed(
    spec: Any, embeddings: Any, config: TransformerConfig, state: Mapping[str, Tensor], prefix: str, positions: int
) -> None:
    """Token vectors and the table of positions, to which the vector of the first segment is added."""
    embeddings.weight = _array(state[f"{prefix}.tokens.weight"])
    spec.scale_embeddings = config.scale_embeddings
    if config.positions == "rope":
        if config.n_segments:
            raise ConversionError(f"CTranslate2 cannot hold n_segments={config.n_segments} with rotary positions")
        return
    if config.positions == "learned":
        table = state[f"{prefix}.positions.embedding.weight"]
    elif config.positions == "sinusoidal":
        table = sinusoids(positions, config.d_model)
    else:
        table = torch.zeros(positions, config.d_model)
    if config.n_segments:
        table = table + state[f"{prefix}.segments.weight"][0]
    spec.position_encodings.encodings = _array(table)


def _layer(layer: Any, config: TransformerConfig, state: Mapping[str, Tensor], prefix: str, *, cross: bool) -> None:
    own = layer.self_attention
    _linear(own.linear[0], state, f"{prefix}.self_attention.qkv")
    _linear(own.linear[1], state, f"{prefix}.self_attention.out")
    _norm(own.layer_norm, state, f"{prefix}.self_attention_norm")
    if config.qk_norm:
        _norm(own.q_norm, state, f"{prefix}.self_attention.q_norm")
        _norm(own.k_norm, state, f"{prefix}.self_attention.k_norm")
    if cross:
        queries, memory, out = layer.attention.linear
        _linear(queries, state, f"{prefix}.cross_attention.qkv", slice(0, config.d_model))
        _linear(memory, state, f"{prefix}.cross_attention.qkv", slice(config.d_model, None))
        _linear(out, state, f"{prefix}.cross_attention.out")
        _norm(layer.attention.layer_norm, state, f"{prefix}.cross_attention_norm")
    _norm(layer.ffn.layer_norm, state, f"{prefix}.feed_forward_norm")
    if config.activation == "swiglu":
        _linear(layer.ffn.linear_0, state, f"{prefix}.feed_forward.gate_proj")
        _linear(layer.ffn.linear_0_noact, state, f"{prefix}.feed_forward.up_proj")
    else:
        _linear(layer.ffn.linear_0, state, f"{prefix}.feed_forward.up_proj")
    _linear(layer.ffn.linear_1, state, f"{prefix}.feed_forward.down_proj")


def _project(spec: Any, config: TransformerConfig, state: Mapping[str, Tensor], prefix: str) -> None:
    spec.weight = _array(state[f"{prefix}.tokens.weight" if config.tie_embeddings else "head.weight"])
    if "head.bias" in state:
        spec.bias = _array(state["head.bias"])


def _linear(spec: Any, state: Mapping[str, Tensor], name: str, rows: slice = slice(None)) -> None:
    spec.weight = _array(state[f"{name}.weight"][rows])
    if f"{name}.bias" in state:
        spec.bias = _array(state[f"{name}.bias"][rows])


def _norm(spec: Any, state: Mapping[str, Tensor], name: str) -> None:
    gain = state[f"{name}.weight"]
    spec.gamma = _array(gain)
    if hasattr(spec, "beta"):
        spec.beta = _array(state.get(f"{name}.bias", torch.zeros_like(gain)))


def _activation(config: TransformerConfig) -> Any:
    from ctranslate2.specs import common_spec

    return getattr(common_spec.Activation, _ACTIVATIONS[config.activation])


def _array(value: Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = value.contiguous().numpy()
    return array
