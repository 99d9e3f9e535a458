"""The base alphabet of a vocabulary: which bytes or characters have a token before any merge, and what falls out."""

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
class Characters:
    """The base tokens of `unit="char"`, and how many characters and occurrences of the corpus have none."""

    tokens: list[bytes]
    left_out: int
    occurrences_left_out: int


def character_tokens(
    words: _core.WordCounts,
    *,
    end_of_word: str | None,
    coverage: float,
    required: Iterable[str],
    byte_fallback: bool,
    base: BpeModel | None = None,
) -> Characters:
    """The tokens of a corpus's characters in code-point order, first within words, then at their ends.

    Characters that occur most often are taken, among equals the smallest code point, until they cover the share `coverage`
    of all occurrences (as SentencePiece's `character_coverage`), and `required` ones always. `byte_fallback` puts the
    tokens of the 256 bytes before them. Given `base`, only what it lacks is returned.
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
            known.add(b" ")  # the mark stands for it
        tokens = [token for token in tokens if token not in known]
        kept |= {ord(token.decode()) for token in known if len(token.decode()) == 1}
    elif byte_fallback:
        tokens = [fallback_token(byte) for byte in range(256)] + tokens
    missing = [n for c, n in occurrences.items() if c not in kept]
    return Characters(tokens, len(missing), sum(missing))


def _covering(occurrences: dict[int, int], coverage: float) -> set[int]:
    """The code points that occur most and together make up at least `coverage` of all occurrences."""
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
