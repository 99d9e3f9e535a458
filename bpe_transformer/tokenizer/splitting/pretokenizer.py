"""How text becomes pre-tokens: normalised, protected spans set apart, the rest split by a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from bpe_transformer.errors import PatternError
from bpe_transformer.tokenizer.splitting import patterns

if TYPE_CHECKING:
    import regex

    from bpe_transformer.tokenizer.splitting.normalizers import Normalizer
    from bpe_transformer.tokenizer.splitting.precompiled_charsmap import CharsmapNormalizer

_ESCAPED = re.compile(r"\\(\W)")
Normalization = Literal["NFC", "NFD", "NFKC", "NFKD"]


@dataclass(frozen=True)
class Pretokenizer:
    """What learning and encoding have to agree on before a byte is counted. Equal facts split equally.

    `pattern` is a name of `patterns.PATTERNS` or a regular expression. `normalization` is one of Unicode's forms (Standard
    Annex 15), as this Python's `unicodedata` computes it. `protected` are regular expressions; each match is exactly one
    pre-token, which the pattern neither cuts nor joins to its neighbours (the "glossaries" of subword-nmt). Matches are
    sought in normalised text, from the left; where several begin at one place the first expression that matches is taken.
    What is not protected is split by the patterns of `before`, one after another, and then by `pattern`, each piece on its own.

    A match of the group `dropped` in one of these, or what lies around matches of the group `kept`, is part of no pre-token.
    `byte_splits` split pre-tokens further, written in GPT-2's stand-ins for bytes, so that a character may be cut.

    `charsmap`, in base64, and `squeeze_spaces` are the normalisation of SentencePiece, which leaves the texts of `unchanged`
    alone (see `charsmap.py`); `rewriting` is one of several steps (see `rewriting.py`), each in place of a form.

    Raises `PatternError` for a pattern or form that does not exist.

    >>> list(Pretokenizer("gpt2", protected=(r"C\\+\\+",)).split("a C++11 b"))
    ['a', ' ', 'C++', '11', ' b']
    """

    pattern: str = patterns.DEFAULT_PATTERN
    normalization: Normalization | None = None
    protected: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    charsmap: str | None = None
    squeeze_spaces: bool = False
    rewriting: tuple[tuple[str, ...], ...] = ()
    byte_splits: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", patterns.canonical(self.pattern))
        object.__setattr__(self, "protected", tuple(self.protected))
        object.__setattr__(self, "before", tuple(map(patterns.canonical, self.before)))
        if patterns.drops(self.pattern):  # so that the last pattern always keeps everything
            object.__setattr__(self, "before", (*self.before, self.pattern))
            object.__setattr__(self, "pattern", "none")
        object.__setattr__(self, "rewriting", tuple(map(tuple, self.rewriting)))
        object.__setattr__(self, "unchanged", tuple(self.unchanged))
        object.__setattr__(self, "byte_splits", tuple(map(patterns.canonical, self.byte_splits)))
        if self.normalization is not None and self.normalization not in get_args(Normalization):
            raise PatternError(
                f"normalization={self.normalization!r} is unknown; choose one of {', '.join(get_args(Normalization))}, or None"
            )
        if (self.normalization is not None) + (self.charsmap is not None or self.squeeze_spaces) + bool(
            self.rewriting
        ) > 1:
            raise PatternError("normalization, the normalisation of SentencePiece and rewriting exclude each other")
        if self.rewriting:
            from bpe_transformer.tokenizer.splitting import normalizers as rewriting

            rewriting.check(self.rewriting)
        for expression in self.protected:
            if patterns.compiled_expression(expression).match(""):
                raise PatternError(
                    f"protected expression {expression!r} matches the empty text; make it match something"
                )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))  # without what is remembered

    @classmethod
    def of(cls, pattern: str | Pretokenizer) -> Pretokenizer:
        """A pattern on its own, or all the facts, as these."""
        return pattern if isinstance(pattern, Pretokenizer) else cls(pattern)

    @property
    def scanner(self) -> int | None:
        """The number of the native scanner that splits as this does; None if Python has to take part."""
        return None if self.normalizer is not None else self.normalized_scanner

    @property
    def normalized_scanner(self) -> int | None:
        """The number of the native scanner that splits normalised text as this does."""
        return None if self.protected or self.before else self.pattern_scanner

    @property
    def pattern_scanner(self) -> int | None:
        """The number of the native scanner for what `spans` gives unprotected."""
        return None if self.byte_splits else patterns.scanner_number(self.pattern)

    @property
    def keeps_all(self) -> bool:
        """Whether pre-tokens add up to the normalised text."""
        return not any(map(patterns.drops, self.before))

    def normalize(self, text: str) -> str:
        """`text` normalised."""
        return text if self.normalizer is None else self.normalizer.normalize(text)

    @cached_property
    def normalizer(self) -> Normalizer | None:
        """What normalises, if anything does. Raises `FormatError` for a map that is damaged."""
        if self.normalization is not None:
            from bpe_transformer.tokenizer.splitting.normalizers import FormNormalizer

            return FormNormalizer(self.normalization)
        if self.rewriting:
            from bpe_transformer.tokenizer.splitting.normalizers import Rewriting

            return Rewriting(self.rewriting)
        return self.charsmap_normalizer if self.charsmap is not None or self.squeeze_spaces else None

    @cached_property
    def charsmap_normalizer(self) -> CharsmapNormalizer:
        """SentencePiece's normalisation. Raises `FormatError` for a map that is damaged."""
        from bpe_transformer.tokenizer.splitting.precompiled_charsmap import CharsmapNormalizer

        return CharsmapNormalizer(self.charsmap, self.squeeze_spaces, self.unchanged)

    def spans(self, text: str) -> Iterator[tuple[str, bool]]:
        """Normalised `text` in parts, each with whether it is protected. No part is empty; `pattern` splits them further."""
        return ((part, protected) for _, part, protected in self.placed_spans(text))

    def placed_spans(self, text: str) -> Iterator[tuple[int, str, bool]]:
        """The same with the character where each begins."""
        start = 0
        for part, protected in self._protected_spans(text):
            for at, piece in patterns.cut(() if protected else self.before, part):
                yield start + at, piece, protected
            start += len(part)

    def _protected_spans(self, text: str) -> Iterator[tuple[str, bool]]:
        if self._protected is None:
            if text:
                yield text, False
            return
        end = 0
        for match in self._protected.finditer(text):
            if match.start() > end:
                yield text[end : match.start()], False
            if match.end() > match.start():
                yield match.group(), True
            end = match.end()
        if end < len(text):
            yield text[end:], False

    def split(self, text: str) -> Iterator[str]:
        """The pre-tokens of normalised `text`, which they add up to, but for what is dropped."""
        for part, protected in self.spans(text):
            if protected:
                yield part
            else:
                yield from self.split_span(part)

    def split_span(self, part: str) -> Iterator[str]:
        """The pre-tokens of a part that is not protected. Bytes of a character that is cut are its surrogates (PEP 383)."""
        pieces = patterns.split(self.pattern, part)
        return (
            (smaller for piece in pieces for smaller in _bytes_cut(self.byte_splits, piece))
            if self.byte_splits
            else pieces
        )

    @cached_property
    def _protected(self) -> regex.Pattern[str] | None:
        if not self.protected:
            return None
        return patterns.compiled_expression(any_of(self.protected))

    @property
    def expressions(self) -> list[str]:
        """All regular expressions that split or normalise."""
        split = [*self.before, self.pattern, *self.byte_splits]
        return [
            *self.protected,
            *map(patterns.expression, split),
            *(step[1] for step in self.rewriting if step[0] == "replace"),
        ]

    @property
    def literals(self) -> list[str]:
        """The texts of those `protected` expressions that match one text only.

        >>> Pretokenizer(protected=(r"C\\+\\+", r"\\d+")).literals
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
        if self.rewriting:
            facts["rewriting"] = [list(step) for step in self.rewriting]
        if self.byte_splits:
            facts["byte_splits"] = [patterns.expression(pattern) for pattern in self.byte_splits]
        if self.unchanged:
            facts["unchanged"] = list(self.unchanged)
        return facts

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Pretokenizer:
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
            tuple(map(tuple, facts.get("rewriting", ()))),
            tuple(facts.get("byte_splits", ())),
            tuple(facts.get("unchanged", ())),
        )

    def __str__(self) -> str:
        more: list[str] = [self.normalization] if self.normalization else []
        more += ["a charsmap"] if self.charsmap is not None else []
        more += [f"{len(self.rewriting)} steps of normalisation"] if self.rewriting else []
        more += [f"{len(self.protected)} protected"] if self.protected else []
        more += [f"{len(self.byte_splits)} splits of bytes"] if self.byte_splits else []
        return ", ".join([*self.before, self.pattern, *more])


@lru_cache(maxsize=1 << 16)
def _bytes_cut(chain: tuple[str, ...], piece: str) -> tuple[str, ...]:
    from bpe_transformer.tokenizer.splitting.byte_level import name_of, tokens_of

    names = [name for _, name in patterns.cut(chain, name_of(piece.encode("utf-8", "surrogateescape")))]
    return tuple(token.decode("utf-8", "surrogateescape") for token in tokens_of(names))


def any_of(expressions: Sequence[str]) -> str:
    """A regular expression that matches what one of several does, the first that fits.

    >>> any_of(["a+", "b"])
    '(?:a+)|(?:b)'
    """
    return "|".join(f"(?:{expression})" for expression in expressions)
