"""The texts of any file that a corpus can be read from, one after another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bpe_transformer.errors import CorpusError
from bpe_transformer.io import ByteFile, Errors, ReadStats, compression, decode_utf8, file_format, open_bytes, row_texts
from bpe_transformer.io.parquet_files import open_parquet, parquet_batches


def is_plain_text(path: str | os.PathLike[str]) -> bool:
    """Whether the bytes of a file are its text: no table, and not packed."""
    return compression(path) is None and file_format(path) not in (".jsonl", ".csv", ".tsv", ".parquet")


def file_texts(path: str | os.PathLike[str], errors: Errors = "strict") -> Iterator[str]:
    """The whole text of a text file, and every text in the columns of a table, row by row; packed files are unpacked.

    Raises `CorpusError` for a file that is missing, `InvalidUtf8Error` for bytes that are not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise CorpusError(f"{path} is not a file; check the path")
    if file_format(path) == ".parquet":
        yield from _parquet_texts(path)
    elif is_plain_text(path.with_suffix("") if compression(path) else path):
        with open_bytes(path) as stream:
            yield decode_utf8(stream.read(), path, 0, errors, lambda _: None)
    else:
        with ByteFile(path) as file:
            yield from row_texts(file, None, errors, ReadStats())


def _parquet_texts(path: Path) -> Iterator[str]:
    import pyarrow as pa

    with open_parquet(path) as file:
        is_text = (pa.types.is_string, pa.types.is_large_string)
        columns = [field.name for field in file.schema_arrow if any(check(field.type) for check in is_text)]
        if not columns:
            raise CorpusError(f"{path} has no text column; its columns are {', '.join(file.schema_arrow.names)}")
        for batch in parquet_batches(path, file, 1_000, columns):
            for row in batch.to_pylist():
                yield from (row[column] for column in columns if row[column] is not None)
