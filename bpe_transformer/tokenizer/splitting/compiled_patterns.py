"""Split patterns compiled by the native core, each checked against the `regex` package before it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from bpe_transformer import _core
from bpe_transformer.errors import PatternError
from bpe_transformer.tokenizer.splitting import patterns
from bpe_transformer.tokenizer.splitting.alignment import byte_places
from bpe_transformer.tokenizer.splitting.time_limit import find_matches, is_simple

# a number of `_core.PATTERNS`, a compiled pattern, or one that calls Python back
Scanner = int | _core.CompiledPattern | _core.CustomPattern
KEEPS = ("all", "matches", "between")  # what a split leaves of the text: matches, the text between them, or both
_NUM_TEXTS, _TEXT_LENGTH = 50, 24
_EXPONENTIAL_LENGTH = 10  # of the texts for an expression that may take time exponential in it
_USUAL = "aAbsStTlL'.\n\r \t0129é한"


class Stage(NamedTuple):
    """One split of a sequence."""

    expression: str
    keeps: str = "all"
    finishes: bool = False  # its matches are pre-tokens, which no later split divides
    of_names: bool = False  # it sees GPT-2's names of bytes
    joins: str | None = None  # a key of `patterns.JOINED`, where matches join what is beside them

    @classmethod
    def of(cls, pattern: str, of_names: bool = False) -> Stage:
        """The split of a pattern, which drops what its groups `dropped` and `kept` say."""
        names = () if pattern in patterns.PATTERNS else patterns.compiled(pattern).groupindex.keys()
        keeps = "matches" if "kept" in names else "between" if "dropped" in names else "all"
        return cls(patterns.expression(pattern), keeps, of_names=of_names)

    def by_matches(self) -> Stage:
        """The same split, of an expression that joins matches to what is beside them, by these matches alone."""
        joins, expression = patterns.joined_by(self.expression)
        return self if joins is None else self._replace(expression=expression, joins=joins)

    @property
    def native(self) -> tuple[str, bool, int, int, bool, bool]:
        """The stage for `_core.CompiledPattern`."""
        joins = 0 if self.joins is None else 1 + list(patterns.JOINED).index(self.joins)
        sets = patterns.holds_sets(self.expression)
        return self.expression, sets, KEEPS.index(self.keeps), joins, self.finishes, self.of_names


def can_cut(scanner: Scanner) -> bool:
    """Whether there are texts that can be cut, such that both sides split as they do in the whole."""
    return isinstance(scanner, int) or (isinstance(scanner, _core.CompiledPattern) and scanner.can_cut)


def compile_splits(
    stages: Sequence[Stage], split: Callable[[str], Iterable[str]]
) -> tuple[_core.CompiledPattern | None, str]:
    """(a native scanner that splits as `split` does, None if the core cannot; which way that is, in words).

    Both are compared on texts of characters that the stages tell apart.
    """
    if not stages:
        return None, "by the regex package: nothing is split"
    try:
        compiled = _compiled(stages)
    except (_core.UnsupportedPattern, UnicodeEncodeError) as cause:
        return None, f"by the regex package: the core cannot compile {cause}"
    for text in _texts(compiled, all(is_simple(stage.expression) for stage in stages)):
        try:
            same = _core.split(compiled, text) == [word.encode("utf-8", "surrogateescape") for word in split(text)]
        except PatternError as cause:
            return None, f"by the regex package: {cause}"
        if not same:
            return None, f"by the regex package: the core would split {text!r} otherwise"
    return compiled, f"by the core, compiled to {compiled.num_states} states"


def _compiled(stages: Sequence[Stage]) -> _core.CompiledPattern:
    """The stages compiled as they are written, which is fastest, or else by their matches. Raises `UnsupportedPattern`."""
    try:
        return _core.CompiledPattern([stage.native for stage in stages])
    except _core.UnsupportedPattern:
        by_matches = [stage.by_matches() for stage in stages]
        if by_matches == list(stages):
            raise
        return _core.CompiledPattern([stage.native for stage in by_matches])


@lru_cache(maxsize=64)
def matcher_of(expression: str) -> _core.CompiledPattern | Callable[[bytes], list[int]]:
    """What finds the matches of an expression for a step of normalisation: the core, or `regex` where the core cannot.

    Both are compared on texts of characters that the expression tells apart.
    """
    by_python = _matches_by_python(expression)
    try:
        compiled = _core.CompiledPattern([Stage(expression).native])
        one, other = (_core.Normalizer((("replace", matcher, b"<>"),)) for matcher in (compiled, by_python))
        same = all(
            one.normalize(text.encode()) == other.normalize(text.encode())
            for text in _texts(compiled, is_simple(expression))
        )
    except (_core.UnsupportedPattern, UnicodeEncodeError, PatternError):
        return by_python
    return compiled if same else by_python


def _matches_by_python(expression: str) -> Callable[[bytes], list[int]]:
    def matches(data: bytes) -> list[int]:
        """The starts and ends of all matches, one after another."""
        text = data.decode("utf-8", "surrogateescape")
        found = find_matches(patterns.compiled_expression(expression), text)
        return byte_places(text, [place for match in found for place in match.span()])

    return matches


def _texts(compiled: _core.CompiledPattern, simple: bool) -> Iterable[str]:
    import random

    draw = random.Random(0)
    samples = [chr(c) for stage in compiled.samples for c in stage if not 0xD800 <= c < 0xE000]
    length = _TEXT_LENGTH if simple else _EXPONENTIAL_LENGTH
    for _ in range(_NUM_TEXTS):
        usual = draw.random() / 2
        yield "".join(
            draw.choice(_USUAL if draw.random() < usual else samples) * draw.choice((1, 1, 1, 2, 4))
            for _ in range(draw.randrange(length))
        )
