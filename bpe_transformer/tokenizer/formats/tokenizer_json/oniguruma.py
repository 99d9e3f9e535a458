"""Regular expressions translated from Oniguruma, which the `tokenizers` package uses, to the `regex` package, and back.

Most expressions mean the same in both. The others are replaced by equivalents that mean the same in both, so that they can be
written to a file again. What only `regex` supports is written as a special form that `to_regex` recognises.
"""

from __future__ import annotations

import re

from bpe_transformer.errors import FormatError
from bpe_transformer.tokenizer.formats.checks import check_expression
from bpe_transformer.tokenizer.splitting import patterns

WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"  # `regex` and Rust add the two joiners, U+200C and U+200D
_LATIN1 = "²³¹¼½¾"  # word characters to Oniguruma as well, but not within a class
_IN_CLASS = {
    "\\w": WORD,
    "\\h": "0-9a-fA-F",
    "[:punct:]": r"\p{P}\p{S}",
}
_OUTSIDE = {
    "^": r"(?<![^\n])",  # the start and the end of any line
    "$": r"(?![^\n])",
    "\\w": f"[{WORD}{_LATIN1}]",
    "\\W": f"[^{WORD}{_LATIN1}]",
    "\\Z": "$",
    "\\O": r"[\s\S]",
    "\\N": r"[^\n]",
}
_JOINED_WORD = WORD + r"\u200c\u200d"
_AS_WRITTEN = {  # an expression of `regex`: its form in a file
    "\\w": f"(?:[{_JOINED_WORD}])",
    "\\W": f"(?:[^{_JOINED_WORD}])",
    "^": r"(?:\A)",
    "$": r"(?=\n?\z)",
}
_OURS = {written: ours for ours, written in _AS_WRITTEN.items()} | {_JOINED_WORD: "\\w"}
_INTERVAL = r"\{(?P<least>\d*)(?P<comma>,?)(?P<most>\d*)\}\+"
_MARKED = "|".join(map(re.escape, _OURS))
_TOKEN = re.compile(
    rf"{_MARKED}|\\[pP]\{{[^}}]*\}}|\\x\{{[0-9A-Fa-f]+\}}|\\[\s\S]|\(\?[a-zA-Z-]+(?=[:)])|\[:\^?[a-z]+:\]|{_INTERVAL}|[\s\S]"
)


def pattern_of(expression: str, place: str) -> str:
    """The name of the known split pattern, or else the expression for `regex`. Raises `FormatError`."""
    if expression in patterns.PATTERNS.values():
        return patterns.canonical(expression)
    found = patterns.literally(to_regex(expression, place))
    check_expression(found, f"{place}.Regex")
    return patterns.canonical(found)


def to_regex(expression: str, place: str) -> str:
    """An expression for `regex`. Raises `FormatError`.

    >>> to_regex(r"^\\p{N}{1,3}+|[\\w-]", "pattern")
    '(?<![^\\\\n])\\\\p{N}+|[\\\\p{Alphabetic}\\\\p{M}\\\\p{Nd}\\\\p{Pc}-]'
    """
    if named := re.search(r"\(\?P?<(?![=!])[^>]*>", expression):
        raise FormatError(f"{place} names a group, {named.group()}, which is not supported; leave the name out")
    translation: list[str] = []
    depth = 0  # of classes of characters
    for token in _TOKEN.finditer(expression):
        text = token.group()
        if text in _OURS:
            text = _OURS[text]
        elif text[:3] == "\\x{":
            text = _code_point(text, place)
        elif depth == 0 and text in _OUTSIDE:
            text = _OUTSIDE[text]
        elif text.lower() in _IN_CLASS:
            inside = _IN_CLASS[text.lower()]
            text = inside if depth and text.islower() else f"[{'' if text.islower() else '^'}{inside}]"
        elif depth or text == "[":
            depth += (text == "[") - (text == "]")
        elif token["least"] is not None:
            text = _repeated(token, place)
        elif text.startswith("(?") and "m" in text:
            raise FormatError(f"{place} uses {text}, which changes what a dot matches; write [\\s\\S] instead")
        translation.append(text)
    return "".join(translation)


def from_regex(expression: str) -> str:
    """An expression of `regex` as it is written to a file; `to_regex` gives it back.

    >>> from_regex(r"^[\\w-]+$"), to_regex(from_regex(r"^[\\w-]+$"), "")
    ('(?:\\\\A)[\\\\p{Alphabetic}\\\\p{M}\\\\p{Nd}\\\\p{Pc}\\\\u200c\\\\u200d-]+(?=\\\\n?\\\\z)', '^[\\\\w-]+$')
    """
    if expression in patterns.PATTERNS.values():
        return expression
    translation: list[str] = []
    depth = 0  # of classes of characters
    for token in _TOKEN.finditer(expression):
        text = token.group()
        if depth == 0 and text in _AS_WRITTEN:
            text = _AS_WRITTEN[text]
        elif text == "\\w":
            text = _JOINED_WORD
        elif text == "\\W":
            text = f"[^{_JOINED_WORD}]"
        elif depth or text == "[":
            depth += (text == "[") - (text == "]")
        translation.append(text)
    return "".join(translation)


def may_match_nothing(expression: str) -> bool:
    """Whether a match may be empty, when lookarounds are taken to hold.

    >>> may_match_nothing(r"(?=[A-Z])"), may_match_nothing(r"\\s+(?!\\S)")
    (True, False)
    """
    kept: list[str] = []
    starts: list[int] = []  # len(kept) at the start of each open lookaround, -1 for other open groups
    depth = 0
    for token in re.finditer(r"\\[\s\S]|\((?:\?(?:<?[=!]))?|[\s\S]", expression):
        text = token.group()
        if depth or text == "[":
            depth += (text == "[") - (text == "]")
        elif text.startswith("("):
            starts.append(len(kept) if len(text) > 1 else -1)
        elif text == ")" and starts and (begin := starts.pop()) >= 0:
            del kept[begin:]
            continue
        elif text in ("\\b", "\\B", "\\A", "\\z", "\\Z", "\\G"):
            continue
        kept.append(text)
    return patterns.compiled_expression("".join(kept)).match("") is not None


def _code_point(text: str, place: str) -> str:
    code = int(text[3:-1], 16)
    if code > 0x10FFFF:
        raise FormatError(f"{place}: {text} is not a character")
    return re.escape(chr(code))


def _repeated(token: re.Match[str], place: str) -> str:
    """The translation of {m,n}+: to Oniguruma a repeated interval, to other engines a possessive one."""
    least = int(token["least"] or 0)
    if token["comma"] and not token["most"]:
        return f"{{{least},}}"
    if not token["comma"] or least > 1:
        raise FormatError(
            f"{place} repeats {token.group()}, which means different things to different engines; write (?:…)+ instead"
        )
    return "+" if least else "*"
