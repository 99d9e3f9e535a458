"""Texts read from files, one for each file or each line, in groups of bounded size; reading can resume after any group."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, InvalidUtf8Error
from bpe_transformer.io import ByteFile, ErrorsOrKeep, invalid_utf8_message
from bpe_transformer.io.byte_files import file_format
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.encoding.inputs import Chunk, Rows

GROUP_BYTES = 8 << 20
_GROUP_FILES = 4096
_ROW_BYTES = 1 << 19  # a longer document is cut into rows of about this size, which several threads encode


@dataclass(frozen=True)
class Source:
    """A file to encode, with its size and modification time when encoding began."""

    path: str
    size: int  # bytes on disk
    modified: int  # ns


@dataclass(frozen=True)
class Group:
    """Rows of text that are encoded together, and where the next group begins: at byte `position` of the unpacked source.

    A document may be cut into several rows: `begins` and `ends` say for each row whether a document begins or ends with it.
    """

    rows: Rows
    begins: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    source: int  # index of the source that the next group begins in
    position: int
    num_bytes: int  # unpacked
    replaced: int  # places where U+FFFD replaced invalid bytes
    done: int  # bytes read from disk so far, of all sources
    origins: list[tuple[int, str]]  # (index of its first row, "file, from byte n on") for each block

    def origin(self, row: int) -> str:
        """The file and byte that a row was read from, for messages."""
        first, origin = max(entry for entry in self.origins if entry[0] <= row)
        return origin if first == row else f"{origin} (text {row - first} from there)"


def find_sources(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], glob: str, besides: str | os.PathLike[str]
) -> list[Source]:
    """The files that `paths` name. A folder stands for the files that `glob` matches in it, sorted, without hidden ones and
    without those inside the folder `besides`.

    Raises `CorpusError` for a path that does not exist and for a folder in which nothing is found.
    """
    found: list[Path] = []
    left_out = Path(besides).resolve()
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        path = Path(path)
        if path.is_dir():
            inside = sorted(file for file in path.glob(glob) if file.is_file() and not _hidden(file.relative_to(path)))
            if path.resolve() in left_out.parents:
                inside = [file for file in inside if left_out not in file.resolve().parents]
            if not inside:
                raise CorpusError(f"{path} holds no file that {glob!r} finds; give another glob")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise CorpusError(f"{path} is neither a file nor a folder; check the path")
    if not found:
        raise CorpusError("paths is empty; name a file or a folder")
    if tables := [file for file in found if file_format(file) == ".parquet"]:
        raise CorpusError(
            f"{tables[0]} is a table of Parquet, and text is encoded here; prepare reads tables, or write its text to a file"
        )
    return [Source(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in found]


def _check_unchanged(source: Source) -> None:
    try:
        now = os.stat(source.path)
    except FileNotFoundError:
        raise CorpusError(f"{source.path} is gone since encoding began; begin anew with overwrite=True") from None
    if (now.st_size, now.st_mtime_ns) != (source.size, source.modified):
        raise CorpusError(f"{source.path} changed since encoding began; begin anew with overwrite=True")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


class Readable(Protocol):
    """A stream of bytes with a name for messages: a `ByteFile` or a `NamedStream`."""

    @property
    def path(self) -> Any: ...
    def readinto(self, buffer: memoryview) -> int: ...


class NamedStream:
    """A binary stream with a name for messages, such as standard input."""

    def __init__(self, path: str, stream: BinaryIO) -> None:
        self.path = path
        self._stream = stream

    def readinto(self, buffer: memoryview) -> int:
        return self._stream.readinto(buffer)  # type: ignore[attr-defined,no-any-return]


@dataclass
class TextBlock:
    """Rows read from one source in one go; one or more blocks make up a `Group`."""

    chunk: Chunk
    begins: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    num_bytes: int
    replaced: int
    origin: str

    @property
    def rows(self) -> Rows:
        return Rows([self.chunk])


class FileTexts:
    """Reads sources into groups of rows to encode.

    Needs memory for one group, and for the longest line or the longest stretch of a document that cannot be cut.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        codec: Codec,
        documents: Literal["file", "line"],
        errors: ErrorsOrKeep,
        allowed_special: Collection[str] | Literal["all"],
        disallowed_special: Collection[str] | Literal["all"],
    ) -> None:
        if errors not in ("strict", "replace", "keep"):
            raise CorpusError(f"errors={errors!r} is unknown; choose strict, replace or keep")
        self._sources = sources
        self._lines = documents == "line"
        self._errors = errors
        model = codec.model
        # documents are cut only where the native scanner can tell that both sides split as they do in the whole
        self._pattern = codec.scanner if model.prefix_space == "never" else None
        ordinary = not allowed_special and not disallowed_special
        sought = {*model.added_tokens} if ordinary else {*model.added_tokens, *model.special_tokens}
        sought |= set() if disallowed_special == "all" else set(disallowed_special)
        self._tokens = [token.encode() for token in sought]

    def groups(self, source: int, position: int) -> Iterator[Group]:
        """All groups from byte `position` of the source with index `source` on."""
        blocks: list[TextBlock] = []
        size = 0
        before = sum(one.size for one in self._sources[:source])
        for number in range(source, len(self._sources)):
            with self._open(self._sources[number]) as file:
                for block, after, is_last in self.blocks(file, position if number == source else 0):
                    blocks.append(block)
                    size += block.num_bytes
                    if size >= GROUP_BYTES:
                        begin = (number + 1, 0) if is_last else (number, after)
                        yield _group(blocks, *begin, before + file.position)
                        blocks, size = [], 0
            _check_unchanged(self._sources[number])
            before += self._sources[number].size
            if len(blocks) >= _GROUP_FILES:
                yield _group(blocks, number + 1, 0, before)
                blocks, size = [], 0
        if blocks:
            yield _group(blocks, len(self._sources), 0, before)

    def _open(self, source: Source) -> ByteFile:
        _check_unchanged(source)
        return ByteFile(source.path)

    def blocks(self, file: Readable, position: int = 0) -> Iterator[tuple[TextBlock, int, bool]]:
        """(block, position after it, whether the file ends there) for the blocks of one file from byte `position` on."""
        _skip(file, position)
        begun = position > 0 and not self._lines
        rest = b""
        ended = False
        while not ended:
            buffer = bytearray(max(GROUP_BYTES, len(rest)))  # doubles while there is no place to cut
            got = file.readinto(memoryview(buffer))
            ended = got < len(buffer)
            data = rest + bytes(memoryview(buffer)[:got])
            stop = len(data) if ended else self._last_cut(data)
            data, rest = data[:stop], data[stop:]
            if (self._lines or not ended) and not data:
                continue  # no line is left, or the first one has not ended yet
            kept, replaced = self._valid_utf8(data, file.path, position)
            origin = f"{file.path}, from byte {position} on" if position else str(file.path)
            position += len(data)
            if self._lines:
                starts, stops = _lines(kept)
                flags = np.ones(len(starts), np.bool_)
                yield TextBlock((kept, starts, stops), flags, flags, len(data), replaced, origin), position, ended
            else:
                cuts = np.array([0, *self._cuts(kept), len(kept)], np.int64)
                begins, ends = np.zeros((2, len(cuts) - 1), np.bool_)
                begins[0], ends[-1] = not begun, ended
                begun = True
                chunk = (kept, cuts[:-1], cuts[1:])
                yield TextBlock(chunk, begins, ends, len(data), replaced, origin), position, ended

    def _last_cut(self, data: bytes) -> int:
        """The last place where unfinished data can be cut without a change of ids; 0 if there is none.

        That is after a newline, or where the pattern ends a pre-token whatever follows.
        """
        if self._lines:
            return data.rfind(b"\n") + 1
        if self._pattern is None:
            return 0
        end = self._start_of_cut_token(data)
        while (end := _core.last_cut(self._pattern, data, end)) and self._inside_token(data, end):
            pass
        return end

    def _cuts(self, data: bytes) -> list[int]:
        """Where to cut a document into rows of about `_ROW_BYTES`."""
        if self._pattern is None:
            return []
        cuts: list[int] = []
        for goal in range(_ROW_BYTES, len(data) - _ROW_BYTES // 2, _ROW_BYTES):
            cut = _core.next_cut(self._pattern, data, goal)
            if cut < len(data) and (not cuts or cut > cuts[-1]) and not self._inside_token(data, cut):
                cuts.append(cut)
        return cuts

    def _start_of_cut_token(self, data: bytes) -> int:
        """Where a special or added token begins that may go on after the end of `data`; the end if there is none."""
        for start in range(max(len(data) - max(map(len, self._tokens), default=0) + 1, 0), len(data)):
            if any(token.startswith(data[start:]) for token in self._tokens):
                return start
        return len(data)

    def _inside_token(self, data: bytes, cut: int) -> bool:
        return any(data.find(token, max(cut - len(token) + 1, 0), cut + len(token) - 1) >= 0 for token in self._tokens)

    def _valid_utf8(self, data: bytes, path: object, position: int) -> tuple[bytes, int]:
        """The bytes to encode, and how many invalid places were replaced. Raises `InvalidUtf8Error` if `errors` is "strict"."""
        if self._errors == "keep":
            return data, 0
        valid = _core.valid_prefix(data, 0, len(data))
        if valid == len(data):
            return data, 0
        if self._errors == "strict":
            raise InvalidUtf8Error(invalid_utf8_message(path, data[valid], position + valid))
        text = data.decode("utf-8", "replace")
        return text.encode(), text.count("\ufffd") - data.count("\ufffd".encode())


def _skip(file: Readable, size: int) -> None:
    buffer = memoryview(bytearray(min(size, GROUP_BYTES)))
    while size > 0 and (got := file.readinto(buffer[: min(size, len(buffer))])):
        size -= got


def _lines(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where lines start and stop, without their "\\n" or "\\r\\n"."""
    raw = np.frombuffer(data, np.uint8)
    stops = np.flatnonzero(raw == 10)
    if len(raw) and raw[-1] != 10:
        stops = np.append(stops, len(raw))
    starts = np.concatenate([[0], stops[:-1] + 1])[: len(stops)].astype(np.int64)
    returns = (stops > starts) & (raw[np.maximum(stops - 1, 0)] == 13) & (stops < len(raw))
    return starts, (stops - returns).astype(np.int64)


def _group(blocks: list[TextBlock], source: int, position: int, done: int) -> Group:
    first_rows = np.cumsum([0, *(len(block.begins) for block in blocks[:-1])])
    return Group(
        Rows([block.chunk for block in blocks]),
        np.concatenate([block.begins for block in blocks]),
        np.concatenate([block.ends for block in blocks]),
        source,
        position,
        sum(block.num_bytes for block in blocks),
        sum(block.replaced for block in blocks),
        done,
        [(int(first), block.origin) for first, block in zip(first_rows, blocks, strict=True)],
    )
