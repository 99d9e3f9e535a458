"""Every setting, with its unit and its default. Imports nothing heavy.

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
from bpe_transformer.tokenizer.splitting.patterns import DEFAULT_PATTERN

_DEFAULT_OPTIONS = TransformerOptions()


@dataclass(frozen=True)
class TrainingConfig(Checked):
    """How a model is trained."""

    vocab_size: int = option(8000, unit="ids", meaning="vocabulary to learn when no tokenizer is given", low=1)
    pattern: str = option(DEFAULT_PATTERN, unit="name or regex", meaning="split pattern of that vocabulary")
    epochs: int = option(20, unit="passes over the corpus", meaning="when to end", low=1)
    minutes: float | None = option(None, unit="minutes", meaning="end after this time at the latest", low=0)
    max_tokens: int = option(4096, unit="ids", meaning="size of a batch, padding included, of the longer side", low=1)
    eval_steps: int = option(0, unit="steps", meaning="validate this often; 0: once an epoch", low=0)
    eval_tokens: int = option(200_000, unit="ids", meaning="validate on at most this many", low=1)
    schedule: str = option("cosine", unit="kind", meaning="learning rate", choices=("noam", "inverse-sqrt", "cosine"))
    lr: float | None = option(2e-3, unit="per step", meaning="peak learning rate; none for noam", low=0)
    warmup: int = option(400, unit="steps", meaning="linear warm-up", low=0)
    label_smoothing: float = option(0.1, unit="probability", meaning="spread over the vocabulary", low=0, below=1)
    clip_norm: float = option(1.0, unit="gradient norm", meaning="clip to this; 0: never", low=0)
    adam_beta1: float = option(0.9, unit="factor", meaning="decay of the mean gradient", low=0)
    adam_beta2: float = option(0.98, unit="factor", meaning="decay of the mean squared gradient", low=0)
    adam_eps: float = option(1e-9, unit="gradient", meaning="added to the root", low=0)
    weight_decay: float = option(0.0, unit="per step, times lr", meaning="decoupled decay of matrices", low=0)
    average_last: int = option(3, unit="validations", meaning="average the weights of the last ones; 1: do not", low=1)
    mask_share: float = option(
        0.15, unit="probability", meaning="of an id to be hidden, for a masked language model", low=0, below=1
    )
    whole_words: bool = option(False, unit="yes or no", meaning="hide whole words, for a masked language model")
    pool: str | None = option(
        None,
        unit="kind",
        meaning="state that a classifier reads; none: the first of bert, the last of gpt",
        choices=("first", "mean", "last"),
    )
    device: str = option("auto", unit="device", meaning="cpu, cuda, mps, or auto: the fastest there is")
    precision: str = option(
        "float32",
        unit="kind",
        meaning="matrix products in; auto: bfloat16 if it is fast",
        choices=("float32", "bfloat16", "float16", "auto"),
    )
    compile: bool = option(False, unit="yes or no", meaning="compile the training step (slow to begin)")
    seed: int = option(1, unit="number", meaning="of weights, order, masks and dropout", low=0)

    def contradictions(self) -> list[str]:
        found = []
        if self.schedule == "noam" and self.lr is not None:
            found.append(
                f"lr={self.lr} has no effect with schedule='noam', whose peak is (d_model x warmup)^-0.5; "
                "choose schedule='inverse-sqrt' or lr none"
            )
        if self.schedule == "noam" and self.warmup < 1:
            found.append(f"warmup={self.warmup} must be at least 1 for schedule='noam'")
        if self.schedule != "noam" and not self.lr:
            found.append(f"lr={self.lr} must be above 0 for schedule={self.schedule!r}")
        if self.minutes is not None and self.minutes == 0:
            found.append("minutes=0 leaves no time to train; ask for more, or leave it out")
        if self.mask_share == 0:
            found.append("mask_share=0 leaves nothing to predict; 0.15 is BERT's")
        return found


@dataclass(frozen=True)
class DecodingConfig(Checked):
    """How a trained model writes."""

    beam: int = option(5, unit="hypotheses", meaning="beam width; 1: greedy", low=1)
    length_penalty: float = option(1.0, unit="exponent", meaning="length normalization (GNMT); 0: none", low=0)
    batch_tokens: int = option(4096, unit="ids", meaning="source ids, padding included, decoded together", low=1)
    max_len_ratio: float = option(
        2.0, unit="ids per source id", meaning="longest translation, plus max_len_extra", low=0
    )
    max_len_extra: int = option(20, unit="ids", meaning="longest translation, plus max_len_ratio x source", low=0)
    temperature: float = option(
        0.8, unit="factor", meaning="of sampling; below 1 is bolder, 0: most probable id", low=0
    )
    top_k: int = option(50, unit="ids", meaning="sample from the k most probable; 0: all", low=0)
    top_p: float = option(
        0.95, unit="probability", meaning="sample from the smallest set with this mass; 1: all", low=0
    )

    def contradictions(self) -> list[str]:
        if not 0 < self.top_p <= 1:
            return [f"top_p={self.top_p} must be above 0 and at most 1"]
        return []


@dataclass(frozen=True)
class Settings:
    """A family with its model options, training and decoding. Field names are unique across them.

    Raises:
        ConfigError: the model options are not the family's.
    """

    family: str = option("transformer", unit="kind", meaning="model family", choices=tuple(FAMILIES))
    model: ModelOptions = _DEFAULT_OPTIONS
    training: TrainingConfig = TrainingConfig()
    decoding: DecodingConfig = DecodingConfig()

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

        With another `family`, the model options that both have are kept and the others are the new one's defaults.
        Raises `ConfigError` that lists every unknown key, wrong type and value out of range.
        """
        values = {key.replace("-", "_"): value for layer in layers for key, value in layer.items()}
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
