"""Arrays in files: those of `.npy` files, read after header and size were checked, and large ones that are only needed now."""

from __future__ import annotations

import os
import struct
import tempfile
import tokenize
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bpe_transformer.errors import FormatError
from bpe_transformer.io.json_files import without_waiting

_HEADER_PROBLEMS = (
    ValueError, SyntaxError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, MemoryError,
    EOFError, IndexError, struct.error, tokenize.TokenError,
)  # fmt: skip
_IN_MEMORY = 4 << 20  # bytes; what is smaller is not worth a file
_LARGE_TEMPORARY = "/var/tmp"  # for large files (Filesystem Hierarchy Standard); /tmp is in memory on many machines


def scratch_array(length: int, dtype: np.dtype[Any] | type[Any]) -> NDArray[Any]:
    """A new array, (length,), to write to: a large one is mapped from a file without a name, which ends with the array.

    Its pages go to the disk when memory is needed for something else, so that what is kept for every row of a corpus does
    not have to fit into memory.
    """
    size = length * np.dtype(dtype).itemsize
    if size <= _IN_MEMORY:
        return np.zeros(length, dtype)
    folder = None if "TMPDIR" in os.environ or not os.access(_LARGE_TEMPORARY, os.W_OK) else _LARGE_TEMPORARY
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(size)
        return np.memmap(file, dtype, "r+", 0, (length,))


def read_npy_header(stream: BinaryIO) -> tuple[int, np.dtype[Any]]:
    """The length and the type of a one-dimensional array of whole numbers. Raises `FormatError`."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version[0]}.{version[1]} of the format is not read here")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except _HEADER_PROBLEMS as cause:
        said = " ".join(str(cause).split())[:200]
        raise FormatError(f"not an .npy file that can be read ({said})") from None
    if dtype.kind not in "iu" or len(shape) != 1:
        raise FormatError(f"it holds {dtype} of shape {shape}, not one dimension of whole numbers")
    length: Any = shape[0]
    if not isinstance(length, int) or isinstance(length, bool) or not 0 <= length < 2**63 // dtype.itemsize:
        raise FormatError(f"it claims to hold {length!r} numbers")
    return length, dtype


def map_npy(path: str | os.PathLike[str]) -> NDArray[Any]:
    """An array mapped into memory, which the file holds to the byte. Raises `FormatError`, and `OSError` as `open` does."""
    with open(path, "rb", opener=without_waiting) as file:
        length, dtype = read_npy_header(file)
        start, size = file.tell(), os.fstat(file.fileno()).st_size
        if size - start != length * dtype.itemsize:
            raise FormatError(
                f"it should hold {length:,} numbers of {dtype.itemsize} bytes and has {size - start:,} bytes of them"
            )
        if not length:
            return np.empty(0, dtype)
        return np.memmap(file, dtype, "r", start, (length,))
