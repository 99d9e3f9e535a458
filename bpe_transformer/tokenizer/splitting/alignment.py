"""Offsets: from bytes of normalised text to bytes of the original text, and from bytes to characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal, TypeAlias

from bpe_transformer import _core
from bpe_transformer.lazy import NDArray, np

UNICODE_VERSION = _core.unicode_version  # of the tables of classes and of normalisation
Normalization = Literal["NFC", "NFD", "NFKC", "NFKD"]  # Unicode's forms
Offsets: TypeAlias = "NDArray[np.int64]"
# normalised text; for each of its bytes, (n,), the start and end of its source
Aligned: TypeAlias = "tuple[str, Offsets, Offsets]"


def align(replacements: Iterable[tuple[str, str]]) -> Aligned:
    """Aligns a text with its source, both given in segments: pairs of (source, replacement), in order.

    Every byte of a replacement comes from its whole source; where both are equal, every byte comes from itself.

    >>> align([("a", "a"), ("\\u00e9", "e")])
    ('ae', array([0, 1]), array([1, 3]))
    """
    source_sizes: list[int] = []
    sizes: list[int] = []
    replaced: list[str] = []
    for source, replacement in replacements:
        size = _size(source)
        if source == replacement:
            source_sizes += [1] * size
            sizes += [1] * size
        else:
            source_sizes.append(size)
            sizes.append(_size(replacement))
        replaced.append(replacement)
    taken = np.array(source_sizes, np.int64)
    ends = np.cumsum(taken)
    return "".join(replaced), np.repeat(ends - taken, sizes), np.repeat(ends, sizes)


def normalize(form: Normalization, text: str) -> str:
    """`text` in one of Unicode's forms, with the tables of `_core.unicode_version`."""
    if text.isascii():
        return text
    return _core.normalize(_core.FORMS.index(form), text.encode("utf-8", "surrogatepass")).decode(
        "utf-8", "surrogatepass"
    )


def is_normalized(form: Normalization, text: str | bytes) -> bool:
    """Whether `text` is in one of Unicode's forms."""
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogatepass")
    return _core.is_normalized(_core.FORMS.index(form), text)


def normalize_aligned(form: Normalization, text: str) -> Aligned:
    """`text` in one of Unicode's forms, aligned with its source.

    Segments are normalised one by one; a segment begins before a character that normalisation neither reorders nor joins
    to what is before it (Unicode Standard Annex 15, section 9). The bytes of a segment that normalisation changes come
    from the whole segment, all others from themselves.
    """
    data = text.encode("utf-8", "surrogateescape")
    normalized, starts, ends = _core.normalize_aligned(_core.FORMS.index(form), data)
    return normalized.decode("utf-8", "surrogateescape"), starts, ends


def byte_places(text: str, places: list[int]) -> list[int]:
    """Places in characters of `text` as places in its UTF-8; a character that stands for a byte (PEP 383) is that byte.

    >>> byte_places("a\u00e9b", [0, 1, 2, 3])
    [0, 1, 3, 4]
    """
    return byte_places_in(text)(places)


def byte_places_in(text: str) -> Callable[[list[int]], list[int]]:
    """`byte_places` of one text, for some places after others."""
    if text.isascii():
        return list
    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    sizes = 1 + (code_points >= 0x80).astype(np.int64) + (code_points >= 0x800) + (code_points >= 0x10000)
    sizes[(code_points >= 0xDC80) & (code_points < 0xDD00)] = 1
    byte_of = np.concatenate([[0], np.cumsum(sizes)])
    return lambda places: byte_of[places].tolist()


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


@lru_cache(maxsize=1 << 16)
def begins_segment(form: Normalization, character: str) -> bool:
    """Whether normalisation neither reorders a character nor joins it to what is before it."""
    return _core.begins_segment(_core.FORMS.index(form), ord(character))


def character_offsets(data: bytes, spans: Offsets) -> Offsets:
    """Byte offsets (T, 2) into `data` as character offsets of all characters that a span touches.

    A byte that is not part of UTF-8 counts as one character, as in `data.decode(errors="surrogateescape")`.
    """
    offsets = np.array(spans, np.int64, order="C")
    _core.spans_to_characters(data, offsets)
    return offsets
