"""Parquet files from elsewhere: damage raises one error with the file, wherever in it the damage shows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bpe_transformer.errors import CorpusError
from bpe_transformer.io.json_files import one_line

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


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
    """The rows of an open file, so many at a time. Raises `CorpusError` for what is damaged, text that is no UTF-8 included."""
    with _damage_named(path):
        batches = file.iter_batches(rows, columns=None if columns is None else list(columns))
    while True:
        with _damage_named(path):
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)
        yield batch


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
