"""Where in a text its tokens are: from bytes of normalised text to bytes of the original, and from bytes to characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core
from bpe_transformer.tokenizer.pretokenization import Normalization

Offsets = NDArray[np.int64]


def normalize_aligned(form: Normalization, text: str) -> tuple[str, Offsets, Offsets]:
    """`text` normalised, and for each byte of that, (n,), where what it was made of starts and ends: bytes of `text`.

    A normalised text is that of its segments one after another, where a segment begins before a character that
    normalisation neither moves nor joins to what is before it (Unicode Standard Annex 15, section 9). Bytes of a segment
    that normalisation changes stand for the whole segment; all others for themselves.
    """
    if text.isascii() or unicodedata.is_normalized(form, text):
        identity = np.arange(_size(text) + 1)
        return text, identity[:-1], identity[1:]
    made: list[str] = []
    before: list[int] = []  # bytes of each stretch in the original,
    after: list[int] = []  # and in the normalised text
    for segment in _segments(form, text):
        normalized = unicodedata.normalize(form, segment)
        made.append(normalized)
        size = _size(segment)
        if normalized == segment:
            before += [1] * size
            after += [1] * size
        else:
            before.append(size)
            after.append(_size(normalized))
    ends = np.cumsum(before)
    return "".join(made), np.repeat(ends - before, after), np.repeat(ends, after)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _segments(form: Normalization, text: str) -> Iterator[str]:
    start = 0
    for position, character in enumerate(text):
        if position and _begins_segment(form, character):
            yield text[start:position]
            start = position
    yield text[start:]


@lru_cache(maxsize=1 << 16)
def _begins_segment(form: Normalization, character: str) -> bool:
    first = unicodedata.normalize("NFKD" if "K" in form else "NFD", character)[0]
    if unicodedata.combining(first):
        return False
    return form in ("NFD", "NFKD") or first not in _joining()


@lru_cache(maxsize=1)
def _joining() -> frozenset[str]:
    """The characters that composition may join to the one before them."""
    joining = {
        chr(code_point) for code_point in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))
    }  # of Hangul syllables
    for code_point in range(0x30000):
        parts = unicodedata.decomposition(chr(code_point)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            joining.add(chr(int(parts[1], 16)))
    return frozenset(joining)


def characters(data: bytes, spans: Offsets) -> Offsets:
    """Byte offsets (T, 2) into `data` as character offsets: of all characters that a span touches.

    A byte that is not part of UTF-8 counts as one character, as in `data.decode(errors="surrogateescape")`.
    """
    counted = np.array(spans, np.int64, order="C")
    _core.characters(data, counted)
    return counted
