"""Trained models on disk. Weights are safetensors; nothing is pickled.

A checkpoint directory holds `model.safetensors`, `config.json` (what the model is and how it came to be) and the
tokenizer's `tokenizer.json`. What an unfinished run needs to go on is in `training.safetensors` beside them (see
`state/`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from bpe_transformer.data.special_ids import SpecialIds
from bpe_transformer.errors import CheckpointError, ConfigError, DigestMismatchError, FormatError
from bpe_transformer.io import (
    bound_directory,
    check_files,
    check_is_file,
    damage_named,
    read_facts,
)
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.formats import OPTIONAL_FILES
from bpe_transformer.training.old_formats import FORMAT, upgraded_weights
from bpe_transformer.training.run_files import (
    CARD,
    GENERATION_CONFIG,
    generation_config,
    model_card,
)
from bpe_transformer.training.run_files import (
    CheckpointInfo as CheckpointInfo,  # it belongs to this module for everybody who loads checkpoints
)
from bpe_transformer.training.run_files.file_names import CONFIG as CONFIG
from bpe_transformer.training.run_files.file_names import STATE
from bpe_transformer.training.run_files.file_names import WEIGHTS as WEIGHTS
from bpe_transformer.training.tensor_files import write_tensors
from bpe_transformer.training.weights_header import check_fits, read_header

_RESTORE = "train again or restore it"


def build_model(info: CheckpointInfo) -> nn.Module:
    """A fresh model of the recorded shape; seeded by `torch.manual_seed`."""
    if info.labels:
        pool: Any = info.settings.training.pool
        return info.family.build_classifier(info.config, n_classes=len(info.labels), pool=pool)
    return info.family.build(info.config)


def check_model_fits(info: CheckpointInfo, memory: int | None = None) -> None:
    """`ConfigError` for a model whose weights alone are larger than the memory of this machine, before they are made.

    memory: in bytes; None: of this machine, where the system tells.
    """
    if memory is None and "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        with torch.device("meta"):  # shapes without memory
            model = build_model(info)
        size = sum(value.numel() * value.element_size() for value in (*model.parameters(), *model.buffers()))
    except RuntimeError:  # a matrix whose size is no number of 64 bits
        size = 1 << 63
    if memory is not None and size > memory:
        raise ConfigError(
            f"the weights of this model take {size / 1e9:,.1f} GB, and this machine has {memory / 1e9:,.1f} GB of memory; "
            "lower d_model or n_layers, or what is as large"
        )


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter once (tied ones under their first name), detached and copied to the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in model.named_parameters()}


def set_weights(model: nn.Module, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Copies `weights` into the model; `CheckpointError` unless names and shapes are exactly the model's."""
    expected = dict(model.named_parameters())
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    check_fits(shapes, {name: tuple(value.shape) for name, value in expected.items()}, source=source, config=CONFIG)
    with torch.no_grad():
        for name, parameter in expected.items():
            parameter.copy_(weights[name])


def save_checkpoint(
    directory: str | os.PathLike[str], weights: Mapping[str, Tensor], info: CheckpointInfo, tokenizer: Tokenizer
) -> None:
    """Writes a checkpoint that `load_checkpoint` reads; what else is in the directory stays.

    Its files take their places in one step and are bound by a manifest. Equal weights give equal bytes.
    """
    with bound_directory(directory, drop=OPTIONAL_FILES) as folder:
        write_tensors(folder / WEIGHTS, weights, {"format": "pt", "digest": info.digest})
        text = json.dumps(info.to_dict(), ensure_ascii=False, indent=2, allow_nan=False)
        (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
        if written := generation_config(info, SpecialIds.of(tokenizer)):
            text = json.dumps({**info.foreign.get("generation_config", {}), **written}, ensure_ascii=False, indent=2)
            (folder / GENERATION_CONFIG).write_text(text + "\n", encoding="utf-8")
        (folder / CARD).write_text(model_card(info, title=info.kind.capitalize()), encoding="utf-8")
        tokenizer.save(folder)


def load_checkpoint(
    directory: str | os.PathLike[str], tokenizer: Tokenizer | None = None
) -> tuple[nn.Module, CheckpointInfo, Tokenizer]:
    """The model in evaluation mode, what it is, and its tokenizer (the one given, or the one saved with it).

    config.json is compared with the header of the weights before anything is allocated.

    Raises:
        CheckpointError: a file is missing or damaged, weights and config.json do not fit, or a weight is NaN or infinite.
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
    path = folder / WEIGHTS
    shapes = read_header(path)
    if info.format < FORMAT:
        shapes = upgraded_weights(shapes, info.task, info.format)
    _check_bounds(info, shapes, path)
    with torch.device("meta"):  # shapes without memory
        expected = {name: tuple(value.shape) for name, value in build_model(info).named_parameters()}
    check_fits(shapes, expected, source=str(path), config=CONFIG)
    try:
        check_files(folder, [CONFIG, WEIGHTS])
    except FormatError as problem:
        raise CheckpointError(str(problem)) from None
    weights, _ = read_tensors(path)
    if info.format < FORMAT:
        weights = upgraded_weights(weights, info.task, info.format)
    _check_finite(weights, path)
    model = build_model(info)
    set_weights(model, weights, source=str(path))
    return model.eval(), info, tokenizer


def _check_finite(weights: Mapping[str, Tensor], path: Path) -> None:
    broken = [name for name, value in weights.items() if not value.isfinite().all()]
    if broken:
        raise CheckpointError(
            f"{path} is damaged ({broken[0]} holds values that are not finite); train again or restore it"
        )


def _check_bounds(info: CheckpointInfo, shapes: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """`CheckpointError` when config.json speaks of sizes that no tensor has: then not even shapes are worked out."""
    largest = max((size for shape in shapes.values() for size in shape), default=0)
    model = info.settings.model
    sizes = {"n_layers": (model.n_layers, len(shapes)), "vocab_size": (info.vocab_size, largest)}
    sizes |= {name: (getattr(model, name, 0), largest) for name in ("d_model", "d_ff", "n_segments", "d_embedding")}
    if getattr(model, "positions", "") == "learned":
        sizes["max_len"] = (model.max_len, largest)
    wrong = [f"{name}={value}" for name, (value, bound) in sizes.items() if (value or 0) > bound]
    if wrong:
        raise CheckpointError(
            f"{path} does not fit the model of its {CONFIG}: no tensor is large enough for {', '.join(wrong)}; "
            "train it again or restore the two files together"
        )


def load_checkpoint_info(directory: str | os.PathLike[str]) -> CheckpointInfo:
    """What the checkpoint is, without its weights; `CheckpointError` when there is none or it is damaged."""
    path = Path(directory) / CONFIG
    try:
        with damage_named(path, _RESTORE, CheckpointError):
            data = read_facts(path).value
            check_format(data, path)
            return CheckpointInfo.from_dict(data)
    except FileNotFoundError:
        if Path(directory, STATE).is_file():
            raise CheckpointError(
                f"{directory} holds a run that was stopped before its first validation, so there is no model yet; go on with "
                "train, resume=True and this folder"
            ) from None
        raise CheckpointError(
            f"{directory} holds no trained model ({CONFIG} is missing); make one with train"
        ) from None
    except ConfigError as problem:
        raise CheckpointError(f"{path} is damaged ({problem}); {_RESTORE}") from None


def check_format(data: Mapping[str, Any], path: Path, *, latest: int = FORMAT) -> None:
    """`CheckpointError` when a later version of this library wrote `data`."""
    found = data.get("format", 1)
    if type(found) is not int or not 1 <= found <= latest:
        raise CheckpointError(
            f"{path} is of format {found!r}, and this bpe-transformer reads 1 to {latest}; "
            "use the version that wrote it, or train again"
        )


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file; `CheckpointError` when it is missing or damaged."""
    try:
        check_is_file(path)
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; the directory holds no whole checkpoint: train again") from None
    except (SafetensorError, OSError, FormatError) as problem:
        raise CheckpointError(f"{path} is damaged ({problem}); train again or restore it") from None
