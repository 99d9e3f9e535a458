"""How text becomes pre-tokens: normalised, protected spans set apart, the rest split by a pattern."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from bpe_transformer.errors import PatternError
from bpe_transformer.tokenizer import patterns

if TYPE_CHECKING:
    import regex

    from bpe_transformer.tokenizer.charsmap import CharsmapNormalizer

_ESCAPED = re.compile(r"\\(\W)")
Normalization = Literal["NFC", "NFD", "NFKC", "NFKD"]


@dataclass(frozen=True)
class PreTokenization:
    """What learning and encoding have to agree on before a byte is counted. Equal facts split equally.

    `pattern` is a name of `patterns.PATTERNS` or a regular expression. `normalization` is one of Unicode's forms (Standard
    Annex 15), as this Python's `unicodedata` computes it. `protected` are regular expressions; each match is exactly one
    pre-token, which the pattern neither cuts nor joins to its neighbours (the "glossaries" of subword-nmt). Matches are
    sought in normalised text, from the left; where several begin at one place the first expression that matches is taken.
    What is not protected is split by the patterns of `before`, one after another, and then by `pattern`, each piece on its own.

    `charsmap`, in base64, and `squeeze_spaces` are the normalisation of SentencePiece (see `charsmap.py`), in place of a form.

    Raises `PatternError` for a pattern or form that does not exist.

    >>> list(PreTokenization("gpt2", protected=(r"C\\+\\+",)).split("a C++11 b"))
    ['a', ' ', 'C++', '11', ' b']
    """

    pattern: str = patterns.DEFAULT_PATTERN
    normalization: Normalization | None = None
    protected: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    charsmap: str | None = None
    squeeze_spaces: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", patterns.canonical(self.pattern))
        object.__setattr__(self, "protected", tuple(self.protected))
        object.__setattr__(self, "before", tuple(map(patterns.canonical, self.before)))
        if self.normalization is not None and self.normalization not in get_args(Normalization):
            raise PatternError(
                f"normalization={self.normalization!r} is unknown; choose one of {', '.join(get_args(Normalization))}, or None"
            )
        if self.normalization is not None and (self.charsmap is not None or self.squeeze_spaces):
            raise PatternError(f"normalization={self.normalization!r} and that of SentencePiece exclude each other")
        for expression in self.protected:
            if patterns.compiled_expression(expression).match(""):
                raise PatternError(
                    f"protected expression {expression!r} matches the empty text; make it match something"
                )

    @classmethod
    def of(cls, pattern: str | PreTokenization) -> PreTokenization:
        """A pattern on its own, or all the facts, as these."""
        return pattern if isinstance(pattern, PreTokenization) else cls(pattern)

    @property
    def scanner(self) -> int | None:
        """The number of the native scanner that splits as this does; None if Python has to take part."""
        rest = (self.normalization, self.protected, self.before, self.charsmap, self.squeeze_spaces)
        return None if any(rest) else patterns.scanner_number(self.pattern)

    @property
    def pattern_scanner(self) -> int | None:
        """The number of the native scanner of the pattern alone, for what `spans` gives unprotected."""
        return patterns.scanner_number(self.pattern)

    def normalize(self, text: str) -> str:
        """`text` normalised."""
        if self.charsmap is not None or self.squeeze_spaces:
            return self.charsmap_normalizer.normalize(text)
        if self.normalization is None or text.isascii():
            return text
        return unicodedata.normalize(self.normalization, text)

    @cached_property
    def charsmap_normalizer(self) -> CharsmapNormalizer:
        """SentencePiece's normalisation. Raises `FormatError` for a map that is damaged."""
        from bpe_transformer.tokenizer.charsmap import CharsmapNormalizer

        return CharsmapNormalizer(self.charsmap, self.squeeze_spaces)

    def spans(self, text: str) -> Iterator[tuple[str, bool]]:
        """Normalised `text` in parts, each with whether it is protected. No part is empty; `pattern` splits them further."""
        for part, protected in self._protected_spans(text):
            pieces = [part]
            if not protected:
                for pattern in self.before:
                    pieces = [smaller for piece in pieces for smaller in patterns.split(pattern, piece)]
            for piece in pieces:
                yield piece, protected

    def _protected_spans(self, text: str) -> Iterator[tuple[str, bool]]:
        if self._protected is None:
            if text:
                yield text, False
            return
        end = 0
        for match in self._protected.finditer(text):
            if match.start() == match.end():
                continue
            if match.start() > end:
                yield text[end : match.start()], False
            yield match.group(), True
            end = match.end()
        if end < len(text):
            yield text[end:], False

    def split(self, text: str) -> Iterator[str]:
        """The pre-tokens of normalised `text`, which they add up to."""
        for part, protected in self.spans(text):
            if protected:
                yield part
            else:
                yield from patterns.split(self.pattern, part)

    @cached_property
    def _protected(self) -> regex.Pattern[str] | None:
        if not self.protected:
            return None
        return patterns.compiled_expression(any_of(self.protected))

    @property
    def literals(self) -> list[str]:
        """The texts of those `protected` expressions that match one text only.

        >>> PreTokenization(protected=(r"C\\+\\+", r"\\d+")).literals
        ['C++']
        """
        plain = [e for e in self.protected if set(_ESCAPED.sub("", e)).isdisjoint(r"\.^$*+?{}[]|()")]
        return [_ESCAPED.sub(r"\1", expression) for expression in plain]

    def facts(self) -> dict[str, Any]:
        """What `from_facts` restores it from, as JSON has it; the pattern as its expression."""
        facts: dict[str, Any] = {"pattern": patterns.expression(self.pattern)}
        if self.normalization is not None:
            facts["normalization"] = self.normalization
        if self.protected:
            facts["protected"] = list(self.protected)
        if self.before:
            facts["before"] = [patterns.expression(pattern) for pattern in self.before]
        if self.charsmap is not None:
            facts["charsmap"] = self.charsmap
        if self.squeeze_spaces:
            facts["squeeze_spaces"] = True
        return facts

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> PreTokenization:
        """Raises `PatternError` for facts that do not fit, `KeyError` if there is no pattern."""
        protected: Sequence[str] = facts.get("protected", ())
        before: Sequence[str] = facts.get("before", ())
        return cls(
            facts["pattern"],
            facts.get("normalization"),
            tuple(protected),
            tuple(before),
            facts.get("charsmap"),
            facts.get("squeeze_spaces", False),
        )

    def __str__(self) -> str:
        more: list[str] = [self.normalization] if self.normalization else []
        more += ["a charsmap"] if self.charsmap is not None else []
        more += [f"{len(self.protected)} protected"] if self.protected else []
        return ", ".join([*self.before, self.pattern, *more])


def any_of(expressions: Sequence[str]) -> str:
    """A regular expression that matches what one of several does, the first that fits.

    >>> any_of(["a+", "b"])
    '(?:a+)|(?:b)'
    """
    return "|".join(f"(?:{expression})" for expression in expressions)
