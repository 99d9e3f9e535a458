"""Lines of JSON objects, by blocks of whole lines: the rows of a .jsonl file, and the texts in their columns."""

from __future__ import annotations

import io
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError
from bpe_transformer.io.byte_files import BLOCK_BYTES, ByteFile, Rejoined, compression, path_of
from bpe_transformer.io.json_files import ENTRIES
from bpe_transformer.io.reading_ahead import read_ahead
from bpe_transformer.io.text_files import MAX_ROW_BYTES, read_lines
from bpe_transformer.io.utf8 import REPLACE_REMEDY, Errors, Note, ReadStats, joined_surrogates

_JSON_LINES, _JSON_CHARACTERS = 1024, 1 << 20  # parsed at once
_LONG_TEXT = 1 << 16  # bytes of a text that is not copied once more
_JSON_SEPARATOR = "between two lines \ue000"


@dataclass(frozen=True)
class LineBlock:
    """Whole lines of a file, which later ones overwrite; `begin` says how many lines and bytes come before them.

    Where a line is longer than a block, `lines` is empty, and `rest` all that follows.
    """

    path: Path
    lines: memoryview
    begin: tuple[int, int]
    rest: ByteFile | None = None

    def as_file(self) -> ByteFile:
        """The lines as a file, for a reader that takes them one by one; give it `begin` too."""
        return self.rest or ByteFile(self.path, cast(BinaryIO, io.BytesIO(self.lines)))


def line_blocks(
    file: ByteFile, begin: tuple[int, int] = (0, 0), block: int = BLOCK_BYTES, buffers: int = 1
) -> Generator[LineBlock, None, None]:
    """The lines of an open file, before which `begin` says how many lines and bytes there were.

    A block is overwritten when as many more are read as there are `buffers`.
    """
    path, held = Path(file.path), memoryview(b"")  # held: bytes of a line that ends in the next block
    for buffer in cycle([bytearray(block) for _ in range(buffers)]):
        view = memoryview(buffer)
        view[: len(held)] = held
        size = len(held) + file.readinto(view[len(held) :])
        is_last = size < len(buffer)
        end = size if is_last else buffer.rfind(b"\n", 0, size) + 1
        if not end and size:
            rest = ByteFile(path, cast(BinaryIO, Rejoined(bytes(buffer), file)))
            yield LineBlock(path, view[:0], begin, rest)
            return
        if end:
            yield LineBlock(path, view[:end], begin)
        if is_last:
            return
        begin, held = (begin[0] + _core.count_line_ends(buffer, 0, end), begin[1] + end), view[end:size]


class JsonTexts:
    """The texts in `columns` of a .jsonl file, block by block; None takes every value that is a text.

    A value that is missing or null is counted in `stats`; one that is not a text raises `CorpusError`. `names` are the
    columns for the core, None where it does not look for them.
    """

    def __init__(
        self, columns: Sequence[str] | None, errors: Errors, stats: ReadStats, max_bytes: int = MAX_ROW_BYTES
    ) -> None:
        names = [name.encode("utf-8", "surrogatepass") for name in columns or ()]
        is_plain = columns is None or (names and len(set(names)) == len(names))
        self.names = names if is_plain else None
        self._columns, self._errors, self._stats, self._max_bytes = columns, errors, stats, max_bytes
        self._missing = set(columns or ())  # columns that no row has had so far
        self._known: dict[str, None] = {}  # columns of the rows so far, until all that are wanted were there

    def blocks(self, file: ByteFile, size: int = BLOCK_BYTES) -> Generator[LineBlock, None, None]:
        """The lines of a file, each of the blocks valid until the next is taken; a packed file is read ahead."""
        size = min(self._max_bytes, size)
        if compression(file.path):
            return read_ahead(line_blocks(file, block=size, buffers=3), depth=1)
        return line_blocks(file, block=size)

    def take(self, block: LineBlock, found: NDArray[np.uint8], missing: NDArray[np.int64]) -> bool:
        """Notes what the core read in a block: which columns it found, and the line of each value that is missing.

        Returns whether every column has been found by now; otherwise nothing is noted, and `parse` is to read the block.
        """
        columns = self._columns or ()
        if self._missing.difference(name for name, is_found in zip(columns, found, strict=True) if is_found):
            return False
        self._missing.clear()
        before = block.begin[0] + 1
        self._stats.note_missing(len(missing), (f"{block.path}, line {before + line}" for line in missing.tolist()))
        return True

    def texts(self, block: LineBlock) -> Iterator[str]:
        """The texts of a block."""
        read = _core.json_texts(block.lines, self.names) if block.lines and self.names is not None else None
        if read is None or not self.take(block, read[4], read[3]):
            yield from self.parse(block)
            return
        data, starts, stops = read[:3]
        view = memoryview(data)
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            # a slice of bytes is quicker, and a copy
            yield data[start:stop].decode() if stop - start < _LONG_TEXT else str(view[start:stop], "utf-8")

    def parse(self, block: LineBlock) -> Iterator[str]:
        """The texts of a block that the core does not read, or the error for it."""
        path, columns = block.path, self._columns
        rows = json_rows(block.as_file(), self._errors, self._note, self._max_bytes, block.begin)
        for number, row in rows:
            if columns is None:
                for column, value in row.items():
                    if isinstance(value, str):
                        yield value if value.isascii() else self._whole(value, path, number, column)
                continue
            if self._missing:
                self._known.update(dict.fromkeys(row))
                self._missing.difference_update(row)
            for column in columns:
                value = row.get(column)
                if value is None:
                    self._stats.note_missing(1, [f"{path}, line {number}"])
                elif isinstance(value, str):
                    yield value if value.isascii() else self._whole(value, path, number, column)
                else:
                    raise CorpusError(
                        f"{path}, line {number}: {column} is {value!r:.60}, not a text; name a column of texts"
                    )

    def check_columns(self, path: Path) -> None:
        """Raises `CorpusError` if no row had one of the columns; after the last block."""
        if self._missing and self._known:
            raise CorpusError(
                f"{path} has no column {', '.join(sorted(self._missing))}; its columns are {', '.join(self._known)}"
            )

    def _note(self, _: str, characters: int) -> None:
        self._stats.replaced += characters

    def _whole(self, text: str, path: Path, number: int, column: str) -> str:
        """The text with U+FFFD for lone surrogates, which only an escape such as "\\ud800" can spell; an error if strict."""
        try:
            text.encode()
            return text
        except UnicodeEncodeError as cause:
            place = f"{path}, line {number:,}: {column} has the lone surrogate U+{ord(text[cause.start]):04X}"
        if self._errors == "strict":
            raise CorpusError(f"{place}, which UTF-8 cannot hold; correct it, or go on with {REPLACE_REMEDY}")
        whole = joined_surrogates(text, "replace")
        self._note(f"{place}, replaced by U+FFFD", whole.count("\ufffd") - text.count("\ufffd"))
        return whole


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
