"""Rows of .jsonl, .csv and .tsv files, and the texts in their columns."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError
from bpe_transformer.io.byte_files import BLOCK_BYTES, ByteFile, file_format, path_of
from bpe_transformer.io.json_files import ENTRIES
from bpe_transformer.io.line_blocks import line_blocks
from bpe_transformer.io.text_files import MAX_ROW_BYTES, read_lines
from bpe_transformer.io.utf8 import REPLACE_REMEDY, Errors, Note, ReadStats, joined_surrogates

_JSON_LINES, _JSON_CHARACTERS = 1024, 1 << 20  # parsed at once
_LONG_TEXT = 1 << 16  # bytes of a text that is not copied once more
_JSON_SEPARATOR = "between two lines \ue000"
_LONG_ROW = 1 << 18  # characters
_QUOTES = re.compile('"+')


def csv_rows(
    file: Path | ByteFile, errors: Errors, note: Note, max_bytes: int = MAX_ROW_BYTES
) -> Iterator[tuple[int, list[str]]]:
    """Line number (from 1) and fields of every row of a .csv (quoted as in RFC 4180) or .tsv (never quoted) file.

    Empty lines are skipped. Raises `CorpusError` with the line for a field that is not quoted right, a line of more than
    `max_bytes`, or a row of more characters.
    """
    path = path_of(file)
    if file_format(path) == ".tsv":
        number = 0
        for line in read_lines(file, errors, note, skip_bom=True, max_bytes=max_bytes):
            number += 1  # noqa: SIM113  # enumerate would keep the line
            if line:
                fields = line.split("\t")
                del line
                yield number, fields
        return
    # with the ends of lines, which may be part of a quoted field
    text = read_lines(file, errors, note, skip_bom=True, keep_ends=True, max_bytes=max_bytes)
    yield from _quoted_rows(text, path, max_bytes)


def _quoted_rows(lines: Iterator[str], path: Path, max_characters: int) -> Iterator[tuple[int, list[str]]]:
    """The number of the last line and the fields of every row of lines with their ends.

    The csv module takes eight bytes for each character of a field; rows that are long do not go through it.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONG_ROW + 1))  # the default refuses documents over 128 kB
    number = 0  # of lines before those that the reader gets
    while True:
        kept: list[str] = []
        reader = csv.reader(_until_long(lines, kept, min(_LONG_ROW, max_characters)), strict=True)
        try:
            for row in reader:
                kept.clear()
                if row:
                    yield number + reader.line_num, row
        except csv.Error as problem:
            if reader.line_num == 0 or sum(map(len, kept)) <= min(_LONG_ROW, max_characters):
                raise CorpusError(_csv_problem(path, number + reader.line_num, problem)) from None
        if not kept:
            return
        number += reader.line_num - (len(kept) - 1)
        long = _LongRow(kept, lines, max_characters + 1)  # a line may be so long without its end
        try:
            fields = long.fields()
        except csv.Error as problem:
            raise CorpusError(_csv_problem(path, number + long.count, problem)) from None
        if long.size > max_characters + 1:
            raise CorpusError(
                f"{path}, line {number + long.count:,}: the row is longer than {max_characters:,} characters; close its "
                f"quotes, cut it up, or count with max_row_bytes={2 * max_characters >> 20 or 1}MiB"
            )
        number += long.count
        if fields:
            yield number, fields


def _csv_problem(path: Path, number: int, problem: csv.Error) -> str:
    return f"{path}, line {number:,}: {problem}; quote fields as RFC 4180 does"


def _until_long(lines: Iterator[str], kept: list[str], long: int) -> Iterator[str]:
    """The lines up to one with which a row gets long. They are in `kept`, which the reader of the rows clears after each."""
    size = 0
    for line in lines:
        size = size + len(line) if kept else len(line)
        kept.append(line)
        if size > long:
            return
        yield line


class _LongRow:
    """A row that is taken apart with no more in memory than its line, its fields and, for one with quotes in it, a copy.

    kept: its first lines, which are let go. lines: those that follow. count, size: how many lines it took, and characters.
    """

    def __init__(self, kept: list[str], lines: Iterator[str], max_characters: int) -> None:
        self.count = self.size = 0
        self._kept, self._lines, self._max = kept[::-1], lines, max_characters
        kept.clear()

    def fields(self) -> list[str]:
        """Its fields, or what there is of them when `size` passed the limit. Raises what the csv module raises."""
        fields: list[str] = []
        line, at = self._next(), 0
        if not _end(line):
            return fields
        while True:
            if line.startswith('"', at):
                field, line, stop = self._quoted(line, at + 1)
            else:
                stop = line.find(",", at)
                stop = _end(line) if stop < 0 else stop
                field = line[at:stop]
                if "\r" in field:
                    raise csv.Error("new-line character seen in unquoted field")
            fields.append(field)
            del field
            if stop == _end(line):
                return fields
            if line[stop] != ",":
                raise csv.Error("',' expected after '\"'")
            at = stop + 1

    def _quoted(self, line: str, at: int) -> tuple[str, str, int]:
        """The field that begins behind the quote before `at`, the line in which it ends, and where it ends in it."""
        data = bytearray()  # UTF-8, in which many short lines take no more than they have
        searched = at
        while True:
            run = _QUOTES.search(line, searched)
            if run is None:
                data += line[at:].replace('""', '"').encode()
                line = self._next()
                while line and '"' not in line:
                    data += line.encode()
                    line = self._next()
                if not line:
                    if self.size > self._max:
                        return "", "", 0
                    raise csv.Error("unexpected end of data")
                at = searched = 0
            elif (run.end() - run.start()) % 2 == 0:  # each two are one that belongs to the text
                searched = run.end()
            else:
                text = line[at : run.end() - 1].replace('""', '"')
                if data:
                    data += text.encode()
                    text = data.decode()
                return text, line, run.end()

    def _next(self) -> str:
        """Its next line; none at the end of the file, or when it has too many characters."""
        line = self._kept.pop() if self._kept else next(self._lines, "")
        self.count += bool(line)
        self.size += len(line)
        return line if self.size <= self._max else ""


def _end(line: str) -> int:
    """Where the end of a line begins."""
    stop = len(line)
    while stop and line[stop - 1] in "\r\n":
        stop -= 1
    return stop


def json_rows(
    file: Path | ByteFile,
    errors: Errors,
    note: Note,
    max_bytes: int = MAX_ROW_BYTES,
    begin: tuple[int, int] = (0, 0),
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number (from 1) and object of every line that is not blank. Raises `CorpusError` with the line."""
    numbered: list[tuple[int, str]] = []
    number, size = begin[0], 0
    for line in read_lines(file, errors, note, skip_bom=True, max_bytes=max_bytes, begin=begin):
        number += 1
        if not line or line.isspace():
            continue
        if len(line) > _JSON_CHARACTERS and _has_many_values(line):
            raise CorpusError(
                f"{path_of(file)}, line {number}: more than {ENTRIES.values:,} values in one row, which would take twenty "
                "times its memory; cut its lists up, or leave them out"
            )
        numbered.append((number, line))
        size += len(line)
        if len(numbered) >= _JSON_LINES or size >= _JSON_CHARACTERS:
            del line  # or it would be held while its object is used
            yield from _json_objects(path_of(file), numbered)
            numbered, size = [], 0
    yield from _json_objects(path_of(file), numbered)


def _json_objects(path: Path, numbered: list[tuple[int, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of numbered lines. They are parsed at once, which is faster; a separator keeps one line one value."""
    if len(numbered) == 1:  # a long one, of which there shall be no copy
        number, line = numbered.pop()
        row = _json_object(path, number, line)
        del line
        yield number, row
        return
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


def _has_many_values(line: str) -> bool:
    """Whether a line of JSON has more values than a row may have; commas and brackets within its texts are none."""
    if sum(map(line.count, ",[{")) <= ENTRIES.values:
        return False
    found = begin = 0
    while found <= ENTRIES.values and begin < len(line):
        quote = line.find('"', begin)
        quote = len(line) if quote < 0 else quote
        found += sum(line.count(mark, begin, quote) for mark in ",[{")
        begin = _text_end(line, quote + 1)
    return found > ENTRIES.values


def _text_end(line: str, begin: int) -> int:
    """The place after the text of JSON whose first character is at `begin`."""
    place = begin
    while (place := line.find('"', place)) >= 0:
        first = place
        while line[first - 1] == "\\":
            first -= 1
        place += 1
        if (place - first) % 2:  # an even number of backslashes before the quotation mark
            return place
    return len(line)


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
    begin: tuple[int, int] = (0, 0),
) -> Iterator[str]:
    """The texts in `columns` of a .jsonl, .csv or .tsv file, row by row; None takes every value that is a text.

    A value that is missing or null is counted in `stats`; one that is not a text raises `CorpusError`. `begin` says how many
    lines and bytes of a .jsonl file were read before, in which every column occurred.
    """

    def note(_: str, characters: int) -> None:
        stats.replaced += characters

    path = file.path
    if file_format(path) == ".jsonl":
        yield from _json_texts(file, columns, errors, stats, note, max_bytes, begin)
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
    file: ByteFile,
    columns: Sequence[str] | None,
    errors: Errors,
    stats: ReadStats,
    note: Note,
    max_bytes: int,
    begin: tuple[int, int],
) -> Iterator[str]:
    missing = set() if begin[0] else set(columns or ())  # columns that no row has had so far
    known: dict[str, None] = {}
    names = [name.encode("utf-8", "surrogatepass") for name in columns or ()]
    for block in line_blocks(file, begin, min(max_bytes, BLOCK_BYTES)):
        plain = block.lines and (columns is None or names) and len(set(names)) == len(names)
        found = _core.json_texts(block.lines, names) if plain else None
        if found is None:
            rows = json_rows(block.as_file(), errors, note, max_bytes, block.begin)
            yield from _texts_of_rows(rows, block.path, columns, missing, known, errors, stats, note)
            continue
        data, starts, stops = found
        if len(starts):
            missing.clear()
        view = memoryview(data)
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            # a slice of bytes is quicker, and a copy
            yield data[start:stop].decode() if stop - start < _LONG_TEXT else str(view[start:stop], "utf-8")
    if missing and known:
        raise CorpusError(f"{file.path} has no column {', '.join(sorted(missing))}; its columns are {', '.join(known)}")


def _texts_of_rows(
    rows: Iterator[tuple[int, dict[str, Any]]],
    path: Path,
    columns: Sequence[str] | None,
    missing: set[str],
    known: dict[str, None],
    errors: Errors,
    stats: ReadStats,
    note: Note,
) -> Iterator[str]:
    """The texts of numbered rows. Columns that a row has leave `missing`; its keys are added to `known` until all have."""
    for number, row in rows:
        if columns is None:
            for column, value in row.items():
                if isinstance(value, str):
                    yield value if value.isascii() else _whole(value, path, number, column, errors, note)
            continue
        if missing:
            known.update(dict.fromkeys(row))
            missing.difference_update(row)
        for column in columns:
            value = row.get(column)
            if value is None:
                stats.note_missing(1, [f"{path}, line {number}"])
            elif isinstance(value, str):
                yield value if value.isascii() else _whole(value, path, number, column, errors, note)
            else:
                raise CorpusError(
                    f"{path}, line {number}: {column} is {value!r:.60}, not a text; name a column of texts"
                )


def _whole(text: str, path: Path, number: int, column: str, errors: Errors, note: Note) -> str:
    """The text with U+FFFD for lone surrogates, which only an escape such as "\\ud800" can spell; an error if strict."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError as cause:
        place = f"{path}, line {number:,}: {column} has the lone surrogate U+{ord(text[cause.start]):04X}"
    if errors == "strict":
        raise CorpusError(f"{place}, which UTF-8 cannot hold; correct it, or go on with {REPLACE_REMEDY}")
    whole = joined_surrogates(text, "replace")
    note(f"{place}, replaced by U+FFFD", whole.count("\ufffd") - text.count("\ufffd"))
    return whole
