"""Parquet files from elsewhere: damage raises one error with the file, wherever in it the damage shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bpe_transformer import _core
from bpe_transformer.errors import BpeTransformerError, CorpusError
from bpe_transformer.io.json_files import one_line

if TYPE_CHECKING:
    import pyarrow.parquet as pq


@contextmanager
def open_parquet(path: str | os.PathLike[str]) -> Iterator[pq.ParquetFile]:
    """Yields the open file; checksums of its pages are verified where it has some.

    Raises `CorpusError` if it is not Parquet or is damaged, also for damage that shows only while the block reads it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (BpeTransformerError, _core.WordTooLong):  # raised by the block, not by reading
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as problem:
        if isinstance(problem, OSError) and problem.errno:  # such as a file that may not be read
            raise
        raise CorpusError(
            f"{path} is not a Parquet file that can be read ({one_line(problem)}); it is cut off or damaged, write it anew"
        ) from None
