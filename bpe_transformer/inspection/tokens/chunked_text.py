"""A text of any size, read in chunks whose ids, one after another, are the ids of the whole text."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, InvalidUtf8Error
from bpe_transformer.io import DEFAULT_ERRORS, Errors, ReadStats, invalid_utf8_message

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ChunkedText:
    """A text with a name: a string, or a UTF-8 file, which is read again for every pass over it.

    stats: what reading the string skipped or changed; None where it was not read. rows: texts that it was joined from.

    Raises:
        CorpusError: the file is missing or empty.
        InvalidUtf8Error: it is not UTF-8, with the position, unless `errors` is "replace".
    """

    name: str
    text: str | None = None  # None: the file of this name
    errors: Errors = DEFAULT_ERRORS
    stats: ReadStats | None = field(default=None, compare=False)
    rows: int = 1

    @classmethod
    def file(cls, path: str | os.PathLike[str], errors: Errors = DEFAULT_ERRORS) -> ChunkedText:
        """The text of a file."""
        return cls(os.fspath(path), None, errors)

    def whole(self) -> str:
        """The whole text."""
        return "".join(self.chunks(ChunkBoundaries(None)))

    def lines(self) -> list[str]:
        """The lines without their ends, `\\n` or `\\r\\n`."""
        lines = self.whole().split("\n")
        if lines[-1] == "":
            lines.pop()
        return [line.removesuffix("\r") for line in lines]

    def chunks(self, boundaries: ChunkBoundaries) -> Iterator[str]:
        """The text in chunks of at least `boundaries.chunk_bytes` bytes, as far as it can be cut."""
        if self.text is not None:
            if not self.text:
                raise CorpusError(f"{self.name} is empty; there is nothing to measure")
            yield from _cut(self.text.encode(), boundaries, "strict")
            return
        path = Path(self.name)
        if not path.is_file():
            raise CorpusError(f"{path} is not a file; check the path")
        if path.stat().st_size == 0:
            raise CorpusError(f"{path} is empty; name a file with text in it")
        with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            valid = _core.valid_prefix(data, 0, len(data))
            if valid < len(data) and self.errors == "strict":
                raise InvalidUtf8Error(invalid_utf8_message(path, data[valid], valid))
            yield from _cut(data, boundaries, self.errors)


@dataclass(frozen=True)
class ChunkBoundaries:
    """Where a text may be cut so that the ids of its chunks, one after another, are the ids of the whole.

    "line": after a newline that a letter follows. "space": at a single space between letters or digits; the second chunk
    begins with the space, or after it where the tokenizer itself puts a space before every text (`drop_space`). None: nowhere.
    """

    where: Literal["line", "space"] | None
    drop_space: bool = False
    chunk_bytes: int = CHUNK_BYTES

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> ChunkBoundaries:
        """The boundaries that a tokenizer allows."""
        model = tokenizer.model
        split = model.pretokenizer
        if split.protected or any("\n" in token or " " in token for token in model.added_tokens):
            return cls(None)
        if split.pattern in _SPLIT_AT_LINES and model.prefix_space == "never":
            return cls("line")
        if split.pattern in ("metaspace", "none") and not any(
            b" " in token.lstrip(b" ") for token in model.decoded_bytes
        ):
            # no token continues after a space, so a cut before a space changes nothing; the chunks are small because a
            # whole text may be one pre-token
            return cls("space", drop_space=model.prefix_space != "never", chunk_bytes=CHUNK_BYTES >> 8)
        return cls(None)


_SPLIT_AT_LINES = frozenset(
    {"gpt2", "cl100k", "o200k", "whitespace", "superword"}
)  # no pre-token crosses such a line end


def _cut(data: bytes | mmap.mmap, boundaries: ChunkBoundaries, errors: Errors) -> Iterator[str]:
    begin = 0
    while begin < len(data):
        end = _end_of_chunk(data, begin + boundaries.chunk_bytes, boundaries)
        yield data[begin:end].decode("utf-8", errors)
        begin = end + 1 if boundaries.drop_space else end


def _end_of_chunk(data: bytes | mmap.mmap, at: int, boundaries: ChunkBoundaries) -> int:
    """The first place at or after `at` where the text may be cut."""
    sign = {"line": b"\n", "space": b" "}.get(boundaries.where or "")
    while sign is not None and at < len(data) and (found := data.find(sign, at)) >= 0:
        at = found + 1
        after = data[at : at + 4].decode("utf-8", "ignore")[:1]
        if sign == b"\n":
            if after.isalpha():
                return at
        elif after.isalnum() and data[max(found - 4, 0) : found].decode("utf-8", "ignore")[-1:].isalnum():
            return found
    return len(data)
