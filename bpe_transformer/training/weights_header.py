"""What a safetensors file holds, read from its header alone: names, types and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from bpe_transformer.errors import CheckpointError, FormatError
from bpe_transformer.io import check_is_file

_FLOATING = ("F16", "BF16", "F32", "F64")

Shape = tuple[int, ...]


def read_header(path: Path) -> dict[str, Shape]:
    """The shape of every tensor; nothing of the tensors is read.

    Raises:
        CheckpointError: the file is missing or damaged, or holds a tensor that is not of floating point.
    """
    try:
        check_is_file(path)
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            shapes = {name: tuple(found.get_shape()) for name, found in slices.items()}
            types = {name: found.get_dtype() for name, found in slices.items()}
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; the directory holds no whole checkpoint: train again") from None
    except (SafetensorError, OSError, FormatError) as problem:
        raise CheckpointError(f"{path} is damaged ({problem}); train again or restore it") from None
    odd = [f"{name} of type {kind}" for name, kind in types.items() if kind not in _FLOATING]
    if odd:
        raise CheckpointError(
            f"{path} holds {odd[0]}, and weights are floating-point numbers; train again or restore it"
        )
    return shapes


def check_fits(found: Mapping[str, Shape], expected: Mapping[str, Shape], *, source: str, config: str) -> None:
    """`CheckpointError` unless names and shapes are exactly those expected of the model that `config` describes."""
    wrong = [name for name in expected if found.get(name) != expected[name]]
    wrong += [name for name in found if name not in expected]
    if wrong:
        raise CheckpointError(
            f"{source} does not fit the model of its {config}: {len(wrong)} tensors differ, {wrong[0]} first; "
            "train it again or restore the two files together"
        )
