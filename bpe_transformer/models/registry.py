"""The one place that maps a family's name to its config, its builder and its converter. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.config import (
    ModelConfig,
    ModelOptions,
    RecurrentAttentionConfig,
    RecurrentAttentionOptions,
    RecurrentConfig,
    RecurrentOptions,
    TransformerConfig,
    TransformerOptions,
)

if TYPE_CHECKING:
    from torch import nn

Task = Literal["translation", "language-model", "masked-language-model"]


@dataclass(frozen=True)
class Family:
    """A kind of model.

    Attributes:
        task: what it is trained for.
        options, config: what a person chooses, and what it is built from.
        builder, converter: "module:name" below `bpe_transformer.models`, imported on first use. A builder takes the
            config; a converter maps weights and config to and from a class of `transformers` (None: there is none).
        attention: which attention weights it can show, of "encoder", "decoder" and "cross".
    """

    name: str
    summary: str
    task: Task
    options: type[ModelOptions]
    config: type[ModelConfig]
    builder: str
    converter: str | None = None
    attention: tuple[str, ...] = ()

    def build(self, config: ModelConfig) -> nn.Module:
        """A fresh model; its weights are drawn from torch's global generator."""
        module, _, name = self.builder.partition(":")
        model: Any = getattr(import_module(f"bpe_transformer.models.{module}"), name)
        built: nn.Module = model(config)
        return built

    def configure(self, options: ModelOptions, *, vocab_size: int, pad_id: int) -> ModelConfig:
        """The config of this family's `options` under a tokenizer."""
        return self.config.of(options, vocab_size=vocab_size, pad_id=pad_id)


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "transformer",
            "encoder-decoder Transformer (Vaswani et al. 2017)",
            "translation",
            TransformerOptions,
            TransformerConfig,
            "encoder_decoder:EncoderDecoder",
            attention=("encoder", "decoder", "cross"),
        ),
        Family(
            "gpt",
            "decoder-only Transformer that predicts the next id (Radford et al. 2018, 2019)",
            "language-model",
            TransformerOptions,
            TransformerConfig,
            "decoder_only:LanguageModel",
            attention=("decoder",),
        ),
        Family(
            "bert",
            "encoder-only Transformer that predicts masked ids (Devlin et al. 2019)",
            "masked-language-model",
            TransformerOptions,
            TransformerConfig,
            "encoder_only:MaskedLanguageModel",
            attention=("encoder",),
        ),
        Family(
            "lstm",
            "recurrent encoder-decoder through one context vector (Sutskever et al. 2014)",
            "translation",
            RecurrentOptions,
            RecurrentConfig,
            "recurrent:RecurrentSeq2Seq",
        ),
        Family(
            "bahdanau",
            "recurrent encoder-decoder with attention (Bahdanau et al. 2015)",
            "translation",
            RecurrentAttentionOptions,
            RecurrentAttentionConfig,
            "recurrent:RecurrentSeq2Seq",
            attention=("cross",),
        ),
    )
}


def family_named(name: str) -> Family:
    """One of `FAMILIES`; `ConfigError` for another name."""
    if name not in FAMILIES:
        raise ConfigError(f"family={name!r} is unknown; choose {' or '.join(FAMILIES)}")
    return FAMILIES[name]
