"""Ids written to a stream as they come: lines of numbers or of JSON lists, a NumPy array, or an Arrow stream of lists."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any, BinaryIO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.io.atomic import atomic_file
from bpe_transformer.tokenizer.encoding.encodings import Encodings, npy_header

IdFormat = Literal["ids", "json", "npy", "arrow"]
_ARROW_END = b"\xff\xff\xff\xff" + bytes(4)


class IdWriter(Protocol):
    """Writes the ids of texts, several texts at a time."""

    def write(self, encodings: Encodings) -> None:
        """Writes the ids of these texts."""

    def close(self) -> None:
        """Writes the end of the format. The stream stays open."""


def id_writer(
    format: IdFormat,
    out: BinaryIO,
    vocab_size: int,
    *,
    one_text: bool = False,
    row_starts_path: str | os.PathLike[str] | None = None,
) -> IdWriter:
    """A writer to `out`. With `one_text`, all that is written is one text, however many `write` gets.

    `ids`: a line for each text, of numbers separated by spaces; `json`: a line for each text, with a list. `npy`: one flat
    array, of 16-bit numbers for up to 65,536 ids, else of 32-bit ones; the row starts go to another array at
    `row_starts_path`. `arrow`: an Arrow stream with a column "ids" of lists.
    """
    if format in ("ids", "json"):
        return IdLines(out, as_json=format == "json", one_text=one_text)
    dtype = np.dtype(np.uint16 if vocab_size <= 1 << 16 else np.uint32)
    if format == "npy":
        return IdArray(out, dtype, row_starts_path, one_text=one_text)
    return IdLists(out, dtype, one_text=one_text)


class IdLines:
    """Writes a line for each text."""

    def __init__(self, out: BinaryIO, *, as_json: bool, one_text: bool) -> None:
        self._out = out
        self._json = as_json
        self._one_text = one_text
        self._has_ids = False

    def write(self, encodings: Encodings) -> None:
        if not self._one_text:
            _write(self._out, _core.lines_of_ids(encodings.ids, encodings.row_starts, self._json))
        elif len(encodings.ids):
            line = _core.lines_of_ids(encodings.ids, encodings.row_starts[[0, -1]], self._json)[:-1]
            separator = b", " if self._json else b" "
            begin = separator if self._has_ids else b"[" * self._json
            _write(self._out, begin + (line[1:-1] if self._json else line))
            self._has_ids = True

    def close(self) -> None:
        if self._one_text:
            _write(self._out, (b"]" if self._has_ids else b"[]") * self._json + b"\n")


class IdArray:
    """Writes one flat `.npy` array. Its length comes first, so if `out` cannot seek, ids go to a temporary file."""

    def __init__(
        self, out: BinaryIO, dtype: np.dtype[Any], row_starts_path: str | os.PathLike[str] | None, *, one_text: bool
    ) -> None:
        self._out = out
        self._dtype = dtype
        self._one_text = one_text
        self._size = 0
        self._num_texts = 0
        self._row_starts_path = row_starts_path
        self._row_starts = tempfile.TemporaryFile() if row_starts_path is not None else None  # noqa: SIM115
        self._start = _seekable_position(out)
        self._spool = None if self._start is not None else tempfile.TemporaryFile()  # noqa: SIM115
        if self._start is not None:
            _write(out, npy_header(dtype, 0))

    def write(self, encodings: Encodings) -> None:
        ids = encodings.ids.astype(self._dtype, copy=False)
        if self._spool is None:
            _write(self._out, ids.data)
        else:
            self._spool.write(ids.data)
        if self._row_starts is not None and not self._one_text:
            self._row_starts.write((encodings.row_starts[1:] + self._size).data)
            self._num_texts += len(encodings)
        self._size += len(ids)

    def close(self) -> None:
        header = npy_header(self._dtype, self._size)
        if self._spool is None:
            assert self._start is not None
            self._out.flush()
            file = self._out.fileno()
            end = os.lseek(file, 0, os.SEEK_CUR)
            os.lseek(file, self._start, os.SEEK_SET)
            os.write(file, header)
            os.lseek(file, end, os.SEEK_SET)
        else:
            _write(self._out, header)
            self._spool.seek(0)
            shutil.copyfileobj(self._spool, self._out, 1 << 20)
            self._out.flush()
        self._write_row_starts()

    def _write_row_starts(self) -> None:
        if self._row_starts is None or self._row_starts_path is None:
            return
        if self._one_text:
            self._row_starts.write(np.array([self._size], np.int64).data)
            self._num_texts = 1
        with atomic_file(self._row_starts_path) as path, path.open("wb") as file:
            file.write(npy_header(np.dtype(np.int64), self._num_texts + 1))
            file.write(bytes(8))  # the first text starts at 0
            self._row_starts.seek(0)
            shutil.copyfileobj(self._row_starts, file)


class IdLists:
    """Writes an Arrow stream with a column "ids" of lists, a batch for each `write`."""

    def __init__(self, out: BinaryIO, dtype: np.dtype[Any], *, one_text: bool) -> None:
        import pyarrow as pa

        self._out = out
        self._dtype = dtype
        self._schema = pa.schema([pa.field("ids", pa.large_list(pa.from_numpy_dtype(dtype)), nullable=False)])
        self._whole: list[NDArray[Any]] | None = [] if one_text else None
        _write(out, self._schema.serialize().to_pybytes())

    def write(self, encodings: Encodings) -> None:
        if self._whole is not None:
            self._whole.append(encodings.ids.astype(self._dtype, copy=False))
        elif len(encodings):
            self._write_batch(encodings.ids.astype(self._dtype, copy=False), encodings.row_starts)

    def _write_batch(self, ids: NDArray[Any], row_starts: NDArray[np.int64]) -> None:
        import pyarrow as pa

        lists = Encodings(ids, row_starts).to_arrow().cast(self._schema[0].type)
        _write(self._out, memoryview(pa.record_batch([lists], schema=self._schema).serialize()))

    def close(self) -> None:
        if self._whole is not None:
            ids = np.concatenate([np.empty(0, self._dtype), *self._whole])
            self._write_batch(ids, np.array([0, len(ids)], np.int64))
        _write(self._out, _ARROW_END)


def _write(out: BinaryIO, data: bytes | memoryview) -> None:
    """Writes and flushes, so that the reader of a pipe gets the data at once."""
    out.write(data)
    out.flush()


def _seekable_position(out: BinaryIO) -> int | None:
    """Where in a file `out` is, if one can go back there to write a header."""
    out.flush()
    try:
        import fcntl

        if fcntl.fcntl(out.fileno(), fcntl.F_GETFL) & os.O_APPEND:
            return None
        return os.lseek(out.fileno(), 0, os.SEEK_CUR) if out.seekable() else None
    except (OSError, ImportError, ValueError):  # a pipe, or a stream in memory
        return None
