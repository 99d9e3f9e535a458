"""Split patterns for a browser: the same pre-tokens whatever Unicode version and regular expressions it has.

A pattern sees a character only through the sets it names (`\\p{L}`, `[^\\r\\n]`, an ignore-case `s`). So the characters fall
into few kinds, and the pattern treats all characters of a kind alike: `\\p{N}{1,3}| ?\\p{L}+` has four kinds, numbers,
the space, letters and the rest. The `regex` package decides here which characters are of which kind, and the page gets
them as ranges; in the browser a text is written with one letter for the kind of each character, and a small expression
over those letters splits it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from bpe_transformer.errors import PatternError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST_LETTER = 0x4E00  # kind 0; begins a block of letters without a meaning in expressions
_CODE_POINTS = 0x110000
_NEVER = "[]"  # JavaScript: matches no character
_ANY = "[^]"
_SIMPLE_ESCAPES = frozenset("sSdDwWnrtfva")
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}
_FLAGS = frozenset("ism")


@dataclass(frozen=True, eq=False)
class JsPattern:
    """A split pattern for the page. `source` is a JavaScript expression over kinds: kind k is the character `FIRST_LETTER + k`.

    `starts` has the first code point of every stretch of characters of one kind, `kinds` that kind; the last stretch goes
    on to U+10FFFF. `space` are the kinds of white space (`\\s`), `word` those of word characters (`\\w`).
    """

    source: str
    starts: NDArray[np.uint32]
    kinds: NDArray[np.uint32]
    space: tuple[int, ...]
    word: tuple[int, ...]


def translate(expression: str) -> JsPattern:
    """An expression of the `regex` package (version 0 behaviour) for JavaScript.

    Raises `PatternError` that names what has no exact counterpart: references to groups, recursion, conditions, fuzzy
    matching, flags other than i, s and m, and expressions that can match the empty string.
    """
    parser = _Parser(expression)
    template, empty = parser.whole()
    if empty:
        raise PatternError(_refusal(expression, "it can match the empty string"))
    masks = [np.frombuffer(_members(atom), np.bool_) for atom in (*parser.atoms, (r"\s", ""), (r"\w", ""))]
    kind_of = _kinds(masks)
    letters = [_letters(kind_of, mask) for mask in masks[:-2]]
    source = "".join(item if isinstance(item, str) else letters[item] for item in template)
    starts = np.flatnonzero(np.diff(kind_of, prepend=-1))
    space, word = (tuple(np.unique(kind_of[mask]).tolist()) for mask in masks[-2:])
    return JsPattern(source, starts.astype(np.uint32), kind_of[starts].astype(np.uint32), space, word)


def _kinds(masks: list[NDArray[np.bool_]]) -> NDArray[np.int64]:
    """For every code point a number from 0 on, equal where all masks agree."""
    kind_of = np.zeros(_CODE_POINTS, np.int64)
    for number, mask in enumerate(masks, 1):
        kind_of = kind_of * 2 + mask
        if number % 32 == 0 or number == len(masks):
            changes = np.flatnonzero(np.diff(kind_of, prepend=-1))  # neighbours are mostly alike
            _, kinds = np.unique(kind_of[changes], return_inverse=True)
            kind_of = np.repeat(kinds, np.diff(changes, append=_CODE_POINTS))
    return kind_of


def _letters(kind_of: NDArray[np.int64], mask: NDArray[np.bool_]) -> str:
    kinds = np.unique(kind_of[mask]).tolist()
    return f"[{''.join(chr(FIRST_LETTER + kind) for kind in kinds)}]" if kinds else _NEVER


@lru_cache(maxsize=128)
def _members(atom: tuple[str, str]) -> bytes:
    """For every code point one byte: whether the one-character expression matches it under the flags."""
    import regex

    expression, flags = atom
    found = bytearray(_CODE_POINTS)
    if not flags and len(expression) == 1:
        found[ord(expression)] = 1
        return bytes(found)
    for match in regex.finditer(f"(?{flags}:{expression})+", _every_character()):
        found[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    return bytes(found)


@lru_cache(maxsize=1)
def _every_character() -> str:
    # surrogates are not characters; a private-use one stands in for them
    return "".join(chr(c) if not 0xD800 <= c < 0xE000 else "\ue000" for c in range(_CODE_POINTS))


def _refusal(expression: str, why: str) -> str:
    return (
        f"pattern {expression!r} has no exact counterpart in a browser: {why}; "
        "leave the playground out, or use one of the named patterns"
    )


Template = list[str | int]  # strings of JavaScript, and indices of atoms


class _Parser:
    """Reads an expression once, left to right; every method returns (what it reads in JavaScript, whether that may be empty)."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.at = 0
        self.atoms: list[tuple[str, str]] = []  # (one-character expression, flags)
        self.groups = 0  # capturing groups written so far
        self.in_lookbehind = False

    def whole(self) -> tuple[Template, bool]:
        found = self._alternatives(frozenset())
        if self.at < len(self.expression):
            self._refuse("its parentheses do not match")
        return found

    def _refuse(self, why: str) -> None:
        raise PatternError(_refusal(self.expression, why))

    def _peek(self, size: int = 1) -> str:
        return self.expression[self.at : self.at + size]

    def _take(self, text: str) -> bool:
        if self.expression.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def _alternatives(self, flags: frozenset[str]) -> tuple[Template, bool]:
        out: Template = []
        any_empty = False
        while True:
            branch, empty = self._sequence(flags)
            out += branch
            any_empty |= empty
            if not self._take("|"):
                return out, any_empty
            out.append("|")

    def _sequence(self, flags: frozenset[str]) -> tuple[Template, bool]:
        out: Template = []
        all_empty = True
        while self._peek() not in ("", "|", ")"):
            fragment, empty = self._quantified(flags)
            out += fragment
            all_empty &= empty
        return out, all_empty

    def _quantified(self, flags: frozenset[str]) -> tuple[Template, bool]:
        groups = self.groups
        fragment, empty = self._one(flags)
        while (quantifier := self._quantifier()) is not None:
            if empty:
                self._refuse("a subexpression that may be empty is repeated")
            repeat, kind = quantifier
            if kind == "+" and not self.in_lookbehind:
                if self.groups > groups:
                    self._refuse("possessive subexpressions are nested")
                self.groups += 1
                fragment = ["(?=(", *fragment, repeat, rf"))\{self.groups}"]
                fragment = ["(?:", *fragment, ")"]
            elif kind == "+":
                self._refuse("a look-behind has a possessive subexpression")
            else:
                fragment = ["(?:", *fragment, repeat + kind, ")"]
            empty = repeat in ("*", "?") or repeat.startswith("{0")
        return fragment, empty

    def _quantifier(self) -> tuple[str, str] | None:
        """(how often, "" or "?" for lazy or "+" for possessive)."""
        if self._peek() in ("*", "+", "?") and self._peek():
            repeat = self._peek()
            self.at += 1
        elif (interval := self._interval()) is not None:
            repeat = interval
        else:
            return None
        for kind in ("?", "+"):
            if self._take(kind):
                return repeat, kind
        return repeat, ""

    def _interval(self) -> str | None:
        end = self.expression.find("}", self.at)
        if self._peek() != "{" or end < 0:
            return None
        least, comma, most = self.expression[self.at + 1 : end].partition(",")
        if not all(part.isdecimal() or not part for part in (least, most)) or not (least or most):
            return None  # a brace that stands for itself, or regex's fuzzy matching, which it would have refused below
        self.at = end + 1
        return f"{{{least or 0}{comma}{most}}}"

    def _one(self, flags: frozenset[str]) -> tuple[Template, bool]:
        char = self._peek()
        self.at += 1
        if char == "(":
            return self._group(flags)
        if char == "[":
            return self._set(flags), False
        if char == ".":
            return [_ANY] if "s" in flags else self._atom(r"[^\n]", frozenset()), False
        if char == "^":
            return (["(?<!", *self._atom(r"[^\n]", frozenset()), ")"] if "m" in flags else [f"(?<!{_ANY})"]), True
        if char == "$":
            newline = self._atom(r"\n", frozenset())
            end = f"(?!{_ANY})"
            return (["(?=", *newline, "|", end, ")"] if "m" in flags else ["(?=", *newline, "?", end, ")"]), True
        if char == "\\":
            return self._escape(flags)
        if char == "{" and self._peek() in ("e", "i", "d", "s"):
            self._refuse("fuzzy matching")
        return self._atom(char if char.isalnum() or not char.isascii() else f"\\{char}", flags), False

    def _group(self, flags: frozenset[str]) -> tuple[Template, bool]:
        opening, inner = "(?:", flags
        atomic = looks = behind = False
        if self._take("?"):
            if self._take(">"):
                atomic = True
            elif self._peek() in ("=", "!") or self._peek(2) in ("<=", "<!"):
                looks = True
                behind = self._peek() == "<"
                size = 2 if behind else 1
                opening = f"(?{self._peek(size)}"
                self.at += size
            elif self._take("P<") or self._take("<"):
                self.at = self.expression.index(">", self.at) + 1
            else:
                changed = self._scoped_flags(flags)
                if changed is None:
                    return [], True
                inner = changed
        was_behind, self.in_lookbehind = self.in_lookbehind, self.in_lookbehind or behind
        groups = self.groups
        if atomic and was_behind:
            self._refuse("a look-behind has an atomic subexpression")
        body, empty = self._alternatives(inner)
        self.in_lookbehind = was_behind
        if not self._take(")"):
            self._refuse("its parentheses do not match")
        if atomic:
            if self.groups > groups:
                self._refuse("atomic subexpressions are nested")
            self.groups += 1
            return ["(?:(?=(", *body, rf"))\{self.groups})"], empty
        return [opening, *body, ")"], empty or looks

    def _scoped_flags(self, flags: frozenset[str]) -> frozenset[str] | None:
        """The flags inside a group `(?i-s:`; None after a comment."""
        if self._take("#"):
            self.at = self.expression.index(")", self.at) + 1
            return None
        end = self.at
        while end < len(self.expression) and self.expression[end] not in ":)":
            end += 1
        on, _, off = self.expression[self.at : end].partition("-")
        unknown = set(on + off) - _FLAGS
        if unknown or self.expression[end : end + 1] != ":":
            self._refuse(f"the group (?{self.expression[self.at : end + 1]}")
        self.at = end + 1
        return flags | set(on) - set(off)

    def _set(self, flags: frozenset[str]) -> Template:
        start = self.at - 1
        self._take("^")
        self._take("]")
        while (char := self._peek()) not in ("", "]"):
            if char == "\\":
                self.at += 2
            elif char == "[" and self._peek(2) == "[:":
                self.at = self.expression.index(":]", self.at) + 2
            else:
                self.at += 1
        self.at += 1
        return self._atom(self.expression[start : self.at], flags)

    def _escape(self, flags: frozenset[str]) -> tuple[Template, bool]:
        char = self._peek()
        start = self.at - 1
        self.at += 1
        if char == "A":
            return [f"(?<!{_ANY})"], True
        if char in ("Z", "z"):
            return [f"(?!{_ANY})"], True
        if char in ("b", "B"):
            word = self._atom(r"\w", flags)
            after, not_after = ["(?<=", *word, ")"], ["(?<!", *word, ")"]
            before, not_before = ["(?=", *word, ")"], ["(?!", *word, ")"]
            if char == "b":
                return ["(?:", *after, *not_before, "|", *not_after, *before, ")"], True
            return ["(?:", *after, *before, "|", *not_after, *not_before, ")"], True
        if char in ("p", "P", "N") and self._take("{"):
            self.at = self.expression.index("}", self.at) + 1
        elif char in ("p", "P"):
            self.at += 1
        elif char in _HEX_ESCAPES:
            self.at += _HEX_ESCAPES[char]
        elif char.isalnum() and char.isascii() and char not in _SIMPLE_ESCAPES:
            self._refuse(f"\\{char}")
        return self._atom(self.expression[start : self.at], flags), False

    def _atom(self, expression: str, flags: frozenset[str]) -> Template:
        atom = (expression, "".join(sorted(flags & {"i"})))
        if atom not in self.atoms:
            self.atoms.append(atom)
        return [self.atoms.index(atom)]
