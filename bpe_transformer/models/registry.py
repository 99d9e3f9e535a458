"""The one place that maps a family's name to its config, its builder and its converter. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.config import (
    ModelConfig,
    ModelOptions,
    Pool,
    RecurrentAttentionConfig,
    RecurrentAttentionOptions,
    RecurrentConfig,
    RecurrentOptions,
    TransformerConfig,
    TransformerOptions,
)

if TYPE_CHECKING:
    from torch import nn

Task = Literal["translation", "language-model", "masked-language-model", "classification"]


@dataclass(frozen=True)
class Family:
    """A kind of model.

    Attributes:
        task: what it is trained for, unless it is given a classification head.
        options, config: what a person chooses, and what it is built from.
        builder, converters: "module:name" below `bpe_transformer.models`, imported on first use. A builder takes the
            config; a converter maps weights and config to and from classes of `transformers` (none: it has none).
        attention: which attention weights it can show, of "encoder", "decoder" and "cross".
        trunk: "module:name" of what a classification head can stand on, built from the same config (None: nothing).
        pool: which states of the trunk that head reads unless something else is chosen.
    """

    name: str
    summary: str
    task: Task
    options: type[ModelOptions]
    config: type[ModelConfig]
    builder: str
    converters: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    trunk: str | None = None
    pool: Pool = "first"

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it can be trained for."""
        return (self.task, *(("classification",) if self.trunk else ()))

    def load(self, place: str) -> Any:
        """What "module:name" below `bpe_transformer.models` is, such as one of `converters`."""
        return _loaded(place)

    def build(self, config: ModelConfig) -> nn.Module:
        """A fresh model; its weights are drawn from torch's global generator."""
        built: nn.Module = _loaded(self.builder)(config)
        return built

    def build_classifier(self, config: ModelConfig, *, n_classes: int, pool: Pool | None = None) -> nn.Module:
        """A fresh `Classifier` on this family's trunk; `ConfigError` for a family whose trunk it cannot stand on."""
        if self.trunk is None:
            fitting = " or ".join(family.name for family in FAMILIES.values() if family.trunk)
            raise ConfigError(f"family={self.name!r} cannot classify; choose family {fitting}")
        built: nn.Module = _loaded("heads:Classifier")(
            _loaded(self.trunk)(config), n_classes=n_classes, pool=pool or self.pool, dropout=config.dropout
        )
        return built

    def configure(self, options: ModelOptions, *, vocab_size: int, pad_id: int) -> ModelConfig:
        """The config of this family's `options` under a tokenizer."""
        return self.config.of(options, vocab_size=vocab_size, pad_id=pad_id)


def _loaded(place: str) -> Any:
    """What "module:name" below `bpe_transformer.models` is."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"bpe_transformer.models.{module}"), name)


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
            ("convert.marian:CONVERTER", "convert.pegasus:CONVERTER"),
            attention=("encoder", "decoder", "cross"),
        ),
        Family(
            "gpt",
            "decoder-only Transformer that predicts the next id (Radford et al. 2018, 2019)",
            "language-model",
            TransformerOptions,
            TransformerConfig,
            "decoder_only:LanguageModel",
            ("convert.gpt2:CONVERTER", "convert.llama:CONVERTER"),
            attention=("decoder",),
            trunk="decoder_only:DecoderOnly",
            pool="last",
        ),
        Family(
            "bert",
            "encoder-only Transformer that predicts masked ids (Devlin et al. 2019)",
            "masked-language-model",
            TransformerOptions,
            TransformerConfig,
            "encoder_only:MaskedLanguageModel",
            ("convert.bert:CONVERTER",),
            attention=("encoder",),
            trunk="encoder_only:EncoderOnly",
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
