"""The texts of any file that a corpus can be read from, one after another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bpe_transformer.errors import CorpusError
from bpe_transformer.io import ByteFile, Errors, ReadStats, compression, decode_utf8, file_format, open_bytes, row_texts
from bpe_transformer.io.parquet_files import open_parquet, parquet_batches


def is_plain_text(path: str | os.PathLike[str]) -> bool:
    """Whether the bytes of a file are its text: no table, and not compressed."""
    return compression(path) is None and file_format(path) not in (".jsonl", ".csv", ".tsv", ".parquet")


def file_texts(
    path: str | os.PathLike[str], errors: Errors = "strict", stats: ReadStats | None = None
) -> Iterator[str]:
    """The whole text of a text file, and every text in the columns of a table, row by row; compressed files are decompressed.

    `stats` gets what was missing or replaced.

    Raises `CorpusError` for a file that is missing, `InvalidUtf8Error` for bytes that are not UTF-8.
    """
    path, stats = Path(path), stats or ReadStats()
    if not path.is_file():
        raise CorpusError(f"{path} is not a file; check the path")
    if file_format(path) == ".parquet":
        yield from _parquet_texts(path, stats)
    elif is_plain_text(path.with_suffix("") if compression(path) else path):
        with open_bytes(path) as stream:
            data = stream.read()
        text = decode_utf8(data, path, 0, errors, lambda *_: None)
        stats.replaced += replaced_characters(data, text)
        yield text
    else:
        with ByteFile(path) as file:
            yield from row_texts(file, None, errors, stats)


def replaced_characters(data: bytes, text: str) -> int:
    """How many characters of a text took the place of bytes of `data` that are not UTF-8."""
    return text.count("\ufffd") - data.count("\ufffd".encode())


def _parquet_texts(path: Path, stats: ReadStats) -> Iterator[str]:
    import pyarrow as pa

    with open_parquet(path) as file:
        is_text = (pa.types.is_string, pa.types.is_large_string)
        columns = [field.name for field in file.schema_arrow if any(check(field.type) for check in is_text)]
        if not columns:
            raise CorpusError(f"{path} has no text column; its columns are {', '.join(file.schema_arrow.names)}")
        for batch in parquet_batches(path, file, 1_000, columns):
            for row in batch.to_pylist():
                stats.rows += 1
                for column in columns:
                    if row[column] is None:
                        stats.note_missing(1, [f"row {stats.rows - 1:,} of {column}"])
                    else:
                        yield row[column]
