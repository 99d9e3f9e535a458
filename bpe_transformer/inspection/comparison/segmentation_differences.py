"""The words and lines that tokenizers segment most differently, with the segmentation of each tokenizer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict
from bpe_transformer.inspection.base.word_spans import word_spans
from bpe_transformer.inspection.tokens.chunked_text import CHUNK_BYTES, ChunkBoundaries, ChunkedText

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bpe_transformer.tokenizer import Tokenizer

SEARCHED_BYTES = 8 * CHUNK_BYTES  # from the beginning of every text
LONGEST_LINE = 40  # characters; longer ones do not fit a picture
_WORDS = 100_000  # most frequent ones that are looked at
_LOOKED_AT = 500  # of the words or lines that differ most, to find some that differ from each other
_NEAR = 0.75  # share of characters in common, in order, from which on two are nearly the same
_ANY_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Segments(View):
    """The segmentation of a text by one tokenizer."""

    tokenizer: str
    ids: tuple[int, ...]
    tokens: tuple[bytes, ...]  # by id, as in the vocabulary

    def as_dict(self) -> dict[str, Any]:
        return {"tokenizer": self.tokenizer, "ids": list(self.ids), "tokens": [token_dict(t) for t in self.tokens]}


@dataclass(frozen=True, slots=True)
class Difference(View):
    """A word (with the space before it) or a line, with its segmentation by every tokenizer."""

    text: str
    source: str  # label of the first text that holds it
    line: int | None  # its first line in that text, from 1; None for a word
    count: int  # occurrences in the texts that were searched
    segments: tuple[Segments, ...]

    @property
    def spread(self) -> int:
        """The difference in tokens between the longest and the shortest segmentation."""
        numbers = [len(segments.ids) for segments in self.segments]
        return max(numbers) - min(numbers)

    def as_dict(self) -> dict[str, Any]:
        names = ("text", "source", "line", "count", "spread")
        return {**{name: getattr(self, name) for name in names}, "segments": [s.as_dict() for s in self.segments]}


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    source: str
    line: int | None
    count: int


def differences(
    tokenizers: Mapping[str, Tokenizer], texts: Sequence[tuple[str, ChunkedText]], limit: int
) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
    """(words, lines), `limit` of each, from the first 8 MiB of every text.

    Words are ranked by their spread times their count, lines of up to 40 characters by their spread; of equals the shorter
    comes first, then the earlier. Those that all tokenizers cut into equally many tokens are left out, and those that are
    nearly the same as one listed before them, such as one line with another number.
    """
    words, lines = _candidates(texts)
    return (
        _most_different(tokenizers, words, limit, weighted=True),
        _most_different(tokenizers, lines, limit, weighted=False),
    )


def _candidates(texts: Sequence[tuple[str, ChunkedText]]) -> tuple[list[_Candidate], list[_Candidate]]:
    words: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    first_word: dict[str, str] = {}
    first_line: dict[str, tuple[str, int]] = {}
    for label, text in texts:
        number = 0
        for chunk in islice(text.chunks(ChunkBoundaries("line")), SEARCHED_BYTES // CHUNK_BYTES):
            found = Counter(_spaced_words(chunk))
            words += found
            for word in found:
                first_word.setdefault(word, label)
            for ended in chunk.removesuffix("\n").split("\n"):
                line = ended.removesuffix("\r")
                number += 1
                if 0 < len(line) <= LONGEST_LINE and not line.isspace():
                    lines[line] += 1
                    first_line.setdefault(line, (label, number))
    return (
        [_Candidate(word, first_word[word], None, count) for word, count in words.most_common(_WORDS)],
        [_Candidate(line, *first_line[line], count) for line, count in lines.items()],
    )


def _spaced_words(text: str) -> list[str]:
    """The words of a text, each with the space before it, which most tokenizers take with it."""
    raw = text.encode()
    return [
        raw[start - 1 if start and raw[start - 1] == 32 else start : end].decode()
        for start, end in word_spans(text).tolist()
    ]


def _most_different(
    tokenizers: Mapping[str, Tokenizer], candidates: Sequence[_Candidate], limit: int, *, weighted: bool
) -> tuple[Difference, ...]:
    if not candidates:
        return ()
    numbers = np.stack([_num_tokens(tokenizer, candidates) for tokenizer in tokenizers.values()])
    spread = numbers.max(axis=0) - numbers.min(axis=0)
    weight = spread * np.array([candidate.count for candidate in candidates]) if weighted else spread
    lengths = np.array([len(candidate.text) for candidate in candidates])
    best = np.lexsort((np.arange(len(candidates)), lengths, -weight))[:_LOOKED_AT]
    ranked = (candidates[place] for place in best.tolist() if spread[place])
    return tuple(_difference(tokenizers, candidate) for candidate in _distinct(ranked, limit))


def _distinct(ranked: Iterable[_Candidate], limit: int) -> list[_Candidate]:
    """The first `limit` that are not nearly the same as one before them."""
    found: list[_Candidate] = []
    matchers: list[SequenceMatcher[str]] = []
    for candidate in ranked:
        if len(found) == limit:
            break
        text = _ANY_NUMBER.sub("0", candidate.text.strip().casefold())
        if any(_is_near(matcher, text) for matcher in matchers):
            continue
        found.append(candidate)
        matchers.append(SequenceMatcher(None, "", text, autojunk=False))
    return found


def _is_near(matcher: SequenceMatcher[str], text: str) -> bool:
    matcher.set_seq1(text)
    return matcher.real_quick_ratio() > _NEAR and matcher.quick_ratio() > _NEAR and matcher.ratio() > _NEAR


def _num_tokens(tokenizer: Tokenizer, candidates: Sequence[_Candidate]) -> NDArray[np.int64]:
    texts = [_as_text(tokenizer, candidate) for candidate in candidates]
    return tokenizer.count_batch(texts, disallowed_special=())


def _as_text(tokenizer: Tokenizer, candidate: _Candidate) -> str:
    """The candidate as a text to encode: without its space if the tokenizer puts one before every text."""
    puts_space = tokenizer.model.prefix_space != "never" and candidate.line is None
    return candidate.text.removeprefix(" ") if puts_space else candidate.text


def _difference(tokenizers: Mapping[str, Tokenizer], candidate: _Candidate) -> Difference:
    segments = []
    for name, tokenizer in tokenizers.items():
        ids = tuple(tokenizer.encode_ordinary(_as_text(tokenizer, candidate)))
        segments.append(Segments(name, ids, tuple(map(tokenizer.token_bytes, ids))))
    return Difference(candidate.text, candidate.source, candidate.line, candidate.count, tuple(segments))
