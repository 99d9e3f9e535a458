"""Ids read from a stream in any format that `id_writers` writes, and decoded to the bytes of their texts."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import DecodingError, FormatError, IdOutOfRangeError
from bpe_transformer.io import damage_named, shown
from bpe_transformer.io.npy_files import map_npy, read_npy_header
from bpe_transformer.tokenizer.encoding.encodings import Encodings, check_row_starts

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.encoding.codec import Codec

NPY_MAGIC = b"\x93NUMPY"
ARROW_MAGIC = b"\xff\xff\xff\xff"
_BLOCK_IDS = 1 << 20
_JSON_WORDS = {"True": "true", "False": "false", "None": "null"}
_MOST_DIGITS = 20  # of an id; Python refuses to read a number of thousands


@dataclass(frozen=True)
class IdRows:
    """The ids of some texts. `first_line` is the line number of the first text, None if the stream has no lines."""

    ids: NDArray[np.integer[Any]]  # (T,)
    row_starts: NDArray[np.int64]  # (N + 1,)
    first_line: int | None = None

    def place(self, position: int) -> str:
        """The place of the id at `position`, for a message."""
        if self.first_line is None:
            return f"position {position:,} of the ids"
        return f"line {self.first_line + int(np.searchsorted(self.row_starts, position, 'right')) - 1:,}"


class IdStream:
    """A stream of ids in a format that its first bytes decide: a NumPy array, an Arrow stream of lists, or lines."""

    def __init__(self, stream: BinaryIO) -> None:
        head = stream.read(1)
        if head in (NPY_MAGIC[:1], ARROW_MAGIC[:1]):  # no line of ids begins with these
            head += stream.read(7)
        self.is_npy = head.startswith(NPY_MAGIC)
        self.is_arrow = head.startswith(ARROW_MAGIC)
        self._stream = cast(BinaryIO, io.BufferedReader(_ChainedBytes(head, stream), 1 << 20))

    def rows(
        self,
        codec: Codec,
        lines: Callable[[BinaryIO], Iterator[bytes]],
        row_starts_path: str | os.PathLike[str] | None = None,
    ) -> Iterator[IdRows]:
        """The rows, several at a time; `lines` cuts a stream into blocks of whole lines.

        Raises `DecodingError` for damaged or unsupported content.
        """
        if self.is_npy:
            return _npy_rows(self._stream, row_starts_path)
        if self.is_arrow:
            return _arrow_rows(self._stream)
        return _line_rows(lines(self._stream), codec.model.vocab_size)


def decoded_rows(codec: Codec, rows: IdRows, *, skip_special: bool, whole: bool = False) -> bytes:
    """The bytes of each row, with a newline after it, or with `whole` those of all ids as one text.

    Raises `DecodingError` with the place of an id that is out of range.
    """
    starts = rows.row_starts[[0, -1]] if whole else rows.row_starts
    try:
        return codec.decoder.decode_rows(rows.ids, starts, skip_special, b"" if whole else b"\n")
    except IdOutOfRangeError as cause:
        raise _out_of_range(cause.id, rows.place(cause.position), codec.model.vocab_size) from None


def decoded_whole(codec: Codec, rows: Iterator[IdRows], *, skip_special: bool) -> Iterator[bytes]:
    """The bytes of all ids as one text, block by block; in one block if the text of a token depends on its neighbours."""
    model = codec.model
    if not model.word_ends and model.prefix_space == "never":
        return (decoded_rows(codec, some, skip_special=skip_special, whole=True) for some in rows)
    together = list(rows)
    ids = np.concatenate([np.empty(0, np.int64), *(some.ids for some in together)])
    row_starts = np.cumsum([0, *(size for some in together for size in np.diff(some.row_starts))], dtype=np.int64)
    first_line = 1 if together and together[0].first_line is not None else None
    return iter([decoded_rows(codec, IdRows(ids, row_starts, first_line), skip_special=skip_special, whole=True)])


class _ChainedBytes(io.RawIOBase):
    """Bytes that were read already, then the rest of their stream."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._head or self._stream.read1(len(buffer))  # type: ignore[attr-defined]
        self._head = b""
        buffer[: len(data)] = data
        return len(data)


def _native(ids: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Ids of a dtype that the core reads in place."""
    return ids if ids.dtype.isnative and ids.itemsize > 1 else ids.astype("i8")


def _npy_rows(stream: BinaryIO, row_starts_path: str | os.PathLike[str] | None) -> Iterator[IdRows]:
    """The ids of an `.npy` file, in blocks: one text, or many if a file of row starts is given."""
    try:
        left, dtype = read_npy_header(stream)
    except FormatError as cause:
        raise DecodingError(f"standard input begins like an .npy file but is not one: {cause}") from None
    starts = None if row_starts_path is None else _loaded_starts(row_starts_path, left)
    text = 0
    while left or (starts is not None and text < len(starts) - 1):
        if starts is None:
            size = min(left, _BLOCK_IDS)
            row_starts = np.array([0, size], np.int64)
        else:
            stop = max(int(np.searchsorted(starts, starts[text] + _BLOCK_IDS, "right")) - 1, text + 1)
            row_starts = starts[text : stop + 1] - starts[text]
            size, text = int(row_starts[-1]), stop
        data = _read_upto(stream, size * dtype.itemsize)
        if len(data) < size * dtype.itemsize:
            raise DecodingError(f"the .npy file ends early: {left - len(data) // dtype.itemsize:,} ids are missing")
        yield IdRows(_native(np.frombuffer(data, dtype)), row_starts)
        left -= size
    if stream.read(1):
        raise DecodingError("the .npy file goes on after its last id; it is damaged, write it anew")


class _BoundedReader(io.RawIOBase):
    """A stream whose reads allocate no more memory than it has bytes, whatever size a damaged header claims."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return bytes(_read_upto(self._stream, size)) if size >= 0 else self._stream.read()


def _read_upto(stream: BinaryIO, size: int) -> bytearray:
    """Up to `size` bytes, fewer at the end of the stream; memory grows with the bytes read, not with `size`."""
    data = bytearray()
    while len(data) < size and (block := stream.read(min(size - len(data), 16 << 20))):
        data += block
    return data


def _loaded_starts(path: str | os.PathLike[str], num_ids: int) -> NDArray[np.int64]:
    with damage_named(path, "write it anew with the ids", DecodingError):
        starts = map_npy(path).astype(np.int64)
    try:
        check_row_starts(starts, num_ids, "number")
    except FormatError as cause:
        raise DecodingError(
            f"{path} does not hold the offsets of the {num_ids:,} ids of the .npy file: {cause}"
        ) from None
    return starts


def _arrow_rows(stream: BinaryIO) -> Iterator[IdRows]:
    """The lists of ids in the first column of an Arrow stream."""
    import pyarrow as pa

    damage = (pa.ArrowException, EOFError, MemoryError)
    with (
        damage_named("standard input begins like an Arrow stream but", "encode anew", DecodingError, *damage),
        pa.ipc.open_stream(pa.PythonFile(_BoundedReader(stream), mode="r")) as reader,
    ):
        if not len(reader.schema):
            raise DecodingError("its batches have no columns")
        for batch in reader:
            lists = Encodings.from_arrow(batch.column(0))
            yield IdRows(_native(lists.ids), lists.row_starts)


def _line_rows(blocks: Iterator[bytes], vocab_size: int) -> Iterator[IdRows]:
    """The ids of lines: numbers between spaces, or JSON lists."""
    line = 1
    for block in blocks:
        parsed = _core.ids_of_lines(block)
        if parsed is None:  # another spelling of numbers, or not ids at all
            lines = block.removesuffix(b"\n").split(b"\n")
            rows = [_parsed_line(one, line + index, vocab_size) for index, one in enumerate(lines)]
            row_starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
            parsed = np.fromiter((id for row in rows for id in row), np.int64, int(row_starts[-1])), row_starts
        yield IdRows(*parsed, first_line=line)
        line += len(parsed[1]) - 1


def _parsed_line(raw: bytes, line: int, vocab_size: int) -> list[int]:
    """The ids of a line. Raises `DecodingError` with the value and the line."""
    words: list[object]
    try:
        words = json.loads(raw) if raw.lstrip().startswith(b"[") else list(raw.split())
    except (ValueError, RecursionError):
        raise DecodingError(f"line {line:,} begins like a JSON list but is not one; write it as [1, 2, 3]") from None
    found = []
    for word in words:
        if isinstance(word, bytes) and word.isdigit() and len(word) <= _MOST_DIGITS:
            found.append(int(word))
        elif isinstance(word, bytes) and word.isdigit():
            raise _out_of_range(f"{word[:_MOST_DIGITS].decode()}…", f"line {line:,}", vocab_size)
        elif isinstance(word, int) and not isinstance(word, bool):
            found.append(word)
        else:
            said = (
                word.decode("utf-8", "backslashreplace")
                if isinstance(word, bytes)
                else _JSON_WORDS.get(repr(word)) or shown(word)
            )
            said = said if len(said) <= 40 else f"{said[:40]}…"
            raise DecodingError(
                f"line {line:,}: {said!r} is not an id; give whole numbers from 0 to {vocab_size - 1:,}, "
                "separated by spaces"
            )
        if not 0 <= found[-1] < vocab_size:
            raise _out_of_range(found[-1], f"line {line:,}", vocab_size)
    return found


def _out_of_range(id: int | str, place: str, vocab_size: int) -> DecodingError:
    return DecodingError(
        f"{place}: id {id} is out of range; this tokenizer has 0 to {vocab_size - 1}, "
        "so decode with the tokenizer that encoded"
    )
