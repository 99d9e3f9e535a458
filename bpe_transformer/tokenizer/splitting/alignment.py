"""Offsets: from bytes of normalised text to bytes of the original text, and from bytes to characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core

Normalization = Literal["NFC", "NFD", "NFKC", "NFKD"]  # Unicode's forms
Offsets = NDArray[np.int64]
_STRETCH = 1 << 20  # characters that are normalised at once
Aligned = tuple[str, Offsets, Offsets]  # normalised text; for each of its bytes, (n,), the start and end of its source


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
    """`text` in one of Unicode's forms."""
    if text.isascii():
        return text
    return "".join(unicodedata.normalize(form, stretch) for stretch in stretches(form, text))


def is_normalized(form: Normalization, text: str) -> bool:
    """Whether `text` is in one of Unicode's forms."""
    return text.isascii() or all(unicodedata.is_normalized(form, stretch) for stretch in stretches(form, text))


def normalize_aligned(form: Normalization, text: str) -> Aligned:
    """`text` in one of Unicode's forms, aligned with its source.

    Segments are normalised one by one; a segment begins before a character that normalisation neither reorders nor joins
    to what is before it (Unicode Standard Annex 15, section 9). The bytes of a segment that normalisation changes come
    from the whole segment, all others from themselves.
    """
    if is_normalized(form, text):
        identity = np.arange(_size(text) + 1)
        return text, identity[:-1], identity[1:]
    segments = ((segment, unicodedata.normalize(form, segment)) for segment in _segments(form, text))
    return align(segments)


def stretches(form: Normalization, text: str) -> Iterator[str]:
    """A long text in stretches that may be normalised one by one; what takes long then hears Ctrl-C between two."""
    start = 0
    while len(text) - start > _STRETCH:
        stop = start + _STRETCH
        while stop < len(text) and not begins_segment(form, text[stop]):
            stop += 1
        yield text[start:stop]
        start = stop
    yield text[start:]


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _segments(form: Normalization, text: str) -> Iterator[str]:
    start = 0
    for position, character in enumerate(text):
        if position and begins_segment(form, character):
            yield text[start:position]
            start = position
    yield text[start:]


@lru_cache(maxsize=1 << 16)
def begins_segment(form: Normalization, character: str) -> bool:
    """Whether normalisation neither reorders a character nor joins it to what is before it."""
    first = unicodedata.normalize("NFKD" if "K" in form else "NFD", character)[0]
    if unicodedata.combining(first):
        return False
    return form in ("NFD", "NFKD") or first not in _joining()


@lru_cache(maxsize=1)
def _joining() -> frozenset[str]:
    """The characters that composition may join to the one before them."""
    hangul = (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))  # vowels and final consonants of syllables
    joining = {chr(code_point) for code_point in hangul}
    for code_point in range(0x30000):
        decomposition = unicodedata.decomposition(chr(code_point)).split()
        if len(decomposition) == 2 and not decomposition[0].startswith("<"):
            joining.add(chr(int(decomposition[1], 16)))
    return frozenset(joining)


def character_offsets(data: bytes, spans: Offsets) -> Offsets:
    """Byte offsets (T, 2) into `data` as character offsets of all characters that a span touches.

    A byte that is not part of UTF-8 counts as one character, as in `data.decode(errors="surrogateescape")`.
    """
    offsets = np.array(spans, np.int64, order="C")
    _core.spans_to_characters(data, offsets)
    return offsets
