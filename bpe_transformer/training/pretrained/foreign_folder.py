"""Folders that `save_pretrained` of `transformers` wrote, read as models of ours; the package itself is not needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from bpe_transformer.data.special_ids import SpecialIds
from bpe_transformer.errors import CheckpointError, ConfigError, ConversionError, FormatError
from bpe_transformer.io import check_files, check_is_file, damage_named, read_facts
from bpe_transformer.models.convert import Native, native_from
from bpe_transformer.models.registry import family_named
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.vocabulary.roles import Roles
from bpe_transformer.training.checkpoint import (
    CONFIG,
    WEIGHTS,
    CheckpointInfo,
    build_model,
    save_checkpoint,
    set_weights,
    weights_of,
)
from bpe_transformer.training.config import Settings
from bpe_transformer.training.run_files import GENERATION_CONFIG

_INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
# of each task, what a column is named by, and what it is called unless it is named
_COLUMNS = {
    "translation": {"src": "src", "tgt": "tgt"},
    "language-model": {"column": "text"},
    "masked-language-model": {"column": "text"},
    "classification": {"column": "text", "label": "label"},
}
_LAYER_FIELDS = ("n_layer", "num_hidden_layers", "encoder_layers", "decoder_layers")
_MOST_LAYERS = 1000


def is_transformers_folder(directory: str | os.PathLike[str]) -> bool:
    """Whether the folder holds weights and a config.json that names a class of `transformers`; a run of ours does not."""
    folder = Path(directory)
    try:
        config = read_facts(folder / CONFIG).value
    except (OSError, FormatError):
        return False
    weights = any(next(folder.glob(pattern), None) for pattern in ("*.safetensors", _INDEX, *_PICKLES))
    return weights and "settings" not in config and ("architectures" in config or "model_type" in config)


def load_transformers(
    directory: str | os.PathLike[str],
    tokenizer: Tokenizer | None = None,
    *,
    names: Mapping[str, str | None] | None = None,
) -> tuple[nn.Module, CheckpointInfo, Tokenizer]:
    """The model in evaluation mode, what it is, and its tokenizer, as `load_checkpoint` gives those of a run.

    tokenizer: in place of the one in the folder. names: of the columns of its corpora: src and tgt of a
    translator, column (else text) of other models, label of a classifier.

    Raises:
        CheckpointError: a file is missing or damaged, or only pickles hold the weights.
        ConversionError: the class, or something in it, has no equal here.
        FormatError: the folder's tokenizer is none that is read here.
    """
    folder = Path(directory)
    config = _facts(folder / CONFIG)
    classes = config.get("architectures")
    if not (isinstance(classes, list) and len(classes) == 1 and isinstance(classes[0], str)):
        raise ConversionError(f"{folder / CONFIG} names the architectures {classes!r}; one class has to be named")
    if many := [name for name in _LAYER_FIELDS if isinstance(config.get(name), int) and config[name] > _MOST_LAYERS]:
        raise CheckpointError(
            f"{folder / CONFIG} has {many[0]}={config[many[0]]}, more than any model; restore the folder"
        )
    try:
        native = native_from(classes[0], config, _weights(folder))
    except ConversionError as problem:
        raise ConversionError(f"{folder}: {problem}") from None
    loaded = _with_roles(Tokenizer.load(folder) if tokenizer is None else tokenizer, native)
    if loaded.vocab_size > native.vocab_size:
        raise ConversionError(
            f"{folder}: the model has {native.vocab_size:,} ids and its tokenizer {loaded.vocab_size:,}; name its own tokenizer"
        )
    info = _info(native, loaded, names or {}, classes[0], _generation(folder))
    with torch.device("meta"):  # shapes are compared before anything is allocated
        expected = {name: tuple(value.shape) for name, value in build_model(info).named_parameters()}
    wrong = [name for name, shape in expected.items() if tuple(native.weights[name].shape) != shape]
    if wrong:
        raise CheckpointError(
            f"{folder}: the weights do not fit {CONFIG}: {wrong[0]} has another shape; restore the folder"
        )
    model = build_model(info)
    set_weights(model, native.weights, source=str(folder))
    return model.eval(), info, loaded


def import_transformers(
    directory: str | os.PathLike[str],
    output: str | os.PathLike[str],
    tokenizer: Tokenizer | None = None,
    *,
    names: Mapping[str, str | None] | None = None,
) -> CheckpointInfo:
    """Reads a folder as `load_transformers` does and writes a checkpoint, which the other commands take like any run."""
    model, info, loaded = load_transformers(directory, tokenizer, names=names)
    save_checkpoint(output, weights_of(model), info, loaded)
    return info


def _facts(path: Path) -> Mapping[str, Any]:
    try:
        with damage_named(path, "restore it", CheckpointError):
            facts: Mapping[str, Any] = read_facts(path).value
            return facts
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; name a folder that save_pretrained wrote") from None


def _generation(folder: Path) -> dict[str, Any]:
    path = folder / GENERATION_CONFIG
    return dict(_facts(path)) if path.is_file() else {}


def _weights(folder: Path) -> dict[str, Tensor]:
    """All tensors, of one file or of the shards that the index names. Raises `CheckpointError`."""
    if (folder / WEIGHTS).is_file():
        names = [WEIGHTS]
    elif (folder / _INDEX).is_file():
        places = _facts(folder / _INDEX).get("weight_map")
        if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
            raise CheckpointError(f"{folder / _INDEX} has no weight_map from tensors to files; restore it")
        names = sorted(set(places.values()))
        if outside := [name for name in names if Path(name).name != name]:
            raise CheckpointError(f"{folder / _INDEX} names {outside[0]!r}, which lies outside the folder; restore it")
    else:
        pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
        if pickles:
            raise CheckpointError(
                f"{folder} holds its weights in {pickles[0]}, which can run any code when it is read; convert it with "
                "save_pretrained(…, safe_serialization=True), where you trust it"
            )
        raise CheckpointError(
            f"{folder} holds no weights ({WEIGHTS} is missing); name a folder that save_pretrained wrote"
        )
    try:
        check_files(folder, [CONFIG, *names])
    except FormatError as problem:
        raise CheckpointError(str(problem)) from None
    found: dict[str, Tensor] = {}
    for name in names:
        try:
            check_is_file(folder / name)
            with safe_open(folder / name, framework="pt") as file:
                found |= {tensor: file.get_tensor(tensor) for tensor in file.keys()}  # noqa: SIM118
        except FileNotFoundError:
            raise CheckpointError(f"{folder / name} is missing, which {_INDEX} names; restore it") from None
        except (SafetensorError, OSError, FormatError) as problem:
            raise CheckpointError(f"{folder / name} is damaged ({problem}); restore it") from None
    broken = [name for name, value in found.items() if not (value.is_floating_point() and value.isfinite().all())]
    if broken := [name for name in broken if "position_ids" not in name]:
        raise CheckpointError(f"{folder}: {broken[0]} holds values that are not finite numbers; restore the folder")
    return found


def _with_roles(tokenizer: Tokenizer, native: Native) -> Tokenizer:
    """The tokenizer with the roles that the model's configuration gives to ids, and those that are left to share one.

    A decoder that begins with padding, as Marian's does, has that as its bos; a text without bos or pad has its eos.
    """
    model = tokenizer.model
    texts = {id: text for text, id in {**model.added_tokens, **model.special_tokens}.items()}

    def text(id: int | None, role: str) -> str | None:
        if id is None or id in texts or id >= tokenizer.vocab_size:
            return texts.get(-1 if id is None else id)
        raise ConversionError(
            f"its configuration has the id {id} for {role}, which is an ordinary token of the tokenizer; correct one of them"
        )

    named = Roles(pad=text(native.pad, "pad"), bos=text(native.start, "bos"), eos=text(native.eos, "eos"))
    roles = named.over(tokenizer.roles)
    roles = roles.over(Roles(bos=roles.eos, pad=roles.eos))
    return Tokenizer(replace(model, roles=roles), trace=tokenizer.trace)


def _info(
    native: Native,
    tokenizer: Tokenizer,
    names: Mapping[str, str | None],
    class_name: str,
    generation: dict[str, Any],
) -> CheckpointInfo:
    family = family_named(native.family)
    task = "classification" if native.labels else family.task
    wanted = _COLUMNS[task]
    if unread := [f"{name}={value!r}" for name, value in names.items() if value is not None and name not in wanted]:
        raise ConfigError(f"{unread[0]} is not read by {class_name}; name {' and '.join(wanted)} or leave them out")
    options = family.options(**native.options)
    foreign = {"class": class_name, "config": native.other_fields, "generation_config": generation}
    return CheckpointInfo(
        digest=tokenizer.digest,
        vocab_size=native.vocab_size,
        pad_id=SpecialIds.of(tokenizer).pad if native.pad is None else native.pad,
        columns=tuple(names.get(name) or default for name, default in wanted.items()),
        corpus="",
        settings=Settings(native.family, options),
        labels=native.labels,
        foreign=foreign,
    )
