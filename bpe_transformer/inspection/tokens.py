"""A text as a tokenizer sees it: plain data, one span a token."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

from bpe_transformer.errors import EncodingError
from bpe_transformer.inspection._view import View
from bpe_transformer.inspection.visible import token_dict, visible

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

Kind = Literal["base", "merged", "special", "unknown"]


@dataclass(frozen=True, slots=True)
class TokenSpan(View):
    """One token and the place in the text that it stands for.

    The end of a span is the first position after it. A token that holds only part of a character counts that character
    as its own, so the character offsets of its neighbours overlap; byte offsets never do.
    """

    id: int
    token: bytes  # as in the vocabulary, an end-of-word mark included
    source: bytes  # the bytes of the text it stands for: another than `token` for an unknown character, or a mark
    byte_start: int
    byte_end: int
    char_start: int
    char_end: int
    rank: int | None  # of the merge that made it; None for a base or special token
    kind: Kind

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "token": token_dict(self.token),
            "source": token_dict(self.source),
            "byte_start": self.byte_start,
            "byte_end": self.byte_end,
            "char_start": self.char_start,
            "char_end": self.char_end,
            "rank": self.rank,
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True)
class TokenizedText(View):
    """A text, its tokens in order, and which tokenizer made them."""

    text: str
    spans: tuple[TokenSpan, ...]
    digest: str  # of the tokenizer

    @property
    def ids(self) -> list[int]:
        return [span.id for span in self.spans]

    @property
    def num_bytes(self) -> int:
        return len(self.text.encode())

    @property
    def bytes_per_token(self) -> float:
        """Bytes of text a token; 0 for an empty text."""
        return self.num_bytes / len(self.spans) if self.spans else 0.0

    @property
    def num_unknown(self) -> int:
        return sum(span.kind == "unknown" for span in self.spans)

    def as_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "digest": self.digest,
            "num_tokens": len(self.spans),
            "num_bytes": self.num_bytes,
            "num_chars": len(self.text),
            "bytes_per_token": self.bytes_per_token,
            "num_unknown": self.num_unknown,
            "spans": [span.as_dict() for span in self.spans],
        }


def tokenize_text(
    tokenizer: Tokenizer,
    text: str,
    *,
    allowed_special: set[str] | frozenset[str] | Literal["all"] = frozenset(),
    disallowed_special: Literal["all"] | Collection[str] = "all",
) -> TokenizedText:
    """Encodes `text` and finds the place of every token in it. Special tokens follow `Tokenizer.encode`.

    Raises:
        SpecialTokenError: `text` holds a special token that is neither allowed nor exempt.
        EncodingError: `text` cannot be encoded.
    """
    ids = tokenizer.encode(text, allowed_special=allowed_special, disallowed_special=disallowed_special)
    allowed = frozenset(tokenizer.special_tokens) if allowed_special == "all" else frozenset(allowed_special)
    return TokenizedText(text, tuple(_align(tokenizer, text, ids, allowed)), tokenizer.digest)


def _align(tokenizer: Tokenizer, text: str, ids: Sequence[int], allowed: frozenset[str]) -> Iterator[TokenSpan]:
    """Walks through `text` with the tokens at hand; white space that the tokenizer drops belongs to no span."""
    raw = text.encode()
    char_starts = list(accumulate((len(char.encode()) for char in text), initial=0))
    special_names = {token: name for name, token in tokenizer.special_tokens.items()}
    rank_of = {made: rank for rank, made in enumerate(tokenizer.model.made.tolist())}
    unknown_id = tokenizer.special_tokens.get(tokenizer.unk_token) if tokenizer.unk_token is not None else None
    at = 0
    for token_id in ids:
        token = tokenizer.token_bytes(token_id)
        name = special_names.get(token_id)
        if tokenizer.end_of_word is not None:
            at = _after_space(text, char_starts, at)
        kind: Kind
        if name is not None and name in allowed and raw.startswith(name.encode(), at):
            kind, source = "special", name.encode()
        elif token_id == unknown_id:
            kind, source = "unknown", text[bisect_right(char_starts, at) - 1 :][:1].encode()
        else:
            kind = "merged" if token_id in rank_of else "base"
            source = _spelled(token, tokenizer.end_of_word, raw, at)
        if not source:
            raise EncodingError(
                f"token {visible(token)!r} (id {token_id}) does not stand at byte {at} of the text; "
                "this tokenizer changes the text before it splits it, so its tokens have no place in it"
            )
        end = at + len(source)
        yield TokenSpan(
            id=token_id,
            token=token,
            source=source,
            byte_start=at,
            byte_end=end,
            char_start=bisect_right(char_starts, at) - 1,
            char_end=bisect_right(char_starts, end - 1),
            rank=rank_of.get(token_id),
            kind=kind,
        )
        at = end


def _spelled(token: bytes, end_of_word: str | None, raw: bytes, at: int) -> bytes:
    """The bytes at `at` that `token` stands for, without its end-of-word mark; empty when it is not there."""
    if raw.startswith(token, at):
        return token
    mark = end_of_word.encode() if end_of_word else b""
    bare = token[: -len(mark)] if mark and token.endswith(mark) else b""
    return bare if bare and raw.startswith(bare, at) else b""


def _after_space(text: str, char_starts: Sequence[int], at: int) -> int:
    char = bisect_right(char_starts, at) - 1
    while char < len(text) and text[char].isspace():
        char += 1
    return max(at, char_starts[char])
