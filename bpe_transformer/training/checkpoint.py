"""Trained models on disk, and unfinished training runs. Weights are safetensors; nothing is pickled.

A checkpoint directory holds `model.safetensors`, `config.json` (what the model is and how it came to be) and the
tokenizer's `tokenizer.json`. While a run is going on it also holds `training.safetensors`: everything that
`--resume` needs, in one file, so that it is replaced as a whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file
from torch import Tensor, nn

from bpe_transformer.errors import CheckpointError, DigestMismatchError
from bpe_transformer.io.atomic import atomic_directory, atomic_file
from bpe_transformer.models import LanguageModel, TranslationModel
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.training.config import Settings

WEIGHTS, CONFIG, STATE = "model.safetensors", "config.json", "training.safetensors"
_FORMAT = 2  # of config.json and of the run state; 1 had other names for three decoding settings


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint is: everything but the weights and the tokenizer.

    Attributes:
        task: "translation" or "language-model".
        digest: of the tokenizer; the ids mean nothing under another one.
        vocab_size: ids, special tokens included.
        pad_id: of the tokenizer's <pad>.
        columns: of the corpus: source and target, or the text.
        corpus: its name, for people.
        result: figures of the training run (steps, epochs, seconds, validation_loss in nats an id, …).
    """

    task: str
    digest: str
    vocab_size: int
    pad_id: int
    columns: tuple[str, ...]
    corpus: str
    settings: Settings
    result: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for config.json."""
        facts = {name: getattr(self, name) for name in ("task", "digest", "vocab_size", "pad_id", "corpus")}
        return {
            "format": _FORMAT,
            **facts,
            "columns": list(self.columns),
            "settings": self.settings.to_dict(),
            "outcome": dict(self.result),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CheckpointInfo:
        """The inverse of `to_dict`. Raises KeyError or `ConfigError` when it is not one."""
        settings = Settings.from_dict(data["settings"])
        return cls(
            task=data["task"],
            digest=data["digest"],
            vocab_size=data["vocab_size"],
            pad_id=data["pad_id"],
            columns=tuple(data["columns"]),
            corpus=data["corpus"],
            settings=settings,
            result=data["outcome"],
        )


def build_model(info: CheckpointInfo) -> TranslationModel | LanguageModel:
    """A fresh model of the recorded shape; seeded by `torch.manual_seed`."""
    shape = {name: getattr(info.settings.model, name) for name in info.settings.model.__dataclass_fields__}
    if info.task == "translation":
        return TranslationModel(vocab_size=info.vocab_size, pad_id=info.pad_id, **shape)
    return LanguageModel(vocab_size=info.vocab_size, **shape)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter once (tied ones under their first name), detached and copied."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def set_weights(model: nn.Module, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Copies `weights` into the model; `CheckpointError` unless names and shapes are exactly the model's."""
    expected = dict(model.named_parameters())
    wrong = [name for name in expected if name not in weights or weights[name].shape != expected[name].shape]
    wrong += [name for name in weights if name not in expected]
    if wrong:
        raise CheckpointError(
            f"{source} does not fit the model of its {CONFIG}: {len(wrong)} tensors differ, {wrong[0]} first; "
            "train it again or restore the two files together"
        )
    with torch.no_grad():
        for name, parameter in expected.items():
            parameter.copy_(weights[name])


def save_checkpoint(
    directory: str | os.PathLike[str], weights: Mapping[str, Tensor], info: CheckpointInfo, tokenizer: Tokenizer
) -> None:
    """Writes a checkpoint that `load_checkpoint` reads; what else is in the directory stays."""
    with atomic_directory(directory) as folder:
        # not save_file, which lets nobody but the owner read what it writes
        (folder / WEIGHTS).write_bytes(save(dict(weights), {"format": "pt", "digest": info.digest}))
        text = json.dumps(info.to_dict(), ensure_ascii=False, indent=2)
        (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
        tokenizer.save(folder)


def load_checkpoint(
    directory: str | os.PathLike[str], tokenizer: Tokenizer | None = None
) -> tuple[TranslationModel | LanguageModel, CheckpointInfo, Tokenizer]:
    """The model in evaluation mode, what it is, and its tokenizer (the one given, or the one saved with it).

    Raises:
        CheckpointError: a file is missing or damaged, or weights and config.json do not fit.
        DigestMismatchError: the tokenizer is not the one that the model was trained with.
    """
    folder = Path(directory)
    info = load_checkpoint_info(folder)
    if tokenizer is None:
        tokenizer = Tokenizer.load(folder)
    if tokenizer.digest != info.digest:
        raise DigestMismatchError(
            f"{folder} was trained with the tokenizer {info.digest[:12]}…, not with {tokenizer.digest[:12]}…; "
            "its ids would mean other tokens: use the tokenizer.json that training saved there, or train again"
        )
    weights, _ = _read(folder / WEIGHTS)
    model = build_model(info)
    set_weights(model, weights, source=str(folder / WEIGHTS))
    return model.eval(), info, tokenizer


def load_checkpoint_info(directory: str | os.PathLike[str]) -> CheckpointInfo:
    """What the checkpoint is, without its weights; `CheckpointError` when there is none or it is damaged."""
    path = Path(directory) / CONFIG
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        check_format(data, path)
        return CheckpointInfo.from_dict(data)
    except CheckpointError:
        raise
    except FileNotFoundError:
        raise CheckpointError(
            f"{directory} holds no trained model ({CONFIG} is missing); make one with train"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise CheckpointError(f"{path} is damaged ({problem}); train again or restore it") from None


def check_format(data: Mapping[str, Any], path: Path) -> None:
    """`CheckpointError` when a later version of this library wrote `data`."""
    if data.get("format", 1) > _FORMAT:
        raise CheckpointError(
            f"{path} is of format {data['format']}, and this bpe-transformer reads up to {_FORMAT}; "
            "use the version that wrote it, or train again"
        )


def save_state(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes tensors and plain facts as one file, replaced as a whole."""
    text = json.dumps({"format": _FORMAT, **facts})
    with atomic_file(path) as unfinished:
        save_file({name: value.contiguous() for name, value in tensors.items()}, unfinished, {"facts": text})


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of `save_state`; `CheckpointError` when the file is missing, damaged or of a later version."""
    tensors, metadata = _read(path)
    try:
        facts = json.loads(metadata["facts"])
        check_format(facts, path)
        return tensors, facts
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise CheckpointError(f"{path} is damaged ({problem}); start the run again without --resume") from None


def load_run_settings(directory: str | os.PathLike[str]) -> Settings:
    """The settings of the unfinished run in `directory`; `CheckpointError` when there is none or it is damaged."""
    path = Path(directory) / STATE
    facts = load_state(path)[1]
    try:
        return Settings.from_dict(facts["card"]["settings"])
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise CheckpointError(f"{path} is damaged ({problem}); start the run again without --resume") from None


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; the directory holds no whole checkpoint: train again") from None
    except (SafetensorError, OSError) as problem:
        raise CheckpointError(f"{path} is damaged ({problem}); train again or restore it") from None
