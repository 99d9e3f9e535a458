"""From files of one format to record batches: lines, parallel lines, whole documents, tables, JSON lines, Parquet.

Every reader records what it keeps and drops in a `StageRecorder`, and names file and place in what it raises. Text files
may be packed (.gz, .zst); `io/` says how their lines, fields and objects are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bpe_transformer.data.corpora.table_cache import BATCH_ROWS, BatchBuilder
from bpe_transformer.errors import CorpusError
from bpe_transformer.io import Errors, column_positions, csv_rows, decode_utf8, json_rows, open_bytes, read_lines
from bpe_transformer.io.parquet_files import open_parquet
from bpe_transformer.ledger import StageRecorder

Reader = Callable[[StageRecorder], Iterator[pa.RecordBatch]]


def text_schema(columns: Sequence[str], types: Mapping[str, str] | None = None) -> pa.Schema:
    """Columns of strings, but for those with an Arrow type name in `types`."""
    return pa.schema([(name, pa.type_for_alias((types or {}).get(name, "string"))) for name in columns])


def num_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def line_reader(paths: Sequence[Path], column: str, errors: Errors) -> Reader:
    """One row for every line that is not blank."""

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        batch = BatchBuilder(text_schema([column]))
        for path in paths:
            for line in read_lines(path, errors, recorder.note):
                size = num_bytes(line)
                if not line or line.isspace():
                    recorder.drop("blank line", size)
                    continue
                recorder.keep(size)
                yield from batch.add((line,), size)
        yield from batch.rest()

    return read


def document_reader(path: Path, column: str, errors: Errors, span: tuple[float, float] = (0.0, 1.0)) -> Reader:
    """The whole file as one row; `span` cuts it, as shares of its characters."""

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        with open_bytes(path) as stream:
            text = decode_utf8(stream.read(), path, 0, errors, recorder.note)
        text = text[int(span[0] * len(text)) : int(span[1] * len(text))]
        recorder.keep(num_bytes(text))
        batch = BatchBuilder(text_schema([column]))
        yield from chain(batch.add((text,), num_bytes(text)), batch.rest())

    return read


def parallel_reader(paths: Mapping[str, Path], errors: Errors) -> Reader:
    """Row n holds line n of every file. Blank lines stay, because dropping one side would shift the other."""

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        batch = BatchBuilder(text_schema(list(paths)))
        sides = [read_lines(path, errors, recorder.note) for path in paths.values()]
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
            lengths.append(f"{path} has {sum(1 for _ in stream):,} lines")
    return f"{', '.join(lengths)}: parallel files need equally many, line n of one translating line n of the other"


def table_reader(
    paths: Sequence[Path], columns: Sequence[str] | None, types: Mapping[str, str], errors: Errors
) -> Reader:
    """Rows of .csv (quoted as in RFC 4180) or .tsv (never quoted) files with a header line.

    Every value is a string unless `types` names an Arrow type for its column. `columns` are those that must be there;
    None takes the first header's.
    """

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        batch: BatchBuilder | None = None
        expected = list(columns) if columns is not None else None
        for path in paths:
            rows = csv_rows(path, errors, recorder.note)
            header = next(rows, (0, None))[1]
            if header is None:
                raise CorpusError(f"{path} is empty; a table starts with a line of column names")
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
                size = sum(map(num_bytes, row))
                values = [
                    row[place] if cast is None else _cast(cast, row[place], path, line_number)
                    for place, cast in zip(places, casts, strict=True)
                ]
                recorder.keep(size)
                yield from batch.add(values, size)
        if batch is not None:
            yield from batch.rest()

    return read


_CASTS: dict[str, Callable[[str], object]] = {"int64": int, "float64": float}


def _cast(cast: Callable[[str], object], value: str, path: Path, line_number: int) -> object:
    try:
        return cast(value)
    except ValueError:
        raise CorpusError(
            f"{path}, line {line_number}: {value!r} is not a number; correct it or drop the line"
        ) from None


def json_reader(paths: Sequence[Path], errors: Errors) -> Reader:
    """One JSON object a line. The first rows fix columns and types; a key they do not have is refused, not dropped."""

    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        schema: pa.Schema | None = None
        rows = (((path, n), row) for path in paths for n, row in json_rows(path, errors, recorder.note))
        while chunk := list(islice(rows, BATCH_ROWS)):
            for _, row in chunk:
                recorder.keep(sum(num_bytes(value) for value in row.values() if isinstance(value, str)))
            keys = dict.fromkeys(key for _, row in chunk for key in row)
            known = set(keys if schema is None else schema.names)
            if schema is not None and (unknown := [key for key in keys if key not in known]):
                path, line = next(place for place, row in chunk if unknown[0] in row)
                raise CorpusError(
                    f"{path}, line {line}: the key {unknown[0]!r} is in none of the first {BATCH_ROWS:,} rows; use the same keys"
                )
            try:
                columns = {
                    key: pa.array([row.get(key) for _, row in chunk], type=schema.field(key).type if schema else None)
                    for key in (schema.names if schema is not None else keys)
                }
            except (pa.ArrowInvalid, pa.ArrowTypeError) as problem:
                path, line = chunk[0][0]
                raise CorpusError(
                    f"{path}, line {line} and on: values of unlike types in one column ({problem}); make them alike"
                ) from None
            batch = pa.RecordBatch.from_pydict(columns, schema=schema)
            schema = batch.schema
            yield batch

    return read


def parquet_reader(paths: Sequence[Path]) -> Reader:
    def read(recorder: StageRecorder) -> Iterator[pa.RecordBatch]:
        schema: pa.Schema | None = None
        for path in paths:
            with open_parquet(path) as file:
                schema = schema or file.schema_arrow.remove_metadata()
                if not file.schema_arrow.equals(schema):
                    raise CorpusError(f"{path} has other columns or types than {paths[0]}; make them alike")
                for batch in file.iter_batches(BATCH_ROWS):
                    batch.validate(full=True)  # that its strings are UTF-8, too
                    recorder.keep(sum(map(_text_bytes, batch.columns)), batch.num_rows)
                    yield batch.cast(schema)

    return read


def _text_bytes(column: pa.Array) -> int:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return pc.sum(pc.binary_length(column)).as_py() or 0
    return 0
