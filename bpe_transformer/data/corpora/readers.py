"""From files of one format to record batches: lines, paragraphs, whole documents, parallel lines, tables, Parquet.

Every reader records what it keeps and drops in a `StageRecorder`, and names file and place in what it raises. Text files
may be compressed (.gz, .zst); `io/` says how their lines, fields and objects are read.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path

import pyarrow as pa

from bpe_transformer.data.corpora.column_roles import looks_like_a_row
from bpe_transformer.data.corpora.json_lines import json_batches, scan
from bpe_transformer.data.corpora.reading import AS_IS, Documents, Reading
from bpe_transformer.data.corpora.table_cache import BATCH_ROWS, BatchBuilder, text_sizes
from bpe_transformer.errors import CorpusError
from bpe_transformer.io import Errors, column_positions, csv_rows, decode_utf8, open_bytes, read_lines
from bpe_transformer.io.parquet_files import open_parquet, parquet_batches
from bpe_transformer.io.printable import times
from bpe_transformer.io.text_files import without_end
from bpe_transformer.ledger import StageRecorder

Reader = Callable[[StageRecorder], Iterator[pa.RecordBatch]]
_NOTED_RATIO = 1_000  # a file that holds more than so many times its own bytes of text is noted
_HEADER_ROWS = 20  # that a header is compared with
_PARAGRAPH_BYTES = 64 << 10  # about this many characters are one row at most


def text_schema(columns: Sequence[str], types: Mapping[str, str] | None = None) -> pa.Schema:
    """Columns of strings, but for those with an Arrow type name in `types`."""
    return pa.schema([(name, pa.type_for_alias((types or {}).get(name, "string"))) for name in columns])


def num_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def text_reader(paths: Sequence[Path], documents: Documents, errors: Errors, column: str = "text") -> Reader:
    """One row for every line, paragraph or file that is not blank.

    Paragraphs and files keep their line breaks, but for those at their ends. A paragraph of more than
    `_PARAGRAPH_BYTES` is cut after a line, and what is cut keeps that line's end.
    """
    units = {"line": _lines, "paragraph": _paragraphs, "file": _whole}[documents]

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        batch = BatchBuilder(text_schema([column]))
        for path in paths:
            _note_bom(path, recorder)
            for text in units(path, errors, recorder):
                size = num_bytes(text)
                if not text or text.isspace():
                    recorder.drop(f"blank {documents}", size)
                    continue
                recorder.keep(size)
                yield from batch.add((text,), size)
        yield from batch.rest()

    return read


def _lines(path: Path, errors: Errors, recorder: StageRecorder) -> Iterator[str]:
    return read_lines(path, errors, recorder.note_replaced, skip_bom=True)


def _whole(path: Path, errors: Errors, recorder: StageRecorder) -> Iterator[str]:
    with open_bytes(path) as stream:
        yield decode_utf8(stream.read(), path, 0, errors, recorder.note_replaced).removeprefix("\ufeff")


def _paragraphs(path: Path, errors: Errors, recorder: StageRecorder) -> Iterator[str]:
    lines: list[str] = []
    size = 0
    for line in read_lines(path, errors, recorder.note_replaced, skip_bom=True, keep_ends=True):
        if lines and (line.isspace() or size >= _PARAGRAPH_BYTES):
            text = "".join(lines)
            yield without_end(text) if line.isspace() else text
            lines, size = [], 0
        if not line.isspace():
            lines.append(line)
            size += len(line)
    if lines:
        yield without_end("".join(lines))


def _note_bom(path: Path, recorder: StageRecorder) -> None:
    with open_bytes(path) as stream:
        if stream.read(3) == BOM_UTF8:
            recorder.note(f"{path}: the byte order mark at its beginning is left out")


def document_reader(path: Path, column: str, errors: Errors, span: tuple[float, float] = (0.0, 1.0)) -> Reader:
    """The whole file as one row; `span` cuts it, as shares of its characters."""

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        with open_bytes(path) as stream:
            text = decode_utf8(stream.read(), path, 0, errors, recorder.note_replaced)
        text = text[int(span[0] * len(text)) : int(span[1] * len(text))]
        recorder.keep(num_bytes(text))
        batch = BatchBuilder(text_schema([column]))
        yield from chain(batch.add((text,), num_bytes(text)), batch.rest())

    return read


def parallel_reader(paths: Mapping[str, Path], errors: Errors) -> Reader:
    """Row n holds line n of every file. Blank lines stay, because dropping one side would shift the other."""

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        batch = BatchBuilder(text_schema(list(paths)))
        for path in paths.values():
            _note_bom(path, recorder)
        sides = [read_lines(path, errors, recorder.note_replaced, skip_bom=True) for path in paths.values()]
        for row in zip_longest(*sides):
            if None in row:
                raise CorpusError(_lengths_differ(list(paths.values())))
            size = sum(map(num_bytes, row))
            recorder.keep(size)
            yield from batch.add(row, size)
        yield from batch.rest()

    return read


def _lengths_differ(paths: Sequence[Path]) -> str:
    lengths = []
    for path in paths:
        with open_bytes(path) as stream:
            lengths.append(f"{path} has {times(sum(1 for _ in stream), 'line')}")
    return f"{', '.join(lengths)}: parallel files need equally many, line n of one translating line n of the other"


def table_reader(
    paths: Sequence[Path],
    columns: Sequence[str] | None,
    types: Mapping[str, str],
    errors: Errors,
    reading: Reading = AS_IS,
) -> Reader:
    """Rows of .csv (quoted as in RFC 4180) or .tsv (never quoted) files.

    Every value is a string unless `types` names an Arrow type for its column. `columns` are those that are read; None
    reads those of the first header.
    """

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        batch: BatchBuilder | None = None
        expected = list(columns) if columns is not None else None
        for path in paths:
            rows = csv_rows(path, errors, recorder.note_replaced)
            header, rows = _header(path, rows, reading, recorder)
            expected = header if expected is None else expected
            places = column_positions(path, header, expected)
            batch = batch or BatchBuilder(text_schema(expected, types))
            casts = [_CASTS.get(types.get(name, "string")) for name in expected]
            for line_number, row in rows:
                if len(row) != len(header):
                    raise CorpusError(
                        f"{path}, line {line_number}: {len(row)} fields where the header has {len(header)}; "
                        "correct the line or the separator"
                    )
                values = [
                    row[place] if cast is None else _cast(cast, row[place], path, line_number)
                    for place, cast in zip(places, casts, strict=True)
                ]
                size = sum(num_bytes(row[place]) for place in places)
                recorder.keep(size)
                yield from batch.add(values, size)
        if batch is not None:
            yield from batch.rest()

    return read


def _header(
    path: Path, rows: Iterator[tuple[int, list[str]]], reading: Reading, recorder: StageRecorder
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The names of the columns, and the rows that are left. A header that looks like a row is noted."""
    first = next(rows, None)
    if first is None:
        raise CorpusError(f"{path} is empty; a table starts with a line of column names")
    if not reading.header:
        names = list(reading.columns or (f"column{place}" for place in range(1, len(first[1]) + 1)))
        if len(names) != len(first[1]):
            raise CorpusError(
                f"{path} has {times(len(first[1]), 'column')}, and columns={','.join(names)} names {len(names)}; name each"
            )
        return names, chain((first,), rows)
    ahead = list(islice(rows, _HEADER_ROWS))
    if looks_like_a_row(first[1], [row for _, row in ahead]):
        shown = " | ".join(value if len(value) <= 30 else value[:29] + "…" for value in first[1][:4])
        recorder.note(
            f"{path}: its first line ({shown}) is taken for column names, but looks like a row; "
            "read it as one with header=False and columns=…"
        )
    return first[1], chain(ahead, rows)


_CASTS: dict[str, Callable[[str], object]] = {"int64": int, "float64": float}


def _cast(cast: Callable[[str], object], value: str, path: Path, line_number: int) -> object:
    try:
        return cast(value)
    except ValueError:
        raise CorpusError(
            f"{path}, line {line_number}: {value!r} is not a number; correct it or drop the line"
        ) from None


def json_reader(paths: Sequence[Path], columns: Sequence[str] | None, errors: Errors) -> Reader:
    """One JSON object a line, in a table with `columns`, or with every key that there is (None)."""

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        found = scan(paths, errors)
        missing = [name for name in columns or () if name not in found]
        if missing:
            raise CorpusError(f"{paths[0]} has no key {missing[0]!r}, only {', '.join(found)}; name one of these")
        chosen = found if columns is None else {name: found[name] for name in columns}
        yield from json_batches(paths, chosen, errors, recorder)

    return read


def parquet_reader(paths: Sequence[Path], columns: Sequence[str] | None) -> Reader:
    """The `columns` of Parquet files, or all that `datasets` can hold (None); what cannot be held is noted."""

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        schema: pa.Schema | None = None
        for path in paths:
            with open_parquet(path) as file:
                places = _places(path, file.schema_arrow, columns, recorder)
                fields = [file.schema_arrow.field(place).remove_metadata() for place in places]
                schema = schema or pa.schema(fields)
                if not pa.schema(fields).equals(schema):
                    raise CorpusError(f"{path} has other columns or types than {paths[0]}; make them alike")
                names = list(dict.fromkeys(file.schema_arrow.names)) if columns is None else list(columns)
                size = 0
                for batch in parquet_batches(path, file, BATCH_ROWS, names):
                    kept = [batch.column(place) for place in _chosen(batch.schema, fields)]
                    num_bytes = sum(int(text_sizes(column).sum()) for column in kept)
                    recorder.keep(num_bytes, batch.num_rows)
                    size += num_bytes
                    yield pa.RecordBatch.from_arrays(kept, schema=schema)
                if size > _NOTED_RATIO * path.stat().st_size:
                    recorder.note(
                        f"{path}: {path.stat().st_size:,} bytes that hold {size:,} bytes of text, the same again and again"
                    )

    return read


def _places(path: Path, schema: pa.Schema, columns: Sequence[str] | None, recorder: StageRecorder) -> list[int]:
    """The positions of the columns to read; of several with one name, the first that holds text."""
    missing = [name for name in columns or () if name not in schema.names]
    if missing:
        raise CorpusError(f"{path} has no column {missing[0]!r}, only {', '.join(schema.names)}; name one of these")
    places = []
    for name in dict.fromkeys(schema.names) if columns is None else columns:
        named = [place for place, other in enumerate(schema.names) if other == name]
        held = [place for place in named if not _is_unreadable(schema.field(place).type)]
        texts = [place for place in held if _is_string(schema.field(place).type)]
        if len(named) > 1:
            recorder.note(
                f"{path}: {times(len(named), 'column')} are called {name!r}; the first that holds text is read"
            )
        if not held:
            recorder.note(f"{path}: the column {name!r} holds {schema.field(named[0]).type}, which is not read")
        places += (texts or held)[:1]
    return places


def _chosen(schema: pa.Schema, fields: Sequence[pa.Field]) -> list[int]:
    """Where the fields stand among the columns of a batch."""
    return [
        next(
            place for place, field in enumerate(schema) if field.name == wanted.name and field.type.equals(wanted.type)
        )
        for wanted in fields
    ]


def _is_unreadable(kind: pa.DataType) -> bool:
    """Whether `datasets` has no column of this type."""
    if pa.types.is_map(kind) or pa.types.is_union(kind) or pa.types.is_dictionary(kind):
        return not pa.types.is_dictionary(kind) or not _is_string(kind.value_type)
    return any(_is_unreadable(kind.field(place).type) for place in range(kind.num_fields))


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
