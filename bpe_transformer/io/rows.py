"""Rows of .jsonl, .csv and .tsv files, and the texts in their columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bpe_transformer.errors import CorpusError
from bpe_transformer.io.byte_files import ByteFile, file_format, path_of
from bpe_transformer.io.text_files import MAX_ROW_BYTES, read_lines
from bpe_transformer.io.utf8 import REPLACE_REMEDY, Errors, Note, ReadStats, joined_surrogates

_JSON_LINES, _JSON_CHARACTERS = 1024, 1 << 20  # parsed at once
_JSON_SEPARATOR = "between two lines \ue000"


def csv_rows(
    file: Path | ByteFile, errors: Errors, note: Note, max_bytes: int = MAX_ROW_BYTES
) -> Iterator[tuple[int, list[str]]]:
    """Line number (from 1) and fields of every row of a .csv (quoted as in RFC 4180) or .tsv (never quoted) file.

    Empty lines are skipped. Raises `CorpusError` with the line for a field that is not quoted right, or of more than
    `max_bytes`.
    """
    path = path_of(file)
    if file_format(path) == ".tsv":
        text = read_lines(file, errors, note, skip_bom=True, max_bytes=max_bytes)
        yield from ((number, line.split("\t")) for number, line in enumerate(text, 1) if line)
        return
    # with the ends of lines, which may be part of a quoted field
    text = read_lines(file, errors, note, skip_bom=True, keep_ends=True, max_bytes=max_bytes)
    csv.field_size_limit(min(max_bytes, 2**31 - 1))  # in characters; the default refuses documents over 128 kB
    rows = csv.reader(text, strict=True)
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except csv.Error as problem:
        if "field larger than field limit" in str(problem):
            raise CorpusError(
                f"{path}, line {rows.line_num:,}: a field is longer than {max_bytes:,} characters; close its quotes, "
                f"cut it up, or count with max_row_bytes={2 * max_bytes >> 20 or 1}MiB"
            ) from None
        raise CorpusError(f"{path}, line {rows.line_num}: {problem}; quote fields as RFC 4180 does") from None


def json_rows(
    file: Path | ByteFile, errors: Errors, note: Note, max_bytes: int = MAX_ROW_BYTES
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number (from 1) and object of every line that is not blank. Raises `CorpusError` with the line."""
    numbered: list[tuple[int, str]] = []
    size = 0
    for number, line in enumerate(read_lines(file, errors, note, skip_bom=True, max_bytes=max_bytes), 1):
        if not line or line.isspace():
            continue
        numbered.append((number, line))
        size += len(line)
        if len(numbered) >= _JSON_LINES or size >= _JSON_CHARACTERS:
            yield from _json_objects(path_of(file), numbered)
            numbered, size = [], 0
    yield from _json_objects(path_of(file), numbered)


def _json_objects(path: Path, numbered: list[tuple[int, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of numbered lines. They are parsed at once, which is faster; a separator keeps one line one value."""
    try:
        rows = json.loads("[" + f',\n"{_JSON_SEPARATOR}",\n'.join(line for _, line in numbered) + "]")
    except (ValueError, RecursionError):
        rows = []
    if len(rows) == 2 * len(numbered) - 1 and all(separator == _JSON_SEPARATOR for separator in rows[1::2]):
        rows = rows[::2]
        if all(isinstance(row, dict) for row in rows):
            yield from ((number, row) for (number, _), row in zip(numbered, rows, strict=True))
            return
    for number, line in numbered:
        yield number, _json_object(path, number, line)


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise CorpusError(f"{path}, line {number}: not JSON ({problem}); a .jsonl file has one object a line") from None
    if not isinstance(row, dict):
        raise CorpusError(
            f"{path}, line {number}: a {type(row).__name__}, not an object; a .jsonl file has one object a line"
        )
    return row


def column_positions(path: Path, header: Sequence[str], columns: Sequence[str] | None) -> list[int]:
    """The positions of `columns`, or of all, in a header. Raises `CorpusError` for one that is missing or occurs twice."""
    positions = {name: position for position, name in enumerate(header)}
    if len(positions) != len(header):
        raise CorpusError(f"{path} has the column names {listed(header)}; each may occur once")
    missing = [name for name in columns or () if name not in positions]
    if missing:
        raise CorpusError(f"{path} has no column {listed(missing)}, only {listed(header)}; add it to the header line")
    return [positions[name] for name in (header if columns is None else columns)]


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names for a message.

    >>> listed(["a", "b"]), listed(["a", "b", "c"], most=2)
    ('a, b', 'a, b, … (3 in all)')
    """
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])}, … ({len(names):,} in all)"


def row_texts(
    file: ByteFile,
    columns: Sequence[str] | None,
    errors: Errors,
    stats: ReadStats,
    max_bytes: int = MAX_ROW_BYTES,
) -> Iterator[str]:
    """The texts in `columns` of a .jsonl, .csv or .tsv file, row by row; None takes every value that is a text.

    A value that is missing or null is counted in `stats`; one that is not a text raises `CorpusError`.
    """

    def note(_: str) -> None:
        stats.replaced += 1

    path = file.path
    if file_format(path) == ".jsonl":
        yield from _json_texts(file, columns, errors, stats, note, max_bytes)
        return
    rows = csv_rows(file, errors, note, max_bytes)
    header = next(rows, (0, None))[1]
    if header is None:
        raise CorpusError(f"{path} is empty; a table starts with a line of column names")
    positions = column_positions(path, header, columns)
    for number, row in rows:
        if len(row) != len(header):
            raise CorpusError(
                f"{path}, line {number}: {len(row)} fields where the header has {len(header)}; "
                "correct the line or the separator"
            )
        for position in positions:
            yield row[position]


def _json_texts(
    file: ByteFile, columns: Sequence[str] | None, errors: Errors, stats: ReadStats, note: Note, max_bytes: int
) -> Iterator[str]:
    missing = set(columns or ())  # columns that no row has had so far
    known: dict[str, None] = {}
    for number, row in json_rows(file, errors, note, max_bytes):
        if columns is None:
            for column, value in row.items():
                if isinstance(value, str):
                    yield value if value.isascii() else _whole(value, file.path, number, column, errors, note)
            continue
        if missing:
            known.update(dict.fromkeys(row))
            missing.difference_update(row)
        for column in columns:
            value = row.get(column)
            if value is None:
                stats.missing += 1
            elif isinstance(value, str):
                yield value if value.isascii() else _whole(value, file.path, number, column, errors, note)
            else:
                raise CorpusError(
                    f"{file.path}, line {number}: {column} is {value!r:.60}, not a text; name a column of texts"
                )
    if missing and known:
        raise CorpusError(f"{file.path} has no column {', '.join(sorted(missing))}; its columns are {', '.join(known)}")


def _whole(text: str, path: Path, number: int, column: str, errors: Errors, note: Note) -> str:
    """The text with U+FFFD for lone surrogates, which only an escape such as "\\ud800" can spell; an error if strict."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError as cause:
        place = f"{path}, line {number:,}: {column} has the lone surrogate U+{ord(text[cause.start]):04X}"
    if errors == "strict":
        raise CorpusError(f"{place}, which UTF-8 cannot hold; correct it, or go on with {REPLACE_REMEDY}")
    note(f"{place}, replaced by U+FFFD")
    return joined_surrogates(text, "replace")
