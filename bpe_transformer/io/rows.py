"""Rows of .csv and .tsv files, and the texts in the columns of tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, cast

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError
from bpe_transformer.io.byte_files import BLOCK_BYTES, ByteFile, Rejoined, file_format, path_of
from bpe_transformer.io.json_lines import JsonTexts
from bpe_transformer.io.text_files import MAX_ROW_BYTES, read_lines
from bpe_transformer.io.utf8 import Errors, Note, ReadStats

_LONG_ROW = 1 << 18  # characters
_QUOTES = re.compile('"+')


def csv_rows(
    file: Path | ByteFile,
    errors: Errors,
    note: Note,
    max_bytes: int = MAX_ROW_BYTES,
    begin: tuple[int, int] = (0, 0),
) -> Iterator[tuple[int, list[str]]]:
    """Line number (from 1) and fields of every row of a .csv (quoted as in RFC 4180) or .tsv (never quoted) file.

    Empty lines are skipped. Raises `CorpusError` with the line for a field that is not quoted right, a line of more than
    `max_bytes`, or a row of more characters. `begin`: the lines and bytes of the file that were read before.
    """
    path = path_of(file)
    if file_format(path) == ".tsv":
        number = begin[0]
        for line in read_lines(file, errors, note, skip_bom=True, max_bytes=max_bytes, begin=begin):
            number += 1  # enumerate would keep the line
            if line:
                fields = line.split("\t")
                del line
                yield number, fields
        return
    # with the ends of lines, which may be part of a quoted field
    text = read_lines(file, errors, note, skip_bom=True, keep_ends=True, max_bytes=max_bytes, begin=begin)
    yield from _quoted_rows(text, path, max_bytes, begin[0])


def _quoted_rows(
    lines: Iterator[str], path: Path, max_characters: int, number: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """The number of the last line and the fields of every row of lines with their ends.

    The csv module takes eight bytes for each character of a field; rows that are long do not go through it. `number`: of
    the lines before those that the reader gets.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONG_ROW + 1))  # the default refuses documents over 128 kB
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
    if file_format(file.path) != ".jsonl":
        yield from CsvTexts(file, columns, errors, stats, max_bytes).rest()
        return
    reader = JsonTexts(columns, errors, stats, max_bytes)
    with closing(reader.blocks(file)) as blocks:
        for block in blocks:
            yield from reader.texts(block)
    reader.check_columns(file.path)


class CsvTexts:
    """The texts in `columns` of a .csv or .tsv file: of its plain rows by a reader of the core, of all others by `rest`.

    `header` and `positions`, of the columns in it, are there with the first of the `blocks`.
    """

    def __init__(
        self,
        file: ByteFile,
        columns: Sequence[str] | None,
        errors: Errors,
        stats: ReadStats,
        max_bytes: int = MAX_ROW_BYTES,
    ) -> None:
        self.header: list[str] | None = None
        self.positions: list[int] = []
        self._file, self._columns, self._errors, self._stats = file, columns, errors, stats
        self._max_bytes = max_bytes
        self._begin = (0, 0)  # lines and bytes that were taken
        self._taken = (0, True)

    def blocks(self, size: int = BLOCK_BYTES) -> Iterator[tuple[memoryview, bool]]:
        """Stretches of the file after its header that begin with a row, and whether each is the last one.

        After each, `take` is told how many bytes of it were read. Where `rest` is to read on, they end before the file does.
        """
        buffer = bytearray(min(size, self._max_bytes))
        view, source = memoryview(buffer), self._file
        held = source.readinto(view)
        is_last = held < len(buffer)
        start = self._take_header(view[:held], is_last)
        while start is not None:
            self._taken = (0, False)
            yield view[start:held], is_last
            taken, is_plain = self._taken
            stop = start + taken
            self._begin = (self._begin[0] + _core.count_line_ends(buffer, start, stop), self._begin[1] + taken)
            if is_last and stop == held:
                self._file = ByteFile(source.path, cast(BinaryIO, io.BytesIO()))
                return
            start, kept = stop, held - stop
            if is_last or not is_plain or kept == len(buffer):
                break
            view[:kept] = view[stop:held]
            held = kept + source.readinto(view[kept:])
            start, is_last = 0, held < len(buffer)
        rest = cast(BinaryIO, Rejoined(bytes(view[start or 0 : held]), source))
        self._file = ByteFile(source.path, rest)

    def take(self, size: int, is_plain: bool) -> None:
        """Notes how many bytes of the last block were read, and whether the row after them is plain."""
        self._taken = (size, is_plain)

    def rest(self) -> Iterator[str]:
        """The texts of all rows that were not taken, or the error for one."""
        path = self._file.path
        rows = csv_rows(self._file, self._errors, self._note, self._max_bytes, self._begin)
        if self.header is None:
            self._set_header(next(rows, (0, None))[1])
        header = self.header or []
        for number, row in rows:
            if len(row) != len(header):
                raise CorpusError(
                    f"{path}, line {number}: {len(row)} fields where the header has {len(header)}; "
                    "correct the line or the separator"
                )
            for position in self.positions:
                yield row[position]

    def _take_header(self, data: memoryview, is_last: bool) -> int | None:
        """The bytes of the header that begins a file; None where `rest` is to read it, since it is damaged or very long."""
        head = ByteFile(self._file.path, cast(BinaryIO, io.BytesIO(data)))
        try:
            number, header = next(csv_rows(head, "strict", self._note, self._max_bytes), (0, None))
        except CorpusError:
            return None
        end, stop = 0, bytes(data[:_LONG_ROW])
        for _ in range(number):
            end = stop.find(b"\n", end) + 1
            if not end:
                return None
        self._set_header(header)
        self._begin = (number, end)
        return end

    def _set_header(self, header: list[str] | None) -> None:
        path = self._file.path
        if header is None:
            raise CorpusError(f"{path} is empty; a table starts with a line of column names")
        self.header, self.positions = header, column_positions(path, header, self._columns)

    def _note(self, _: str, characters: int) -> None:
        self._stats.replaced += characters
