"""SentencePiece's normalisation: a compiled map of characters to others, and spaces that follow each other become one.

The map is a double-array trie (darts-clone) over UTF-8 whose values are places in a block of texts, each ended by a zero byte:
`normalizer.cc` of google/sentencepiece writes and reads it. At every place the longest entry is taken.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.splitting.alignment import Aligned, align

_SPACE_MARK = "▁"
_ASCII = r"([\x00-\x7f]+(?<!\r)(?=[\x00-\x7f]|\z))"
# bytes, and how many; SentencePiece's own rules need 12, some 40, and 300,000
_LONGEST_KEY, _LONGEST_TEXT, _MOST_PLACES = 64, 1000, 1 << 20


class CharsmapNormalizer:
    """Normalises as a SentencePiece model does that holds `charsmap` and, with `squeeze`, "remove_extra_whitespaces".

    Texts of `unchanged` stay as they are, wherever they are found first.

    >>> CharsmapNormalizer(None, True).normalize("  a   b ")
    'a b'
    """

    def __init__(self, charsmap: str | None, squeeze: bool, unchanged: Sequence[str] = ()) -> None:
        entries = {} if charsmap is None else _entries(charsmap)
        kept = tuple(unchanged)  # come before what they begin
        self.entries = {key: made for key, made in entries.items() if not key.startswith(kept)} | {
            key: key for key in kept
        }
        self._squeeze = squeeze
        self._reach = max(map(len, self.entries), default=0)
        # where no entry holds spaces that stay together, those of the whole text can be squeezed at once
        self._at_once = not any("  " in made for made in self.entries.values())

    def normalize(self, text: str) -> str:
        if not self._at_once:
            return "".join(made for _, made in self._steps(text))
        made: list[str] = []
        for start, stop in self._stretches(text):
            if start < stop:
                made.append(text[start:stop])
            else:
                taken = self._longest(text, start)
                made.append(self.entries.get(taken, taken))
        normalized = "".join(made)
        if self._squeeze:
            normalized = " ".join(filter(None, normalized.split(" "))).rstrip(" " + _SPACE_MARK)
        return normalized

    def aligned(self, text: str) -> Aligned:
        """The normalised text, and for each byte of it, (n,), where what it was made of starts and ends: bytes of `text`."""
        return align(self._steps(text))

    def _steps(self, text: str) -> list[tuple[str, str]]:
        """(a piece of `text`, what becomes of it), one after another; what stays as it is character by character."""
        steps: list[tuple[str, str]] = []
        for start, stop in self._stretches(text):
            if start < stop:
                steps += [(char, char) for char in text[start:stop]]
            else:
                taken = self._longest(text, start)
                steps.append((taken, self.entries.get(taken, taken)))
        return self._squeezed(steps) if self._squeeze else steps

    def _stretches(self, text: str) -> Iterator[tuple[int, int]]:
        """(start, stop) of what stays as it is, and (start, start) for each place where the longest entry is to be taken."""
        code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
        position = 0
        for found in np.flatnonzero(self._triggers[code_points]).tolist():
            start = max(position, found - self._reach + 1)
            if position < start:
                yield position, start
                position = start
            while position <= found:
                yield position, position
                position += len(self._longest(text, position))
        if position < len(text):
            yield position, len(text)

    def _longest(self, text: str, position: int) -> str:
        for size in range(self._reach, 0, -1):
            if (part := text[position : position + size]) in self.entries:
                return part
        return text[position]

    @cached_property
    def _triggers(self) -> NDArray[np.bool_]:
        """By code point, whether no entry matches without it or another: entries themselves, or not the first of one."""
        triggers = np.zeros(0x110000, np.bool_)
        triggers[[ord(char) for key in self.entries for char in (key if len(key) == 1 else key[1:])]] = True
        return triggers

    @staticmethod
    def _squeezed(steps: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Without spaces at the start, after a space, and, written either way, at the end."""
        squeezed: list[tuple[str, str]] = []
        after_space = True
        for taken, made in steps:
            if after_space:
                made = made.lstrip(" ")
            if made:
                after_space = made.endswith(" ")
            squeezed.append((taken, made))
        for i in range(len(squeezed) - 1, -1, -1):
            taken, made = squeezed[i]
            squeezed[i] = taken, made.rstrip(" " + _SPACE_MARK)
            if squeezed[i][1]:
                break
        return squeezed


class PrecompiledNormalizer:
    """Normalises by such a map as the `tokenizers` package does: grapheme by grapheme, the shortest entry that one begins with.

    A grapheme of six bytes or more, or that begins with no entry, is taken character by character.
    """

    def __init__(self, charsmap: str) -> None:
        self._entries = _entries(charsmap)
        self._first = frozenset(key[0] for key in self._entries)
        self._reach = max(map(len, self._entries), default=0)

    def normalize(self, text: str) -> str:
        if self._first.isdisjoint(text):
            return text
        import regex

        made: list[str] = []
        for part in regex.splititer(_ASCII, text):  # no grapheme crosses the end of one
            made += (
                [part.translate(self._ascii)]
                if part.isascii() and "\r\n" not in part
                else [m for _, m in self._pieces(part)]
            )
        return "".join(made)

    @cached_property
    def _ascii(self) -> dict[int, str]:
        return {code: made for code in range(128) if (made := self._shortest(chr(code))) is not None}

    def aligned(self, text: str) -> Aligned:
        return align(self._pieces(text))

    def _pieces(self, text: str) -> Iterator[tuple[str, str]]:
        import regex

        for grapheme in regex.findall(r"\X", text):
            if len(grapheme.encode("utf-8", "surrogatepass")) < 6 and (made := self._shortest(grapheme)) is not None:
                yield grapheme, made
                continue
            for char in grapheme:
                made = self._shortest(char)
                yield char, char if made is None else made

    def _shortest(self, text: str) -> str | None:
        for size in range(1, min(len(text), self._reach) + 1):
            if (made := self._entries.get(text[:size])) is not None:
                return made
        return None


def _entries(charsmap: str) -> dict[str, str]:
    """What the map turns into what. Raises `FormatError`."""
    try:
        data = base64.b64decode(charsmap, validate=True)
    except (binascii.Error, ValueError) as cause:
        raise FormatError(f"precompiled_charsmap is not base64: {cause}") from cause
    size = int.from_bytes(data[:4], "little")
    if len(data) < 4 or size % 4 or size < 1024 or 4 + size > len(data):
        raise FormatError(f"precompiled_charsmap claims a trie of {size} bytes, and {max(len(data) - 4, 0)} are there")
    units = np.frombuffer(data, "<u4", size // 4, 4).astype(np.int64)
    texts = data[4 + size :]
    entries: dict[str, str] = {}
    for key, place in _keys(units):
        end = texts.find(b"\0", place)
        if not 0 <= place < len(texts) or not 0 <= end - place <= _LONGEST_TEXT:
            raise FormatError(f"precompiled_charsmap has no text at byte {place} for {key!r}, or a very long one")
        try:
            entries[key.decode()] = texts[place:end].decode()
        except UnicodeDecodeError as cause:
            raise FormatError(f"precompiled_charsmap: entry {key!r} is not UTF-8") from cause
    return entries


def _keys(units: NDArray[np.int64]) -> list[tuple[bytes, int]]:
    """The keys of a double-array trie with their values. Raises `FormatError` if it is none."""
    labels = units & 0x800000FF
    bases = np.where(labels < 256, np.arange(len(units)) ^ labels, -1)
    order = np.argsort(bases, kind="stable")
    places = np.searchsorted(bases[order], np.arange(len(units) + 1))
    offsets = (units >> 10) << ((units & 0x200) >> 6)
    found: list[tuple[bytes, int]] = []
    waiting = [(b"", int(offsets[0]))]  # key so far, where its children are counted from
    visited = 0
    while waiting:
        key, base = waiting.pop()
        visited += 1  # keys share their ends, so a place may be reached by many; but not without end
        if base >= len(units) or len(key) > _LONGEST_KEY or visited > _MOST_PLACES:
            raise FormatError("precompiled_charsmap is no trie: a path leads out of it, or does not end")
        for unit in order[places[base] : places[base + 1]].tolist():
            label = unit ^ base
            if unit == 0 or label == 0:
                continue  # the root is nobody's child, and a value has no label
            child = unit ^ int(offsets[unit])
            longer = key + bytes([label])
            if units[unit] >> 8 & 1:
                if child >= len(units):
                    raise FormatError("precompiled_charsmap is no trie: a value lies outside")
                found.append((longer, int(units[child] & 0x7FFFFFFF)))
            waiting.append((longer, child))
    return found
