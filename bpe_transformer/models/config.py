"""The shape of every model: frozen, with units, and checked when made. Imports nothing heavy.

`…Options` are what a person chooses, with their defaults; `…Config` are the options and what the tokenizer adds to
them (`vocab_size`, `pad_id`): all that a model is built from. A new option is one field here and the place that uses
it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Literal, TypeVar

from bpe_transformer.models.checked import Checked, option

Pool = Literal["first", "mean", "last"]  # which states of a row a classification head reads

_C = TypeVar("_C", bound="ModelConfig")


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Checked):
    """What every family has."""

    d_model: int = option(128, unit="features", meaning="width of every layer", low=1)
    n_layers: int = option(
        2, unit="layers", meaning="layers in the decoder, and as many in an encoder", low=1, below=10_001
    )
    max_len: int = option(128, unit="ids", meaning="longest sequence trained on", low=2)
    dropout: float = option(0.1, unit="probability", meaning="dropout on embeddings and sublayers", low=0, below=0.999)
    tie_embeddings: bool = option(True, unit="yes or no", meaning="one matrix for source, target and output")


@dataclass(frozen=True, kw_only=True)
class TransformerOptions(ModelOptions):
    """The shape of a Transformer, with or without encoder and decoder (Vaswani et al. 2017 and what followed)."""

    n_heads: int = option(4, unit="heads", meaning="attention heads a layer", low=1)
    n_kv_heads: int | None = option(None, unit="heads", meaning="key and value heads; none: as many as n_heads", low=1)
    d_ff: int = option(512, unit="features", meaning="inner width of the feed-forward layers", low=1)
    attention_dropout: float = option(
        0.0, unit="probability", meaning="dropout on attention weights", low=0, below=0.999
    )
    norm: str = option("layernorm", unit="kind", meaning="normalisation", choices=("layernorm", "rmsnorm"))
    norm_place: str = option("pre", unit="kind", meaning="norm before or after a sublayer", choices=("pre", "post"))
    norm_eps: float = option(1e-5, unit="variance", meaning="added under the norm's root", low=0)
    positions: str = option(
        "sinusoidal", unit="kind", meaning="positions", choices=("sinusoidal", "learned", "rope", "none")
    )
    rope_base: float = option(10000.0, unit="positions", meaning="base of the rotary wavelengths", low=1)
    activation: str = option(
        "relu", unit="kind", meaning="of the feed-forward", choices=("relu", "gelu", "gelu_tanh", "swiglu", "relu2")
    )
    bias: bool = option(True, unit="yes or no", meaning="biases in linear maps and layer norms")
    qk_norm: bool = option(False, unit="yes or no", meaning="normalise queries and keys")
    scale_embeddings: bool = option(True, unit="yes or no", meaning="token vectors times the root of d_model")
    embedding_norm: bool = option(False, unit="yes or no", meaning="normalise the sum of the embeddings")
    n_segments: int = option(0, unit="segments", meaning="segment vectors (BERT has 2); 0: none", low=0)
    output_bias: bool = option(False, unit="yes or no", meaning="a bias on the logits, which bert always has")
    init: str = option("xavier", unit="kind", meaning="initial weights", choices=("xavier", "gpt2", "bert"))

    @property
    def head_dim(self) -> int:
        """Features of one attention head."""
        return self.d_model // self.n_heads

    def contradictions(self) -> list[str]:
        found = []
        heads, kv_heads = self.n_heads, self.n_heads if self.n_kv_heads is None else self.n_kv_heads
        if heads > 0 and self.d_model % heads:
            found.append(f"d_model={self.d_model} does not divide into n_heads={heads}; choose a multiple")
        elif heads > 0 and self.positions == "rope" and self.head_dim % 2:
            found.append(f"d_model / n_heads = {self.head_dim} must be even for positions='rope'")
        if kv_heads > 0 and heads > 0 and heads % kv_heads:
            found.append(f"n_heads={heads} does not divide into n_kv_heads={kv_heads}; choose a divisor")
        if self.positions == "sinusoidal" and self.d_model % 2:
            found.append(f"d_model={self.d_model} must be even for positions='sinusoidal'")
        return found


@dataclass(frozen=True, kw_only=True)
class RecurrentOptions(ModelOptions):
    """The shape of a recurrent encoder-decoder with one context vector (Sutskever et al. 2014, Cho et al. 2014)."""

    d_embedding: int | None = option(None, unit="features", meaning="width of token vectors; none: d_model", low=1)
    cell: str = option("lstm", unit="kind", meaning="recurrent cell", choices=("lstm", "gru", "rnn"))
    bidirectional: bool = option(True, unit="yes or no", meaning="an encoder that reads both ways")

    @property
    def embedding_dim(self) -> int:
        """Features of a token vector."""
        return self.d_model if self.d_embedding is None else self.d_embedding


@dataclass(frozen=True, kw_only=True)
class RecurrentAttentionOptions(RecurrentOptions):
    """The same with attention over the encoder (Bahdanau et al. 2015; Luong et al. 2015)."""

    cell: str = option("gru", unit="kind", meaning="recurrent cell", choices=("lstm", "gru", "rnn"))
    score: str = option(
        "additive", unit="kind", meaning="attention score", choices=("additive", "dot", "general", "concat")
    )


@dataclass(frozen=True, kw_only=True)
class ModelConfig(ModelOptions):
    """Options and what the tokenizer adds: all that a model is built from. The families' configs derive from it."""

    vocab_size: int = option(unit="ids", meaning="largest id + 1, special tokens included", low=1)
    pad_id: int = option(0, unit="id", meaning="of the padding token, which is never attended to", low=0)

    @classmethod
    def of(cls: type[_C], options: ModelOptions, *, vocab_size: int, pad_id: int) -> _C:
        """The config of `options` under a tokenizer."""
        return cls(**asdict(options), vocab_size=vocab_size, pad_id=pad_id)

    def contradictions(self) -> list[str]:
        found = super().contradictions()
        if self.pad_id >= self.vocab_size:
            found.append(f"pad_id={self.pad_id} is outside of the vocabulary; it must be below {self.vocab_size}")
        return found


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(ModelConfig, TransformerOptions):
    """What `EncoderDecoder`, `DecoderOnly` and `EncoderOnly` are built from."""


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig(ModelConfig, RecurrentOptions):
    """What `RecurrentSeq2Seq` is built from."""


@dataclass(frozen=True, kw_only=True)
class RecurrentAttentionConfig(ModelConfig, RecurrentAttentionOptions):
    """What `RecurrentSeq2Seq` with attention is built from."""


def option_names(options: type[ModelOptions]) -> tuple[str, ...]:
    """The names of a family's options, in the order of their declaration."""
    return tuple(f.name for f in fields(options))
