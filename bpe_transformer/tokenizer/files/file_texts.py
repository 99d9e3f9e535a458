"""Texts read from files, one for each file or each line, in groups of bounded size; reading can resume after any group."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, InvalidUtf8Error
from bpe_transformer.io import ByteFile, ErrorsOrKeep, invalid_utf8_message
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.encoding.inputs import Chunk, Rows
from bpe_transformer.tokenizer.files.source_files import Piece, Source, check_unchanged, first_line, open_source
from bpe_transformer.tokenizer.splitting.compiled_patterns import can_cut

GROUP_BYTES = 8 << 20
_GROUP_FILES = 4096
_ROW_BYTES = 1 << 19  # a longer document is cut into rows of about this size, which several threads encode


@dataclass(frozen=True)
class Group:
    """Rows of text that are encoded together, and where the next group begins: in a piece, at byte `position` of its source.

    A document may be cut into several rows: `begins` and `ends` say for each row whether a document begins or ends with it.
    """

    rows: Rows
    begins: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    piece: int  # index of the piece that the next group begins in
    position: int | None  # None: at the beginning of the piece
    num_bytes: int  # decompressed
    line_breaks: int  # bytes of them, which belong to no document
    replaced: int  # places where U+FFFD replaced invalid bytes
    done: int  # bytes read from disk so far, of all sources
    origins: list[tuple[int, str]]  # (index of its first row, "file, from byte n on") for each block

    def origin(self, row: int) -> str:
        """The file and byte that a row was read from, for messages."""
        first, origin = max(entry for entry in self.origins if entry[0] <= row)
        return origin if first == row else f"{origin} (text {row - first} from there)"


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
    line_breaks: int
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
        in_steps = model.prefix_space == "never" and not model.token_flags
        scanner = model.pretokenizer.scanner if in_steps else None
        self._pattern = scanner if scanner is None or can_cut(scanner) else None
        ordinary = not allowed_special and not disallowed_special
        sought = {*model.added_tokens} if ordinary else {*model.added_tokens, *model.special_tokens}
        sought |= set() if disallowed_special == "all" else set(disallowed_special)
        self._tokens = [token.encode() for token in sought]

    def groups(self, pieces: Sequence[Piece], piece: int = 0, position: int | None = None) -> Iterator[Group]:
        """All groups of these pieces, from byte `position` of the piece with index `piece` on."""
        blocks: list[TextBlock] = []
        size = 0
        before = sum(self._size(one) for one in pieces[:piece])
        for number in range(piece, len(pieces)):
            here = pieces[number]
            source = self._sources[here.source]
            begin = position if number == piece else None
            if begin is None:
                begin = first_line(source, here.start) if here.start else 0
            with open_source(source) as file:
                for block, after, is_last in self.blocks(file, begin, here.stop):
                    blocks.append(block)
                    size += block.num_bytes
                    if size >= GROUP_BYTES:
                        done = before + min(max(file.position - here.start, 0), self._size(here))
                        yield _group(blocks, number + is_last, None if is_last else after, done)
                        blocks, size = [], 0
            check_unchanged(source)
            before += self._size(here)
            if len(blocks) >= _GROUP_FILES:
                yield _group(blocks, number + 1, None, before)
                blocks, size = [], 0
        if blocks:
            yield _group(blocks, len(pieces), None, before)

    def _size(self, piece: Piece) -> int:
        """Bytes on disk that a piece reads."""
        stop = self._sources[piece.source].size if piece.stop is None else piece.stop
        return stop - piece.start

    def blocks(
        self, file: Readable, position: int = 0, stop_at: int | None = None
    ) -> Iterator[tuple[TextBlock, int, bool]]:
        """(block, position after it, whether it is the last) for the blocks of one file from byte `position` on.

        Lines that begin at byte `stop_at` or later are left to others.
        """
        if position:
            _skip(file, position)
        if stop_at is not None and position >= stop_at:
            return
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
            if stop_at is not None and position + len(data) >= stop_at:
                end = data.find(b"\n", max(stop_at - 1 - position, 0)) + 1
                data, ended = data[: end or len(data)], True
            kept, replaced = self._valid_utf8(data, file.path, position)
            origin = f"{file.path}, from byte {position} on" if position else str(file.path)
            position += len(data)
            if self._lines:
                starts, stops = line_bounds(kept)
                flags = np.ones(len(starts), np.bool_)
                breaks = len(kept) - int((stops - starts).sum())
                yield (
                    TextBlock((kept, starts, stops), flags, flags, len(data), breaks, replaced, origin),
                    position,
                    ended,
                )
            else:
                cuts = np.array([0, *self._cuts(kept), len(kept)], np.int64)
                begins, ends = np.zeros((2, len(cuts) - 1), np.bool_)
                begins[0], ends[-1] = not begun, ended
                begun = True
                chunk = (kept, cuts[:-1], cuts[1:])
                yield TextBlock(chunk, begins, ends, len(data), 0, replaced, origin), position, ended

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
    if isinstance(file, ByteFile):
        return file.skip(size)
    buffer = memoryview(bytearray(min(size, GROUP_BYTES)))
    while size > 0 and (got := file.readinto(buffer[: min(size, len(buffer))])):
        size -= got


def line_bounds(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where lines start and stop, without their "\\n" or "\\r\\n"."""
    raw = np.frombuffer(data, np.uint8)
    stops = np.flatnonzero(raw == 10)
    if len(raw) and raw[-1] != 10:
        stops = np.append(stops, len(raw))
    starts = np.concatenate([[0], stops[:-1] + 1])[: len(stops)].astype(np.int64)
    returns = (stops > starts) & (raw[np.maximum(stops - 1, 0)] == 13) & (stops < len(raw))
    return starts, (stops - returns).astype(np.int64)


def _group(blocks: list[TextBlock], piece: int, position: int | None, done: int) -> Group:
    first_rows = np.cumsum([0, *(len(block.begins) for block in blocks[:-1])])
    return Group(
        Rows([block.chunk for block in blocks]),
        np.concatenate([block.begins for block in blocks]),
        np.concatenate([block.ends for block in blocks]),
        piece,
        position,
        sum(block.num_bytes for block in blocks),
        sum(block.line_breaks for block in blocks),
        sum(block.replaced for block in blocks),
        done,
        [(int(first), block.origin) for first, block in zip(first_rows, blocks, strict=True)],
    )
