"""A stream of text encoded as it arrives, line by line or as one text, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from bpe_transformer import _core
from bpe_transformer.errors import EncodingError, InvalidUtf8Error, SpecialTokenError
from bpe_transformer.io import ErrorsOrKeep, invalid_utf8_message
from bpe_transformer.tokenizer.encoding.codec import Codec
from bpe_transformer.tokenizer.encoding.encodings import Encodings
from bpe_transformer.tokenizer.encoding.inputs import Rows
from bpe_transformer.tokenizer.encoding.special_tokens import SpecialNames
from bpe_transformer.tokenizer.files.file_texts import FileTexts, NamedStream, line_bounds


@dataclass(frozen=True)
class StreamOptions:
    """Options for encoding a stream: the same as those of `Tokenizer.encode_files`, and the stream's name in messages."""

    errors: ErrorsOrKeep = "strict"  # for bytes that are not UTF-8
    allowed_special: SpecialNames = frozenset()
    disallowed_special: SpecialNames = "all"
    add_bos: bool = False
    add_eos: bool = False
    name: str = "standard input"


def encode_lines(codec: Codec, blocks: Iterator[bytes], options: StreamOptions) -> Iterator[Encodings]:
    """The ids of each line, without its end, "\\n" or "\\r\\n"; `blocks` holds whole lines, and each block gives one `Encodings`.

    Raises the errors of `Tokenizer.encode_batch` with the line number, and `InvalidUtf8Error` with the position in the stream.
    """
    line = position = 0
    for block in blocks:
        data = _valid_utf8(block, options, position, line)
        starts, stops = line_bounds(data)
        rows = Rows([(data, starts, stops)])
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
    """The ids of a whole stream as one text, block by block. Raises the same errors as `encode_lines`."""
    special = (options.allowed_special, options.disallowed_special)
    texts = FileTexts([], codec, "file", options.errors, *special)
    if options.add_bos:
        yield codec.encode_batch([b""], add_bos=True)
    for block, _, _ in texts.blocks(NamedStream(options.name, stream)):
        try:
            yield codec.encode_batch(block.rows, None, *special)
        except (SpecialTokenError, EncodingError):
            for row in block.rows:
                codec.encode(row, *special)  # raises the same without the index of the row
            raise
    if options.add_eos:
        yield codec.encode_batch([b""], add_eos=True)


def _valid_utf8(block: bytes, options: StreamOptions, position: int, line: int) -> bytes:
    """The bytes to encode. Raises `InvalidUtf8Error` with the position in the stream and the line."""
    if options.errors == "keep":
        return block
    valid = _core.valid_prefix(block, 0, len(block))
    if valid == len(block):
        return block
    if options.errors == "replace":
        return block.decode("utf-8", "replace").encode()
    number = line + block.count(b"\n", 0, valid) + 1
    raise InvalidUtf8Error(invalid_utf8_message(options.name, block[valid], position + valid, number))


def _with_line(cause: Exception, codec: Codec, rows: Rows, options: StreamOptions, before: int) -> Exception:
    """The same error with the number of the line that causes it."""
    for number, row in enumerate(rows, before + 1):
        try:
            codec.encode(row, options.allowed_special, options.disallowed_special)
        except (SpecialTokenError, EncodingError) as found:
            message = str(found)
            rest = message.removeprefix("the text") if message.startswith("the text holds") else f": {message}"
            return type(found)(f"line {number:,}{rest}")
    return cause
