"""Where in a text its tokens are: from bytes of normalised text to bytes of the original, and from bytes to characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bpe_transformer import _core

if TYPE_CHECKING:
    from bpe_transformer.tokenizer.splitting.pretokenizer import Normalization

Offsets = NDArray[np.int64]
Aligned = tuple[str, Offsets, Offsets]


def align(pieces: Iterable[tuple[str, str]]) -> Aligned:
    """From (what was taken, what was made of it), in order: the text made, and for each byte of it, (n,), where what it was
    made of starts and ends, in bytes. Bytes of a piece that stays as it is stand for themselves."""
    before: list[int] = []
    after: list[int] = []
    made: list[str] = []
    for taken, becomes in pieces:
        size = _size(taken)
        if taken == becomes:
            before += [1] * size
            after += [1] * size
        else:
            before.append(size)
            after.append(_size(becomes))
        made.append(becomes)
    sizes = np.array(before, np.int64)
    ends = np.cumsum(sizes)
    return "".join(made), np.repeat(ends - sizes, after), np.repeat(ends, after)


def normalize_aligned(form: Normalization, text: str) -> Aligned:
    """`text` normalised, and for each byte of that, (n,), where what it was made of starts and ends: bytes of `text`.

    A normalised text is that of its segments one after another, where a segment begins before a character that
    normalisation neither moves nor joins to what is before it (Unicode Standard Annex 15, section 9). Bytes of a segment
    that normalisation changes stand for the whole segment; all others for themselves.
    """
    if text.isascii() or unicodedata.is_normalized(form, text):
        identity = np.arange(_size(text) + 1)
        return text, identity[:-1], identity[1:]
    segments = ((segment, unicodedata.normalize(form, segment)) for segment in _segments(form, text))
    return align(segments)


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
