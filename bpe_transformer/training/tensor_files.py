"""Writing safetensors files: equal tensors and metadata give equal bytes, and nothing is copied in memory to write them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes a file that `safetensors` reads. Tensors and metadata are in a fixed order.

    The library's own writer orders metadata by chance, builds the whole file in memory, and lets nobody but the owner
    read it. Raises `OSError` with the path.
    """
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name, value in _in_order(tensors):
        begin, end = end, end + value.numel() * value.element_size()
        header[name] = {"dtype": _TYPES[value.dtype], "shape": list(value.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    try:
        with path.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for _, value in _in_order(tensors):
                file.write(raw_bytes(value))
    except OSError as problem:
        if problem.filename is None:  # as a full disk has it
            raise OSError(problem.errno, problem.strerror, str(path)) from None
        raise


def _in_order(tensors: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    """By name, after the size of their elements, so that each begins at a multiple of it."""
    return sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))


def raw_bytes(value: Tensor) -> memoryview:
    """The bytes of a tensor in their order, without a copy where it lies in memory like that."""
    flat = value.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")


def checksum(tensors: Mapping[str, Tensor], facts: Mapping[str, object]) -> str:
    """The SHA-256 of plain facts and tensors: their names, types, shapes and bytes."""
    found = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for part in _described(tensors):
        found.update(part)
    return found.hexdigest()


def _described(tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    for name, value in sorted(tensors.items()):
        yield f"{name} {value.dtype} {tuple(value.shape)}".encode()
        yield raw_bytes(value)
