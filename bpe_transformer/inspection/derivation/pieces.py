"""A text as the encoder takes it up: special tokens set apart, the rest in pre-tokens, each as base ids."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from bpe_transformer import _core
from bpe_transformer.errors import EncodingError

if TYPE_CHECKING:
    from bpe_transformer.tokenizer import Tokenizer

Specials = Collection[str] | Literal["all"]
PieceKind = Literal["merged", "whole", "special"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One pre-token, or one special or added token.

    "merged": it came together by merges. "whole": it is a token as a whole, and the merges were not asked
    (`ignore_merges`). "special": a special or added token, found in the text before it was split.
    """

    source: bytes  # of the text, normalised if the tokenizer does that
    kind: PieceKind
    base: tuple[int, ...]  # base ids; empty for a special token
    ids: tuple[int, ...]


class Pieces:
    """Splits texts for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        none = np.empty(0, np.uint32)
        self._unmerged = _core.Encoder(tokenizer.model.alphabet(), none, none, none, [], [], 0)
        self._whole = dict(tokenizer.model.whole_tokens())

    def of(self, text: str, *, allowed_special: Specials = (), disallowed_special: Specials = "all") -> list[Piece]:
        """The pieces of `text`, the ids of which together are what `Tokenizer.encode` gives.

        Raises:
            SpecialTokenError, EncodingError: as `Tokenizer.encode`.
        """
        ids = self.tokenizer.encode(text, allowed_special=allowed_special, disallowed_special=disallowed_special)
        pieces = list(self._split(text, self.tokenizer._policy(allowed_special, disallowed_special)))
        if [id for piece in pieces for id in piece.ids] != ids:
            raise EncodingError(
                f"the pre-tokens of {text[:40]!r} do not add up to what the encoder gives; please report this text "
                f"with the digest {self.tokenizer.digest[:12]}"
            )
        return pieces

    def _split(self, text: str, policy: bytes) -> Iterator[Piece]:
        for source, special in self.tokenizer._parts.pre_tokens(text.encode(), policy):
            if special is not None:
                yield Piece(source, "special", (), (special,))
            elif (piece := self._piece(source)).ids:
                yield piece

    def _piece(self, word: bytes) -> Piece:
        ids = tuple(self.tokenizer._encoder.encode_pieces([word]))
        kind: PieceKind = "whole" if word in self._whole else "merged"
        return Piece(word, kind, tuple(self._unmerged.encode_pieces([word])), ids)
