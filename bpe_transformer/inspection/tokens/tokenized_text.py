"""A tokenized text as plain data: one span for each token."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bpe_transformer.inspection.base.token_kinds import TokenKind, TokenKinds
from bpe_transformer.inspection.base.view import View
from bpe_transformer.inspection.base.visible import token_dict
from bpe_transformer.tokenizer.splitting.alignment import character_offsets

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class TokenSpan(View):
    """One token and the place in the text that it stands for.

    The end of a span is the first position after it. A token of some of a character's bytes has the offsets of the
    whole character, so character offsets of neighbours may overlap; byte offsets never do.
    """

    id: int
    token: bytes  # as in the vocabulary, an end-of-word mark included
    source: bytes  # the bytes of the text that it stands for; differ from `token` for an unknown character or a mark
    byte_start: int
    byte_end: int
    char_start: int
    char_end: int
    rank: int | None  # of its merge; None for a base or special token
    kind: TokenKind
    # how often its pair occurred in the learning corpus when it was merged; None without a trace
    merge_count: int | None = None

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
            "merge_count": self.merge_count,
        }


@dataclass(frozen=True, slots=True)
class TokenizedText(View):
    """A text, its tokens in order, and the digest of the tokenizer."""

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
        """Bytes of text per token; 0 for an empty text."""
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
    policy: dict[str, Any] = {"allowed_special": allowed_special, "disallowed_special": disallowed_special}
    ids, places = tokenizer.encode_offsets(text, trim=False, **policy)
    raw = text.encode()
    kinds = TokenKinds(tokenizer)
    names = {id: name.encode() for name, id in tokenizer.special_tokens.items()}
    spans = []
    chars = character_offsets(raw, places).tolist()
    for id, (start, end), (first, after) in zip(ids, places.tolist(), chars, strict=True):
        source = raw[start:end]
        span = TokenSpan(
            id=id,
            token=tokenizer.token_bytes(id),
            source=source,
            byte_start=start,
            byte_end=end,
            char_start=first,
            char_end=after,
            rank=kinds.rank(id),
            kind="special"
            if names.get(id) == source
            else kinds.kind(id),  # the text may hold "<unk>" as a special token
            merge_count=kinds.merge_count(id),
        )
        spans.append(span)
    return TokenizedText(text, tuple(spans), tokenizer.digest)
