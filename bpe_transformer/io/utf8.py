"""UTF-8 to text and back: the handling of invalid bytes and lone surrogates, and the messages that name them."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from threading import local
from typing import Any, Literal, cast

from bpe_transformer import _core
from bpe_transformer.errors import CorpusError, InvalidUtf8Error

Errors = Literal["strict", "replace"]  # for bytes that are not UTF-8: refuse them, or put U+FFFD in their place
ErrorsOrKeep = Literal["strict", "replace", "keep"]  # "keep" encodes the bytes as they are
DEFAULT_ERRORS: Errors = "strict"
_MOST_PLACES = 3
_REPLACED = "\ufffd"
Note = Callable[
    [str, int], None
]  # is called with a message about what was replaced, and how many U+FFFD took its place


@dataclass
class ReadStats:
    """What reading skipped or changed: values that were missing, and how many U+FFFD took the place of invalid bytes.

    `position` is the byte of the decompressed text up to which it was counted, where that is known. `places` says where the
    first missing values are, `rows` how many rows of a table were read.
    """

    missing: int = 0
    replaced: int = 0
    position: int | None = None
    rows: int = 0
    places: list[str] = field(default_factory=list)

    def note_missing(self, number: int, places: Iterable[str]) -> None:
        """Counts values that are missing; of their places the first few are kept."""
        self.missing += number
        self.places += islice(places, max(0, _MOST_PLACES - len(self.places)))


def joined_surrogates(text: str, errors: Errors = "strict") -> str:
    r"""The text with the two halves of surrogate pairs as the characters that they are.

    A lone half raises `UnicodeDecodeError`, or becomes U+FFFD with `errors="replace"`.

    >>> joined_surrogates("\ud83d\ude00"), joined_surrogates("a\ud83d", "replace")
    ('😀', 'a\ufffd')
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", errors)


def encode_utf8(text: str) -> bytes:
    r"""The UTF-8 of a text, in which the two halves of a surrogate pair are their character.

    Raises `CorpusError` for a lone surrogate, which has none.

    >>> encode_utf8("\u00e9")
    b'\xc3\xa9'
    """
    try:
        return text.encode()
    except UnicodeEncodeError as cause:
        with suppress(UnicodeDecodeError):
            return joined_surrogates(text).encode()
        raise CorpusError(
            f"character {cause.start} of a text is a lone surrogate, U+{ord(text[cause.start]):04X}, "
            "which UTF-8 cannot hold; replace it first"
        ) from cause


def decode_utf8(data: bytes, path: object, offset: int, errors: Errors, note: Note) -> str:
    """The text of `data`, found at byte `offset` of `path`; replaced bytes are reported to `note`.

    Raises `InvalidUtf8Error` if `errors` is "strict".
    """
    try:
        return data.decode()
    except UnicodeDecodeError as problem:
        position = offset + problem.start
        if errors == "strict":
            raise InvalidUtf8Error(invalid_utf8_message(path, data[problem.start], position)) from None
        text = data.decode(errors="replace")
        number = text.count(_REPLACED) - data.count(_REPLACED.encode())  # those that the data itself holds left out
        note(f"{path}: invalid UTF-8 from byte {position} on replaced by U+FFFD", number)
        return text


REPLACE_REMEDY = 'errors="replace", which puts U+FFFD in its place'
_REMEDY = f"convert the file, or go on with {REPLACE_REMEDY}"


# how files begin that are no text, and what they are; UTF-16 is text, but not ours
_SIGNATURES = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive, such as a .docx, .xlsx or .npz"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"PAR1", "a Parquet table"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"\x7fELF", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"MZ\x90\0", "a program"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)
_LOOKED_AT = 4096  # bytes


def other_kind(path: object) -> str | None:
    """What a file is by its first bytes, where that is known not to be UTF-8 text: "a PNG image"; None where it is not known,
    or `path` names no file."""
    try:
        if not isinstance(path, (str, os.PathLike)) or not os.path.isfile(path):
            return None
        if os.fspath(path).lower().endswith((".gz", ".zst", ".parquet")):  # what was read came out of it
            return None
        with open(path, "rb") as file:
            head = file.read(_LOOKED_AT)
    except (OSError, ValueError):
        return None
    return kind_of_data(head) or ("binary data, with NUL bytes" if b"\0" in head else None)


def kind_of_data(head: bytes) -> str | None:
    """What begins with `head`, where that is known not to be UTF-8 text: "a PNG image"."""
    if head[4:9] == b"\0\0\0\0{":  # a length of 64 bits, which is small, before JSON
        return "a model's weights (safetensors)"
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)


def invalid_utf8_message(name: object, byte: int, position: int, line: int | None = None, remedy: str = _REMEDY) -> str:
    """The error message for a byte of `name` that is not UTF-8, and for a file that is no text at all."""
    if kind := other_kind(name):
        mend = "save it as UTF-8" if "UTF-16" in kind else "name a text file, or take the text out of it first"
        return f"{name} is not UTF-8 text: it is {kind}; {mend}"
    where = f"position {position}" if line is None else f"position {position} (line {line:,})"
    return f"{name} is not UTF-8: byte 0x{byte:02x} at {where}; {remedy}"


def replace_invalid(blocks: Iterable[Any], stats: ReadStats) -> Generator[Any, None, None]:
    """The same bytes with U+FFFD for what is not UTF-8, exactly where Python's "replace" puts it; counted in `stats`."""
    decoder = _ReplacingDecoder()

    def decoded(block: Any, final: bool) -> bytes:
        before = getattr(_replacements, "count", 0)
        text = decoder.decode(bytes(block), final)
        stats.replaced += getattr(_replacements, "count", 0) - before
        return text.encode()

    for block in blocks:
        if not decoder.is_inside_character and _core.valid_prefix(block, 0, len(block)) == len(block):
            yield block
        else:
            yield decoded(block, False)
    if decoder.is_inside_character:
        yield decoded(b"", True)


class _ReplacingDecoder(codecs.BufferedIncrementalDecoder):
    def _buffer_decode(self, data: Any, errors: str, final: bool) -> tuple[str, int]:
        return codecs.utf_8_decode(data, _REPLACE_AND_COUNT, final)

    @property
    def is_inside_character(self) -> bool:
        """Whether the bytes so far end in the middle of a character."""
        return bool(self.getstate()[0])


_REPLACE_AND_COUNT = "bpe_transformer.replace"
_replacements = local()  # .count: replacements made by this thread


def _replace_and_count(problem: UnicodeError) -> tuple[str, int]:
    _replacements.count = getattr(_replacements, "count", 0) + 1
    return "\ufffd", cast(UnicodeDecodeError, problem).end


codecs.register_error(_REPLACE_AND_COUNT, _replace_and_count)
