"""BERT's classes of `transformers`, with the norm after sublayers, and MegatronBert's, with the norm before them."""

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
    folded,
    heads_differ,
    optional_id,
    position_table,
    refuse_fields,
    rows_of,
    without,
)
from bpe_transformer.models.convert.weight_maps import Entry, Weights, linear, norm, projections, to_ours, to_theirs

_EMBEDDINGS = "bert.embeddings"
_KNOWN = (
    *("vocab_size", "max_position_embeddings", "hidden_size", "num_hidden_layers", "num_attention_heads", "id2label"),
    *("intermediate_size", "hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob", "type_vocab_size"),
    *("layer_norm_eps", "tie_word_embeddings", "pad_token_id", "bos_token_id", "eos_token_id", "architectures"),
    *("model_type", "dtype", "torch_dtype", "transformers_version", "label2id", "num_labels", "problem_type"),
)
_REQUIRED: dict[str, tuple[object, ...]] = {
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "problem_type": (None, "single_label_classification"),
}


class BertConverter:
    """`MaskedLanguageModel`, and `Classifier` on its trunk, to and from BERT's and MegatronBert's classes."""

    class_names = (
        "BertForMaskedLM",
        "BertForSequenceClassification",
        "MegatronBertForMaskedLM",
        "MegatronBertForSequenceClassification",
    )

    def problems(self, config: TransformerConfig, head: Head) -> list[str]:
        post = config.norm_place == "post"
        name = "BERT, whose norm comes after sublayers," if post else "MegatronBert, whose norm comes before sublayers,"
        wanted: dict[str, tuple[object, ...]] = {
            "norm": ("layernorm",),
            "positions": ("learned", "sinusoidal", "none"),
            "activation": ("relu", "gelu", "gelu_tanh", "relu2"),
            "qk_norm": (False,),
            "embedding_norm": (post,),
        }
        found = differing(config, wanted, name) + heads_differ(config, name)
        if head.labels and head.pool != "first":
            found.append(f"pool={head.pool!r}, where BertForSequenceClassification reads the first state")
        return found

    def to_transformers(
        self, config: TransformerConfig, weights: Mapping[str, Tensor], special: SpecialTokens, head: Head
    ) -> Foreign:
        prefix = "Bert" if config.norm_place == "post" else "MegatronBert"
        if head.labels and config.tie_embeddings is False:
            weights = {**weights, "head.weight": weights["trunk.embedding.tokens.weight"]}  # it has no output matrix
        tokens, output, notes = folded(config, weights, "trunk.embedding")
        state = to_theirs(
            _entries(config.n_layers, config.d_model, config.d_ff, post=prefix == "Bert", head=head), weights
        )
        segments = weights.get("trunk.embedding.segments.weight", torch.zeros(1, config.d_model))
        state |= {
            f"{_EMBEDDINGS}.word_embeddings.weight": tokens,
            f"{_EMBEDDINGS}.position_embeddings.weight": position_table(config, weights, "trunk.embedding"),
            f"{_EMBEDDINGS}.token_type_embeddings.weight": segments,
        }
        if not head.labels:
            state |= {"cls.predictions.decoder.weight": output, "cls.predictions.decoder.bias": weights["head.bias"]}
        fields: dict[str, Any] = {
            "vocab_size": config.vocab_size,
            "max_position_embeddings": config.max_len,
            "hidden_size": config.d_model,
            "num_hidden_layers": config.n_layers,
            "num_attention_heads": config.n_heads,
            "intermediate_size": config.d_ff,
            "hidden_act": ACTIVATIONS[config.activation][0],
            "hidden_dropout_prob": config.dropout,
            "attention_probs_dropout_prob": config.attention_dropout,
            "type_vocab_size": segments.size(0),
            "layer_norm_eps": config.norm_eps,
            "tie_word_embeddings": output is tokens,
            "pad_token_id": special.pad,
            "bos_token_id": special.bos,
            "eos_token_id": special.eos,
        }
        if head.labels:
            fields |= {
                "id2label": {str(index): label for index, label in enumerate(head.labels)},
                "label2id": {label: index for index, label in enumerate(head.labels)},
                "problem_type": "single_label_classification",
            }
            notes = [note for note in notes if not note.startswith("the factor")]
        return Foreign(
            f"{prefix}For{'SequenceClassification' if head.labels else 'MaskedLM'}", fields, state, tuple(notes)
        )

    def from_transformers(self, class_name: str, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Native:
        refuse_fields(config, _REQUIRED, class_name)
        post = not class_name.startswith("Megatron")
        tokens = rows_of(weights, f"{_EMBEDDINGS}.word_embeddings.weight")
        positions = rows_of(weights, f"{_EMBEDDINGS}.position_embeddings.weight")
        segments = rows_of(weights, f"{_EMBEDDINGS}.token_type_embeddings.weight")
        n_layers, d_ff = field_of(config, "num_hidden_layers", int), field_of(config, "intermediate_size", int)
        labels = _labels(config, weights) if class_name.endswith("SequenceClassification") else ()
        head = Head(labels)
        entries = _entries(n_layers, tokens.size(1), d_ff, post=post, head=head)
        state: Weights = to_ours(entries, weights)
        state |= {
            "trunk.embedding.tokens.weight": tokens.float(),
            "trunk.embedding.positions.embedding.weight": positions.float(),
            "trunk.embedding.segments.weight": segments.float(),
        }
        tied = field_of(config, "tie_word_embeddings", bool, True)
        if not (tied or labels):
            state["head.weight"] = rows_of(weights, "cls.predictions.decoder.weight").float()
        dropout = field_of(config, "hidden_dropout_prob", float, 0.1)
        if labels and config.get("classifier_dropout") not in (None, dropout):
            raise ConversionError(
                f"{class_name} has classifier_dropout={config['classifier_dropout']}, another than elsewhere"
            )
        options = {
            "d_model": tokens.size(1),
            "n_layers": n_layers,
            "n_heads": field_of(config, "num_attention_heads", int),
            "d_ff": d_ff,
            "max_len": positions.size(0),
            "dropout": dropout,
            "attention_dropout": field_of(config, "attention_probs_dropout_prob", float, 0.1),
            "norm_place": "post" if post else "pre",
            "norm_eps": field_of(config, "layer_norm_eps", float, 1e-12),
            "positions": "learned",
            "activation": activation_of(config.get("hidden_act", "gelu"), gated=False),
            "tie_embeddings": tied,
            "scale_embeddings": False,
            "embedding_norm": post,
            "n_segments": segments.size(0),
            "init": "bert",
        }
        pad = optional_id(config, "pad_token_id") if "pad_token_id" in config else 0  # BERT's default
        return Native(
            "bert",
            options,
            tokens.size(0),
            state,
            pad,
            optional_id(config, "bos_token_id"),
            optional_id(config, "eos_token_id"),
            labels,
            without(config, _KNOWN),
        )


def _labels(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The names of the classes in the order of their numbers; LABEL_0 … where the configuration names none."""
    number = rows_of(weights, "classifier.weight").size(0)
    named = config.get("id2label") or {}
    return tuple(str(named.get(str(index), named.get(index, f"LABEL_{index}"))) for index in range(number))


def _entries(n_layers: int, d_model: int, d_ff: int, *, post: bool, head: Head) -> list[Entry]:
    entries = (
        norm("trunk.embedding.norm", f"{_EMBEDDINGS}.LayerNorm", size=d_model)
        if post
        else norm("trunk.norm", "bert.encoder.ln", size=d_model)
    )
    for index in range(n_layers):
        ours, theirs = f"trunk.layers.{index}", f"bert.encoder.layer.{index}"
        attention = f"{theirs}.attention.self"
        names = (f"{attention}.query", f"{attention}.key", f"{attention}.value")
        attention_norm, feed_forward_norm = (
            ("attention.output.LayerNorm", "output.LayerNorm") if post else ("attention.ln", "ln")
        )
        entries += norm(f"{ours}.self_attention_norm", f"{theirs}.{attention_norm}", size=d_model)
        entries += norm(f"{ours}.feed_forward_norm", f"{theirs}.{feed_forward_norm}", size=d_model)
        entries += projections(f"{ours}.self_attention.qkv", names, sizes=(d_model,) * 3, zeros=True)
        entries += linear(f"{ours}.self_attention.out", f"{theirs}.attention.output.dense", size=d_model)
        entries += linear(f"{ours}.feed_forward.up_proj", f"{theirs}.intermediate.dense", size=d_ff)
        entries += linear(f"{ours}.feed_forward.down_proj", f"{theirs}.output.dense", size=d_model)
    if head.labels:
        return entries + linear("head.dense", "bert.pooler.dense") + linear("head.out", "classifier")
    entries += linear("head.dense", "cls.predictions.transform.dense")
    entries += norm("head.norm", "cls.predictions.transform.LayerNorm", size=d_model)
    return [*entries, Entry("head.bias", ("cls.predictions.bias",))]


CONVERTER = BertConverter()
