"""Parquet files from elsewhere: damage raises one error with the file, wherever in it the damage shows.

A text that a dictionary holds once may stand in any number of rows, so that a file of 2 kB holds 400 GB. As many rows are
read at a time as stay within `BATCH_BYTES` even if each of them holds the longest entry of its dictionary.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError
from bpe_transformer.io.json_files import one_line

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH_BYTES = 128 << 20
_MOST_ROWS = 1 << 16  # at a time
_DICTIONARY_PAGE = 2  # of PageType in the format's parquet.thrift
_READ_DICTIONARY = 4 << 20  # bytes; writers begin no new entry after 1 MiB


@contextmanager
def open_parquet(path: str | os.PathLike[str]) -> Iterator[pq.ParquetFile]:
    """Yields the open file; checksums of its pages are verified where it has some.

    Raises `CorpusError` if it is not Parquet. Damage that shows later is told by `parquet_batches`.
    """
    import pyarrow.parquet as pq

    with _damage_named(path):
        file = pq.ParquetFile(path, page_checksum_verification=True)
    with file:
        with _damage_named(path):
            file.schema_arrow  # noqa: B018  its columns are read here and kept
        yield file


def parquet_batches(
    path: str | os.PathLike[str], file: pq.ParquetFile, rows: int, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of an open file, at most so many at a time, fewer where they might be very long.

    Raises `CorpusError` for what is damaged, text that is no UTF-8 included.
    """
    with _damage_named(path):
        within = rows_within(path, file, rows, columns)
        batches = file.iter_batches(within, columns=None if columns is None else list(columns))
    while True:
        with _damage_named(path):
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)
        yield batch


def parquet_tables(
    path: str | os.PathLike[str], file: pq.ParquetFile, size: int, columns: Sequence[str]
) -> Iterator[pa.Table]:
    """The rows of an open file as tables of little more than `size` bytes, or than `parquet_batches` gives at a time.

    A batch may have few rows for the sake of one long entry of a dictionary; each would cost as much as a table does.
    """

    held: list[pa.RecordBatch] = []
    held_bytes = 0
    for batch in parquet_batches(path, file, _rows_of_bytes(file, size, columns), columns):
        held.append(batch)
        held_bytes += batch.nbytes
        del batch
        if 2 * held_bytes >= size:  # a batch of about that size stays alone, or its texts would be copied
            yield _one_table(held)
            held_bytes = 0
    if held:
        yield _one_table(held)


def _one_table(batches: list[pa.RecordBatch]) -> pa.Table:
    """The rows of batches, which are let go, each column in one array where there is room."""
    import pyarrow as pa

    table = pa.Table.from_batches(batches)
    is_one = len(batches) == 1
    batches.clear()
    return table if is_one else table.combine_chunks()


def rows_within(
    path: str | os.PathLike[str], file: pq.ParquetFile, rows: int, columns: Sequence[str] | None = None
) -> int:
    """How many rows of an open file to read at a time, at most `rows`, to stay within `BATCH_BYTES`."""
    return min(rows, max(1, BATCH_BYTES // max(1, _longest_value(path, file, columns))))


def _rows_of_bytes(file: pq.ParquetFile, size: int, columns: Sequence[str]) -> int:
    """How many rows of an open file take about `size` bytes in the group of rows where they are longest on average."""
    facts, average = file.metadata, size / _MOST_ROWS
    for group in range(facts.num_row_groups):
        some = facts.row_group(group)
        chunks = (some.column(place) for place in range(facts.num_columns))
        held = sum(chunk.total_uncompressed_size for chunk in chunks if _is_wanted(chunk.path_in_schema, columns))
        average = max(average, held / max(1, some.num_rows))
    return max(1, int(size / average))


def _longest_value(path: str | os.PathLike[str], file: pq.ParquetFile, columns: Sequence[str] | None) -> int:
    """The most bytes that repeated values of one row can have: the longest that a dictionary holds, of each column, added up.

    A row of lists has as many values as there are on average in its group of rows.
    """
    facts = file.metadata
    sizes: dict[int, int] = {}
    with open(path, "rb") as raw:
        for group in range(facts.num_row_groups):
            rows = max(1, facts.row_group(group).num_rows)
            for place in range(facts.num_columns):
                chunk, column = facts.row_group(group).column(place), file.schema.column(place)
                if not _is_wanted(column.path, columns):
                    continue
                if not any("DICTIONARY" in how for how in chunk.encodings):
                    continue
                if chunk.physical_type == "BYTE_ARRAY":
                    longest = _longest_entry(raw, chunk)
                elif chunk.physical_type == "FIXED_LEN_BYTE_ARRAY":
                    longest = column.length
                else:
                    continue
                values = -(-chunk.num_values // rows) if column.max_repetition_level else 1
                sizes[place] = max(sizes.get(place, 0), values * longest)
    return sum(sizes.values())


def _is_wanted(path: str, columns: Sequence[str] | None) -> bool:
    return columns is None or any(_is_within(path, name) for name in columns)


def _is_within(path: str, name: str) -> bool:
    """Whether a column of the file belongs to that of the table; the name of either may have dots.

    >>> _is_within("a.b", "a.b"), _is_within("a.list.element", "a"), _is_within("ab", "a")
    (True, True, False)
    """
    return path == name or path.startswith(f"{name}.")


def _longest_entry(raw: BinaryIO, chunk: pq.ColumnChunkMetaData) -> int:
    """The bytes of the longest entry in the dictionary that begins a column chunk, or what bounds them.

    A dictionary of more than `_READ_DICTIONARY` bytes counts whole. Where there is none to be read, the size of the chunk
    bounds it.
    """
    import pyarrow as pa

    start = chunk.dictionary_page_offset or chunk.data_page_offset
    raw.seek(start)
    try:
        fields, end = _fields(raw.read(256), 0)
        kind, size, compressed = (int(fields[number]) for number in (1, 2, 3))
    except (IndexError, KeyError, ValueError, TypeError):
        return int(chunk.total_uncompressed_size)
    if kind != _DICTIONARY_PAGE or size < 0 or compressed < 0:
        return int(chunk.total_uncompressed_size)
    if max(size, compressed) > _READ_DICTIONARY:
        return size
    raw.seek(start + end)
    data = raw.read(compressed)
    codec = chunk.compression.lower()
    if codec != "uncompressed":
        try:
            data = pa.decompress(data, size, "lz4_raw" if codec == "lz4" else codec, asbytes=True)
        except (pa.ArrowException, OSError, ValueError):  # it is damaged, or Arrow reads what this does not
            return size
    longest = _core.longest_entry(data)
    return size if longest is None or len(data) != size else longest


def _fields(data: bytes, place: int) -> tuple[dict[int, Any], int]:
    """The whole numbers and structures of a structure in Thrift's compact protocol, by number of field, and the place after it.

    Raises `ValueError` for fields of other types, and `IndexError` where it goes on after `data`.
    """
    found: dict[int, Any] = {}
    number = 0
    while (byte := data[place]) != 0:
        number, kind, place = number + (byte >> 4), byte & 15, place + 1
        if byte < 16 or kind not in (1, 2, 5, 6, 12):
            raise ValueError(f"a field of type {kind}")
        if kind == 12:
            found[number], place = _fields(data, place)
        elif kind > 2:  # not a truth value, which its type tells
            found[number], place = _zigzag(data, place)
    return found, place + 1


def _zigzag(data: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte at `place`, and the place after it."""
    value = shift = 0
    for byte in data[place : place + 5]:
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            break
    return (value >> 1) ^ -(value & 1), place


@contextmanager
def _damage_named(path: str | os.PathLike[str]) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except MemoryError as problem:  # of Arrow too; a file of 2 kB can hold one long text 20,000 times
        raise CorpusError(
            f"{path} needs more memory than there is ({one_line(problem)}): its texts are very long, or it is damaged; cut "
            "them up, or write it anew"
        ) from None
    except (pa.ArrowException, OSError, ValueError, OverflowError) as problem:
        if isinstance(problem, OSError) and problem.errno:  # such as a file that may not be read
            raise
        raise CorpusError(
            f"{path} is not a Parquet file that can be read ({one_line(problem)}); it is cut off or damaged, write it anew"
        ) from None
