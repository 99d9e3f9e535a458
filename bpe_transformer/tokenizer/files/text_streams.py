"""Text read from a stream and encoded as it comes: each line, or all of it as one text, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np

from bpe_transformer import _core
from bpe_transformer.errors import EncodingError, InvalidUtf8Error, SpecialTokenError
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.inputs import Rows
from bpe_transformer.tokenizer.encoding.special_tokens import SpecialNames
from bpe_transformer.tokenizer.files.file_texts import FileTexts


@dataclass(frozen=True)
class StreamOptions:
    """How the texts of a stream are encoded; `errors` is about bytes that are not UTF-8, `name` is the stream's in messages."""

    errors: Literal["strict", "replace", "keep"] = "strict"
    allowed_special: SpecialNames = frozenset()
    disallowed_special: SpecialNames = "all"
    add_bos: bool = False
    add_eos: bool = False
    name: str = "standard input"


def encode_lines(codec: Codec, blocks: Iterator[bytes], options: StreamOptions) -> Iterator[Encodings]:
    """The ids of lines, a line each without its newline, for each block of whole lines.

    Raises what `Tokenizer.encode_batch` raises, with the line; `InvalidUtf8Error` with the position in the stream.
    """
    line = position = 0
    for block in blocks:
        data = _checked(block, options, position, line)
        stops = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        if not data.endswith(b"\n"):
            stops = np.append(stops, len(data))
        rows = Rows([(data, np.concatenate([[0], stops[:-1] + 1]), stops)])
        try:
            yield codec.encode_batch(
                rows,
                allowed_special=options.allowed_special,
                disallowed_special=options.disallowed_special,
                add_bos=options.add_bos,
                add_eos=options.add_eos,
            )
        except (SpecialTokenError, EncodingError) as cause:
            raise _with_line(cause, codec, rows, options, line) from None
        line += len(stops)
        position += len(block)


def encode_stream(codec: Codec, stream: BinaryIO, options: StreamOptions) -> Iterator[Encodings]:
    """The ids of all of a stream as one text, in parts that split as the whole does. Raises as `encode_lines` does."""
    special = (options.allowed_special, options.disallowed_special)
    texts = FileTexts([], codec, "file", options.errors, *special)
    if options.add_bos:
        yield codec.encode_batch([b""], add_bos=True)
    for part, _, _ in texts.parts(_NamedStream(options.name, stream)):
        try:
            yield codec.encode_batch(part.rows, None, *special)
        except (SpecialTokenError, EncodingError):
            for row in part.rows:
                codec.encode(row, *special)  # names the text, not its number among the parts
            raise
    if options.add_eos:
        yield codec.encode_batch([b""], add_eos=True)


def _checked(block: bytes, options: StreamOptions, position: int, line: int) -> bytes:
    """The bytes that are encoded. Raises `InvalidUtf8Error` with the position in the stream and the line."""
    if options.errors == "keep":
        return block
    valid = _core.valid_prefix(block, 0, len(block))
    if valid == len(block):
        return block
    if options.errors == "replace":
        return block.decode("utf-8", "replace").encode()
    number = line + block.count(b"\n", 0, valid) + 1
    raise InvalidUtf8Error(
        f"{options.name} is not UTF-8: byte 0x{block[valid]:02x} at position {position + valid} (line {number:,}); "
        'convert it, or go on with errors="replace"'
    )


def _with_line(cause: Exception, codec: Codec, rows: Rows, options: StreamOptions, before: int) -> Exception:
    """The problem of some lines, with the number of its line."""
    for number, row in enumerate(rows, before + 1):
        try:
            codec.encode(row, options.allowed_special, options.disallowed_special)
        except (SpecialTokenError, EncodingError) as found:
            said = str(found)
            holds = said.startswith("the text holds")
            return type(found)(f"line {number:,}" + (said.removeprefix("the text") if holds else f": {said}"))
    return cause


class _NamedStream:
    """A stream as `FileTexts` reads a file."""

    def __init__(self, path: str, stream: BinaryIO) -> None:
        self.path = path
        self._stream = stream

    def readinto(self, buffer: memoryview) -> int:
        return self._stream.readinto(buffer)  # type: ignore[attr-defined,no-any-return]
