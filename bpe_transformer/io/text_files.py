"""Text files as lines, as documents between separators, and normalised, in memory that does not grow with the file."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, AnyStr

from bpe_transformer.errors import CorpusError
from bpe_transformer.io.byte_files import ByteFile, open_bytes, path_of
from bpe_transformer.io.utf8 import Errors, Note, decode_utf8

MAX_ROW_BYTES = 128 << 20  # of a line, or a row of a table: it is held twice at once
_LONG_LINE = 1 << 16


def read_lines(
    file: Path | ByteFile,
    errors: Errors,
    note: Note,
    *,
    skip_bom: bool = False,
    keep_ends: bool = False,
    max_bytes: int = MAX_ROW_BYTES,
    begin: tuple[int, int] = (0, 0),
) -> Iterator[str]:
    r"""The lines of a file without their ends, "\n" or "\r\n", or with them; a form feed or U+2028 is part of its line.

    begin: the lines and the bytes that were read of the file before, for messages. Raises `CorpusError` for a line of more
    than `max_bytes`.
    """
    (number, offset), path = begin, path_of(file)
    with open_bytes(file) as stream:
        for line in iter(partial(stream.readline, max_bytes + 2), b""):
            number += 1
            if len(line) > max_bytes + 1:
                raise CorpusError(
                    f"{path}, line {number:,}, from byte {offset:,} on: the line is longer than {max_bytes:,} bytes; cut it up, "
                    f"or count with max_row_bytes={2 * max_bytes >> 20 or 1}MiB"
                )
            start = offset
            offset += len(line)
            if start == 0 and skip_bom:
                line = line.removeprefix(codecs.BOM_UTF8)
                start = offset - len(line)
            if not keep_ends:
                line = without_end(line)
            if len(line) < _LONG_LINE:
                yield decode_utf8(line, path, start, errors, note)
            else:  # neither its bytes nor its text are held here while whoever gets it uses it
                held = [line]
                del line
                yield decode_utf8(held.pop(), path, start, errors, note)


def without_end(line: AnyStr) -> AnyStr:
    r"""The line without its end, "\n" or "\r\n"; any other "\r" is part of the text. The one rule for text read by lines.

    >>> without_end("low\r\n"), without_end("low\r")
    ('low', 'low\r')
    """
    if isinstance(line, bytes):
        return line.removesuffix(b"\n").removesuffix(b"\r") if line.endswith(b"\n") else line
    return line.removesuffix("\n").removesuffix("\r") if line.endswith("\n") else line


def normalize_blocks(
    blocks: Iterable[Any], normalize: Callable[[str], str], begins: Callable[[str], bool], path: Path
) -> Generator[bytes, None, None]:
    """The text of all blocks normalised to one of Unicode's forms, the same as if it were normalised at once.

    It is cut before a character that `begins` something new: no form joins or reorders it with what stands before it. Raises
    `InvalidUtf8Error` with the file `path` and the byte.
    """
    rest, offset = bytearray(), 0

    def normalize_first(size: int) -> bytes:
        nonlocal offset
        text = _decode_strict(bytes(rest[:size]), path, offset)
        offset += size
        del rest[:size]
        return normalize(text).encode()

    for block in blocks:
        searched = len(rest)
        rest += block
        if cut := _last_beginning(rest, searched, begins):
            yield normalize_first(cut)
    yield normalize_first(len(rest))


def _last_beginning(data: bytearray, searched: int, begins: Callable[[str], bool]) -> int:
    """Where the last character begins that begins something new, after the bytes that were searched before; 0 if none does."""
    stop = len(data)
    while stop > max(searched - 4, 0):
        start = max(stop - 256, 0)
        while start > 0 and data[start] & 0xC0 == 0x80 and stop - start < 300:  # inside a character
            start -= 1
        at = stop
        for character in reversed(data[start:stop].decode("utf-8", "surrogateescape")):
            at -= 1 if "\ud800" <= character <= "\udfff" else len(character.encode())
            if at and not "\ud800" <= character <= "\udfff" and begins(character):
                return at
        stop = start
    return 0


def split_documents(blocks: Iterable[Any], separator: bytes, path: Path) -> Iterator[str]:
    r"""The texts between separators; a separator "\n" takes a "\r" before it with it, an empty one separates nothing.

    What follows the last separator is a document unless it is empty. Raises `InvalidUtf8Error` with `path` and the byte.

    >>> list(split_documents([b"low\r\nlow", b"er\n"], b"\n", Path("words.txt")))
    ['low', 'lower']
    """
    rest, offset, searched = bytearray(), 0, 0

    def document(size: int) -> str:
        data = bytes(rest[:size])
        if separator == b"\n" and size < len(rest):
            data = data.removesuffix(b"\r")
        return _decode_strict(data, path, offset)

    for block in blocks:
        rest += block
        while separator and (end := rest.find(separator, searched)) >= 0:
            yield document(end)
            offset += end + len(separator)
            del rest[: end + len(separator)]
            searched = 0
        searched = max(0, len(rest) - len(separator) + 1)
    if rest or not separator:
        yield document(len(rest))


def _decode_strict(data: bytes, path: Path, offset: int) -> str:
    return decode_utf8(data, path, offset, "strict", lambda *_: None)
