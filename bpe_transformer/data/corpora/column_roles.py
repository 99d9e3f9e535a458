"""What the columns of a table that nobody described are likely for, from their first values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

Role = Literal["text", "label", "id", "number", "empty"]
SAMPLE_ROWS = 1_000
_MAX_LABEL = 40  # characters
_COMPARABLE = 3.0  # how many times longer one side of a translation may be than the other


def column_role(values: Iterable[object]) -> Role:
    """The likely role of a column: few distinct values of one word are labels, words with digits and no space are ids.

    >>> column_role(["good", "bad", "good", "bad"]), column_role(["a-01", "a-02"]), column_role(["low lower", "newest"])
    ('label', 'id', 'text')
    """
    present = [str(value).strip() for value in values if value is not None]
    filled = [value for value in present if value]
    if not filled:
        return "empty"
    distinct = len(set(filled))
    few = 2 * distinct <= len(filled) and distinct <= max(20, len(filled) // 20)
    if (
        few
        and max(map(len, filled)) <= _MAX_LABEL
        and sum(len(value.split()) for value in set(filled)) <= 1.5 * distinct
    ):
        return "label"
    if _share(filled, r"[-+]?[\d.,]*\d(?:[eE][-+]?\d+)?%?") > 0.95:
        return "number"
    if _share(filled, r"(?=\S*\d)[!-~]+") > 0.9:
        return "id"
    return "text"


def column_roles(sample: Mapping[str, Sequence[object]], strings: Sequence[str]) -> dict[str, Role]:
    """The likely role of each column. Where none is text, the columns of words that repeat are the text after all."""
    roles = {name: column_role(values) for name, values in sample.items()}
    if "text" not in roles.values():
        roles |= {name: "text" for name in strings if roles.get(name) == "label" and not _numbers(sample[name])}
    return roles


def _numbers(values: Sequence[object]) -> bool:
    return _share([str(value) for value in values if value is not None], r"[-+]?[\d.,]*\d") > 0.9


def _share(values: Sequence[str], pattern: str) -> float:
    return sum(re.fullmatch(pattern, value) is not None for value in values) / len(values)


def is_pair(sample: Mapping[str, Sequence[object]], names: Sequence[str]) -> bool:
    """Whether two columns have texts of comparable lengths, as a text and its translation do."""
    if len(names) != 2:
        return False
    one, other = (sum(len(str(value)) for value in sample[name] if value is not None) for name in names)
    return 0 < one <= _COMPARABLE * other and other <= _COMPARABLE * one


def looks_like_a_row(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line of a table is more likely a row than names: it is empty, a number, or a sentence somewhere."""
    for place, name in enumerate(header):
        below = [row[place] for row in rows if place < len(row)]
        if not name.strip() or name in below:
            return True
        if column_role([name]) == "number" or len(name) > 60 or len(name.split()) > 4:
            return True
        if any(ord(last) in _SENTENCE_ENDS for last in name.rstrip()[-1:]):
            return True
    return False


_SENTENCE_ENDS = {ord(mark) for mark in ".!?…\u3002\uff01\uff1f"}
