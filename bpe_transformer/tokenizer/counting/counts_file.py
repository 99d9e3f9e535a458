"""Files of pre-token counts: Parquet with a word and its count in each row, sorted by bytes, and the facts as metadata."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, FormatError, InvalidUtf8Error
from bpe_transformer.io import atomic_file, open_bytes, parse_facts
from bpe_transformer.io.parquet_files import rows_within
from bpe_transformer.tokenizer.encoding.inputs import Chunk, arrow_chunk

if TYPE_CHECKING:
    import pyarrow.parquet as pq

Columns = tuple[Chunk, NDArray[np.uint64]]  # words and their counts

VERSION = 1
_KEY = b"bpe_transformer.counts"
_PORTION_BYTES = 4 << 20
_ROW_GROUP = 1 << 17


def sorted_columns(words: _core.WordCounts) -> Iterator[Columns]:
    """The words of a table in the order of their bytes, in portions."""
    yield from portions(_core.SortedWords(words))


def portions(words: _core.SortedWords, min_count: int = 1) -> Iterator[Columns]:
    """Sorted words in portions, without those that occur less often than `min_count`."""
    last = False
    while not last:
        offsets, data, counts, last = words.take(_PORTION_BYTES, min_count)
        yield (data, offsets[:-1], offsets[1:]), counts


def write(
    path: str | os.PathLike[str], columns: Iterator[Columns], facts: Callable[[], Mapping[str, Any]]
) -> dict[str, Any]:
    """Writes a file of counts and returns the facts. A failed write leaves an older file at `path` as it was.

    `facts()` is called when all words are written. Raises `OSError` if the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([pa.field("word", pa.large_binary(), False), pa.field("count", pa.uint64(), False)])
    words = total = 0
    about: dict[str, Any] = {}
    try:
        with (
            atomic_file(path) as new,
            pq.ParquetWriter(
                new,
                schema,
                compression="zstd",
                use_dictionary=False,
                write_statistics=False,  # no reader needs the smallest word, and a long one would be copied several times
                write_page_checksum=True,
            ) as writer,
        ):
            for (data, starts, stops), counts in columns:
                offsets = np.append(starts, stops[-1:]) if len(starts) else np.zeros(1, np.int64)
                buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
                column = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(counts), buffers)
                writer.write_table(pa.table([column, pa.array(counts)], schema=schema), row_group_size=_ROW_GROUP)
                words += len(counts)
                total += (int((counts >> np.uint64(32)).sum()) << 32) + int((counts & np.uint64(2**32 - 1)).sum())
            about = {"version": VERSION, "words": words, "total": min(total, 2**64 - 1), **facts()}
            writer.add_key_value_metadata({_KEY: json.dumps(about)})
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise OSError(
                f"{path} could not be written: {os.strerror(problem.errno)}; make room or choose another place "
                "(what was there before is as it was)"
            ) from problem
        raise
    return about


def is_counts_file(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a Parquet file that `write` wrote, by its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _KEY in (pq.read_metadata(path).metadata or {})
    except (pa.ArrowException, OSError, ValueError):
        return False


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Iterator[Columns]]:
    """The facts, and the words in portions.

    Raises `CorpusError` for a missing file and `FormatError` for one that was not written by `write` or is damaged;
    damage in the middle shows when it is reached.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise CorpusError(f"{path} is not a file; check the path")
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        names = file.schema_arrow.names
    except (pa.ArrowException, OSError, ValueError) as problem:
        raise FormatError(
            f"{path} is not a Parquet file that can be read ({_short(problem)}); it is cut off or damaged, so count anew"
        ) from problem
    entry = (file.metadata.metadata or {}).get(_KEY)
    if entry is None:
        raise FormatError(
            f"{path} holds no pre-token counts (columns {', '.join(names)}); "
            "write one with bpe-transformer count, or name it as a corpus"
        )
    facts = _facts(path, entry)
    names, rows = file.schema_arrow.names, file.metadata.num_rows
    if facts.get("words") != rows or names != ["word", "count"]:
        raise FormatError(
            f"{path} should have {facts.get('words')} words and has {rows} rows; it is damaged, count anew"
        )
    return facts, _columns(path, file)


def _facts(path: object, entry: bytes) -> dict[str, Any]:
    try:
        facts = parse_facts(entry)
        version, _, _ = facts.get("version", int), facts.number("words"), facts.number("total", high=2**64 - 1)
    except FormatError as problem:
        raise FormatError(f"{path}: its facts cannot be read ({problem}); it is damaged, count anew") from problem
    if version != VERSION:
        raise FormatError(
            f"{path} has version {version} of the counts format, and this bpe-transformer reads version {VERSION}; "
            "use the version of bpe-transformer that wrote it, or count anew"
        )
    return dict(facts.value)


def _columns(path: str | os.PathLike[str], file: pq.ParquetFile) -> Iterator[Columns]:
    import pyarrow as pa

    with file:
        try:
            for batch in file.iter_batches(rows_within(path, file, _ROW_GROUP)):
                yield arrow_chunk(batch.column(0)), batch.column(1).cast(pa.uint64()).to_numpy()
        except (pa.ArrowException, OSError, ValueError) as problem:
            raise FormatError(f"{path} is damaged ({_short(problem)}); count anew") from problem


def _short(problem: Exception) -> str:
    return str(problem).strip().split("\n")[0].rstrip(".")[:200]


def read_word_list(path: str | os.PathLike[str]) -> _core.WordCounts:
    """The counts in a text file of `word<TAB>count` lines, compressed or not; repeated words add up, blank lines are skipped.

    Raises `CorpusError` with the line if it is not like that, `InvalidUtf8Error` for bytes that are not UTF-8.
    """
    if not Path(path).is_file():
        raise CorpusError(f"{path} is not a file; check the path")
    words = _core.WordCounts()
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, 1):
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            if not line:
                continue
            word, tab, count = line.rpartition(b"\t")
            if not tab or not word:
                raise CorpusError(f"{path}, line {number}: {_shown(line)} is not word<TAB>count; correct the line")
            if not count.isdigit() or not 0 < int(count) < 2**64:
                raise CorpusError(
                    f"{path}, line {number}: the count {_shown(count)} is not a whole number from 1 to 2^64 - 1; correct it"
                )
            try:
                word.decode()
            except UnicodeDecodeError:
                raise InvalidUtf8Error(
                    f"{path}, line {number}: {_shown(word)} is not UTF-8; convert the file"
                ) from None
            words.add(word, int(count))
    return words


def _shown(data: bytes) -> str:
    return repr(data[:80].decode(errors="backslashreplace"))
