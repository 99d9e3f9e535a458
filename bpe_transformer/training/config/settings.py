"""All settings together, their presets, and how one layer overrides another. Imports nothing heavy.

`Settings` is a family with its model options, training and decoding. A preset is a full `Settings`; a corpus recipe and
the command line override single fields by name, in that order:

>>> Settings.preset("tiny").override({"epochs": 3}, {"dropout": 0.1}).model.dropout
0.1
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.checked import Checked, option
from bpe_transformer.models.config import ModelOptions, TransformerOptions
from bpe_transformer.models.presets import SHAPES
from bpe_transformer.models.registry import FAMILIES, family_named
from bpe_transformer.training.config.data import DataConfig
from bpe_transformer.training.config.decoding import DecodingConfig
from bpe_transformer.training.config.loop import ENDS, LoopConfig
from bpe_transformer.training.config.objective import ObjectiveConfig
from bpe_transformer.training.config.optimizer import OptimizerConfig
from bpe_transformer.training.config.runtime import RuntimeConfig
from bpe_transformer.training.config.schedule import ScheduleConfig
from bpe_transformer.training.config.vocabulary import VocabularyConfig

_DEFAULT_OPTIONS = TransformerOptions()
_DEFAULT_DECODING = DecodingConfig()


@dataclass(frozen=True)
class TrainingConfig(
    RuntimeConfig, LoopConfig, DataConfig, ObjectiveConfig, OptimizerConfig, ScheduleConfig, VocabularyConfig
):
    """How a model is trained."""

    def contradictions(self) -> list[str]:
        found = super().contradictions()
        if self.shard and self.optimizer in ("adafactor", "muon"):
            found.append(
                f"shard=True cannot divide the state of optimizer={self.optimizer!r}, whose steps need whole matrices; "
                "choose optimizer='adamw', or leave shard out"
            )
        return found


@dataclass(frozen=True)
class Settings:
    """A family with its model options, training and decoding. Field names are unique across them.

    Raises:
        ConfigError: the model options are not the family's.
    """

    family: str = option("transformer", unit="kind", meaning="model family", choices=tuple(FAMILIES))
    model: ModelOptions = _DEFAULT_OPTIONS
    training: TrainingConfig = TrainingConfig()
    decoding: DecodingConfig = _DEFAULT_DECODING

    def __post_init__(self) -> None:
        wanted = family_named(self.family).options
        if type(self.model) is not wanted:
            raise ConfigError(
                f"family={self.family!r} is built from {wanted.__name__}, not from {type(self.model).__name__}; "
                "pass those, or choose another family"
            )

    @classmethod
    def preset(cls, name: str) -> Settings:
        """One of `PRESETS`; `ConfigError` for another name."""
        if name not in PRESETS:
            raise ConfigError(f"preset={name!r} is unknown; choose one of {', '.join(PRESETS)}")
        return PRESETS[name]

    @property
    def task(self) -> str:
        """What the family is trained for."""
        return family_named(self.family).task

    def override(self, *layers: Mapping[str, Any]) -> Settings:
        """These settings with fields replaced, later layers last; a key is a field name, `-` or `_` alike.

        What ends a run belongs together: a layer that gives epochs, steps, tokens or minutes replaces all of them.
        With `schedule="noam"`, whose peak follows from the model, the default of `lr` is none.
        With another `family`, the model options that both have are kept and the others are the new one's defaults.
        Raises `ConfigError` that lists every unknown key, wrong type and value out of range.
        """
        values: dict[str, Any] = {}
        for layer in layers:
            given = {key.replace("-", "_"): value for key, value in layer.items()}
            if any(given.get(name) is not None for name in ENDS):
                values |= dict.fromkeys(ENDS)
            values |= given
        if values.get("schedule") == "noam" and self.training.lr == TrainingConfig().lr:
            values.setdefault("lr", None)  # nobody has chosen one, and noam has a peak of its own
        family = family_named(values.pop("family", self.family))
        model = self.model
        if type(model) is not family.options:
            shared = {f.name for f in fields(family.options)}
            kept = {name: value for name, value in model.to_dict().items() if name in shared and name != "cell"}
            model = family.options(**kept)
        parts: dict[str, Checked] = {"model": model, "training": self.training, "decoding": self.decoding}
        problems = [
            _unknown(key, value, family.name)
            for key, value in values.items()
            if not any(hasattr(part, key) and key in _names(part) for part in parts.values())
        ]
        for name, part in parts.items():
            try:
                parts[name] = replace(part, **{key: values[key] for key in values if key in _names(part)})
            except ConfigError as problem:
                problems.append(str(problem))
        if problems:
            raise ConfigError("; ".join(problems))
        return Settings(family=family.name, **parts)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the family, and a mapping for each of the others."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Settings:
        """The inverse of `to_dict`; `ConfigError` for what is unknown or out of range."""
        named = {key: data[key] for key in ("model", "training", "decoding")}
        return cls().override({"family": data["family"]}, *named.values())


def _names(part: Checked) -> set[str]:
    return {f.name for f in fields(part)}


def _unknown(key: str, value: object, family: str) -> str:
    if key not in FIELDS:
        return f"{key}={value!r} is no setting; the settings are {', '.join(FIELDS)}"
    options = ", ".join(f.name for f in fields(FAMILIES[family].options))
    return f"{key}={value!r} is no setting of family={family!r}; its model has {options}"


# Field name -> dataclass field, over all families and parts; the command line makes its options from it.
FIELDS: dict[str, dataclasses.Field[Any]] = {
    "family": fields(Settings)[0],
    **{f.name: f for family in FAMILIES.values() for f in fields(family.options)},
    **{f.name: f for part in (TrainingConfig, DecodingConfig) for f in fields(part)},
}

# Vaswani et al. 2017, sections 5.3 and 5.4
_TRANSFORMER_TRAINING = TrainingConfig(
    vocab_size=37_000, max_tokens=25_000, schedule="noam", lr=None, warmup=4000, clip_norm=0.0, average_last=5
)
# Brown et al. 2020, table 2.1 and appendix B, for the sizes of GPT-2, whose paper names no rates
_GPT_TRAINING = TrainingConfig(
    vocab_size=50_257,
    pattern="gpt2",
    max_tokens=16_384,
    lr=6e-4,
    warmup=2000,
    label_smoothing=0.0,
    adam_beta2=0.95,
    adam_eps=1e-8,
    weight_decay=0.1,
    average_last=1,
    precision="auto",
)
# Devlin et al. 2019, appendix A.2
_BERT_TRAINING = replace(
    _GPT_TRAINING, vocab_size=30_522, lr=1e-4, warmup=10_000, adam_beta2=0.999, adam_eps=1e-6, weight_decay=0.01
)
# Bahdanau et al. 2015, appendix B, with Adam in place of Adadelta
_RNNSEARCH_TRAINING = TrainingConfig(vocab_size=30_000, lr=5e-4, label_smoothing=0.0, average_last=1)

_TRAINING: dict[str, tuple[TrainingConfig, DecodingConfig]] = {
    "small": (TrainingConfig(lr=1e-3, warmup=1000), DecodingConfig()),
    "transformer-base": (_TRANSFORMER_TRAINING, DecodingConfig(beam=4, length_penalty=0.6)),
    "transformer-big": (_TRANSFORMER_TRAINING, DecodingConfig(beam=4, length_penalty=0.6)),
    "gpt2": (_GPT_TRAINING, DecodingConfig()),
    "gpt2-medium": (replace(_GPT_TRAINING, lr=3e-4), DecodingConfig()),
    "gpt": (_GPT_TRAINING, DecodingConfig()),
    "bert-base": (_BERT_TRAINING, DecodingConfig()),
    "bert-large": (_BERT_TRAINING, DecodingConfig()),
    "rnnsearch": (_RNNSEARCH_TRAINING, DecodingConfig(beam=12)),
}

PRESETS: dict[str, Settings] = {
    name: Settings(shape.family, shape.options, *_TRAINING.get(name, (TrainingConfig(), DecodingConfig())))
    for name, shape in SHAPES.items()
}
