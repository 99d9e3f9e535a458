r"""The split patterns: the only place where they are written down.

Most named patterns have a scanner in the native core that splits exactly as their regular expressions here do; others are
compiled by it if it can (see `compiled_patterns.py`), or run through the `regex` package. `gpt2`, `cl100k` and `o200k` split as
tiktoken's `r50k_base`, `cl100k_base` and `o200k_base` do, `llama3` and `qwen2` as the tokenizers of those models. They avoid
possessive intervals (`{1,3}+`), which Ruby-flavoured engines such as the one in `tokenizers` read as something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from bpe_transformer import _core
from bpe_transformer.errors import PatternError
from bpe_transformer.tokenizer.splitting.time_limit import find_matches

if TYPE_CHECKING:
    import regex

_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_STOPS = ".!?;:。！？"

PATTERNS: dict[str, str] = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    "o200k": (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTION}?|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTION}?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "llama3": (
        rf"{_CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "qwen2": (
        rf"{_CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "whitespace": r" ?\S+|\s+(?!\S)|\s+",
    # for tokens that span words: up to a digit, behind a sentence's punctuation, or to the end of the line
    "superword": rf"\p{{N}}{{1,3}}|[^\r\n\p{{N}}{_STOPS}]+[{_STOPS}]*|[{_STOPS}]+|[\r\n]+",
    # SentencePiece writes a space as U+2581, so both begin a word
    "metaspace": "[ \u2581]+[^ \u2581]*|[^ \u2581]+",
    "none": r"(?s:.+)",
}
DEFAULT_PATTERN = "o200k"  # which keeps combining marks with their letters, so that words of Hindi and Thai stay whole
_INTERVAL = re.compile(r"\{(\d{1,9})?,?(\d{1,9})?\}")
_MAX_REPEATS = 100_000
_CACHED_CHARACTERS = 24  # longer texts are not likely to come again
CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"  # of openai/clip; all other text is dropped

_NUMBER = {name: number for number, name in enumerate(_core.PATTERNS)}
# other regular expressions of the named patterns that are in use, each of which splits the same
_ALIASES = {
    # openai/gpt-2 and most tokenizer.json; tiktoken
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s": "gpt2",
    # tiktoken
    (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ): "cl100k",
    # in tokenizer.json files, where $ is the end of a line
    (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s++(?![^\n])|\s*[\r\n]|\s+(?!\S)|\s"
    ): "cl100k",
    # minbpe; rustbpe
    (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
        r"|\s*[\r\n]|\s+(?!\S)|\s+"
    ): "llama3",
}
_NAME = {**{expression: name for name, expression in PATTERNS.items()}, **_ALIASES}


def canonical(pattern: str) -> str:
    """The name of a pattern that is given by its name or by its expression; without a name, the expression itself.

    Raises `PatternError` if it is neither a name nor a regular expression.

    >>> canonical(r" ?\\S+|\\s+(?!\\S)|\\s+")
    'whitespace'
    """
    if pattern in PATTERNS:
        return pattern
    if pattern in _NAME:
        return _NAME[pattern]
    compiled(pattern)
    return pattern


def literally(expression: str) -> str:
    """A regular expression written so that it cannot be mistaken for the name of a pattern.

    >>> literally("none")
    '(?:none)'
    """
    return f"(?:{expression})" if expression.isidentifier() else expression


def expression(pattern: str) -> str:
    """The regular expression of a pattern."""
    return PATTERNS.get(pattern, pattern)


def scanner_number(pattern: str) -> int | None:
    """The number of the hand-written native scanner of a canonical pattern, None if it has none."""
    return _NUMBER.get(pattern)


@lru_cache(maxsize=64)
def compiled(pattern: str) -> regex.Pattern[str]:
    """A pattern, by name or expression, as a compiled `regex` object."""
    if not pattern:
        raise PatternError(f"the pattern is empty; give a regular expression or one of {', '.join(PATTERNS)}")
    if pattern.isidentifier() and pattern not in PATTERNS:
        raise PatternError(
            f"pattern={pattern!r} is not a known name; choose one of {', '.join(PATTERNS)} or give a regular expression"
        )
    try:
        return compiled_expression(expression(pattern))
    except PatternError as cause:
        raise PatternError(f"{cause} or name one of {', '.join(PATTERNS)}") from cause.__cause__


@lru_cache(maxsize=64)
def compiled_expression(expression: str) -> regex.Pattern[str]:
    """Any regular expression as a compiled `regex` object. Raises `PatternError`."""
    import regex

    repeats = prod(max(map(int, filter(None, counts)), default=1) or 1 for counts in _INTERVAL.findall(expression))
    if repeats > _MAX_REPEATS:  # which may take all memory there is
        raise PatternError(f"pattern={expression!r} repeats up to {repeats} times; write it with smaller numbers")
    try:
        return regex.compile(expression, regex.V1 if holds_sets(expression) else 0)
    except (regex.error, RecursionError, OverflowError) as cause:
        shown = expression if len(expression) <= 300 else expression[:297] + "..."
        raise PatternError(f"pattern={shown!r} does not compile: {cause}; correct it") from cause


def holds_sets(expression: str) -> bool:
    """Whether a character class contains another or an intersection, which `regex` reads as Rust and Ruby do in its V1 mode.

    >>> holds_sets(r"[^(\\s|[.,!?])]+"), holds_sets(r"[\\p{L}&&[^\\p{Han}]]"), holds_sets(r"\\[[a-z[:alpha:]]")
    (True, True, False)
    """
    inside, position = False, 0
    while position < len(expression):
        rest = expression[position : position + 2]
        if rest[0] == "\\":
            position += 1
        elif inside and ((rest[0] == "[" and rest != "[:") or rest == "&&"):
            return True
        elif rest == "[:":
            position = max(expression.find(":]", position) + 1, position)
        elif rest[0] == "[" and not inside:
            inside = True
            if (
                expression[position + 1 : position + 3].lstrip("^").startswith("]")
            ):  # a bracket that comes first is literal
                position += 1 + (rest == "[^")
        elif rest[0] == "]":
            inside = False
        position += 1
    return False


def dropping(expression: str) -> str:
    """A pattern whose matches are not part of any pre-token."""
    return f"(?P<dropped>{expression})"


def keeping(expression: str) -> str:
    """A pattern whose matches are the only pre-tokens; the text between them is dropped."""
    return f"(?P<kept>{expression})"


# expressions for the spans of splits that join a match to its neighbour; a match next to another match stays alone
JOINED = {
    "MergedWithPrevious": "{rest}*+{match}|{rest}++",
    "MergedWithNext": "{match}{rest}*+|{rest}++",
    "Contiguous": "{match}++|{rest}++",
}


def joining(joins: str, expression: str) -> str:
    """The expression for the spans of a split whose matches join what is beside them, as `joins` (a key of `JOINED`) says.

    >>> joining("Contiguous", "a|b")
    '(?:a|b)++|(?:(?!a|b)[\\\\s\\\\S])++'
    """
    return JOINED[joins].format(match=f"(?:{expression})", rest=rf"(?:(?!{expression})[\s\S])")


def joined_by(pattern: str) -> tuple[str | None, str]:
    """(the key of `JOINED`, the expression) of which `joining` gives a pattern; (None, the pattern) if there are none.

    >>> joined_by(joining("MergedWithNext", "ab"))
    ('MergedWithNext', 'ab')
    """
    for joins, template in JOINED.items():
        times = template.count("{")
        length, left = divmod(len(pattern) - len(joining(joins, "")), times)
        end = len(pattern) - len(r")[\s\S])++")
        if left == 0 and length > 0 and joining(joins, pattern[end - length : end]) == pattern:
            return joins, pattern[end - length : end]
    return None, pattern


def drops(pattern: str) -> bool:
    """Whether a pattern drops some of the text.

    >>> drops(keeping("[a-z]+")), drops("gpt2")
    (True, False)
    """
    return pattern not in PATTERNS and not compiled(pattern).groupindex.keys().isdisjoint(("dropped", "kept"))


def find_pretokens(pattern: str, text: str) -> Iterator[tuple[int, str]]:
    """Start and text of every pre-token, by the `regex` package. Text between matches is one too, unless it is dropped.

    >>> list(find_pretokens(dropping(r"\\s+"), "a  b"))
    [(0, 'a'), (3, 'b')]
    """
    names = compiled(pattern).groupindex.keys()
    end = 0
    for match in find_matches(compiled(pattern), text):
        start, stop = match.span()
        if start > end and "kept" not in names:
            yield end, text[end:start]
        if stop > start and "dropped" not in names:
            yield start, match.group()
        end = stop
    if end < len(text) and "kept" not in names:
        yield end, text[end:]


def split_by_chain(chain: tuple[str, ...], text: str) -> Iterable[tuple[int, str]]:
    """Start and text of the pre-tokens of several patterns, each of which splits the pre-tokens of the one before it."""
    if len(text) <= _CACHED_CHARACTERS:
        return _split_cached(chain, text)
    return _split_by_chain(chain, text)


def _split_by_chain(chain: tuple[str, ...], text: str) -> Iterator[tuple[int, str]]:
    if not chain:
        yield 0, text
    elif len(chain) == 1:
        yield from find_pretokens(chain[0], text)
    else:
        for start, pretoken in find_pretokens(chain[0], text):
            for offset, smaller in split_by_chain(chain[1:], pretoken):
                yield start + offset, smaller


@lru_cache(maxsize=1 << 16)
def _split_cached(chain: tuple[str, ...], text: str) -> tuple[tuple[int, str], ...]:
    return tuple(_split_by_chain(chain, text))


def split(pattern: str, text: str) -> Iterator[str]:
    """The pre-tokens of `text` by the `regex` package. Text between two matches is a pre-token as well.

    >>> list(split("gpt2", "low lower's"))
    ['low', ' lower', "'s"]
    """
    return (text[start:end] for start, end in pairwise(borders(pattern, text)))


def borders(pattern: str, text: str) -> Iterator[int]:
    """Where the pre-tokens of `split` begin and end in `text`, each of which begins where the one before it ends.

    >>> list(borders("gpt2", "low lower's"))
    [0, 3, 9, 11]
    """
    yield 0
    end = 0
    for match in find_matches(compiled(pattern), text):
        start, stop = match.span()
        if start > end:
            yield start
        if stop > start:
            yield stop
        end = stop
    if end < len(text):
        yield len(text)
