"""Tokens folded to words or characters: the units of attention that a reader knows.

A unit's column is the sum of its tokens' columns, its row the mean of their rows. A token that reaches over several
units gives each the share of its bytes, so that every row still sums to 1.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import regex

from bpe_transformer.inspection.base.word_spans import word_spans

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bpe_transformer.tokenizer import Tokenizer

Unit = Literal["words", "chars", "tokens"]
UNIT_NOUNS: dict[Unit, str] = {"words": "word", "chars": "character", "tokens": "token"}
_CHARACTER = regex.compile(r"\X")  # with its combining marks (Unicode Standard Annex 29)


@dataclass(frozen=True, slots=True)
class Units:
    """The units of a sequence of tokens.

    names: bytes of each unit, white space around it left out. shares: (tokens, units), what share of each token lies in
    each unit; rows sum to 1.
    """

    names: tuple[bytes, ...]
    shares: NDArray[np.float64]

    def sum_columns(self, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """(…, T, tokens) -> (…, T, units)"""
        summed: NDArray[np.float64] = weights @ self.shares
        return summed

    def mean_rows(self, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """(…, tokens, S) -> (…, units, S)"""
        means: NDArray[np.float64] = (self.shares / self.shares.sum(axis=0)).T @ weights
        return means


def folding_remark(unit: Unit) -> str:
    """How tokens are folded to this unit, for people; empty where they are not."""
    if unit == "tokens":
        return ""
    noun = UNIT_NOUNS[unit]
    return f"tokens are folded to {noun}s: where a {noun} has several, their columns are summed and their rows averaged"


def fold(tokenizer: Tokenizer, ids: Sequence[int], tokens: Sequence[bytes], unit: Unit = "words") -> Units:
    """The units of a text's tokens; a special token is a unit by itself.

    "words" are what stands between white space (eojeol in Korean), and single letters in scripts without spaces;
    "chars" are characters with their combining marks.
    """
    import numpy as np

    special = set(tokenizer.special_tokens.values())
    mark = (tokenizer.end_of_word or "").encode()
    names: list[bytes] = []
    spans: list[tuple[int, int, int]] = []  # token, unit, bytes
    run: list[tuple[int, bytes]] = []

    def close() -> None:
        """Adds the units of a run of tokens that are text."""
        for name, places in _run_units(run, unit, mark):
            spans.extend((place, len(names), size) for place, size in places)
            names.append(name)
        run.clear()

    for place, (id, token) in enumerate(zip(ids, tokens, strict=True)):
        if unit == "tokens" or id in special or not token:
            close()
            spans.append((place, len(names), 1))
            names.append(token)
        else:
            run.append((place, token))
    close()
    shares = np.zeros((len(tokens), len(names)))
    for place, number, size in spans:
        shares[place, number] += size
    return Units(tuple(names), shares / shares.sum(axis=1, keepdims=True))


def _run_units(run: Sequence[tuple[int, bytes]], unit: Unit, mark: bytes) -> list[tuple[bytes, list[tuple[int, int]]]]:
    """The units of adjacent tokens: their bytes without white space around, and (token, bytes in the unit) of each."""
    text = b""
    owners: list[int] = []  # of every byte
    ends: set[int] = set()  # places where a mark ends a word
    for place, token in run:
        marked = bool(mark) and token.endswith(mark)
        kept = token[: -len(mark)] if marked else token
        kept = kept or b" "  # the mark alone
        text += kept
        owners += [place] * len(kept)
        if marked:
            ends.add(len(text))
    units = []
    borders = _borders(text, unit, ends)
    for start, end in zip(borders, borders[1:], strict=False):
        sizes: dict[int, int] = {}
        for owner in owners[start:end]:
            sizes[owner] = sizes.get(owner, 0) + 1
        name = text[start:end]
        units.append((name.strip() or name, list(sizes.items())))
    return units


def _borders(text: bytes, unit: Unit, ends: set[int]) -> list[int]:
    """Where units begin, and the end: white space before a unit belongs to it, and at the very end to the last."""
    decoded = text.decode("utf-8", "surrogateescape")
    offsets = [0]
    for char in decoded:
        offsets.append(offsets[-1] + (1 if 0xDC80 <= ord(char) <= 0xDCFF else len(char.encode())))
    starts: set[int] = set()  # characters
    if unit == "chars":
        starts = {found.start() for found in _CHARACTER.finditer(decoded) if not found[0].isspace()}
    else:
        starts = {found.start() for found in regex.finditer(r"\S+", decoded)} | _letters_alone(decoded)
    borders = {0, len(text)}
    for start in starts:
        while start and decoded[start - 1].isspace():
            start -= 1
        borders.add(offsets[start])
    return sorted(borders | ends)


def _letters_alone(text: str) -> set[int]:
    """First characters of the words of scripts without spaces: those that follow or begin right beside another word."""
    if all(unicodedata.category(char)[0] != "L" or ord(char) < 0x0E00 for char in text):
        return set()
    clean = "".join("?" if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)
    by_byte = {0: 0}
    at = 0
    for number, char in enumerate(clean):
        by_byte[at] = number
        at += len(char.encode())
    by_byte[at] = len(clean)
    spans = [(by_byte[int(start)], by_byte[int(end)]) for start, end in word_spans(clean)]
    return {start for (_, before), (start, _) in zip(spans, spans[1:], strict=False) if before == start}
