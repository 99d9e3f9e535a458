"""Texts that are too long for a model, cut where a person would cut them."""

from __future__ import annotations

import re
from collections.abc import Callable

# where a text may be cut, the best place first: after the end of a sentence, after a comma, after white space, anywhere
_CUTS = (
    re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])\s*|\n+"),
    re.compile(r"(?<=[,;:，；：、])\s*"),
    re.compile(r"\s+"),
)


def split_text(text: str, size: Callable[[str], int], limit: int) -> list[tuple[str, str]]:
    """Pieces of `text` of at most `limit` by `size`, each with the white space after it; a character stands alone.

    Pieces are as long as can be: whole sentences where possible, else clauses, words, characters.

    >>> split_text("One. Two three, four. Five.", len, 11)
    [('One.', ' '), ('Two three,', ' '), ('four. Five.', '')]
    """
    return _joined(_units(text, size, limit, 0), size, limit)


def _units(text: str, size: Callable[[str], int], limit: int, level: int) -> list[tuple[str, str]]:
    """Units that fit, cut no finer than needed."""
    if size(text) <= limit or len(text) <= 1:
        return [(text, "")]
    if level == len(_CUTS):
        half = len(text) // 2
        return [*_units(text[:half], size, limit, level), *_units(text[half:], size, limit, level)]
    units: list[tuple[str, str]] = []
    start = 0
    for cut in _CUTS[level].finditer(text):
        if cut.end() > start and cut.end() < len(text):
            units.append((text[start : cut.end()], ""))
            start = cut.end()
    units.append((text[start:], ""))
    found = []
    for unit, _ in units:
        kept = unit.rstrip()
        space = unit[len(kept) :]
        fine = _units(kept, size, limit, level + 1)
        found += [*fine[:-1], (fine[-1][0], fine[-1][1] + space)]
    return found


def _joined(units: list[tuple[str, str]], size: Callable[[str], int], limit: int) -> list[tuple[str, str]]:
    """Neighbours put together as long as they fit."""
    pieces: list[tuple[str, str]] = []
    for unit, space in units:
        if pieces:
            together = "".join((*pieces[-1], unit))
            if size(together) <= limit:
                pieces[-1] = (together, space)
                continue
        pieces.append((unit, space))
    return [(piece, space) for piece, space in pieces if piece]
