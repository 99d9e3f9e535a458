"""Marks with which a generator of translations says what corresponds, and the word alignment that they give."""

from __future__ import annotations

import re
from typing import NamedTuple

_OPEN, _CLOSE = "\ue000", "\ue001"  # of private use, so in no text of a generator
_MARKS = re.compile(f"{_OPEN}.|{_CLOSE}")
_INSTEAD = {"c": "e"}  # 센트 beside the cents of $8.18, which has no word for it
_POSSIBLE = {"k": "o"}  # a Korean counter word beside the noun that it counts: cats, 고양이 … 마리


class WordLinks(NamedTuple):
    """A gold word alignment, in the manner of Och and Ney 2003: pairs (source word, target word), counted from 0.

    Words are what stands between blanks. sure: what has to be found. possible: what may be found; holds the sure ones.
    A group of several words that translates a group of several words, such as "two hundred" and "이백 만", is possible
    only, since there is no telling which word is which.
    """

    sure: frozenset[tuple[int, int]]
    possible: frozenset[tuple[int, int]]


def mark(group: str, text: str) -> str:
    """`text` marked as of a group, a single letter; what has the same letter on the other side says the same."""
    return f"{_OPEN}{group}{text}{_CLOSE}" if text else ""


def without_marks(text: str) -> str:
    """The text alone."""
    return _MARKS.sub("", text)


def links_of(src: str, tgt: str) -> WordLinks:
    """The alignment of two marked texts.

    >>> src = f"{mark('n', 'three')} {mark('o', 'cats')}"
    >>> tgt = f"{mark('o', '고양이')} {mark('n', '세')} {mark('k', '마리')}"
    >>> found = links_of(src, tgt)
    >>> sorted(found.sure), sorted(found.possible)
    ([(0, 1), (1, 0)], [(0, 1), (1, 0), (1, 2)])
    """
    here, there = _words_by_group(src), _words_by_group(tgt)
    sure: set[tuple[int, int]] = set()
    possible: set[tuple[int, int]] = set()
    for group, targets in there.items():
        other = _POSSIBLE.get(group, group if group in here else _INSTEAD.get(group, group))
        sources = here.get(other, set())
        pairs = {(source, target) for source in sources for target in targets}
        possible |= pairs
        if group not in _POSSIBLE and (len(sources) == 1 or len(targets) == 1):
            sure |= pairs
    return WordLinks(frozenset(sure), frozenset(possible))


def _words_by_group(marked: str) -> dict[str, set[int]]:
    """The words, counted from 0, in which each group lies."""
    found: dict[str, set[int]] = {}
    word, group = 0, ""
    for token in re.findall(f"{_OPEN}.|{_CLOSE}|[^{_OPEN}{_CLOSE}]", marked):
        if token[0] == _OPEN:
            group = token[1]
        elif token == _CLOSE:
            group = ""
        elif token == " ":
            word += 1
        elif group:
            found.setdefault(group, set()).add(word)
    return found
