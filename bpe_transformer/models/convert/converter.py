"""What a converter is, and what they all share: checks of options and of foreign fields, activations, positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from bpe_transformer.errors import ConversionError
from bpe_transformer.models.config import Pool, TransformerConfig
from bpe_transformer.models.convert.weight_maps import Weights
from bpe_transformer.models.layers import sinusoids


@dataclass(frozen=True)
class SpecialTokens:
    """The ids that a foreign configuration names."""

    pad: int
    bos: int
    eos: int


@dataclass(frozen=True)
class Head:
    """What stands on the trunk: the family's own head (no labels), or a classifier of these labels."""

    labels: tuple[str, ...] = ()
    pool: Pool = "first"


@dataclass(frozen=True)
class Foreign:
    """A model of ours as a class of `transformers`.

    Attributes:
        class_name: such as "GPT2LMHeadModel".
        config: the fields of its config.json.
        weights: its state, without what it computes itself.
        notes: what is written in another way than here, for people.
    """

    class_name: str
    config: dict[str, Any]
    weights: Weights
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Native:
    """A foreign model as one of ours.

    Attributes:
        family, options: to build it; `vocab_size` are the rows of its embedding.
        weights: the model's parameters.
        pad, start, eos: ids that its configuration names; `start` is what the decoder, or the text, begins with.
        labels: of a classifier.
        other_fields: of its config.json, which the options do not hold; they are written back.
    """

    family: str
    options: dict[str, Any]
    vocab_size: int
    weights: Weights
    pad: int | None
    start: int | None
    eos: int | None
    labels: tuple[str, ...] = ()
    other_fields: dict[str, Any] = field(default_factory=dict)


class Converter(Protocol):
    """Maps one kind of model to and from classes of `transformers`.

    class_names: those that it reads. Conversions raise `ConversionError` with everything that cannot be held.
    """

    class_names: tuple[str, ...]

    def problems(self, config: TransformerConfig, head: Head) -> list[str]:
        """Options that none of its classes has, each with the reason; empty: `to_transformers` will do."""

    def to_transformers(
        self, config: TransformerConfig, weights: Mapping[str, Tensor], special: SpecialTokens, head: Head
    ) -> Foreign:
        """A model of ours, by its parameters, as one of theirs."""

    def from_transformers(self, class_name: str, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Native:
        """One of their models, by the content of its config.json and its state, as one of ours."""


# our activations and theirs; several of theirs may be the same function
ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "relu": ("relu",),
    "gelu": ("gelu", "gelu_python"),
    "gelu_tanh": ("gelu_new", "gelu_pytorch_tanh", "gelu_fast"),
    "relu2": ("relu2",),
    "swiglu": ("silu", "swish"),
}


def activation_of(name: object, *, gated: bool) -> str:
    """Our name of their activation. Raises `ConversionError` for one that no option of ours is."""
    for ours, theirs in ACTIVATIONS.items():
        if name in theirs and (ours == "swiglu") == gated:
            return ours
    kind = "gated" if gated else "plain"
    raise ConversionError(f"its {kind} activation {name!r} is none of {', '.join(ACTIVATIONS)}")


def differing(config: TransformerConfig, wanted: Mapping[str, Sequence[object]], owner: str) -> list[str]:
    """The options of `config` that are none of those that `owner` can have."""
    found = []
    for name, values in wanted.items():
        value = getattr(config, name)
        if value not in values:
            there = " or ".join(repr(allowed) for allowed in values)
            found.append(f"{name}={value!r}, where {owner} has {there}")
    return found


def heads_differ(config: TransformerConfig, owner: str) -> list[str]:
    """The problem of fewer key heads in a class that has as many as query heads."""
    if config.n_kv_heads in (None, config.n_heads):
        return []
    return [f"n_kv_heads={config.n_kv_heads}, where {owner} has as many as n_heads={config.n_heads}"]


def refuse_fields(config: Mapping[str, Any], wanted: Mapping[str, Sequence[object]], class_name: str) -> None:
    """`ConversionError`, naming every field whose value means another computation than ours; absent ones are right."""
    wrong = [f"{name}={config[name]!r}" for name, values in wanted.items() if config.get(name, values[0]) not in values]
    if wrong:
        raise ConversionError(f"{class_name} with {', '.join(wrong)} computes what no option here does")


def field_of(config: Mapping[str, Any], name: str, kind: type, default: object = None) -> Any:
    """A field of a foreign config.json. Raises `ConversionError` when it is missing or of another type."""
    value = config.get(name, default)
    whole = kind is float and isinstance(value, int) and not isinstance(value, bool)
    if not (isinstance(value, kind) or whole) or (kind is not bool and isinstance(value, bool)):
        raise ConversionError(f"its config.json has {name}={value!r}, which is not of type {kind.__name__}")
    return value


def optional_id(config: Mapping[str, Any], name: str) -> int | None:
    """An id that a foreign config.json names; the first of several."""
    value = config.get(name)
    if isinstance(value, list) and value:
        value = value[0]
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise ConversionError(f"its config.json has {name}={value!r}, which is not an id")
    return value


def rows_of(weights: Mapping[str, Tensor], name: str) -> Tensor:
    """A matrix by its name. Raises `ConversionError` when it is missing or not a matrix."""
    if name not in weights or weights[name].dim() != 2:
        raise ConversionError(f"the weights lack the matrix {name}; take the files of a whole model")
    return weights[name]


def position_table(config: TransformerConfig, weights: Mapping[str, Tensor], prefix: str) -> Tensor:
    """(max_len, C): what is added to the token vector at each position, learned, by formula, or nothing."""
    if config.positions == "learned":
        return weights[f"{prefix}.positions.embedding.weight"]
    if config.positions == "sinusoidal":
        return sinusoids(config.max_len, config.d_model)
    return torch.zeros(config.max_len, config.d_model)


def folded(config: TransformerConfig, weights: Mapping[str, Tensor], prefix: str) -> tuple[Tensor, Tensor, list[str]]:
    """Token vectors with their factor multiplied in, the output matrix, and notes on what was written otherwise."""
    tokens = weights[f"{prefix}.tokens.weight"]
    output = tokens if config.tie_embeddings else weights["head.weight"]
    notes = []
    if config.positions != "learned":
        notes.append(f"positions={config.positions!r} are written as a table of max_len={config.max_len} rows")
    if config.scale_embeddings:
        tokens = tokens * config.d_model**0.5
        notes.append("the factor of token vectors is multiplied in, so that the output matrix is one of its own")
    return tokens, output, notes


def without(config: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """The fields of a foreign config.json that we do not model."""
    return {name: value for name, value in config.items() if name not in known}
