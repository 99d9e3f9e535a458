"""Ids on standard input and output: lines between spaces, JSON lists, `.npy` and Arrow."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from bpe_transformer.cli.support.console import ReaderLeft, write_data
from bpe_transformer.errors import DecodingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bpe_transformer import Encodings, Tokenizer

_NPY = b"\x93NUMPY"
_ARROW = b"\xff\xff\xff\xff"


class Lines:
    """Ids as text: a line a text. `one_text`: all that is written is one text, on one line."""

    def __init__(self, *, as_json: bool, one_text: bool) -> None:
        self._json = as_json
        self._one_text = one_text
        self._begun = False

    def write(self, encodings: Encodings) -> None:
        from bpe_transformer import _core

        if not self._one_text:
            write_data(_core.lines_of_ids(encodings.ids, encodings.offsets, self._json))
            return
        if not len(encodings.ids):
            return
        edges = encodings.offsets[[0, -1]]
        line = _core.lines_of_ids(encodings.ids, edges, self._json)[:-1]
        if self._json:
            line = line[1:-1]
        write_data((b"" if not self._begun else b", " if self._json else b" ") + (self._bracket(b"[")) + line)
        self._begun = True

    def _bracket(self, bracket: bytes) -> bytes:
        return bracket if self._json and not self._begun else b""

    def close(self) -> None:
        if self._one_text:
            write_data((b"]" if self._begun else b"[]") * self._json + b"\n")


class Npy:
    """One flat array of ids. Its length stands before it, so where standard output is a pipe it is kept on disk first."""

    def __init__(self, dtype: np.dtype[Any], offsets: str | None, *, one_text: bool) -> None:
        from bpe_transformer.tokenizer.encoding.encodings import npy_header

        self._dtype = dtype
        self._one_text = one_text
        self._size = 0
        self._offsets_path = offsets
        self._offsets: Any = tempfile.TemporaryFile() if offsets is not None else None  # noqa: SIM115
        self._texts = 0
        sys.stdout.flush()
        self._start = _seekable_position()
        self._spool: Any = None if self._start is not None else tempfile.TemporaryFile()  # noqa: SIM115
        if self._start is not None:
            write_data(npy_header(dtype, 0))

    def write(self, encodings: Encodings) -> None:
        ids = encodings.ids.astype(self._dtype, copy=False)
        if self._spool is None:
            write_data(ids.data)
        else:
            self._spool.write(ids.data)
        if self._offsets is not None and not self._one_text:
            self._offsets.write((encodings.offsets[1:] + self._size).data)
            self._texts += len(encodings)
        self._size += len(ids)

    def close(self) -> None:
        from bpe_transformer.tokenizer.encoding.encodings import npy_header

        header = npy_header(self._dtype, self._size)
        if self._spool is None:
            assert self._start is not None
            out = sys.stdout.buffer
            out.flush()
            end = os.lseek(out.fileno(), 0, os.SEEK_CUR)
            os.lseek(out.fileno(), self._start, os.SEEK_SET)
            os.write(out.fileno(), header)
            os.lseek(out.fileno(), end, os.SEEK_SET)
        else:
            write_data(header)
            _copy(self._spool, sys.stdout.buffer)
        if self._offsets is not None:
            self._write_offsets()

    def _write_offsets(self) -> None:
        import numpy as np

        from bpe_transformer.io.atomic import atomic_file
        from bpe_transformer.tokenizer.encoding.encodings import npy_header

        if self._one_text:
            self._offsets.write(np.array([self._size], np.int64).data)
            self._texts = 1
        assert self._offsets_path is not None
        with atomic_file(self._offsets_path) as part, part.open("wb") as file:
            file.write(npy_header(np.dtype(np.int64), self._texts + 1))
            file.write(bytes(8))
            self._offsets.seek(0)
            shutil.copyfileobj(self._offsets, file)


class Arrow:
    """An Arrow stream with a column "ids" of lists, a batch for each part of the input."""

    def __init__(self, dtype: np.dtype[Any], *, one_text: bool) -> None:
        import pyarrow as pa

        self._dtype = dtype
        self._schema = pa.schema([pa.field("ids", pa.large_list(pa.from_numpy_dtype(dtype)), nullable=False)])
        self._whole: list[Any] | None = [] if one_text else None
        write_data(self._schema.serialize().to_pybytes())

    def write(self, encodings: Encodings) -> None:
        if self._whole is not None:
            self._whole.append(encodings.ids.astype(self._dtype, copy=False))
        elif len(encodings):
            self._batch(encodings.ids.astype(self._dtype, copy=False), encodings.offsets)

    def _batch(self, ids: NDArray[Any], offsets: NDArray[np.int64]) -> None:
        import pyarrow as pa

        from bpe_transformer import Encodings

        batch = pa.record_batch([Encodings(ids, offsets).to_arrow().cast(self._schema[0].type)], schema=self._schema)
        write_data(memoryview(batch.serialize()))

    def close(self) -> None:
        import numpy as np

        if self._whole is not None:
            ids = np.concatenate([np.empty(0, self._dtype), *self._whole])
            self._batch(ids, np.array([0, len(ids)], np.int64))
        write_data(_ARROW + bytes(4))  # the end of a stream


def writer(form: str, tokenizer: Tokenizer, offsets: str | None, *, one_text: bool) -> Lines | Npy | Arrow:
    """What writes ids as `form` to standard output."""
    if form in ("ids", "json"):
        return Lines(as_json=form == "json", one_text=one_text)
    import numpy as np

    dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32)
    return Npy(dtype, offsets, one_text=one_text) if form == "npy" else Arrow(dtype, one_text=one_text)


def _seekable_position() -> int | None:
    """Where in a file standard output is, if one can go back there to write a header."""
    out = sys.stdout.buffer
    try:
        import fcntl

        if fcntl.fcntl(out.fileno(), fcntl.F_GETFL) & os.O_APPEND:
            return None
        return os.lseek(out.fileno(), 0, os.SEEK_CUR) if out.seekable() else None
    except (OSError, ImportError, ValueError):  # a pipe, or what stands for standard output in a test
        return None


def _copy(spool: BinaryIO, out: BinaryIO) -> None:
    spool.seek(0)
    try:
        shutil.copyfileobj(spool, out, 1 << 20)
        out.flush()
    except BrokenPipeError:
        raise ReaderLeft from None


Rows = tuple["NDArray[np.integer[Any]]", "NDArray[np.int64]"]  # ids, and where each text begins and the last ends


def _readable(ids: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Ids of a kind that the core reads in place."""
    return ids if ids.dtype.isnative and ids.itemsize > 1 else ids.astype("i8")


def read_npy(stream: BinaryIO, offsets: str | None) -> Iterator[Rows]:
    """The ids of an `.npy` file: of one text, in parts, or of those that a file of offsets parts them into."""
    import numpy as np

    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except ValueError as cause:
        raise DecodingError(f"standard input begins like an .npy file but is none: {cause}") from None
    if dtype.kind not in "iu" or len(shape) != 1:
        raise DecodingError(f"the .npy file holds {dtype} of shape {shape}; give one dimension of whole numbers")
    edges = None if offsets is None else np.load(offsets, mmap_mode="r").astype(np.int64)
    if edges is not None and (not len(edges) or edges[0] != 0 or edges[-1] != shape[0] or (np.diff(edges) < 0).any()):
        raise DecodingError(f"{offsets} does not hold the offsets of the {shape[0]:,} ids of the .npy file")
    left = shape[0]
    text = 0
    while left or (edges is not None and text < len(edges) - 1):
        if edges is None:
            size, places = min(left, 1 << 20), None
        else:
            stop = max(int(np.searchsorted(edges, edges[text] + (1 << 20), "right")) - 1, text + 1)
            places = edges[text : stop + 1] - edges[text]
            size, text = int(places[-1]), stop
        data = stream.read(size * dtype.itemsize)
        if len(data) < size * dtype.itemsize:
            raise DecodingError(f"the .npy file ends early: {left - len(data) // dtype.itemsize:,} ids are missing")
        ids = _readable(np.frombuffer(data, dtype))
        yield ids, np.array([0, len(ids)], np.int64) if places is None else places
        left -= size


def read_arrow(stream: BinaryIO) -> Iterator[Rows]:
    """The lists of ids in the first column of an Arrow stream."""
    import pyarrow as pa

    from bpe_transformer import Encodings

    try:
        with pa.ipc.open_stream(pa.PythonFile(stream, mode="r")) as reader:
            for batch in reader:
                rows = Encodings.from_arrow(batch.column(0))
                yield _readable(rows.ids), rows.offsets
    except (pa.ArrowInvalid, OSError) as cause:
        raise DecodingError(f"standard input begins like an Arrow stream but is damaged or cut off: {cause}") from None


def read_lines(batches: Iterator[bytes], tokenizer: Tokenizer) -> Iterator[tuple[Rows, int]]:
    """The ids of lines, a batch at a time, with the number of lines before it."""
    import numpy as np

    from bpe_transformer import _core

    before = 0
    for batch in batches:
        rows = _core.ids_of_lines(batch)
        if rows is None:  # written in another way, or not ids at all
            lines = batch.removesuffix(b"\n").split(b"\n")
            parsed = [parsed_line(line, before + i + 1, tokenizer) for i, line in enumerate(lines)]
            offsets = np.cumsum([0, *map(len, parsed)], dtype=np.int64)
            rows = np.fromiter((id for row in parsed for id in row), np.int64, int(offsets[-1])), offsets
        yield rows, before
        before += len(rows[1]) - 1


def parsed_line(raw: bytes, line: int, tokenizer: Tokenizer) -> list[int]:
    """The ids of a line. Raises `DecodingError` with the value and the line."""
    words: list[object]
    try:
        words = json.loads(raw) if raw.lstrip().startswith(b"[") else list(raw.split())
    except ValueError:
        raise DecodingError(f"line {line:,} begins like a JSON list but is none; write it as [1, 2, 3]") from None
    found = []
    for word in words:
        if isinstance(word, bytes) and word.isdigit():
            found.append(int(word))
        elif isinstance(word, int) and not isinstance(word, bool):
            found.append(word)
        else:
            shown = word.decode("utf-8", "backslashreplace") if isinstance(word, bytes) else json.dumps(word)
            shown = shown if len(shown) <= 40 else f"{shown[:40]}…"
            raise DecodingError(
                f"line {line:,}: {shown!r} is not an id; give whole numbers from 0 to {tokenizer.vocab_size - 1:,}, "
                "separated by spaces"
            )
        if not 0 <= found[-1] < tokenizer.vocab_size:
            raise out_of_range(found[-1], f"line {line:,}", tokenizer)
    return found


def out_of_range(id: int, place: str, tokenizer: Tokenizer) -> DecodingError:
    return DecodingError(
        f"{place}: id {id} is out of range; this tokenizer has 0 to {tokenizer.vocab_size - 1}, "
        "so decode with the tokenizer that encoded"
    )
