"""Counting the pre-tokens of texts, files and `datasets` on several threads, in as much memory as is allowed."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from bpe_transformer import _core
from bpe_transformer.errors import ConfigError, CorpusError, InvalidUtf8Error, refuse_one_string
from bpe_transformer.io import (
    DEFAULT_ERRORS,
    MAX_ROW_BYTES,
    TABLE_FORMATS,
    ByteFile,
    CsvTexts,
    Errors,
    JsonTexts,
    ReadStats,
    compression,
    encode_utf8,
    file_format,
    invalid_utf8_message,
    normalize_blocks,
    read_ahead,
    replace_invalid,
    split_documents,
)
from bpe_transformer.io.parquet_files import open_parquet, parquet_tables
from bpe_transformer.tokenizer.counting import counts_file
from bpe_transformer.tokenizer.counting.facts import CountFacts, CountSource
from bpe_transformer.tokenizer.counting.spilling import MAX_WORD_BYTES, WordTables, parse_size
from bpe_transformer.tokenizer.encoding.inputs import arrow_chunk
from bpe_transformer.tokenizer.splitting.alignment import begins_segment
from bpe_transformer.tokenizer.splitting.compiled_patterns import can_cut
from bpe_transformer.tokenizer.splitting.normalizers import grown
from bpe_transformer.tokenizer.splitting.patterns import DEFAULT_PATTERN
from bpe_transformer.tokenizer.splitting.pretokenizer import Pretokenizer
from bpe_transformer.tokenizer.threads import thread_count

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

PathLike = str | os.PathLike[str]
Report = Callable[[int], None]

_BATCH_TEXTS, _BATCH_CHARACTERS = 8192, 4 << 20
_BATCH_ROWS = 1024  # of a dataset at a time
_TABLE_BYTES = 2 << 20  # of a Parquet file at a time


class TextCounter(WordTables):
    """Counts the pre-tokens of texts from any kind of source in `WordTables`; the base of `PretokenCounter`."""

    def __init__(
        self,
        pattern: str | Pretokenizer = DEFAULT_PATTERN,
        num_threads: int | None = None,
        *,
        max_memory: int | str | None = None,
        spill_dir: PathLike | None = None,
        max_word_bytes: int | str = MAX_WORD_BYTES,
        max_row_bytes: int | str = MAX_ROW_BYTES,
    ) -> None:
        super().__init__(pattern, thread_count(num_threads), max_memory, spill_dir, max_word_bytes)
        self.max_row_bytes = parse_size(max_row_bytes, "max_row_bytes", least=1)

    def add_texts(self, texts: Iterable[str], *, name: str = "texts") -> None:
        """Counts texts, each a document. Raises `CorpusError` for what is not a text."""
        refuse_one_string(CorpusError, texts=texts)
        with self._source(name):
            for batch in _batches(texts):
                self._add_batch(batch)

    def add_file(
        self,
        path: PathLike,
        *,
        documents: str = "file",
        columns: Sequence[str] | None = None,
        errors: Errors = DEFAULT_ERRORS,
        report: Report | None = None,
    ) -> None:
        """Counts a file: .jsonl, .csv, .tsv and .parquet by their columns, all others as text; .gz and .zst are decompressed.

        Args:
            documents: of a text file: "file", "line" (without the line's end), or the text that separates two documents.
                How a file is cut for threads never shows in the counts.
            columns: None takes every value that is a text; each value is a document.
            errors: for bytes that are not UTF-8: "strict" raises, "replace" counts U+FFFD for them, as Python decodes them.
            report: called with the bytes of the file done.

        Raises:
            CorpusError: the file is missing, damaged, malformed, or has no such column.
            InvalidUtf8Error: with file and byte position, of the decompressed text if it was compressed.
        """
        refuse_one_string(CorpusError, columns=columns)
        path = Path(path)
        if not path.is_file():
            raise CorpusError(f"{path} is not a file; check the path")
        suffix = file_format(path)
        with self._source(str(path)) as stats:
            if suffix == ".parquet":
                self._add_parquet(path, columns, stats, report)
            elif suffix in TABLE_FORMATS:
                with ByteFile(path) as file:
                    add_rows = self._add_json_lines if suffix == ".jsonl" else self._add_csv
                    add_rows(file, columns, errors, stats, report)
            else:
                with ByteFile(path) as file:
                    self._add_text_file(file, documents, errors, stats, report)

    def _add_json_lines(
        self,
        file: ByteFile,
        columns: Sequence[str] | None,
        errors: Errors,
        stats: ReadStats,
        report: Report | None,
    ) -> None:
        """Counts a .jsonl file by blocks of lines: in the core, or through Python where a line is not plain."""
        reader = JsonTexts(columns, errors, stats, self.max_row_bytes)
        names = reader.names
        native = None if names is None else _core.JsonLineCounter(self._native, self.pretokenizer.splitter, names)
        with closing(reader.blocks(file, self._block)) as blocks:
            for block in blocks:
                is_read = native is not None and block.lines and native.read(block.lines)
                if native and is_read and reader.take(block, native.found, native.missing):
                    native.count()
                else:
                    self._add_rows(reader.parse(block))
                if report:
                    report(file.position)
        reader.check_columns(file.path)

    def _add_csv(
        self,
        file: ByteFile,
        columns: Sequence[str] | None,
        errors: Errors,
        stats: ReadStats,
        report: Report | None,
    ) -> None:
        """Counts a .csv or .tsv file in the core, and through Python from the first row on that is not plain."""
        reader, native = CsvTexts(file, columns, errors, stats, self.max_row_bytes), None
        for data, is_last in reader.blocks(self._block):
            if native is None and len(set(reader.positions)) == len(reader.positions):
                is_tsv, width = file_format(file.path) == ".tsv", len(reader.header or ())
                splitter = self.pretokenizer.splitter
                native = _core.CsvCounter(self._native, splitter, is_tsv, width, reader.positions)
            if native is not None:
                reader.take(*native.read(data, is_last))
                native.count()
            if report:
                report(file.position)
        self._add_rows(reader.rest(), (lambda: report(file.position)) if report else None)

    def _add_rows(self, texts: Iterator[str], report: Callable[[], None] | None = None) -> None:
        """Counts the texts of rows, which are read ahead."""
        with closing(read_ahead(_batches(texts), size=lambda texts: len(texts[0]))) as batches:
            for batch in batches:
                self._add_batch(batch)
                if report:
                    report()

    def add_stream(
        self,
        stream: BinaryIO,
        *,
        name: str = "standard input",
        documents: str = "file",
        errors: Errors = DEFAULT_ERRORS,
        report: Report | None = None,
    ) -> None:
        """Counts the text of an open file or pipe to its end, as `add_file` does with a text file."""
        with self._source(name) as stats:
            self._add_text_file(ByteFile(name, stream), documents, errors, stats, report)

    def add_dataset(
        self,
        dataset: datasets.Dataset | datasets.IterableDataset,
        columns: Sequence[str] | None = None,
        *,
        name: str = "dataset",
        report: Report | None = None,
    ) -> None:
        """Counts columns of a `datasets` object, None for all that hold text; each value is a document.

        Values go from Arrow to the core without becoming Python objects. `report` is called with the bytes counted.
        Raises `CorpusError` for a column that is missing or holds no text.
        """
        refuse_one_string(CorpusError, columns=columns)
        with self._source(name) as stats:
            start = self.num_bytes
            if columns is not None and dataset.column_names is not None:
                _check_columns(name, columns, dataset.column_names)
                dataset = dataset.select_columns(list(columns))
            for batch in dataset.with_format("arrow").iter(_BATCH_ROWS):
                self._add_table(batch, columns, stats)
                if report:
                    report(self.num_bytes - start)

    def _add_words(self, facts: CountFacts, columns: Iterable[counts_file.Columns]) -> None:
        """Adds words that were counted before. Raises `LearningError` if they were split differently."""
        facts.check_same_split(self.facts)
        for chunk, numbers in columns:
            self._native.add_words([chunk], numbers)
        self._native.documents += facts.num_documents
        self._native.bytes += facts.num_bytes
        self._dropped_before = (
            self._dropped_before[0] + facts.dropped_words,
            self._dropped_before[1] + facts.dropped_occurrences,
        )
        self._saturated_before |= facts.saturated
        self.sources += facts.sources

    @contextmanager
    def _source(self, name: str) -> Iterator[ReadStats]:
        """Notes what the `with` block counts as a source, also if it ends early."""
        documents, size, stats, complete = self.num_documents, self.num_bytes, ReadStats(), False
        try:
            yield stats
            complete = True
        except _core.WordTooLong as problem:
            text, position, _ = problem.args
            document = self.num_documents - documents + max(text, 0) + 1
            place = f"byte {position:,}" + (f" of document {document:,}" if text >= 0 or document > 1 else "")
            raise self.word_too_long(f"{name}, {place}") from None
        except _core.TextGrows as problem:
            raise grown(problem) from None
        finally:
            counted = (self.num_documents - documents, self.num_bytes - size)
            stopped_at = None if complete else stats.position
            self.sources.append(
                CountSource(
                    name,
                    *counted,
                    missing=stats.missing,
                    replaced=stats.replaced,
                    missing_places=tuple(stats.places),
                    complete=complete,
                    stopped_at=stopped_at,
                )
            )

    def _add_batch(self, texts: tuple[str, ...]) -> None:
        """Counts texts, each a document; long ones in steps where they can be cut, so that Ctrl-C stops between two."""
        split = self.pretokenizer
        if max(map(len, texts), default=0) > _BATCH_CHARACTERS and can_cut(split.splitter):
            for text in texts:
                data = memoryview(split.normalize(encode_utf8(text).decode()).encode())
                stream = _core.DocumentStream(self._native, split.splitter, b"")
                for start in range(0, len(data), self._block):
                    stream.add(data[start : start + self._block])
                stream.finish()
            return
        try:
            self._native.add_texts(split.splitter, texts)
        except UnicodeEncodeError:
            # halves of a surrogate pair are their character, lone ones an error; nothing was counted
            self._native.add_texts(split.splitter, tuple(encode_utf8(text).decode() for text in texts))

    def _add_text_file(
        self,
        file: ByteFile,
        documents: str,
        errors: Errors,
        stats: ReadStats,
        report: Report | None,
    ) -> None:
        separator = {"file": b"", "line": b"\n"}.get(documents, documents.encode())
        if not documents:
            raise ConfigError('documents="" separates nothing; choose "file", "line" or the text between two documents')
        split = self.pretokenizer
        by_block = split.normalizer is None or split.normalization is not None
        is_packed = compression(file.path) is not None
        blocks: Generator[Any, None, None] = file.blocks(self._block, buffers=3 if is_packed else 1)
        if errors == "replace":
            blocks = replace_invalid(blocks, stats)
        in_steps = by_block and can_cut(split.splitter)
        if not in_steps or (split.normalization and documents not in ("file", "line")):
            for batch in _batches(split_documents(blocks, separator, file.path)):
                self._add_batch(batch)
                if report:
                    report(file.position)
            return
        if split.normalization:
            begins = partial(begins_segment, split.normalization)
            blocks = normalize_blocks(blocks, split.normalize, begins, file.path)
            blocks = read_ahead(blocks)
        elif is_packed:  # one block is counted, one waits, one is unpacked
            blocks = read_ahead(blocks, depth=1)
        stream = _core.DocumentStream(self._native, split.splitter, separator)
        try:
            with closing(blocks):
                for block in blocks:
                    stream.add(block)
                    if report:
                        report(file.position)
            stream.finish()
        except _core.InvalidUtf8 as problem:
            _, position, byte = problem.args
            raise InvalidUtf8Error(invalid_utf8_message(file.path, byte, position)) from None
        finally:
            stats.position = stream.counted if not split.normalization and not stats.replaced else None

    def _add_parquet(self, path: Path, columns: Sequence[str] | None, stats: ReadStats, report: Report | None) -> None:
        if counts_file.is_counts_file(path):
            raise CorpusError(f"{path} holds counts, not texts; read it with PretokenCounts.load or add_counts")
        with open_parquet(path) as file:
            names = file.schema_arrow.names
            if columns is not None:
                _check_columns(str(path), columns, names)
            chosen = columns if columns is not None else _text_columns(str(path), file.schema_arrow)
            done, rows, size = 0, max(file.metadata.num_rows, 1), path.stat().st_size
            tables = read_ahead(parquet_tables(path, file, min(_TABLE_BYTES, self._block), chosen))
            with closing(tables):
                for table in tables:
                    self._add_table(table, chosen, stats, are_utf8=True)
                    done += table.num_rows
                    if report:
                        report(size * done // rows)

    def _add_table(
        self,
        table: pa.Table | pa.RecordBatch,
        columns: Sequence[str] | None,
        stats: ReadStats,
        *,
        are_utf8: bool = False,
    ) -> None:
        """Counts columns of texts, all of UTF-8 if that was looked at before."""
        for name in _text_columns("the data", table.schema) if columns is None else columns:
            array = table.column(name)
            first = stats.rows
            for chunk in getattr(array, "chunks", [array]):
                self._add_array(name, chunk, stats, first, are_utf8)
                first += len(chunk)
        stats.rows += table.num_rows

    def _add_array(self, name: str, array: pa.Array, stats: ReadStats, first_row: int, are_utf8: bool) -> None:
        import pyarrow as pa

        if array.null_count:
            rows = (first_row + row for row, value in enumerate(array.is_null()) if value.as_py())
            stats.note_missing(array.null_count, (f"row {row:,} of {name}" for row in rows))
            if pa.types.is_string_view(array.type):  # drop_null does not know views
                array = array.cast(pa.large_string())
            array = array.drop_null()
        if pa.types.is_null(array.type) or not len(array):
            return
        if not _is_text(array.type):
            raise CorpusError(f"column {name} holds {array.type}, not text; name a column of texts")
        try:
            self._native.add_rows(self.pretokenizer.splitter, [arrow_chunk(array)], are_utf8)
        except _core.InvalidUtf8 as problem:
            _, position, byte = problem.args
            raise InvalidUtf8Error(
                f"a value of column {name} is not UTF-8: byte 0x{byte:02x} at position {position} in it; write the column anew"
            ) from None


def _batches(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    batch: list[str] = []
    characters = 0
    for text in texts:
        if not isinstance(text, str):
            raise CorpusError(f"a text is {type(text).__name__}, not str; decode or convert it first")
        if len(text) > _BATCH_CHARACTERS:  # a batch by itself, which is counted block by block
            if batch:
                yield tuple(batch)
            batch, characters = [], 0
            held = [text]
            del text  # or it would be here while the next one is read
            yield (held.pop(),)
            continue
        batch.append(text)
        characters += len(text)
        if len(batch) >= _BATCH_TEXTS or characters >= _BATCH_CHARACTERS:
            yield tuple(batch)
            batch, characters = [], 0
    if batch:
        yield tuple(batch)


def _check_columns(name: str, columns: Sequence[str], known: Sequence[str]) -> None:
    missing = [column for column in columns if column not in known]
    if missing:
        raise CorpusError(f"{name} has no column {', '.join(missing)}; its columns are {', '.join(known)}")


def _is_text(type: pa.DataType) -> bool:
    import pyarrow as pa

    value = type.value_type if pa.types.is_dictionary(type) else type
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value))


def _text_columns(name: str, schema: pa.Schema) -> list[str]:
    columns = [field.name for field in schema if _is_text(field.type)]
    if not columns:
        raise CorpusError(f"{name} has no column of texts; its columns are {', '.join(schema.names)}")
    return columns
