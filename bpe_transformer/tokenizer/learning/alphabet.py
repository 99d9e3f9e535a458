"""The base alphabet of a vocabulary: the bytes or characters that have a token before any merge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpe_transformer.errors import LearningError
from bpe_transformer.tokenizer.splitting.byte_level import gpt2_byte_order
from bpe_transformer.tokenizer.vocabulary.model import BpeModel, fallback_token

if TYPE_CHECKING:
    from bpe_transformer import _core


def byte_tokens(order: str) -> list[bytes]:
    """The 256 base tokens of `unit="byte"`; `order` is "byte" or "gpt2"."""
    return [bytes([byte]) for byte in (gpt2_byte_order() if order == "gpt2" else range(256))]


@dataclass(frozen=True)
class CharacterAlphabet:
    """The base tokens of `unit="char"`, and how many characters of the corpus, and occurrences of them, have no token."""

    tokens: list[bytes]
    characters_dropped: int
    occurrences_dropped: int


def character_alphabet(
    words: _core.WordCounts,
    *,
    end_of_word: str | None,
    coverage: float,
    required: Iterable[str],
    byte_fallback: bool,
    base: BpeModel | None = None,
) -> CharacterAlphabet:
    """The alphabet of a corpus in code-point order: characters within words, then those at the ends of words.

    The most frequent characters are kept, with ties to the smallest code point, until they cover the share `coverage` of all
    occurrences (as SentencePiece's `character_coverage`); `required` ones are always kept. `byte_fallback` puts the tokens
    of the 256 bytes before them. With `base`, its tokens are not repeated.
    """
    try:
        code_points, inside, last = words.characters(end_of_word is not None)
    except ValueError as cause:
        raise LearningError('a word is not UTF-8, so it has no characters; learn with unit="byte"') from cause
    occurrences = {c: i + e for c, i, e in zip(code_points, inside, last, strict=True)}
    kept = _covering(occurrences, coverage)
    wanted = {ord(character) for character in required}
    mark = (end_of_word or "").encode()
    tokens = [
        chr(c).encode()
        for c in sorted(wanted | {c for c, n in zip(code_points, inside, strict=True) if n and c in kept})
    ]
    if end_of_word is not None:
        ends = wanted | {c for c, n in zip(code_points, last, strict=True) if n and c in kept}
        tokens += [chr(c).encode() + mark for c in sorted(ends)]
    kept |= wanted
    if base is not None:
        known = {base.tokens[id] for id in base.base_ids}
        if base.space_mark is not None:
            known.add(b" ")  # which the mark replaces
        tokens = [token for token in tokens if token not in known]
        kept |= {ord(token.decode()) for token in known if len(token.decode()) == 1}
    elif byte_fallback:
        tokens = [fallback_token(byte) for byte in range(256)] + tokens
    missing = [n for c, n in occurrences.items() if c not in kept]
    return CharacterAlphabet(tokens, len(missing), sum(missing))


def _covering(occurrences: dict[int, int], coverage: float) -> set[int]:
    """The most frequent code points, which together cover at least the share `coverage` of all occurrences."""
    if coverage == 1:
        return set(occurrences)
    wanted = coverage * sum(occurrences.values())
    kept: set[int] = set()
    covered = 0
    for code_point in sorted(occurrences, key=lambda c: (-occurrences[c], c)):
        if covered >= wanted:
            break
        kept.add(code_point)
        covered += occurrences[code_point]
    return kept
