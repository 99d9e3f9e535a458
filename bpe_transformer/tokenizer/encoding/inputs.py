"""Texts in the forms that `encode_batch` accepts: lists, NumPy and Arrow arrays, columns of `datasets` and data frames.

Strings of Arrow arrays and of NumPy `S` arrays are read in place, without a Python object for each. `U` arrays are converted
from UTF-32 to UTF-8; arrays of objects and of `StringDType` give Python strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from bpe_transformer import _core
from bpe_transformer.errors import EncodingError
from bpe_transformer.io.utf8 import joined_surrogates
from bpe_transformer.lazy import NDArray, np

if TYPE_CHECKING:
    import pyarrow as pa

# a buffer, and where texts start and stop in it
Chunk: TypeAlias = "tuple[Any, NDArray[np.integer[Any]], NDArray[np.integer[Any]]]"
Texts = Iterable["str | bytes"]  # or any form that `texts_of` knows


@dataclass(frozen=True)
class Rows(Sequence[bytes]):
    """A sequence of texts in buffers: text `i` of a chunk is `buffer[starts[i]:stops[i]]`."""

    chunks: list[Chunk]

    def __len__(self) -> int:
        return sum(len(starts) for _, starts, _ in self.chunks)

    def __iter__(self) -> Iterator[bytes]:
        for buffer, starts, stops in self.chunks:
            view = memoryview(buffer)
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
                yield bytes(view[start:stop])

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return list(self)[index]
        for buffer, starts, stops in self.chunks:
            if index < len(starts):
                return bytes(memoryview(buffer)[int(starts[index]) : int(stops[index])])
            index -= len(starts)
        raise IndexError(f"there are {len(self)} texts")


def replaced(text: Any, errors: str) -> Any:
    """A text with U+FFFD for what is not UTF-8: lone surrogates of a `str`, bad bytes of `bytes`; with "strict" as it is.

    Raises `EncodingError` for another value of `errors`.
    """
    if errors not in ("strict", "replace"):
        raise EncodingError(f"errors={errors!r} is unknown; choose strict or replace")
    if errors == "strict" or (isinstance(text, (str, bytes)) and text.isascii()):
        return text
    if isinstance(text, str):
        return joined_surrogates(text, "replace")
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def replaced_texts(texts: object, errors: str) -> Any:
    """The texts of a batch as `replaced` gives each."""
    if errors == "strict":
        return texts
    return [replaced(text, errors) for text in texts_of(texts)]


def without_halves(texts: Sequence[Any]) -> tuple[Any, ...] | None:
    """The texts with the halves of surrogate pairs joined to their characters; None if that changes none of them.

    A text with a lone surrogate stays as it is.
    """
    joined = []
    for text in texts:
        whole = text
        if isinstance(text, str) and not text.isascii():
            with suppress(UnicodeDecodeError):
                whole = joined_surrogates(text)
        joined.append(whole)
    return (
        tuple(joined)
        if any(len(a) != len(b) for a, b in zip(joined, texts, strict=True) if isinstance(a, str))
        else None
    )


def spans_with_halves(spans: NDArray[np.int64], text: str) -> NDArray[np.int64]:
    """Offsets in characters of the joined text as offsets into `text`, where such a character is two halves."""
    starts = [0]
    for character in joined_surrogates(text):
        starts.append(starts[-1] + (1 if text[starts[-1]] == character else 2))
    return np.array(starts)[spans]


def texts_of(texts: object) -> Rows | tuple[Any, ...]:
    """The texts in a form that the core reads. Raises `EncodingError` for a missing text and for other types."""
    if isinstance(texts, Rows):
        return texts
    if isinstance(texts, (list, tuple)):
        return tuple(texts)
    if isinstance(texts, (str, bytes)):
        raise EncodingError(f"texts is a single {type(texts).__name__}; put it into a list, or call encode")
    if isinstance(texts, np.ndarray):
        return _of_numpy(texts)
    if type(texts).__name__ == "Column" and type(texts).__module__.startswith("datasets."):
        texts = _of_datasets(texts)
    if type(texts).__module__.partition(".")[0] == "pyarrow" or hasattr(texts, "__arrow_c_stream__"):
        return _of_arrow(texts)
    try:
        return tuple(texts)  # type: ignore[arg-type]
    except TypeError:
        raise EncodingError(f"texts is {type(texts).__name__}; give a list, an array or a column of texts") from None


def _of_numpy(array: NDArray[Any]) -> Rows | tuple[Any, ...]:
    if array.ndim != 1:
        raise EncodingError(f"texts is an array of shape {array.shape}; give one dimension")
    if isinstance(array, np.ma.MaskedArray) and array.mask.any():
        raise EncodingError(f"text {int(array.mask.argmax())} is masked; give array.compressed(), or array.filled('')")
    if array.dtype.kind not in "SU" or not array.size or not array.dtype.itemsize:
        return tuple(array.tolist())
    array = np.ascontiguousarray(array)
    if array.dtype.kind == "S":
        starts = np.arange(len(array), dtype=np.int64) * array.dtype.itemsize
        return Rows([(array.view(np.uint8), starts, starts + np.char.str_len(array))])
    code_points = array.astype(array.dtype.newbyteorder("="), copy=False).view(np.uint32)
    encoded = _core.utf32_to_utf8(code_points.reshape(len(array), -1))
    if encoded is None:  # a lone surrogate, encoding one by one finds its place
        return tuple(array.tolist())
    data, offsets = encoded
    return Rows([(data, offsets[:-1], offsets[1:])])


def _of_datasets(column: Any) -> Any:
    """The Arrow array behind a column of a `datasets.Dataset`."""
    if not isinstance(column.column_name, str) or not hasattr(column.source, "with_format"):
        return column  # a field inside a column: read row by row
    return column.source.select_columns(column.column_name).with_format("arrow")[:][column.column_name]


def _of_arrow(column: Any) -> Rows:
    import pyarrow as pa

    if not isinstance(column, (pa.Array, pa.ChunkedArray)):
        column = pa.chunked_array(column) if hasattr(column, "__arrow_c_stream__") else pa.array(column)
    chunks: list[pa.Array] = [
        _unpacked(one) for one in (column.chunks if isinstance(column, pa.ChunkedArray) else [column])
    ]
    before = 0
    rows: list[Chunk] = []
    for chunk in chunks:
        if chunk.null_count:
            missing = before + chunk.is_null().index(True).as_py()
            raise EncodingError(
                f"text {missing} is null ({sum(one.null_count for one in chunks)} are); drop them with column.drop_null() "
                "or fill them with column.fill_null('')"
            )
        if len(chunk):
            rows.append(arrow_chunk(chunk))
        before += len(chunk)
    return Rows(rows)


def _unpacked(array: pa.Array) -> pa.Array:
    """An array of plain values, from an extension, dictionary or run-end encoded array; values may be null."""
    import pyarrow as pa

    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_run_end_encoded(array.type):
        import pyarrow.compute as pc

        array = pc.run_end_decode(array)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def arrow_chunk(array: pa.Array) -> Chunk:
    """The buffers of an array without nulls, not copied. Raises `EncodingError` if it holds no texts."""
    import pyarrow as pa

    kinds = pa.types
    array = _unpacked(array)
    if kinds.is_string_view(array.type):
        array = array.cast(pa.large_string())
    elif kinds.is_binary_view(array.type) or kinds.is_fixed_size_binary(array.type):
        array = array.cast(pa.large_binary())
    if kinds.is_string(array.type) or kinds.is_binary(array.type):
        dtype: Any = np.int32
    elif kinds.is_large_string(array.type) or kinds.is_large_binary(array.type):
        dtype = np.int64
    else:
        raise EncodingError(f"the column holds {array.type}, not text; give a column of strings or binary")
    _, places, data = array.buffers()
    offsets = np.frombuffer(places, dtype)[array.offset : array.offset + len(array) + 1]
    return b"" if data is None else data, offsets[:-1], offsets[1:]
