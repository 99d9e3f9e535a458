r"""A limit on the time that a regular expression may take: some, such as `(a|aa)+$`, double it with every character."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from bpe_transformer.errors import PatternError

if TYPE_CHECKING:
    import regex

SECONDS = 5.0  # from one match to the next, of processor time,
SECONDS_PER_CHARACTER = 2e-6  # and this for each character of the text; usual patterns take a fiftieth of it
_SHORT = 1000  # characters of a text in which a simple expression cannot take long: the limit costs time itself
_ESCAPE_OR_CLASS = re.compile(r"\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:\[:[^:]*:\]|\\.|[^\]\\])*\]", re.S)
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}")
_BOUNDED = re.compile(r"\{(?P<least>\d*),(?P<most>\d+)\}|\?")
_CHOICES = 1 << 14
_REPEATED_GROUP = re.compile(r"\)[*+{]")


def find_matches(pattern: regex.Pattern[str], text: str) -> Iterator[regex.Match[str]]:
    """The matches of `pattern.finditer(text)`. Raises `PatternError` where one takes longer than the limit."""
    if len(text) <= _SHORT and is_simple(pattern.pattern):
        yield from pattern.finditer(text)
        return
    limit = SECONDS + SECONDS_PER_CHARACTER * len(text)
    end, found, started, allowed = 0, False, time.thread_time(), limit
    while True:
        try:
            for match in pattern.finditer(text, end, timeout=allowed):
                end, found = match.end(), True
                yield match
            return
        except TimeoutError:  # of the whole process, with what other threads do and what is done with the matches
            if not found and time.thread_time() - started >= limit:
                raise PatternError(_message(pattern.pattern, limit, end, len(text))) from None
            allowed = limit if found else 2 * allowed
            found, started = False, time.thread_time()


@lru_cache(maxsize=256)
def is_simple(expression: str) -> bool:
    r"""Whether an expression repeats no group, and no branch of it repeats without bounds more than twice.

    >>> is_simple(r" ?\p{L}+|\s+(?!\S)|[(+*]+"), is_simple("(a|aa)+$"), is_simple("a*a*a*b")
    (True, False, False)
    >>> is_simple(r"(?>\p{L}+)|\d+(?=\D)"), is_simple(r"(?P<a>x)(?P=a)"), is_simple("a(?R)?b")
    (True, False, False)
    """
    plain = _ESCAPE_OR_CLASS.sub("x", expression)
    if _REPEATED_GROUP.search(plain) or re.search(r"\\[1-9gk]|\(\?(?:P[=&>]|[&R0-9])", expression):
        return False
    return all(len(_UNBOUNDED.findall(branch.replace("++", "+"))) <= 2 for branch in plain.split("|"))


@lru_cache(maxsize=256)
def is_bounded(expression: str) -> bool:
    r"""Whether no text can make an expression try more than some ten thousand ways at one place, squared by its length.

    For an engine without a limit on time: an expression that is simple, whose optional parts leave few choices.

    >>> is_bounded(r" ?\p{L}+|\p{N}{1,3}"), is_bounded("a?" * 30 + "a" * 30), is_bounded("(a|aa){1,40}b")
    (True, False, False)
    """
    choices = 1
    for least, most in _BOUNDED.findall(_ESCAPE_OR_CLASS.sub("x", expression).replace("(?", "(")):
        choices *= max(int(most or 1) - int(least or 0) + 1, 1)
    return is_simple(expression) and choices <= _CHOICES


def _message(expression: str, limit: float, position: int, size: int) -> str:
    shown = expression if len(expression) <= 300 else expression[:297] + "..."
    return (
        f"pattern={shown!r} takes more than {limit:.0f} s to find its next match from character {position:,} on, in a text of "
        f"{size:,}; write it so that it can match in one way only: without a repetition inside a repetition, such as (a|aa)+ "
        "or (a+)+, or with possessive ones, such as a++"
    )
