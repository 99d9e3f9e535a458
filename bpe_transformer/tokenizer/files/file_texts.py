"""The texts of files, a file or a line each, in groups of bounded size that can be begun anywhere between them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, InvalidUtf8Error
from bpe_transformer.io import ByteFile
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.encoding.inputs import Chunk, Rows

GROUP_BYTES = 8 << 20
_GROUP_FILES = 4096
_PIECE_BYTES = 1 << 19  # of a document that is encoded in pieces, by several threads


@dataclass(frozen=True)
class Source:
    """A file, as it was when encoding began."""

    path: str
    size: int  # bytes on disk
    modified: int  # ns


@dataclass(frozen=True)
class Group:
    """Texts, and where the next group begins: at byte `position` of what source number `source` unpacks to.

    `begins` and `ends` say of each text whether a document begins or ends with it. `done` counts bytes on disk.
    """

    rows: Rows
    begins: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    source: int
    position: int
    num_bytes: int
    replaced: int
    done: int
    origins: list[tuple[int, str]]  # (number of its first text, "file, from byte n on") for each part

    def origin(self, text: int) -> str:
        """Where a text was read."""
        first, origin = max(entry for entry in self.origins if entry[0] <= text)
        return origin if first == text else f"{origin} (text {text - first} from there)"


def find_sources(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], glob: str, besides: str | os.PathLike[str]
) -> list[Source]:
    """The files that paths name; of a folder those that `glob` finds in it, sorted, without hidden ones and those in `besides`.

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
    """What a `ByteFile` is, and standard input can be."""

    @property
    def path(self) -> Any: ...
    def readinto(self, buffer: memoryview) -> int: ...


@dataclass
class Part:
    """Rows of one source that go into a group together."""

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
    """Needs memory for a group, and for the longest line or the longest stretch of a document without a place to cut it."""

    def __init__(
        self,
        sources: Sequence[Source],
        codec: Codec,
        documents: Literal["file", "line"],
        errors: Literal["strict", "replace", "keep"],
        allowed_special: Collection[str] | Literal["all"],
        disallowed_special: Collection[str] | Literal["all"],
    ) -> None:
        if errors not in ("strict", "replace", "keep"):
            raise CorpusError(f"errors={errors!r} is unknown; choose strict, replace or keep")
        self._sources = sources
        self._lines = documents == "line"
        self._errors = errors
        model = codec.model
        # a piece of a document splits as it does in the whole only where the core knows the pattern
        self._pattern = codec.scanner if model.prefix_space == "never" else None
        ordinary = not allowed_special and not disallowed_special
        sought = {*model.added_tokens} if ordinary else {*model.added_tokens, *model.special_tokens}
        sought |= set() if disallowed_special == "all" else set(disallowed_special)
        self._tokens = [token.encode() for token in sought]

    def groups(self, source: int, position: int) -> Iterator[Group]:
        parts: list[Part] = []
        size = 0
        before = sum(one.size for one in self._sources[:source])
        for number in range(source, len(self._sources)):
            with self._open(self._sources[number]) as file:
                for part, after, is_last in self.parts(file, position if number == source else 0):
                    parts.append(part)
                    size += part.num_bytes
                    if size >= GROUP_BYTES:
                        begin = (number + 1, 0) if is_last else (number, after)
                        yield _group(parts, *begin, before + file.position)
                        parts, size = [], 0
            _check_unchanged(self._sources[number])
            before += self._sources[number].size
            if len(parts) >= _GROUP_FILES:
                yield _group(parts, number + 1, 0, before)
                parts, size = [], 0
        if parts:
            yield _group(parts, len(self._sources), 0, before)

    def _open(self, source: Source) -> ByteFile:
        _check_unchanged(source)
        return ByteFile(source.path)

    def parts(self, file: Readable, position: int = 0) -> Iterator[tuple[Part, int, bool]]:
        """Parts of one file from byte `position` on, each with the byte after it and whether the file ends there."""
        _skip(file, position)
        begun = position > 0 and not self._lines
        rest = b""
        ended = False
        while not ended:
            block = bytearray(max(GROUP_BYTES, len(rest)))  # doubles while there is no place to part it
            got = file.readinto(memoryview(block))
            ended = got < len(block)
            data = rest + bytes(memoryview(block)[:got])
            stop = len(data) if ended else self._last_border(data)
            data, rest = data[:stop], data[stop:]
            if (self._lines or not ended) and not data:
                continue  # no line is left, or none has ended yet
            kept, replaced = self._checked(data, file.path, position)
            origin = f"{file.path}, from byte {position} on" if position else str(file.path)
            position += len(data)
            if self._lines:
                starts, stops = _lines(kept)
                flags = np.ones(len(starts), np.bool_)
                yield Part((kept, starts, stops), flags, flags, len(data), replaced, origin), position, ended
            else:
                edges = np.array([0, *self._cuts(kept), len(kept)], np.int64)
                begins, ends = np.zeros((2, len(edges) - 1), np.bool_)
                begins[0], ends[-1] = not begun, ended
                begun = True
                yield Part((kept, edges[:-1], edges[1:]), begins, ends, len(data), replaced, origin), position, ended

    def _last_border(self, data: bytes) -> int:
        """Where data that goes on can be parted: after a line, or where the pattern certainly has a border; 0 if nowhere."""
        if self._lines:
            return data.rfind(b"\n") + 1
        if self._pattern is None:
            return 0
        end = self._begun_token(data)
        while (end := _core.last_cut(self._pattern, data, end)) and self._inside_token(data, end):
            pass
        return end

    def _cuts(self, data: bytes) -> list[int]:
        if self._pattern is None:
            return []
        cuts: list[int] = []
        for goal in range(_PIECE_BYTES, len(data) - _PIECE_BYTES // 2, _PIECE_BYTES):
            cut = _core.next_cut(self._pattern, data, goal)
            if cut < len(data) and (not cuts or cut > cuts[-1]) and not self._inside_token(data, cut):
                cuts.append(cut)
        return cuts

    def _begun_token(self, data: bytes) -> int:
        """Where a token begins that data may end in the middle of, or the end of data."""
        for start in range(max(len(data) - max(map(len, self._tokens), default=0) + 1, 0), len(data)):
            if any(token.startswith(data[start:]) for token in self._tokens):
                return start
        return len(data)

    def _inside_token(self, data: bytes, cut: int) -> bool:
        return any(data.find(token, max(cut - len(token) + 1, 0), cut + len(token) - 1) >= 0 for token in self._tokens)

    def _checked(self, data: bytes, path: object, position: int) -> tuple[bytes, int]:
        """The bytes as they are encoded, and how many places were replaced."""
        if self._errors == "keep":
            return data, 0
        valid = _core.valid_prefix(data, 0, len(data))
        if valid == len(data):
            return data, 0
        if self._errors == "strict":
            raise InvalidUtf8Error(
                f"{path} is not UTF-8: byte 0x{data[valid]:02x} at position {position + valid}; "
                'convert the file, or go on with errors="replace" (--errors replace)'
            )
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


def _group(parts: list[Part], source: int, position: int, done: int) -> Group:
    firsts = np.cumsum([0, *(len(part.begins) for part in parts[:-1])])
    return Group(
        Rows([part.chunk for part in parts]),
        np.concatenate([part.begins for part in parts]),
        np.concatenate([part.ends for part in parts]),
        source,
        position,
        sum(part.num_bytes for part in parts),
        sum(part.replaced for part in parts),
        done,
        [(int(first), part.origin) for first, part in zip(firsts, parts, strict=True)],
    )
