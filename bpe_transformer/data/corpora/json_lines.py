"""Tables of .jsonl files: the types of all keys are known before a row is read, so that no key comes too late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.data.corpora.column_roles import SAMPLE_ROWS
from bpe_transformer.data.corpora.table_cache import BATCH_ROWS, text_sizes
from bpe_transformer.errors import CorpusError
from bpe_transformer.io import ByteFile, Errors, json_rows
from bpe_transformer.io.json_lines import LineBlock, line_blocks
from bpe_transformer.io.utf8 import REPLACE_REMEDY, Note, joined_surrogates
from bpe_transformer.ledger import StageRecorder

_INT64 = range(-(1 << 63), 1 << 63)
_SAMPLE_CHARACTERS = 200
_CHUNK_BYTES = 1 << 20  # of lines whose rows are objects at the same time
Place = tuple[str, int]  # a file and a line in it


@dataclass
class JsonColumn:
    """The kinds of value under a key, each with the place of the first, and the first values."""

    kinds: dict[str, Place] = field(default_factory=dict)
    sample: list[Any] = field(default_factory=list)
    nested: pa.DataType | None = None

    @property
    def type(self) -> pa.DataType | None:
        """The type of the column; None when its values are of unlike types."""
        kinds = set(self.kinds)
        if not kinds or kinds == {"text"}:
            return pa.string()
        if kinds == {"boolean"}:
            return pa.bool_()
        if kinds == {"number"}:
            return pa.int64()
        if kinds == {"large number"} or kinds == {"number", "large number"}:
            return pa.string()  # of its digits
        if kinds <= {"number", "large number", "fraction"}:
            return pa.float64()
        return self.nested if kinds == {"list or object"} else None

    def unlike(self, name: str) -> CorpusError:
        """The error for values of unlike types, with where the first of each is."""
        places = ", ".join(f"a {kind} in {file}, line {line:,}" for kind, (file, line) in self.kinds.items())
        return CorpusError(f"the key {name!r} has values of unlike types ({places}); make them alike")


def scan(paths: Sequence[Path], errors: Errors) -> dict[str, JsonColumn]:
    """Every key of the objects in `paths`, with the kinds of its values."""
    columns: dict[str, JsonColumn] = {}
    for block in _blocks(paths):
        path, known = block.path, _known(columns)
        if known is not None and block.lines and _core.json_table(block.lines, known, False) is not None:
            continue  # it has no other keys, and no other kinds of value
        for chunk in _chunks(block, errors, lambda *_: None):
            nested: dict[str, list[Any]] = {}
            for number, row in chunk:
                for key, value in row.items():
                    column = columns.setdefault(key, JsonColumn())
                    kind = _kind(value)
                    if kind is None:
                        continue
                    column.kinds.setdefault(kind, (str(path), number))
                    if kind == "list or object":
                        nested.setdefault(key, []).append(value)
                    elif len(column.sample) < SAMPLE_ROWS:
                        column.sample.append(value[:_SAMPLE_CHARACTERS] if isinstance(value, str) else value)
            for key, values in nested.items():
                _widen(columns[key], values)
    return columns


def _blocks(paths: Sequence[Path]) -> Iterator[LineBlock]:
    for path in paths:
        with ByteFile(path) as file:
            yield from line_blocks(file)


def _chunks(block: LineBlock, errors: Errors, note: Note) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """The numbered rows of a block, some at a time: as Python's objects, nested lists take twenty times their size."""
    file = block.as_file()
    chunk: list[tuple[int, dict[str, Any]]] = []
    begin = file.position
    for row in json_rows(file, errors, note, begin=block.begin):
        chunk.append(row)
        if len(chunk) == BATCH_ROWS or file.position - begin >= _CHUNK_BYTES:
            yield chunk
            chunk, begin = [], file.position
    if chunk:
        yield chunk


# the kinds of value that the core knows, by the names that `_kind` gives them
_CORE_KINDS = {"text": 1, "number": 2, "fraction": 4, "boolean": 8}


def _known(columns: Mapping[str, JsonColumn]) -> list[tuple[bytes, int]] | None:
    """The columns for the core, when it knows the kinds of all their values and the samples are full; else None."""
    if not columns or not all(column.kinds.keys() <= _CORE_KINDS.keys() for column in columns.values()):
        return None
    if any(len(column.sample) < SAMPLE_ROWS for column in columns.values()):
        return None
    return [
        (name.encode("utf-8", "surrogatepass"), sum(_CORE_KINDS[kind] for kind in column.kinds))
        for name, column in columns.items()
    ]


def _kind(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "number" if value in _INT64 else "large number"
    return "text" if isinstance(value, str) else "fraction" if isinstance(value, float) else "list or object"


def _widen(column: JsonColumn, values: Sequence[Any]) -> None:
    try:
        found = pa.infer_type(values)
        known = [pa.schema([("x", kind)]) for kind in (column.nested, found) if kind is not None]
        column.nested = pa.unify_schemas(known, promote_options="permissive").field("x").type
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        column.kinds.setdefault("value of no one type", next(iter(column.kinds.values())))


def json_batches(
    paths: Sequence[Path], columns: Mapping[str, JsonColumn], errors: Errors, recorder: StageRecorder
) -> Iterator[pa.RecordBatch]:
    """The rows with these columns; a key that a row lacks is null.

    Raises `CorpusError` with file and line for values of unlike types, and for a lone surrogate unless `errors` is
    "replace".
    """
    schema = []
    for name, column in columns.items():
        if column.type is None:
            raise column.unlike(name)
        schema.append((name, column.type))
    wanted = _core_columns(schema)
    for block in _blocks(paths):
        found = _core.json_table(block.lines, wanted, True) if wanted is not None and block.lines else None
        if found is not None:
            yield from _core_batches(found, schema, recorder)
            continue
        for chunk in _chunks(block, errors, recorder.note_replaced):
            arrays = []
            for name, kind in schema:
                values = [_value(row.get(name), kind) for _, row in chunk]
                arrays.append(_array(block.path, name, values, kind, [number for number, _ in chunk], errors, recorder))
            recorder.keep(sum(int(text_sizes(column).sum()) for column in arrays), len(chunk))
            yield pa.RecordBatch.from_arrays(arrays, schema=pa.schema(schema))


def _core_columns(schema: Sequence[tuple[str, pa.DataType]]) -> list[tuple[bytes, int]] | None:
    """The columns of a schema for the core; None if it has none, or one of lists or objects."""
    by_type = {pa.string(): 1, pa.int64(): 2, pa.float64(): 2 | 4, pa.bool_(): 8}
    if not schema or not all(kind in by_type for _, kind in schema):
        return None
    return [(name.encode("utf-8", "surrogatepass"), by_type[kind]) for name, kind in schema]


def _core_batches(
    cells: tuple[bytes, NDArray[np.int64], NDArray[np.uint8]],
    schema: Sequence[tuple[str, pa.DataType]],
    recorder: StageRecorder,
) -> Iterator[pa.RecordBatch]:
    """The rows of a block that the core has read."""
    data, ends, present = cells
    validity = np.packbits(present, bitorder="little")
    buffers = [pa.py_buffer(validity), pa.py_buffer(ends), pa.py_buffer(data)]
    written = pa.Array.from_buffers(pa.large_string(), len(present), buffers)
    for start in range(0, len(present), BATCH_ROWS * len(schema)):
        rows = written.slice(start, BATCH_ROWS * len(schema))
        arrays = [
            rows.take(pa.array(np.arange(place, len(rows), len(schema)))).cast(kind)
            for place, (_, kind) in enumerate(schema)
        ]
        recorder.keep(sum(int(text_sizes(column).sum()) for column in arrays), len(arrays[0]))
        yield pa.RecordBatch.from_arrays(arrays, schema=pa.schema(schema))


def _value(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if pa.types.is_string(kind) else float(value) if pa.types.is_float64(kind) else value
    return value


def _array(
    path: Path,
    name: str,
    values: list[Any],
    kind: pa.DataType,
    lines: Sequence[int],
    errors: Errors,
    recorder: StageRecorder,
) -> pa.Array:
    try:
        return pa.array(values, type=kind)
    except UnicodeEncodeError:
        pass
    for place, value in enumerate(values):
        if isinstance(value, str) and (found := next((c for c in value if "\ud800" <= c <= "\udfff"), None)):
            if errors == "strict":
                raise CorpusError(
                    f"{path}, line {lines[place]:,}: {name} has the lone surrogate U+{ord(found):04X}, which no text may "
                    f"hold; correct it, or go on with {REPLACE_REMEDY}"
                )
            whole = joined_surrogates(value, "replace")
            said = f"{path}, line {lines[place]:,}: lone surrogate in {name} replaced by U+FFFD"
            recorder.note_replaced(said, whole.count("\ufffd") - value.count("\ufffd"))
            values[place] = whole
    try:
        return pa.array(values, type=kind)
    except UnicodeEncodeError:
        raise CorpusError(
            f"{path}, lines {lines[0]:,} to {lines[-1]:,}: a lone surrogate within {name}, which no text may hold; correct it"
        ) from None
