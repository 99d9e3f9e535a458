"""Every setting, with its unit and its default: the only home of defaults. Imports nothing heavy.

`Settings` is model + training + decoding. A preset is a full `Settings`; a corpus recipe and the command line override
single fields by name, in that order:

>>> Settings.preset("tiny").override({"epochs": 3}, {"dropout": 0.1}).model.dropout
0.1
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from bpe_transformer.errors import ConfigError


def _setting(unit: str, meaning: str, *, choices: tuple[str, ...] = (), low: float | None = None) -> dict[str, Any]:
    """What is known about a field besides its type: shown by `train --help`, checked by `Settings.problems`."""
    return {"unit": unit, "meaning": meaning, "choices": choices, "low": low}


def _field(default: Any, metadata: dict[str, Any]) -> Any:
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model; what `models.TranslationModel` and `models.LanguageModel` are built from."""

    d_model: int = _field(128, _setting("features", "width of every layer", low=1))
    n_layers: int = _field(2, _setting("layers", "layers in the decoder, and as many in an encoder", low=1))
    n_heads: int = _field(4, _setting("heads", "attention heads a layer", low=1))
    d_ff: int = _field(512, _setting("features", "inner width of the feed-forward layers", low=1))
    max_len: int = _field(128, _setting("ids", "longest sequence trained on", low=2))
    dropout: float = _field(0.1, _setting("probability", "dropout on embeddings and sublayers", low=0))
    attention_dropout: float = _field(0.0, _setting("probability", "dropout on attention weights", low=0))
    norm: str = _field("pre", _setting("kind", "layer norm before or after", choices=("pre", "post")))
    positions: str = _field("sinusoidal", _setting("kind", "position vectors", choices=("sinusoidal", "learned")))
    activation: str = _field("relu", _setting("kind", "feed-forward activation", choices=("relu", "gelu")))
    tie_embeddings: bool = _field(True, _setting("yes or no", "one matrix for source, target and output"))


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained."""

    vocab_size: int = _field(8000, _setting("ids", "vocabulary to learn when no tokenizer is given", low=1))
    pattern: str = _field("cl100k", _setting("name or regex", "split pattern of that vocabulary"))
    epochs: int = _field(20, _setting("passes over the corpus", "when to end", low=1))
    minutes: float | None = _field(None, _setting("minutes", "end after this time at the latest", low=0))
    max_tokens: int = _field(4096, _setting("ids", "size of a batch, padding included, of the longer side", low=1))
    eval_steps: int = _field(0, _setting("steps", "validate this often; 0: once an epoch", low=0))
    eval_tokens: int = _field(200_000, _setting("ids", "validate on at most this many", low=1))
    schedule: str = _field("cosine", _setting("kind", "learning rate", choices=("noam", "inverse-sqrt", "cosine")))
    lr: float | None = _field(2e-3, _setting("per step", "peak learning rate; none for noam", low=0))
    warmup: int = _field(400, _setting("steps", "linear warm-up", low=0))
    label_smoothing: float = _field(0.1, _setting("probability", "spread over the vocabulary", low=0))
    clip_norm: float = _field(1.0, _setting("gradient norm", "clip to this; 0: never", low=0))
    adam_beta1: float = _field(0.9, _setting("factor", "decay of the mean gradient", low=0))
    adam_beta2: float = _field(0.98, _setting("factor", "decay of the mean squared gradient", low=0))
    adam_eps: float = _field(1e-9, _setting("gradient", "added to the root", low=0))
    weight_decay: float = _field(0.0, _setting("per step, times lr", "decoupled decay of matrices", low=0))
    average_last: int = _field(3, _setting("validations", "average the weights of the last ones; 1: do not", low=1))
    precision: str = _field(
        "float32",
        _setting("kind", "matrix products in; auto: bfloat16 if it is fast", choices=("float32", "bfloat16", "auto")),
    )
    seed: int = _field(1, _setting("number", "of weights, order and dropout", low=0))


@dataclass(frozen=True)
class DecodingConfig:
    """How a trained model writes."""

    beam: int = _field(5, _setting("hypotheses", "beam width; 1: greedy", low=1))
    length_penalty: float = _field(1.0, _setting("exponent", "length normalization (GNMT); 0: none", low=0))
    batch_tokens: int = _field(4096, _setting("ids", "source ids, padding included, decoded together", low=1))
    max_len_ratio: float = _field(2.0, _setting("ids per source id", "longest translation, plus max_len_extra", low=0))
    max_len_extra: int = _field(20, _setting("ids", "longest translation, plus max_len_ratio x source", low=0))
    temperature: float = _field(0.8, _setting("factor", "of sampling; below 1 is bolder, 0: most probable id", low=0))
    top_k: int = _field(50, _setting("ids", "sample from the k most probable; 0: all", low=0))
    top_p: float = _field(0.95, _setting("probability", "sample from the smallest set with this mass; 1: all", low=0))


@dataclass(frozen=True)
class Settings:
    """Model, training and decoding together. Field names are unique across the three."""

    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    decoding: DecodingConfig = DecodingConfig()

    @classmethod
    def preset(cls, name: str) -> Settings:
        """One of `PRESETS`; `ConfigError` for another name."""
        if name not in PRESETS:
            raise ConfigError(f"preset={name!r} is unknown; choose one of {', '.join(PRESETS)}")
        return PRESETS[name]

    def override(self, *layers: Mapping[str, Any]) -> Settings:
        """These settings with fields replaced, later layers last; a key is a field name, `-` or `_` alike.

        Raises `ConfigError` that lists every unknown key, wrong type and value out of range.
        """
        values = {key.replace("-", "_"): value for layer in layers for key, value in layer.items()}
        problems = [
            f"{key}={value!r} is no setting; the settings are {', '.join(FIELDS)}"
            for key, value in values.items()
            if key not in FIELDS
        ]
        parts = {}
        for part in fields(self):
            config = getattr(self, part.name)
            known = {f.name: f for f in fields(config)}
            mine = {key: value for key, value in values.items() if key in known}
            wrong = {key: _type_problem(known[key], value) for key, value in mine.items()}
            problems += [problem for problem in wrong.values() if problem]
            parts[part.name] = replace(
                config, **{key: _number(known[key], value) for key, value in mine.items() if not wrong[key]}
            )
        changed = Settings(**parts)
        problems += changed.problems()
        if problems:
            raise ConfigError("; ".join(problems))
        return changed

    def problems(self) -> list[str]:
        """Everything that is wrong with the values, each with its remedy."""
        found = []
        for config in (self.model, self.training, self.decoding):
            for f in fields(config):
                value, low, choices = getattr(config, f.name), f.metadata["low"], f.metadata["choices"]
                if choices and value not in choices:
                    found.append(f"{f.name}={value!r} is unknown; choose {' or '.join(choices)}")
                if low is not None and value is not None and not value >= low:
                    found.append(f"{f.name}={value} ({f.metadata['unit']}) must be at least {low}")
                if f.metadata["unit"] == "probability" and f.name != "top_p" and not value < 1:
                    found.append(f"{f.name}={value} must be below 1")
        return found + _contradictions(self)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain data for JSON, a mapping a part."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Mapping[str, Any]]) -> Settings:
        """The inverse of `to_dict`; `ConfigError` for what is unknown or out of range. Names of format 1 are read too."""
        return cls().override(*({_NAMES_SINCE.get(key, key): part[key] for key in part} for part in data.values()))


def _contradictions(settings: Settings) -> list[str]:
    model, training = settings.model, settings.training
    found = []
    if model.n_heads > 0 and model.d_model % model.n_heads:
        found.append(f"d_model={model.d_model} does not divide into n_heads={model.n_heads}; choose a multiple")
    if model.positions == "sinusoidal" and model.d_model % 2:
        found.append(f"d_model={model.d_model} must be even for positions='sinusoidal'")
    if training.schedule == "noam" and training.lr is not None:
        found.append(
            f"lr={training.lr} has no effect with schedule='noam', whose peak is (d_model x warmup)^-0.5; "
            "choose schedule='inverse-sqrt' or lr none"
        )
    if training.schedule == "noam" and training.warmup < 1:
        found.append(f"warmup={training.warmup} must be at least 1 for schedule='noam'")
    if training.schedule != "noam" and not training.lr:
        found.append(f"lr={training.lr} must be above 0 for schedule={training.schedule!r}")
    if training.minutes is not None and training.minutes == 0:
        found.append("minutes=0 leaves no time to train; ask for more, or leave it out")
    if not 0 < settings.decoding.top_p <= 1:
        found.append(f"top_p={settings.decoding.top_p} must be above 0 and at most 1")
    return found


# what config.json of format 1 calls settings -> their names since
_NAMES_SINCE = {"alpha": "length_penalty", "limit_factor": "max_len_ratio", "limit_extra": "max_len_extra"}

_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}


def _type_problem(field: dataclasses.Field[Any], value: object) -> str | None:
    name, _, optional = str(field.type).partition(" | ")
    if optional and value is None:
        return None
    if isinstance(value, _TYPES[name]) and isinstance(value, bool) == (name == "bool"):
        return None
    return f"{field.name}={value!r} must be of type {name} ({field.metadata['unit']})"


def _number(field: dataclasses.Field[Any], value: Any) -> Any:
    """A whole number where a float belongs becomes one, so that a saved and a given setting are equal."""
    return float(value) if isinstance(value, int) and str(field.type).startswith("float") else value


# Field name -> dataclass field, over all three parts; the command line makes its options from it.
FIELDS: dict[str, dataclasses.Field[Any]] = {
    f.name: f for part in (ModelConfig, TrainingConfig, DecodingConfig) for f in fields(part)
}

# Table 3 of Vaswani et al. 2017, with its optimizer (section 5.3) and regularisation (5.4).
_BASE = Settings(
    ModelConfig(d_model=512, n_layers=6, n_heads=8, d_ff=2048, max_len=256, norm="post", attention_dropout=0.1),
    TrainingConfig(
        vocab_size=37_000,
        max_tokens=25_000,
        schedule="noam",
        lr=None,
        warmup=4000,
        clip_norm=0.0,
        average_last=5,
    ),
    DecodingConfig(beam=4, length_penalty=0.6),
)

PRESETS: dict[str, Settings] = {
    "tiny": Settings(),
    "small": Settings(
        ModelConfig(d_model=256, n_layers=4, n_heads=4, d_ff=1024, max_len=256),
        TrainingConfig(lr=1e-3, warmup=1000),
    ),
    "base": _BASE,
    "big": replace(
        _BASE, model=replace(_BASE.model, d_model=1024, n_heads=16, d_ff=4096, dropout=0.3, attention_dropout=0.1)
    ),
}
