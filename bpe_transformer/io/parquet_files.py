"""Parquet files from elsewhere: damage raises one error with the file, wherever in it the damage shows.

A text that a dictionary holds once may stand in any number of rows, so that a file of 2 kB holds 400 GB. As many rows are
read at a time as stay within `BATCH_BYTES` even if each of them is as long as its dictionary.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from bpe_transformer.errors import CorpusError
from bpe_transformer.io.json_files import one_line

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH_BYTES = 128 << 20
_DICTIONARY_PAGE = 2  # of PageType in the format's parquet.thrift


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


def rows_within(
    path: str | os.PathLike[str], file: pq.ParquetFile, rows: int, columns: Sequence[str] | None = None
) -> int:
    """How many rows of an open file to read at a time, at most `rows`, to stay within `BATCH_BYTES`."""
    return min(rows, max(1, BATCH_BYTES // max(1, _longest_value(path, file, columns))))


def _longest_value(path: str | os.PathLike[str], file: pq.ParquetFile, columns: Sequence[str] | None) -> int:
    """The most bytes that repeated values of one row can have: the size of the largest dictionary, of each column, added up."""
    facts = file.metadata
    sizes: dict[str, int] = {}
    with open(path, "rb") as raw:
        for group in range(facts.num_row_groups):
            for place in range(facts.num_columns):
                chunk = facts.row_group(group).column(place)
                name = chunk.path_in_schema
                chosen = columns is None or name.partition(".")[0] in columns
                if (
                    chosen
                    and chunk.physical_type == "BYTE_ARRAY"
                    and any("DICTIONARY" in how for how in chunk.encodings)
                ):
                    sizes[name] = max(sizes.get(name, 0), _dictionary_bytes(raw, chunk))
    return sum(sizes.values())


def _dictionary_bytes(raw: BinaryIO, chunk: pq.ColumnChunkMetaData) -> int:
    """The size of the dictionary that begins a column chunk, decompressed, by the header of its page.

    The header is in Thrift's compact protocol: its first two fields are the page's type and its size, each a byte that
    names the field and a number in zigzag notation. Where it says something else, the size of the whole chunk bounds it.
    """
    raw.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
    header = raw.read(16)
    kind, place = _zigzag(header, 1)
    size, _ = _zigzag(header, place + 1)
    fields = header[:1] + header[place : place + 1]
    if fields != b"\x15\x15" or kind != _DICTIONARY_PAGE or size < 0:
        return int(chunk.total_uncompressed_size)
    return size


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
