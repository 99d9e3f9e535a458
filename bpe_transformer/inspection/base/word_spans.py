"""The byte spans of the words of a text, by the definition in `metrics`; 100 MB take about two seconds."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NONE, _JOINED, _ALONE, _MARK, _UNSEEN = 0, 1, 2, 3, 255
# Blocks of the scripts that are written without spaces between words; every letter in them is a word.
WITHOUT_SPACES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),  # ideographic iteration and zero
    (0x3021, 0x3029),
    (0x3031, 0x312F),  # kana, Bopomofo
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xA000, 0xA4CF),  # Yi
    (0xA9E0, 0xA9FF),  # Myanmar, extended
    (0xAA60, 0xAADF),  # Myanmar, Tai Viet
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # half-width kana
    (0x1AFF0, 0x1B16F),  # kana
    (0x20000, 0x3FFFD),  # Han
)


def word_spans(text: str) -> NDArray[np.int64]:
    """First byte and byte after the last of every word of `text`, in its UTF-8: shape (words, 2).

    >>> word_spans("don't 세 마리!").tolist()
    [[0, 3], [4, 5], [6, 9], [10, 16]]
    >>> word_spans("3rd 東京").tolist()
    [[0, 3], [4, 7], [7, 10]]

    Raises UnicodeEncodeError for a lone surrogate.
    """
    if text.isascii():
        return _spans(np.frombuffer(text.encode(), np.uint8))
    code_points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    byte_spans: NDArray[np.int64] = char_starts(code_points)[_spans(code_points)]
    return byte_spans


def char_starts(code_points: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The byte at which each character begins in UTF-8, and at last the number of bytes: shape (characters + 1,)."""
    sizes = np.ones(len(code_points), np.uint8)
    for first_of_more_bytes in (0x80, 0x800, 0x10000):
        sizes += code_points >= first_of_more_bytes
    starts = np.zeros(len(code_points) + 1, np.int64)
    np.cumsum(sizes, out=starts[1:])
    return starts


def _spans(code_points: NDArray[np.uint8] | NDArray[np.uint32]) -> NDArray[np.int64]:
    return np.stack(_runs(_kinds(code_points)), axis=1).astype(np.int64, copy=False)


def _runs(kinds: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First character of every word and the one after its last."""
    marks = kinds == _MARK
    if marks.any():  # a mark goes with what stands before it
        carrier = np.maximum.accumulate(np.where(marks, 0, np.arange(len(kinds))))
        carried = kinds[carrier]
        carried[carried == _MARK] = _JOINED  # marks at the very beginning
        alone = marks & (carried == _NONE)  # after a space or a sign: the run of marks is a word
        kinds = np.where(alone, _JOINED, carried)
    before = np.empty_like(kinds)
    before[:1] = _NONE
    before[1:] = kinds[:-1]
    begins = ((kinds == _JOINED) & (before != _JOINED)) | ((kinds == _ALONE) & ~marks)
    word_ends = (before != _NONE) & ((kinds == _NONE) | begins)
    ends = np.flatnonzero(word_ends)
    if len(kinds) and kinds[-1] != _NONE:
        ends = np.append(ends, len(kinds))
    return np.flatnonzero(begins), ends


def _kinds(code_points: NDArray[np.uint8] | NDArray[np.uint32]) -> NDArray[np.uint8]:
    table = _table()
    kinds: NDArray[np.uint8] = table[code_points]
    if (unseen := kinds == _UNSEEN).any():
        for code_point in np.unique(code_points[unseen]).tolist():
            table[code_point] = _kind(code_point)
        kinds = table[code_points]
    return kinds


@cache
def _table() -> NDArray[np.uint8]:
    """By code point; filled in as characters are met, since most never are."""
    return np.full(0x110000, _UNSEEN, np.uint8)


def _kind(code_point: int) -> int:
    category = unicodedata.category(chr(code_point))
    if category[0] == "M":
        return _MARK
    if category[0] == "L" or category == "Nl":
        return _ALONE if any(first <= code_point <= last for first, last in WITHOUT_SPACES) else _JOINED
    return _JOINED if category[0] == "N" else _NONE
