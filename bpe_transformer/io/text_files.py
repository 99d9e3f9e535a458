"""Files as bytes, lines and rows, whatever they are compressed with, in memory that does not grow with the file."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread, local
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar, cast

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, InvalidUtf8Error

if TYPE_CHECKING:
    import pyarrow as pa

Errors = Literal["strict", "replace"]
Note = Callable[[str], None]
Item = TypeVar("Item")

TABLES = (".jsonl", ".csv", ".tsv")
FORMATS = (".txt", *TABLES, ".parquet")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
BLOCK_BYTES = 8 << 20
_JSON_LINES, _JSON_CHARACTERS = 1024, 1 << 20  # parsed at once
_JSON_MARK = "between two lines \ue000"


@dataclass
class Account:
    """What reading left out or changed: values that were missing, places where U+FFFD took that of bytes.

    `position` is the byte of the unpacked text up to which it is counted, where that is known.
    """

    missing: int = 0
    replaced: int = 0
    position: int | None = None


def file_format(path: str | os.PathLike[str]) -> str:
    """The suffix that says how a file is read, without that of its compression.

    >>> file_format("reviews.jsonl.gz")
    '.jsonl'
    """
    path = Path(path)
    return (path.with_suffix("") if compression(path) else path).suffix.lower()


def compression(path: str | os.PathLike[str]) -> str | None:
    return COMPRESSIONS.get(Path(path).suffix.lower())


class ByteFile:
    """A file's bytes, unpacked; with `stream`, the bytes of that instead, which stays open, and `path` is its name.

    `position` is how much of the file itself was read, packed if it is.

    Raises `CorpusError` while reading, if a packed file is cut off or damaged.
    """

    def __init__(self, path: str | os.PathLike[str], stream: BinaryIO | None = None) -> None:
        self.path = Path(path)
        self._raw: BinaryIO | pa.NativeFile | None = None  # what is to be closed
        self._stream: Any
        how = compression(path)
        if stream is not None:
            self._stream = stream
        elif how is None:
            self._raw = self._stream = open(path, "rb", buffering=0)  # noqa: SIM115
        else:
            import pyarrow as pa

            raw = self._raw = pa.OSFile(str(path), "rb")
            self._stream = pa.CompressedInputStream(raw, how) if raw.size() else io.BytesIO()
        self.position = 0

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer as far as there are bytes."""
        done = 0
        while done < len(buffer):
            try:
                got = self._stream.readinto(buffer[done:])
            except OSError as problem:
                if problem.errno:
                    raise
                raise CorpusError(
                    f"{self.path} cannot be unpacked ({problem}); it is cut off or damaged, so get it anew"
                ) from None
            if not got:
                break
            done += got
        self.position = self.position + done if self._raw is None else self._raw.tell()
        return done

    def blocks(self, size: int = BLOCK_BYTES) -> Iterator[memoryview]:
        """The bytes in order. A block lives until the next one is asked for."""
        buffer = memoryview(bytearray(size))
        while got := self.readinto(buffer):
            yield buffer[:got]

    def __enter__(self) -> ByteFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._raw is not None:
            self._stream.close()
            self._raw.close()


class _Raw(io.RawIOBase):
    """A `ByteFile` as Python's own kind of file, which closes it."""

    def __init__(self, file: ByteFile) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(memoryview(buffer).cast("B"))

    def close(self) -> None:
        self._file.__exit__()
        super().close()


def open_bytes(path: str | os.PathLike[str] | ByteFile) -> BinaryIO:
    """The unpacked bytes as a buffered file."""
    file = path if isinstance(path, ByteFile) else ByteFile(path)
    return cast(BinaryIO, io.BufferedReader(_Raw(file), 1 << 20))


def ahead(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """The items, made by a thread of their own while earlier ones are used: at most `depth` wait."""
    queue: Queue[tuple[Item | None, BaseException | None, bool]] = Queue(depth)
    stop = Event()

    def put(entry: tuple[Item | None, BaseException | None, bool]) -> None:
        while not stop.is_set():
            try:
                return queue.put(entry, timeout=0.05)
            except Full:
                pass

    def work() -> None:
        try:
            for item in items:
                put((item, None, False))
                if stop.is_set():
                    return
            put((None, None, True))
        except BaseException as problem:
            put((None, problem, True))

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, problem, last = queue.get()
            if problem is not None:
                raise problem
            if last:
                return
            yield cast(Item, item)
    finally:
        stop.set()
        thread.join()


def decode(data: bytes, path: Path, offset: int, errors: Errors, note: Note) -> str:
    """`data`, found at byte `offset` of `path`, as text; `note` hears of replaced bytes. Raises `InvalidUtf8Error`."""
    try:
        return data.decode()
    except UnicodeDecodeError as problem:
        place = offset + problem.start
        if errors == "strict":
            raise InvalidUtf8Error(invalid_utf8(path, data[problem.start], place)) from None
        note(f"{path}: invalid UTF-8 from byte {place} on replaced by U+FFFD")
        return data.decode(errors="replace")


def invalid_utf8(path: object, byte: int, place: int) -> str:
    """What to say of a byte that is not UTF-8."""
    return (
        f"{path} is not UTF-8: byte 0x{byte:02x} at position {place}; "
        'convert the file, or go on with errors="replace" (--errors replace), which puts U+FFFD in its place'
    )


def lines(file: Path | ByteFile, errors: Errors, note: Note, *, skip_bom: bool = False) -> Iterator[str]:
    r"""The lines of a file without their ends, "\n" or "\r\n": a form feed or U+2028 is part of its line."""
    offset, path = 0, _path(file)
    with open_bytes(file) as stream:
        for line in stream:
            text = decode(line, path, offset, errors, note)
            if skip_bom and offset == 0:
                text = text.removeprefix("\ufeff")
            offset += len(line)
            yield text.removesuffix("\n").removesuffix("\r")


def _path(file: Path | ByteFile) -> Path:
    return file.path if isinstance(file, ByteFile) else file


def csv_rows(file: Path | ByteFile, errors: Errors, note: Note) -> Iterator[tuple[int, list[str]]]:
    """Line number (from 1) and fields of every row of a .csv (quoted as in RFC 4180) or .tsv (never quoted) file.

    Lines without anything in them are no rows. Raises `CorpusError` with the line.
    """
    path = _path(file)
    text = lines(file, errors, note, skip_bom=True)
    if file_format(path) == ".tsv":
        yield from ((number, line.split("\t")) for number, line in enumerate(text, 1) if line)
        return
    csv.field_size_limit(2**31 - 1)  # the default refuses documents over 128 kB
    rows = csv.reader((f"{line}\n" for line in text), strict=True)
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except csv.Error as problem:
        raise CorpusError(f"{path}, line {rows.line_num}: {problem}; quote fields as RFC 4180 does") from None


def json_rows(file: Path | ByteFile, errors: Errors, note: Note) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number (from 1) and object of every line that is not blank. Raises `CorpusError` with the line."""
    numbered: list[tuple[int, str]] = []
    size = 0
    for number, line in enumerate(lines(file, errors, note, skip_bom=True), 1):
        if not line or line.isspace():
            continue
        numbered.append((number, line))
        size += len(line)
        if len(numbered) >= _JSON_LINES or size >= _JSON_CHARACTERS:
            yield from _json_objects(_path(file), numbered)
            numbered, size = [], 0
    yield from _json_objects(_path(file), numbered)


def _json_objects(path: Path, numbered: list[tuple[int, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of lines. All are parsed at once, which is faster, with a mark between two that tells them apart."""
    try:
        rows = json.loads("[" + f',\n"{_JSON_MARK}",\n'.join(line for _, line in numbered) + "]")
    except (ValueError, RecursionError):
        rows = []
    if len(rows) == 2 * len(numbered) - 1 and all(mark == _JSON_MARK for mark in rows[1::2]):
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


def places(path: Path, header: Sequence[str], columns: Sequence[str] | None) -> list[int]:
    """Where `columns`, or all, are in a header. Raises `CorpusError` for one that is not there or comes twice."""
    if len(set(header)) != len(header):
        raise CorpusError(f"{path} has the column names {', '.join(header)}; each may occur once")
    missing = [name for name in columns or () if name not in header]
    if missing:
        raise CorpusError(
            f"{path} has no column {', '.join(missing)}, only {', '.join(header)}; add it to the header line"
        )
    return [header.index(name) for name in (header if columns is None else columns)]


def row_texts(file: ByteFile, columns: Sequence[str] | None, errors: Errors, account: Account) -> Iterator[str]:
    """The texts in `columns` of a .jsonl, .csv or .tsv file, row by row; None takes all texts there are.

    A value that is missing or null goes to the account; one that is no text raises `CorpusError`.
    """

    def note(_: str) -> None:
        account.replaced += 1

    path = file.path
    if file_format(path) == ".jsonl":
        yield from _json_texts(file, columns, errors, account, note)
        return
    rows = csv_rows(file, errors, note)
    header = next(rows, (0, None))[1]
    if header is None:
        raise CorpusError(f"{path} is empty; a table starts with a line of column names")
    chosen = places(path, header, columns)
    for number, row in rows:
        if len(row) != len(header):
            raise CorpusError(
                f"{path}, line {number}: {len(row)} fields where the header has {len(header)}; "
                "correct the line or the separator"
            )
        for place in chosen:
            yield row[place]


def _json_texts(
    file: ByteFile, columns: Sequence[str] | None, errors: Errors, account: Account, note: Note
) -> Iterator[str]:
    unseen = set(columns or ())
    known: dict[str, None] = {}
    for number, row in json_rows(file, errors, note):
        if columns is None:
            yield from (value for value in row.values() if isinstance(value, str))
            continue
        if unseen:
            known.update(dict.fromkeys(row))
            unseen.difference_update(row)
        for column in columns:
            value = row.get(column)
            if value is None:
                account.missing += 1
            elif isinstance(value, str):
                yield value
            else:
                raise CorpusError(
                    f"{file.path}, line {number}: {column} is {value!r:.60}, not a text; name a column of texts"
                )
    if unseen and known:
        raise CorpusError(f"{file.path} has no column {', '.join(sorted(unseen))}; its columns are {', '.join(known)}")


class _Repairer(codecs.BufferedIncrementalDecoder):
    def _buffer_decode(self, data: Any, errors: str, final: bool) -> tuple[str, int]:
        return codecs.utf_8_decode(data, _REPLACE, final)

    @property
    def waits(self) -> bool:
        """Whether a character has begun."""
        return bool(self.getstate()[0])


_REPLACE = "bpe_transformer.replace"
_replaced = local()


def _replace(problem: UnicodeError) -> tuple[str, int]:
    _replaced.times = getattr(_replaced, "times", 0) + 1
    return "\ufffd", cast(UnicodeDecodeError, problem).end


codecs.register_error(_REPLACE, _replace)


def repaired(blocks: Iterable[Any], account: Account) -> Iterator[Any]:
    """The same bytes with U+FFFD for what is not UTF-8, exactly where Python's "replace" puts it."""
    decoder = _Repairer()

    def decoded(block: Any, final: bool) -> bytes:
        before = getattr(_replaced, "times", 0)
        text = decoder.decode(bytes(block), final)
        account.replaced += getattr(_replaced, "times", 0) - before
        return text.encode()

    for block in blocks:
        if not decoder.waits and _core.valid_prefix(block, 0, len(block)) == len(block):
            yield block
        else:
            yield decoded(block, False)
    if decoder.waits:
        yield decoded(b"", True)


def normalized(blocks: Iterable[Any], normalize: Callable[[str], str], path: Path) -> Iterator[bytes]:
    """The same text normalised, as if it were all one.

    It is cut before a space or a line's end: neither joins what stands before it in any form, nor moves.
    """
    rest, offset = bytearray(), 0

    def part(size: int) -> bytes:
        nonlocal offset
        data = bytes(rest[:size])
        text = decode(data, path, offset, "strict", lambda _: None)
        offset += size
        del rest[:size]
        return normalize(text).encode()

    for block in blocks:
        known = len(rest)
        rest += block
        cut = max(rest.rfind(b" ", known), rest.rfind(b"\n", known))
        if cut > 0:
            yield part(cut)
    yield part(len(rest))


def documents(blocks: Iterable[Any], separator: bytes, path: Path) -> Iterator[str]:
    """The texts between separators, all if there is none; "\\n" as separator takes the "\\r" before it as well.

    The last is a document if anything is in it. Raises `InvalidUtf8Error`.
    """
    rest, offset, searched = bytearray(), 0, 0

    def document(size: int) -> str:
        data = bytes(rest[:size])
        if separator == b"\n":
            data = data.removesuffix(b"\r")
        return decode(data, path, offset, "strict", lambda _: None)

    for block in blocks:
        rest += block
        while separator and (at := rest.find(separator, searched)) >= 0:
            yield document(at)
            offset += at + len(separator)
            del rest[: at + len(separator)]
            searched = 0
        searched = max(0, len(rest) - len(separator) + 1)
    if rest or not separator:
        yield document(len(rest))
