"""Counting the tokens of corpora: `count_tokens`, in memory that does not grow with the corpus."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bpe_transformer.data.corpora import local_files
from bpe_transformer.data.counting.pretoken_counts import CountInput
from bpe_transformer.errors import CorpusError
from bpe_transformer.io import DEFAULT_ERRORS, ByteFile, Errors, ReadStats, row_texts
from bpe_transformer.io.parquet_files import open_parquet, parquet_batches
from bpe_transformer.ledger import Stage
from bpe_transformer.tokenizer import Tokenizer
from bpe_transformer.tokenizer.counting.facts import CountSource, read_stage_of
from bpe_transformer.tokenizer.files.file_texts import FileTexts, NamedStream, Readable

_ROWS = 1_000


@dataclass(frozen=True)
class TokenCount:
    """The size of one corpus: its documents (files, lines or values of text columns), bytes of UTF-8, and tokens.

    missing: values that were null. replaced: places where U+FFFD replaced invalid bytes. dropped: (rows, bytes) that were left
    out when the corpus was read, by the reason.
    """

    name: str
    documents: int
    bytes: int
    tokens: int
    missing: int = 0
    replaced: int = 0
    dropped: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def __add__(self, other: TokenCount) -> TokenCount:
        dropped = dict(self.dropped)
        for reason, (rows, size) in other.dropped.items():
            before = dropped.get(reason, (0, 0))
            dropped[reason] = (before[0] + rows, before[1] + size)
        return TokenCount(
            self.name,
            self.documents + other.documents,
            self.bytes + other.bytes,
            self.tokens + other.tokens,
            self.missing + other.missing,
            self.replaced + other.replaced,
            dropped,
        )

    def read(self) -> Stage:
        """What was read, and what was dropped or replaced."""
        source = CountSource(self.name, self.documents, self.bytes, self.missing, self.replaced, dropped=self.dropped)
        return read_stage_of([source])


def count_tokens(
    tokenizer: Tokenizer,
    corpus: CountInput,
    *,
    documents: Literal["file", "line"] = "file",
    errors: Errors = DEFAULT_ERRORS,
    num_threads: int | None = None,
    report: Callable[[int], object] = lambda done: None,
) -> TokenCount:
    """The number of tokens of a corpus, in which special tokens are plain text.

    Needs memory that does not grow with the corpus. `report` is called with the bytes read so far. Raises `CorpusError` for
    pre-token counts, which hold no texts, and the errors of reading and encoding.
    """
    if corpus.counts is not None:
        raise CorpusError(f"{corpus.name} holds pre-token counts, not texts; name the texts that were counted")
    count = _RunningCount(tokenizer, corpus.name, num_threads)
    reader = FileTexts([], tokenizer.codec, documents, errors, (), ())
    if corpus.stream is not None:
        count.add_file(reader, NamedStream(corpus.name, corpus.stream), report)
    if corpus.dataset is not None:
        for column in corpus.columns or ():
            for batch in corpus.dataset.select_columns(column).with_format("arrow").iter(_ROWS):
                count.add_column(batch[column])
                report(count.sum.bytes)
        known = CountSource(corpus.name, 0, 0).after(corpus.read)
        count.sum += TokenCount("", 0, 0, 0, 0, known.replaced, known.dropped)
    before = 0
    for path in corpus.files:
        start = before
        with ByteFile(path) as file:

            def report_file(_: int, file: ByteFile = file, start: int = start) -> None:
                report(start + file.position)

            if local_files.is_text(path):
                count.add_file(reader, file, report_file)
            elif path.suffix.lower() == ".parquet":
                for texts in _parquet_texts(path, corpus.columns):
                    count.add_column(texts)
            else:
                rows = row_texts(file, corpus.columns, errors, stats := ReadStats())
                while batch := list(islice(rows, _ROWS)):
                    count.add_texts(batch)
                    report_file(0)
                count.sum += TokenCount("", 0, 0, 0, stats.missing, stats.replaced)
        before += os.path.getsize(path)
    return count.sum


class _RunningCount:
    """The `TokenCount` of what was added so far."""

    def __init__(self, tokenizer: Tokenizer, name: str, num_threads: int | None) -> None:
        self.sum = TokenCount(name, 0, 0, 0)
        self._tokenizer = tokenizer
        self._threads = num_threads

    def add_file(self, reader: FileTexts, file: Readable, report: Callable[[int], object]) -> None:
        for block, _, _ in reader.blocks(file):
            self.add_texts(block.rows, int(block.ends.sum()), block.num_bytes)
            self.sum += TokenCount("", 0, 0, 0, 0, block.replaced)
            report(self.sum.bytes)

    def add_column(self, texts: Any) -> None:
        """Adds an Arrow array; null is no text."""
        self.add_texts(texts.drop_null())
        self.sum += TokenCount("", 0, 0, 0, texts.null_count)

    def add_texts(self, texts: Any, documents: int | None = None, num_bytes: int | None = None) -> None:
        counts = self._tokenizer.count_batch(texts, self._threads, disallowed_special=())
        if num_bytes is None:
            num_bytes = sum(len(text.encode()) for text in texts) if isinstance(texts, list) else _size(texts)
        self.sum += TokenCount("", len(counts) if documents is None else documents, num_bytes, int(np.sum(counts)))


def _size(column: Any) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.binary_length(column)).as_py() or 0)


def _parquet_texts(path: Path, columns: tuple[str, ...] | None) -> Iterator[Any]:
    import pyarrow as pa

    with open_parquet(path) as file:
        kinds = {field.name: field.type for field in file.schema_arrow}
        named = columns or [
            name for name, kind in kinds.items() if pa.types.is_string(kind) or pa.types.is_large_string(kind)
        ]
        for name in named:
            if name not in kinds:
                raise CorpusError(f"{path} has no column {name}; its columns are {', '.join(kinds)}")
            for batch in parquet_batches(path, file, _ROWS, [name]):
                yield batch.column(0)
