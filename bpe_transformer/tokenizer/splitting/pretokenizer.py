"""`Pretokenizer`: text to pre-tokens, by normalisation, protected spans that stay whole, and a split pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, get_args

from bpe_transformer import _core
from bpe_transformer.errors import PatternError, refuse_one_string
from bpe_transformer.tokenizer.splitting import normalizers, patterns
from bpe_transformer.tokenizer.splitting.alignment import Normalization, byte_places_in
from bpe_transformer.tokenizer.splitting.byte_level import name_of, tokens_of
from bpe_transformer.tokenizer.splitting.compiled_patterns import Scanner, Stage, compile_splits
from bpe_transformer.tokenizer.splitting.time_limit import find_matches

if TYPE_CHECKING:
    import regex

_SOME = 1 << 16  # numbers
_ESCAPED = re.compile(r"\\(\W)")


@dataclass(frozen=True)
class Pretokenizer:
    """How texts are normalised and split into pre-tokens, for learning and encoding alike; equal ones split equally.

    `pattern` is a name of `patterns.PATTERNS` or a regular expression. `normalization` is one of Unicode's forms (Standard
    Annex 15), with the core's tables. `protected` are regular expressions; each match is exactly one
    pre-token, which the pattern neither cuts nor joins to its neighbours (the "glossaries" of subword-nmt). Matches are
    found in normalised text, from the left; where several start at one position the first expression that matches wins.
    Text that is not protected is split by the patterns of `before`, one after another, and then by `pattern`.

    What matches a group named `dropped` in one of these, or lies around matches of a group named `kept`, is not part of any
    pre-token. `byte_splits` are patterns that split pre-tokens further; they match the printable characters that GPT-2
    writes for bytes, so they may cut within a character.

    `charsmap`, in base64, and `squeeze_spaces` are the normalisation of SentencePiece, which does not touch the strings of
    `unchanged` (see `precompiled_charsmap.py`); `rewriting` is a sequence of normalisation steps (see `normalizers.py`). At
    most one of `normalization`, these two, and `rewriting` may be given.

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
        refuse_one_string(
            PatternError,
            **{name: getattr(self, name) for name in ("protected", "before", "rewriting", "unchanged", "byte_splits")},
        )
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
        by_sentencepiece = self.charsmap is not None or self.squeeze_spaces
        if (self.normalization is not None) + by_sentencepiece + bool(self.rewriting) > 1:
            raise PatternError("normalization, the normalisation of SentencePiece and rewriting exclude each other")
        if self.rewriting:
            normalizers.check(self.rewriting)
        for expression in self.protected:
            if patterns.compiled_expression(expression).match(""):
                raise PatternError(
                    f"protected expression {expression!r} matches the empty text; make it match something"
                )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))  # without cached properties

    @classmethod
    def of(cls, pattern: str | Pretokenizer) -> Pretokenizer:
        """The pretokenizer of a pattern, or the pretokenizer itself if it is one."""
        return pattern if isinstance(pattern, Pretokenizer) else cls(pattern)

    @property
    def scanner(self) -> Scanner | None:
        """The native scanner that splits any text as this pretokenizer does; None if Python is needed."""
        return None if self.normalizer is not None else self.normalized_scanner

    @property
    def normalized_scanner(self) -> Scanner | None:
        """The native scanner that splits normalised text; None if Python is needed."""
        return scanner_of(self.protected, self.before, self.pattern, self.byte_splits)[0]

    @property
    def pattern_scanner(self) -> Scanner | None:
        """The native scanner for the unprotected spans of `spans`; None if Python is needed."""
        return scanner_of((), (), self.pattern, self.byte_splits)[0]

    @property
    def splitter(self) -> Scanner:
        """What splits normalised text in the core, which calls Python back for what it cannot split by itself."""
        native = self.normalized_scanner
        return custom_pattern(self.protected, self.before, self.pattern, self.byte_splits) if native is None else native

    @property
    def way(self) -> str:
        """How normalised text is split: by a scanner of the core, a compiled one, or `regex`, and why."""
        return scanner_of(self.protected, self.before, self.pattern, self.byte_splits)[1]

    @property
    def keeps_all(self) -> bool:
        """Whether pre-tokens add up to the normalised text."""
        return not any(map(patterns.drops, self.before))

    def normalize(self, text: str) -> str:
        """`text` normalised."""
        return text if self.normalizer is None else self.normalizer.normalize(text)

    @cached_property
    def normalizer(self) -> normalizers.Normalizer | None:
        """The normalizer, None if text is not normalised. Raises `FormatError` for a damaged `charsmap`."""
        if self.normalization is not None:
            return normalizers.NormalizerSequence([(self.normalization,)])
        if self.rewriting:
            return normalizers.NormalizerSequence(self.rewriting)
        return self.charsmap_normalizer if self.charsmap is not None or self.squeeze_spaces else None

    @property
    def native_normalizer(self) -> _core.Normalizer | None:
        """The same in the core. Raises `FormatError` for a damaged `charsmap`."""
        return None if self.normalizer is None else self.normalizer.core

    @cached_property
    def charsmap_normalizer(self) -> normalizers.CharsmapNormalizer:
        """SentencePiece's normalizer. Raises `FormatError` for a damaged `charsmap`."""
        return normalizers.CharsmapNormalizer(self.charsmap, self.squeeze_spaces, self.unchanged)

    def spans(self, text: str) -> Iterator[tuple[str, bool]]:
        """(span, whether it is protected) for the spans of normalised `text`, none empty; `pattern` splits unprotected ones."""
        return ((span, protected) for _, span, protected in self.placed_spans(text))

    def placed_spans(self, text: str) -> Iterator[tuple[int, str, bool]]:
        """(start in characters, span, whether it is protected) for the spans of `spans`."""
        start = 0
        for span, protected in self._protected_spans(text):
            for offset, narrower in patterns.split_by_chain(() if protected else self.before, span):
                yield start + offset, narrower, protected
            start += len(span)

    def _protected_spans(self, text: str) -> Iterator[tuple[str, bool]]:
        if self._protected is None:
            if text:
                yield text, False
            return
        end = 0
        for match in find_matches(self._protected, text):
            if match.start() > end:
                yield text[end : match.start()], False
            if match.end() > match.start():
                yield match.group(), True
            end = match.end()
        if end < len(text):
            yield text[end:], False

    def split(self, text: str) -> Iterator[str]:
        """The pre-tokens of normalised `text`; together they are the text without what is dropped."""
        for span, protected in self.spans(text):
            if protected:
                yield span
            else:
                yield from self.split_span(span)

    def byte_spans(self, text: str, by_pattern: bool = True) -> Iterator[tuple[int, int, bool]]:
        """(start, end, whether it is a pre-token) of the spans of normalised `text`, in bytes; all are, `by_pattern`."""
        done = at = 0  # in characters, in bytes
        for start, span, protected in self.placed_spans(text):
            at += len(text[done:start].encode("utf-8", "surrogateescape"))
            done = start + len(span)
            is_whole = protected or not by_pattern
            for word in (span,) if is_whole else patterns.split(self.pattern, span):
                encoded = word.encode("utf-8", "surrogateescape")
                if self.byte_splits and not is_whole:
                    for first, name in patterns.split_by_chain(self.byte_splits, name_of(encoded)):
                        yield at + first, at + first + len(name), True
                else:
                    yield at, at + len(encoded), protected or by_pattern
                at += len(encoded)

    def split_span(self, span: str) -> Iterator[str]:
        """The pre-tokens of an unprotected span. Where a character is cut, its bytes are lone surrogates (PEP 383)."""
        pretokens = patterns.split(self.pattern, span)
        if not self.byte_splits:
            return pretokens
        return (smaller for pretoken in pretokens for smaller in _split_bytes(self.byte_splits, pretoken))

    @cached_property
    def _protected(self) -> regex.Pattern[str] | None:
        if not self.protected:
            return None
        return patterns.compiled_expression(any_of(self.protected))

    @property
    def expressions(self) -> list[str]:
        """All regular expressions that split or normalise text."""
        split = [*self.before, self.pattern, *self.byte_splits]
        return [
            *self.protected,
            *map(patterns.expression, split),
            *(step[1] for step in self.rewriting if step[0] == "replace"),
        ]

    @property
    def literals(self) -> list[str]:
        """The strings of those `protected` expressions that match only one string.

        >>> Pretokenizer(protected=(r"C\\+\\+", r"\\d+")).literals
        ['C++']
        """
        plain = [e for e in self.protected if set(_ESCAPED.sub("", e)).isdisjoint(r"\.^$*+?{}[]|()")]
        return [_ESCAPED.sub(r"\1", expression) for expression in plain]

    def facts(self) -> dict[str, Any]:
        """All settings as JSON values, with patterns as regular expressions; `from_facts` reads them."""
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
        """The pretokenizer with these settings. Raises `PatternError` for bad ones, `KeyError` if there is no pattern."""
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


@lru_cache(maxsize=64)
def scanner_of(
    protected: tuple[str, ...], before: tuple[str, ...], pattern: str, byte_splits: tuple[str, ...] = ()
) -> tuple[Scanner | None, str]:
    """(the native scanner of these settings, None if Python is needed; which way that is, in words)."""
    number = None if protected or before or byte_splits else patterns.scanner_number(pattern)
    if number is not None:
        return number, "by the core's own scanner"
    stages = [Stage(any_of(protected), finishes=True)] if protected else []
    stages += [Stage.of(split) for split in (*before, pattern) if split != "none"]
    stages += [Stage.of(split, of_names=True) for split in byte_splits]
    split = Pretokenizer(pattern, protected=protected, before=before, byte_splits=byte_splits).split
    return compile_splits(stages, split)


@lru_cache(maxsize=64)
def custom_pattern(
    protected: tuple[str, ...], before: tuple[str, ...], pattern: str, byte_splits: tuple[str, ...]
) -> _core.CustomPattern:
    """A pattern by which the core splits with `regex`; it splits what no other expression does by `pattern` if it can."""
    split = Pretokenizer(pattern, protected=protected, before=before, byte_splits=byte_splits)
    rest = split.pattern_scanner
    by_pattern_alone = not protected and not before and not byte_splits

    def spans(data: bytes) -> Iterator[list[int]]:
        """The start and end in bytes of every span, each with whether it is a pre-token; some at a time."""
        text = data.decode("utf-8", "surrogateescape")
        if by_pattern_alone:
            borders, in_bytes = patterns.borders(pattern, text), byte_places_in(text)
            last = list(islice(borders, 1))
            while some := list(islice(borders, _SOME)):
                yield [n for start, stop in pairwise(in_bytes(last + some)) for n in (start, stop, 1)]
                last = some[-1:]
            return
        found: list[int] = []
        for start, stop, is_done in split.byte_spans(text, by_pattern=rest is None):
            found += start, stop, int(is_done)
            if len(found) >= _SOME:
                yield found
                found = []
        yield found

    keeps_all = split.keeps_all and not any(map(patterns.drops, byte_splits))
    return _core.CustomPattern(spans, 0 if rest is None else rest, keeps_all)


@lru_cache(maxsize=1 << 16)
def _split_bytes(chain: tuple[str, ...], pretoken: str) -> tuple[str, ...]:
    """The pre-tokens that `byte_splits` make of one, which match its byte-level name (see `byte_level.name_of`)."""
    names = [name for _, name in patterns.split_by_chain(chain, name_of(pretoken.encode("utf-8", "surrogateescape")))]
    return tuple(token.decode("utf-8", "surrogateescape") for token in tokens_of(names))


def any_of(expressions: Sequence[str]) -> str:
    """A regular expression that matches what any of these match, tried in order.

    >>> any_of(["a+", "b"])
    '(?:a+)|(?:b)'
    """
    return "|".join(f"(?:{expression})" for expression in expressions)
