"""Tokens that no text is ever encoded to, and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice, product
from typing import TYPE_CHECKING, Literal

import numpy as np

from bpe_transformer.errors import EncodingError
from bpe_transformer.inspection.base.token_kinds import TokenKinds
from bpe_transformer.inspection.derivation.merge_index import MergeIndex

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

Obstacle = Literal["split", "other merges", "no merge", "normalization", "another token"]
OBSTACLES: dict[Obstacle, str] = {
    "split": "the pattern cuts its text, wherever it stands",
    "other merges": "merging its own bytes gives other tokens, because other merges come first",
    "no merge": "no merge makes it",
    "normalization": "normalization changes its text",
    "another token": "another token stands for the same text",
}
_TRIES = 4096  # completions to whole characters that are tried for a token
_IN_CONTEXT = 8  # of them that are also tried with other characters before and after
# a character of every class that patterns distinguish, and rare ones, which hardly ever merge with the token
_CONTEXTS = ("", " ", "\n", "  ", "a", "A", "1", ".", "'", "/", "ꙮ", "Ꙁ", "᠐", "⸎", "가")
_LETTERS_FIRST = (b"\xc3", b"\xd0", b"\xd7", b"\xe4", b"\xea", b"\xed", b"\xe3", b"\xe2", b"\xf0")  # of many scripts


def unreachable(tokenizer: Tokenizer) -> dict[int, Obstacle]:
    """By id, why the encoder never produces a token; special and added tokens are left out.

    A token is reachable if its own bytes, merged, give it, and a text is encoded to it: its own, or one with a few
    characters before and after it (for bytes that are not a whole character, one that completes the character). The first
    condition is exact: a token that is found within a longer pre-token also results from its own bytes, since no symbol
    outside was involved in its merges.
    "split" means that none of some hundred texts around the token shows it, which proves nothing for patterns that look far.
    200,000 tokens take about a second.
    """
    model = tokenizer.model
    kinds = TokenKinds(tokenizer)
    named = {*model.special_tokens.values(), *model.added_tokens.values()}
    decoded = model.decoded_bytes
    ids = np.array([id for id, token in enumerate(decoded) if token and id not in named], np.int64)
    encoded = tokenizer.encode_batch([decoded[id] for id in ids.tolist()], disallowed_special=())
    alone = np.diff(encoded.row_starts) == 1
    alone[alone] = encoded.ids[encoded.row_starts[:-1][alone]] == ids[alone]
    found: dict[int, Obstacle] = {}
    for id in ids[~alone].tolist():
        if (obstacle := _obstacle(tokenizer, kinds, id)) is not None:
            found[id] = obstacle
    return found


def _obstacle(tokenizer: Tokenizer, kinds: TokenKinds, id: int) -> Obstacle | None:
    model = tokenizer.model
    token = model.decoded_bytes[id]
    merged = _merged(tokenizer, id)
    if merged != [id]:
        if len(merged) == 1:
            return "another token"
        return "no merge" if kinds.rank(id) is None else "other merges"
    if model.end_of_word is not None or witness(tokenizer, id) is not None:
        return None  # the split pattern does not decide whether a mark follows
    text = token.decode("utf-8", "surrogateescape")
    changed = not kinds.partial[id] and model.pretokenizer.normalize(text) != text
    return "normalization" if changed else "split"


def witness(tokenizer: Tokenizer, id: int) -> bytes | None:
    """A text whose encoding contains this token, if one is found with a few characters around it."""
    token = tokenizer.model.decoded_bytes[id]
    for texts in _texts_with(token, _encodable(tokenizer)):
        encoded = tokenizer.encode_batch(texts, disallowed_special=())
        places = np.flatnonzero(encoded.ids == id)
        if len(places):
            return texts[int(np.searchsorted(encoded.row_starts, places[0], side="right")) - 1]
    return None


@lru_cache(maxsize=1)
def _encodable(tokenizer: Tokenizer) -> list[str]:
    """The characters of `_CONTEXTS` that this tokenizer can encode."""
    found = []
    for character in _CONTEXTS:
        with suppress(EncodingError):
            tokenizer.encode_ordinary(character)
            found.append(character)
    return found


def _texts_with(token: bytes, contexts: list[str]) -> Iterator[list[bytes]]:
    """Batches of texts that hold `token`, in order of how likely their encoding contains it."""
    completed = [head + token + tail for head, tail in islice(_completions(token), _TRIES)]
    yield completed
    for text in completed[:_IN_CONTEXT]:
        yield [before.encode() + text + after.encode() for before, after in product(contexts, contexts)]


def _merged(tokenizer: Tokenizer, id: int) -> list[int]:
    """The ids that a token's own bytes are encoded to as a pre-token, or inside one."""
    model = tokenizer.model
    if model.end_of_word is None or id in model.word_ends:
        token = model.decoded_bytes[id]
        return tokenizer.codec.encode_pretokens([token[:-1] if id in model.word_ends else token])
    merges = MergeIndex.of(tokenizer)
    return merges.encode(merges.base_ids_of(id))


def _completions(token: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Bytes to put before and after a token so that it begins and ends with whole characters; empty if it does."""
    begin = next((place for place, byte in enumerate(token) if byte & 0xC0 != 0x80), len(token))
    heads = _heads(begin) if 0 < begin < 4 else [b""]
    tails = [b""]
    if lead := next((place for place in range(1, min(4, len(token)) + 1) if token[-place] >= 0xC0), 0):
        missing = _length(token[-lead]) - lead
        if missing > 0:
            tails = [bytes([first, *[0x80] * (missing - 1)]) for first in (0xA0, *range(0x80, 0xC0))]
    valid = [(head, tail) for head, tail in product(heads, tails) if _is_utf8(head + token + tail)]
    return iter(valid or [(b"", b"")])


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _heads(missing: int) -> list[bytes]:
    """The beginnings of characters that lack `missing` bytes."""
    heads = []
    for lead in (*_LETTERS_FIRST, *(bytes([byte]) for byte in range(0xC2, 0xF5))):
        filling = _length(lead[0]) - 1 - missing
        heads += [lead + bytes([byte] * filling) for byte in (0xA0, 0x80, 0x90, 0xB0)] if filling >= 0 else []
    return heads


def _length(lead: int) -> int:
    return 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
